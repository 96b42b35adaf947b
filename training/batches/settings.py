"""What a batch is made of."""

from __future__ import annotations

from dataclasses import dataclass

from training.errors import ConfigError


@dataclass(frozen=True)
class BatchSettings:
    """How many places and images are in a batch, and what is done to an image (III-E, IV-B).

    places: in a batch, at least 2 (a loss needs pairs of different places).
    images: of each place, at least 2 (and pairs of the same place).
    size: (height, width) in pixels that images are squashed to.
    randaugment: operations of RandAugment on each image; 0 for none.
    viewpoint: how far part, slant and turn of an image may differ from the whole, 0 to 1.
    light: how far light, colour and the camera's faults may, 0 to 1.
    views: different views of each image over the whole training, so that something can be known of
        them beforehand; 0 for a new one each time.

    Raises ConfigError for an unfit value.
    """

    places: int = 120
    images: int = 4
    size: tuple[int, int] = (224, 224)
    randaugment: int = 3
    viewpoint: float = 0.0
    light: float = 0.0
    views: int = 0

    def __post_init__(self) -> None:
        for name, least in (("places", 2), ("images", 2), ("randaugment", 0), ("views", 0)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"{name} of a batch must be at least {least}, not {getattr(self, name)}"
                )
        for name in ("viewpoint", "light"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be from 0 to 1, not {getattr(self, name)}")
        if min(self.size) < 1:
            raise ConfigError(f"the size of training images must be positive, not {self.size}")
