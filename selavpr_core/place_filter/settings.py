"""What the filter assumes, in units that do not depend on the model."""

from __future__ import annotations

from dataclasses import dataclass

INEXACT = 0.1  # s by which two stamps may be wrong


@dataclass(frozen=True)
class FilterSettings:
    """Assumptions of the filter; ValueError for values outside of their ranges.

    localised, candidate: least probability of the best hypothesis for these states. doubted:
    one that was localised stays so until its probability is below this: a few looks that say
    little are no reason to doubt what was as good as certain. widest: metres; a position whose
    sigma along its worst direction is larger is not localised. speed: m/s, one sigma of the speed
    where no odometry says how the camera moved. fastest: m/s; odometry that says more has jumped,
    and its motion is treated as unknown. kidnapped: probability that the camera was carried
    elsewhere between two independent looks. beside: metres, one sigma, by which the camera stays
    beside the mapped track for long: such an error is not averaged out, so it is part of every
    stated covariance, across the track.
    """

    localised: float = 0.99
    doubted: float = 0.9
    candidate: float = 0.5
    widest: float = 10.0
    speed: float = 5.0
    fastest: float = 60.0
    kidnapped: float = 1e-3
    beside: float = 1.5

    def __post_init__(self) -> None:
        if not 0.0 < self.candidate <= self.doubted <= self.localised < 1.0:
            raise ValueError(
                "0 < candidate <= doubted <= localised < 1 does not hold: "
                f"{self.candidate}, {self.doubted}, {self.localised}"
            )
        for name in ("widest", "speed", "fastest", "beside"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if not 0.0 < self.kidnapped < 0.5:
            raise ValueError(f"kidnapped must lie between 0 and 0.5, not {self.kidnapped}")

    def jumped(self, metres: float, seconds: float) -> bool:
        """Whether odometry that went so far in so long has jumped; stamps are not exact."""
        return metres > self.fastest * (seconds + INEXACT)
