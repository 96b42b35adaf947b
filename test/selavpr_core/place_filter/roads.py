"""Small made-up maps to drive through."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from selavpr_core.place_filter import Belief, Motion, PlaceFilter

SPACING = 3.0


def straight(count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Positions [N, 3] and headings [N] of a road to the east."""
    positions = np.zeros((count, 3))
    positions[:, 0] = SPACING * np.arange(count)
    return positions, np.zeros(count)


class Eyes:
    """Similarities of images with the places of a map: near ones are alike, others are noise."""

    def __init__(self, positions: np.ndarray, headings: np.ndarray, seed: int = 0) -> None:
        self.positions, self.headings = positions, headings
        self._rng = np.random.default_rng(seed)
        self.twins: tuple[int, int] | None = None  # the second looks like the first, and more so

    def look(self, x: float, y: float, yaw: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """The 100 best places and their similarities."""
        distances = np.hypot(self.positions[:, 0] - x, self.positions[:, 1] - y)
        turns = np.nan_to_num(np.angle(np.exp(1j * (self.headings - yaw))))
        alike = np.exp(-0.5 * (distances / 5.0) ** 2 - 0.5 * (turns / 0.35) ** 2)
        if self.twins is not None and np.argmax(alike) == self.twins[0] and alike.max() > 0.5:
            alike[self.twins[1]] = 1.2
        similarities = 0.3 + 0.4 * alike + 0.05 * self._rng.standard_normal(len(alike))
        best = np.argsort(-similarities, kind="stable")[:100]
        return best, similarities[best]


def drive(
    following: PlaceFilter,
    eyes: Eyes,
    poses: Iterable[tuple[float, float, float]],
    seconds: float = 0.5,
    odometry: bool = True,
    carried: bool = False,
) -> list[Belief]:
    """Follow poses (x, y, yaw); `carried`: odometry does not see how the first was reached."""
    beliefs, before = [], None
    for pose in poses:
        motion = None
        if odometry and before is not None:
            motion = Motion.between(before, pose)
        elif carried and before is None:
            motion = Motion.between(pose, pose)
        beliefs.append(following.update(*eyes.look(*pose), motion, seconds))
        before = pose
    return beliefs


def along(start: float, stop: float, step: float = 2.0) -> list[tuple[float, float, float]]:
    """Poses to the east, on the road."""
    return [(float(x), 0.0, 0.0) for x in np.arange(start, stop, step)]
