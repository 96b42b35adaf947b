"""A drive round a circuit for tests: pictures, a describer that knows them, and poses."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from selavpr_core.describer import Description
from selavpr_core.place_map import ModelInfo
from selavpr_ros.planar_pose import PlanarPose

SECOND = 10**9
MODEL = ModelInfo("cd" * 32, "made-up", "tiny", True, descriptor_dim=32, code_bytes=16)
PLACES = 40  # on the circuit, a metre apart
RADIUS = PLACES / math.tau


def picture(place: int) -> NDArray[np.uint8]:
    """Return a picture of a place, [48, 64, 3]: rich in features, and its number in a corner."""
    noise = np.random.default_rng(place).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    shown = np.asarray(cv2.resize(noise, (64, 48), interpolation=cv2.INTER_CUBIC), np.uint8)
    shown[0, 0] = place
    return shown


def vector(place: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng([place, 1]).standard_normal(MODEL.descriptor_dim or 0)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


class Describer:
    """Describes the picture of a place by a vector of its own; look-alikes share one.

    alike: place by place, the one whose looks it has.
    """

    def __init__(self, alike: dict[int, int] | None = None) -> None:
        self._alike = alike or {}
        self.described = 0

    def __call__(self, images: NDArray[np.uint8]) -> Description:
        self.described += 1
        place = int(images[0, 0, 0])
        seen = vector(self._alike.get(place, place))
        return Description(np.packbits(np.resize(seen, 128) > 0)[None], seen[None])


def pose(step: int, drift: float = 0.0) -> PlanarPose:
    """Where odometry has the robot after `step` metres; `drift` metres of error for each."""
    turn = step / RADIUS
    return PlanarPose(
        RADIUS * math.cos(turn) + drift * step,
        RADIUS * math.sin(turn),
        0.0,
        math.remainder(turn + math.pi / 2, math.tau),
    )
