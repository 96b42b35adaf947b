"""From a recording to its figures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.loop_closure.recording import Recording
from selavpr_core.describer import Description
from selavpr_core.evaluation import precision_recall
from selavpr_core.place_map import ModelInfo, Session
from selavpr_ros.loop_closure import Keyframe, LoopClosureSettings, LoopDetector

VERIFICATIONS: dict[str, dict[str, bool]] = {
    "none": {},
    "plausibility": {"plausibility": True},
    "consistency": {"consistency": True},
    "geometry": {"geometry": True},
    "all": {"plausibility": True, "consistency": True, "geometry": True},
}
_NONE = {"plausibility": False, "consistency": False, "geometry": False}


@dataclass(frozen=True)
class Figures:
    """What a set of verifications makes of a recording.

    answerable: queries that are compared with a right keyframe. closures: queries that were
    answered; false: those answered wrongly. precision: None without closures. recall: right ones
    of the answerable. farthest: of closures by number, [query, match]. rejected: candidates by the
    verification that refused them.
    """

    answerable: int
    closures: int
    false: int
    precision: float | None
    recall: float | None
    false_pairs: list[tuple[int, int]]
    first: tuple[int, int] | None
    last: tuple[int, int] | None
    rejected: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self)


def verified(settings: LoopClosureSettings, name: str) -> LoopClosureSettings:
    """Return the settings with the verifications of this name alone."""
    return replace(settings, **{**_NONE, **VERIFICATIONS[name]})


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
        rejected=rejected,
    )


def positives(recording: Recording, keyframes: Iterable[Keyframe]) -> list[NDArray[np.int64]]:
    """Return for each keyframe the right ones among those that it was compared with."""
    return [
        np.flatnonzero(recording.right[keyframe.waypoint.number, : keyframe.searched])
        for keyframe in keyframes
    ]


def in_hindsight(recording: Recording, best: Sequence[Keyframe]) -> dict[str, float]:
    """Return the most that the similarity of the best match can do, were its threshold known.

    best: what becomes of the frames without verification and with no threshold at all.
    """
    curve = precision_recall(
        [-1 if k.closure is None else k.closure.match.number for k in best],
        [np.nan if k.closure is None else k.closure.similarity for k in best],
        positives(recording, best),
        count_without_positives=True,
    )
    return {
        "recall_at_full_precision": round(curve.recall_at_full_precision, 4),
        "threshold": round(curve.threshold_at_full_precision, 4),
        "average_precision": round(curve.area, 4),
    }
