from __future__ import annotations

import cv2
import numpy as np
import pytest

from selavpr_ros.nodes.camera.picture import (
    BAR,
    CAPTION,
    FOUND,
    HEIGHT,
    MARGIN,
    NOT_FOUND,
    decode_thumbnail,
    match_picture,
)

RED = np.full((240, 320, 3), (255, 0, 0), np.uint8)
BLUE = np.full((120, 160, 3), (0, 0, 255), np.uint8)


def test_query_left_match_right_verdict_above() -> None:
    picture = match_picture(RED, BLUE, "localised: 0.83", True, ("query", "place 12"))
    width = round(320 * HEIGHT / 240)
    assert picture.shape == (BAR + HEIGHT + CAPTION, 2 * width + 3 * MARGIN, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    middle = BAR + HEIGHT // 2
    assert picture[middle, MARGIN + width // 2].tolist() == [255, 0, 0]
    assert picture[middle, 2 * MARGIN + width + width // 2].tolist() == [0, 0, 255]
    assert tuple(picture[2, -2]) == FOUND
    # The letters are there: light pixels in the bar.
    assert (picture[:BAR].min(axis=2) > 200).sum() > 100


def test_not_found_has_another_colour() -> None:
    picture = match_picture(RED, BLUE, "below threshold", False, ("", ""))
    assert tuple(picture[2, -2]) == NOT_FOUND


def test_a_map_without_thumbnails_says_so() -> None:
    picture = match_picture(RED, None, "localised", True, ("", ""))
    right = picture[BAR : BAR + HEIGHT, picture.shape[1] // 2 + 10 : -10]
    assert right.max() > right.min()


@pytest.mark.parametrize("shape", [(2, 4000), (4000, 2), (1, 1), (1080, 1920)])
def test_images_of_any_shape(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    picture = match_picture(image, image, "a" * 300, False, ("b" * 300, "\u00e9\u4e2d"))
    assert picture.shape[0] == BAR + HEIGHT + CAPTION
    assert picture.shape[1] <= 8 * HEIGHT + 3 * MARGIN


def test_thumbnail_as_rgb() -> None:
    done, jpeg = cv2.imencode(".jpg", BLUE[:, :, ::-1])
    assert done
    pixels = decode_thumbnail(jpeg.tobytes())
    assert pixels is not None
    assert np.abs(pixels.astype(int) - BLUE).max() < 8


@pytest.mark.parametrize("jpeg", [None, b"", b"no jpeg"])
def test_thumbnail_that_is_not_there(jpeg: bytes | None) -> None:
    assert decode_thumbnail(jpeg) is None
