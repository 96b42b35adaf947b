"""A drive to find loops in, with what is right."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from selavpr_core.describer import Describer, Description
from selavpr_ros.loop_closure import CameraModel, LoopClosureSettings
from selavpr_ros.planar_pose import PlanarPose

SAME_DISTANCE = 25.0  # metres, by the convention of the field's benchmarks
SAME_ANGLE = np.radians(45.0)


@dataclass(frozen=True)
class Recording:
    """A drive, frame by frame.

    name: of the set. rule: what makes a match a right one. stamps: ns. poses: by odometry, None
    without. pictures: as files, JPEG or PNG. right: [N, N] whether two frames show the same place.
    settings: how its loops are looked for. camera: where it is known. positions: [N, 2 or 3] metres
    where the truth tells them.
    """

    name: str
    rule: str
    stamps: list[int]
    poses: list[PlanarPose | None]
    pictures: list[bytes]
    right: NDArray[np.bool_]
    settings: LoopClosureSettings
    camera: CameraModel | None = None
    positions: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.stamps)

    def picture(self, frame: int) -> NDArray[np.uint8]:
        """Return a picture, [H, W, 3] uint8 RGB."""
        pixels = cv2.imdecode(np.frombuffer(self.pictures[frame], np.uint8), cv2.IMREAD_COLOR)
        return np.asarray(cv2.cvtColor(np.asarray(pixels), cv2.COLOR_BGR2RGB), np.uint8)

    def described(self, describer: Describer) -> list[Description]:
        """Describe every frame, each by itself."""
        frames = (self.picture(frame) for frame in range(len(self)))
        return [
            Description(
                None if part.codes is None else part.codes[row : row + 1],
                None if part.descriptors is None else part.descriptors[row : row + 1],
            )
            for part in describer.stream(frames)
            for row in range(len(part.codes if part.codes is not None else part.descriptors))  # type: ignore[arg-type]
        ]


def seen_together(
    positions: NDArray[np.float64], headings: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell [N, N] which of the views at [N, 2 or 3] metres and [N] radians are of one place."""
    apart = positions[:, None, :2] - positions[None, :, :2]
    turned = np.abs(np.angle(np.exp(1j * (headings[:, None] - headings[None]))))
    near: NDArray[np.bool_] = np.hypot(apart[..., 0], apart[..., 1]) <= SAME_DISTANCE
    return near & (turned <= SAME_ANGLE)
