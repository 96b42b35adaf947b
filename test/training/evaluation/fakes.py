"""Images that are one number each, and a describer that looks their description up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from selavpr_core.describer import Description
from selavpr_core.preprocessing import Preprocessing

DIM, CODE_BYTES = 16, 8


def write_image(path: Path, number: int, size: tuple[int, int] = (4, 3)) -> Path:
    """Write an image (width, height) of one colour, which stands for a number below 65,536."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (number >> 8, number & 255, 0)).save(path)
    return path


def vector(number: int) -> np.ndarray:
    """Return the descriptor of an image, far from those of others."""
    values = np.random.default_rng(number).standard_normal(DIM).astype(np.float32)
    return values / np.linalg.norm(values)


def code(number: int) -> np.ndarray:
    """Return the code of an image."""
    return np.random.default_rng(number + 1).integers(0, 256, CODE_BYTES).astype(np.uint8)


class FakeDescriber:
    """Stands in for Describer; `seen` are the numbers of all images that it described.

    vectors, codes: descriptions by number, where they are not `vector` and `code`.
    """

    def __init__(
        self,
        vectors: Mapping[int, Any] | None = None,
        codes: Mapping[int, Any] | None = None,
        branches: tuple[str, ...] = ("float", "hash"),
        **attributes: Any,
    ) -> None:
        self.vectors, self.codes = vectors or {}, codes or {}
        self.fingerprint = "ab" * 32
        self.preprocessing = Preprocessing(size=(28, 28))
        self.precision = "fp32"
        self.device = "cpu"
        self.source, self.preset, self.pretrained = "fake", "tiny", True
        self.batch_size = 3
        self.descriptor_dim = DIM if "float" in branches else None
        self.code_bytes = CODE_BYTES if "hash" in branches else None
        self.seen: list[int] = []
        self.__dict__.update(attributes)

    def __call__(self, images: Any) -> Description:
        return self.infer(self.preprocess(images))

    def preprocess(self, images: Any) -> torch.Tensor:
        batch = [images] if isinstance(images, np.ndarray) else images
        return torch.tensor([(int(i[0, 0, 0]) << 8) + int(i[0, 0, 1]) for i in batch])

    def infer(self, batch: torch.Tensor) -> Description:
        numbers = batch.tolist()
        codes = np.stack([np.asarray(self.codes.get(n, code(n)), np.uint8) for n in numbers])
        vectors = np.stack(
            [np.asarray(self.vectors.get(n, vector(n)), np.float32) for n in numbers]
        )
        return Description(
            None if self.code_bytes is None else codes,
            None if self.descriptor_dim is None else vectors,
        )

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[Description]:
        batch = []
        for image in images:
            batch.append(image)
            self.seen.append(int(self.preprocess(image)[0]))
            if len(batch) == self.batch_size:
                yield self(batch)
                batch = []
        if batch:
            yield self(batch)
