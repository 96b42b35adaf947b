"""From a recording to its figures."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.loop_closure.recording import Recording
from selavpr_core.describer import Description
from selavpr_core.evaluation import precision_recall
from selavpr_core.place_map import ModelInfo, Session
from selavpr_ros.loop_closure import Closure, Keyframe, LoopClosureSettings, LoopDetector

SHIPPED = "as shipped"
CAUTIOUS = "cautious"

VERIFICATIONS: dict[str, dict[str, bool | int]] = {
    "none": {},
    "plausibility": {"plausibility": True},
    "consistency": {"consistency": True},
    "geometry": {"geometry": True},
    "all": {"plausibility": True, "consistency": True, "geometry": True},
    SHIPPED: {},
    CAUTIOUS: {"agreeing": 2, "agreement_window": 4},
}
_NONE = {"plausibility": False, "consistency": False, "geometry": False}


@dataclass(frozen=True)
class Figures:
    """What a set of verifications makes of a recording.

    answerable: queries that are compared with a right keyframe. closures: queries that were
    answered; false: those answered wrongly. precision: None without closures. recall: right ones
    of the answerable. false_pairs, first, last: of closures, the frames of query and match.
    metres: median and largest distance between the two ends, where the truth tells positions.
    rejected: candidates by the verification that refused them.
    """

    answerable: int
    closures: int
    false: int
    precision: float | None
    recall: float | None
    false_pairs: list[tuple[int, int]]
    first: tuple[int, int] | None
    last: tuple[int, int] | None
    metres: tuple[float, float] | None
    rejected: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self)


def verified(settings: LoopClosureSettings, name: str) -> LoopClosureSettings:
    """Return the settings with the verifications of this name alone.

    SHIPPED leaves them, CAUTIOUS asks more keyframes to agree.
    """
    kept: dict[str, Any] = {} if name in (SHIPPED, CAUTIOUS) else dict(_NONE)
    return replace(settings, **kept | VERIFICATIONS[name])


def drive(
    recording: Recording,
    descriptions: Sequence[Description],
    model: ModelInfo,
    settings: LoopClosureSettings,
) -> tuple[list[Keyframe], dict[str, int]]:
    """Give a detector every frame; return what became of them, and its count of rejections."""
    frames = iter(descriptions)
    with tempfile.TemporaryDirectory(prefix="loops.") as spool, Session(model, Path(spool)) as kept:
        detector = LoopDetector(lambda _: next(frames), kept, settings)
        keyframes = [
            detector.add_keyframe(stamp, pose, recording.picture(frame), recording.camera)
            for frame, (stamp, pose) in enumerate(
                zip(recording.stamps, recording.poses, strict=True)
            )
        ]
        return keyframes, dict(detector.rejected)


def figures(
    recording: Recording, keyframes: Sequence[Keyframe], rejected: dict[str, int]
) -> Figures:
    """Hold the closures of a recording against what is right."""
    pairs = [(k.closure.query.number, k.closure.match.number) for k in keyframes if k.closure]
    false = [pair for pair in pairs if not recording.right[pair]]
    answerable = sum(len(right) > 0 for right in positives(recording, keyframes))
    return Figures(
        answerable=answerable,
        closures=len(pairs),
        false=len(false),
        precision=round(1 - len(false) / len(pairs), 4) if pairs else None,
        recall=round((len(pairs) - len(false)) / answerable, 4) if answerable else None,
        false_pairs=false,
        first=pairs[0] if pairs else None,
        last=pairs[-1] if pairs else None,
        metres=_apart(recording, pairs),
        rejected=rejected,
    )


def _apart(recording: Recording, pairs: Sequence[tuple[int, int]]) -> tuple[float, float] | None:
    if recording.positions is None or not pairs:
        return None
    ends = recording.positions[np.array(pairs), :2]
    metres = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    return round(float(np.median(metres)), 2), round(float(metres.max()), 2)


def positives(recording: Recording, keyframes: Iterable[Keyframe]) -> list[NDArray[np.int64]]:
    """Return for each keyframe the right ones among those that it was compared with."""
    return [
        np.flatnonzero(recording.right[keyframe.waypoint.number, : keyframe.searched])
        for keyframe in keyframes
    ]


def in_hindsight(
    recording: Recording, keyframes: Sequence[Keyframe], score: Callable[[Closure], float]
) -> dict[str, float | None]:
    """Return the most that closures above a threshold of some score can do, were it known."""
    closures = [keyframe.closure for keyframe in keyframes]
    curve = precision_recall(
        [-1 if closure is None else closure.match.number for closure in closures],
        [math.nan if closure is None else score(closure) for closure in closures],
        positives(recording, keyframes),
        count_without_positives=True,
    )
    figures = {
        "recall_at_full_precision": curve.recall_at_full_precision,
        "threshold": curve.threshold_at_full_precision,
        "average_precision": curve.area,
    }
    return {name: None if math.isnan(value) else round(value, 4) for name, value in figures.items()}
