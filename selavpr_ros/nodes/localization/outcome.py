"""What came of one frame, in the words that diagnostics and services use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from selavpr_ros.nodes.localization.pose_estimate import PoseEstimate


@dataclass(frozen=True)
class Localized:
    """The robot was found in the map.

    similarity: of the image to its best match. place: of the map, the best match or, with the
    filter, the place where the robot is. probability: by the filter, that it is there; None where
    the image alone decided.
    """

    similarity: float
    place: int
    segment: str
    estimate: PoseEstimate
    probability: float | None = None

    def __str__(self) -> str:
        x, y, _ = self.estimate.position
        sure = (
            f"similarity {self.similarity:.2f}"
            if self.probability is None
            else f"probability {describe_probability(self.probability)}"
        )
        return (
            f"localised at ({x:.2f}, {y:.2f}) m, sigma {self.estimate.position_sigma:.2f} m: "
            f"place {self.place} of {self.segment}, {sure}"
        )


@dataclass(frozen=True)
class NotInMap:
    """Nothing in the map is similar enough."""

    similarity: float
    threshold: float

    def __str__(self) -> str:
        return f"not localised: below threshold ({_less(self.similarity, self.threshold)})"


@dataclass(frozen=True)
class Ambiguous:
    """A place elsewhere in the map is nearly as similar as the best match."""

    similarity: float
    margin: float
    threshold: float

    def __str__(self) -> str:
        less = _less(self.margin, self.threshold)
        return f"not localised: another place looks as alike (margin {less})"


@dataclass(frozen=True)
class Unsettled:
    """The filter is not sure where the robot is.

    state: "candidate" where one place has most of the probability, else "lost". similarity: of the
    image to its best match. place, segment, estimate, probability: of the likeliest hypothesis;
    -1, "", None and 0 where there is none. seen: whether images show that place.
    """

    state: Literal["lost", "candidate"]
    similarity: float
    place: int
    segment: str
    estimate: PoseEstimate | None
    probability: float
    seen: bool = True

    def __str__(self) -> str:
        if self.estimate is None:
            return "not localised: lost, no place is likely"
        likely = f"place {self.place} of {self.segment} has probability "
        likely += describe_probability(self.probability)
        if self.state == "lost":
            return f"not localised: lost, at best {likely}"
        unseen = "" if self.seen else ", but the last images show it less than usual"
        sigma = f"sigma {self.estimate.position_sigma:.2f} m"
        return f"not localised: candidate, {likely}, {sigma}{unseen}"


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


Judged = Localized | NotInMap | Ambiguous | Unsettled
Outcome = Judged | Undecodable | Failed


def state_of(outcome: Judged) -> Literal["lost", "candidate", "localised"]:
    """The state of the robot: without the filter it is localised or lost."""
    if isinstance(outcome, Localized):
        return "localised"
    return outcome.state if isinstance(outcome, Unsettled) else "lost"


def describe_probability(probability: float) -> str:
    """Text with enough digits to tell nearly certain from certain, such as `0.97` or `0.9998`."""
    digits = 2
    while digits < 4 and 1.0 - probability < 10.0**-digits:
        digits += 1
    return f"{probability:.{digits}f}"


def _less(value: float, limit: float) -> str:
    """`0.42 < 0.50`, with as many digits as it takes to see the difference."""
    digits = 2
    while digits < 6 and f"{value:.{digits}f}" == f"{limit:.{digits}f}":
        digits += 1
    return f"{value:.{digits}f} < {limit:.{digits}f}"
