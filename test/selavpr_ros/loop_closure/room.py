"""A room with painted walls for tests, and the pictures that cameras take in it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from selavpr_core.camera import CameraModel
from selavpr_ros.loop_closure.camera import rays

HALF = np.array([4.0, 3.0, 9.0])
"""Metres from the middle to the walls, along x to the right, y down and z forward."""

_TEXELS = 40  # a metre


def painting(seed: int) -> NDArray[np.uint8]:
    """Return what every wall is painted with, rich in features and as large as the largest."""
    side = round(2 * HALF.max() * _TEXELS)
    noise = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def seen(
    camera: CameraModel, rotation: NDArray[np.float64], position: NDArray[np.float64], seed: int = 0
) -> NDArray[np.uint8]:
    """Return the picture [H, W, 3] that a camera takes from inside of the room.

    `rotation` takes directions of its optical frame to the room's, `position` is in metres.
    """
    size = camera.width, camera.height
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    pixels = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32)
    looking = np.column_stack([rays(camera, pixels, size), np.ones(len(pixels))]) @ rotation.T
    with np.errstate(divide="ignore"):
        reach = (np.sign(looking) * HALF - position) / looking
    wall = reach.argmin(axis=1)
    at = position + looking * reach.min(axis=1)[:, None] + HALF
    # The two coordinates along the wall; each has a part of the painting of its own.
    along = np.array([[1, 2], [0, 2], [0, 1]])[wall]
    texels = np.take_along_axis(at, along, axis=1) * _TEXELS
    texels += 97 * (wall + 3 * (np.take_along_axis(looking, wall[:, None], 1)[:, 0] > 0))[:, None]
    paint = painting(seed)
    u, v = (texels % len(paint)).astype(np.float32).T
    shape = size[1], size[0]
    grey = cv2.remap(paint, u.reshape(shape), v.reshape(shape), cv2.INTER_LINEAR)
    return np.asarray(np.repeat(grey[:, :, None], 3, axis=2), np.uint8)
