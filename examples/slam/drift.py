"""What odometry gets wrong: a model of drift, the same again for the same seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from examples.slam.track import Poses, Track, between, moved


@dataclass(frozen=True)
class DriftModel:
    """How a wheeled robot's odometry errs.

    Two errors are the same all along: a wheel that is not as large as assumed, and two that are not
    alike. The others are drawn anew for every step and grow with the root of its length, so that
    it does not matter how finely a way is measured.

    Attributes:
        scale: metres too many for each metre.
        bend: radians to the left for each metre.
        slip: metres, standard deviation after one metre, forward and to the side.
        wobble: radians, standard deviation after one metre.
    """

    scale: float = 0.01
    bend: float = math.radians(0.02)
    slip: float = 0.03
    wobble: float = math.radians(0.3)

    def __str__(self) -> str:
        return (
            f"{self.scale:+.1%} of the way, {math.degrees(self.bend):+.3g} deg/m; scatter"
            f" {100 * self.slip:.3g} cm and {math.degrees(self.wobble):.3g} deg after 1 m"
        )

    def times(self, factor: float) -> DriftModel:
        """Return the model with all its errors so many times as large."""
        return DriftModel(
            factor * self.scale, factor * self.bend, factor * self.slip, factor * self.wobble
        )


def drifted(track: Track, model: DriftModel, seed: int) -> Track:
    """Return what odometry with such errors makes of a track; both begin at the same pose."""
    rng = np.random.default_rng([seed, 80])
    steps = between(track.poses[:-1], track.poses[1:])
    metres = np.hypot(steps[:, 0], steps[:, 1])
    scatter = rng.standard_normal(steps.shape) * np.sqrt(metres)[:, None]
    steps[:, :2] = (1 + model.scale) * steps[:, :2] + model.slip * scatter[:, :2]
    steps[:, 2] += model.bend * metres + model.wobble * scatter[:, 2]
    return Track(track.stamps, _followed(track.poses[0], steps))


def _followed(start: Poses, steps: Poses) -> Poses:
    """Return the poses [N + 1, 3] along steps [N, 3] from a pose [3]."""
    yaws = start[2] + np.concatenate([[0.0], np.cumsum(steps[:, 2])])
    at = np.column_stack([np.zeros((len(steps), 2)), yaws[:-1]])
    ways = moved(at, steps)[:, :2]
    places = start[:2] + np.concatenate([np.zeros((1, 2)), np.cumsum(ways, axis=0)])
    return np.column_stack([places, yaws])
