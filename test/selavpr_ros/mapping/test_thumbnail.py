from __future__ import annotations

import cv2
import numpy as np
import pytest

from selavpr_ros.mapping.thumbnail import LONGEST_SIDE, thumbnail


def decoded(jpeg: bytes) -> np.ndarray:
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return bgr[:, :, ::-1]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((480, 640), (192, 256)),
        ((1024, 768), (256, 192)),
        ((100, 60), (100, 60)),
        ((4000, 3), (256, 1)),
    ],
)
def test_longest_side_is_limited_and_the_aspect_kept(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    image = np.zeros((*size, 3), np.uint8)
    assert decoded(thumbnail(image)).shape == (*expected, 3)
    assert max(expected) <= LONGEST_SIDE


def test_colours_stay_where_they_are() -> None:
    image = np.zeros((600, 800, 3), np.uint8)
    image[:, :400] = (220, 30, 10)
    image[:, 400:] = (20, 40, 200)
    small = decoded(thumbnail(image)).astype(int)
    assert np.abs(small[:, :120] - (220, 30, 10)).max() < 15
    assert np.abs(small[:, 136:] - (20, 40, 200)).max() < 15
