"""What a robot gets on a drive: pictures, and where each was taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.slam.track import Track
from selavpr_ros.loop_closure import CameraModel


class Frame(NamedTuple):
    """A picture [H, W, 3] uint8 RGB and its stamp in ns."""

    stamp: int
    picture: NDArray[np.uint8]


@dataclass(frozen=True)
class Footage:
    """A drive to close.

    Attributes:
        truth: where the robot was; covers all frames.
        frames: in the order of their stamps, made as they are asked for; for one pass.
        count: how many there are, about.
        camera: what took them; None where nobody knows.
        name: of the drive, for people.
    """

    truth: Track
    frames: Iterator[Frame]
    count: int
    camera: CameraModel | None
    name: str
