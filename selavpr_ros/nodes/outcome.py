"""What came of one frame, in the words that diagnostics and services use."""

from __future__ import annotations

from dataclasses import dataclass

from selavpr_ros.nodes.pose_estimate import PoseEstimate


@dataclass(frozen=True)
class Localized:
    """The frame was found in the map."""

    similarity: float
    place: int
    segment: str
    estimate: PoseEstimate

    def __str__(self) -> str:
        x, y, _ = self.estimate.position
        return (
            f"localised at ({x:.2f}, {y:.2f}) m, sigma {self.estimate.position_sigma:.2f} m: "
            f"place {self.place} of {self.segment}, similarity {self.similarity:.2f}"
        )


@dataclass(frozen=True)
class NotInMap:
    """Nothing in the map is similar enough."""

    similarity: float
    threshold: float

    def __str__(self) -> str:
        # As many digits as it takes to see the difference.
        digits = 2
        while digits < 6 and f"{self.similarity:.{digits}f}" == f"{self.threshold:.{digits}f}":
            digits += 1
        return (
            f"not localised: below threshold ({self.similarity:.{digits}f} < "
            f"{self.threshold:.{digits}f})"
        )


@dataclass(frozen=True)
class Undecodable:
    """The image message could not be converted to pixels."""

    problem: str

    def __str__(self) -> str:
        return f"not localised: image cannot be decoded: {self.problem}"


@dataclass(frozen=True)
class Failed:
    """Inference or retrieval raised something that no user's input should cause."""

    problem: str

    def __str__(self) -> str:
        return f"not localised: localization failed: {self.problem}"


Outcome = Localized | NotInMap | Undecodable | Failed
