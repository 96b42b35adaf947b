from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from training.report.thumbnails import BOUND, Picture, fitted, picture, thumbnail


def decoded(shown: Picture) -> np.ndarray:
    """The pixels of a picture, RGB."""
    assert shown.uri is not None
    kind, _, data = shown.uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)[
        ..., ::-1
    ]


def test_an_image_is_reduced_into_the_box_in_its_proportions(tmp_path: Path) -> None:
    for size, expected in (((640, 480), (320, 240)), ((1000, 200), (320, 64)),
                           ((200, 1000), (48, 240)), ((100, 50), (100, 50)),
                           ((4000, 3), (320, 1))):  # fmt: skip
        path = tmp_path / "image.png"
        Image.new("RGB", size, (250, 40, 10)).save(path)
        shown = thumbnail(path)
        assert (shown.width, shown.height) == expected
        assert decoded(shown).shape == (expected[1], expected[0], 3)


def test_colours_stay(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.new("RGB", (64, 64), (250, 40, 10)).save(path)
    assert np.abs(decoded(thumbnail(path))[32, 32].astype(int) - (250, 40, 10)).max() <= 4


def test_noise_is_kept_within_the_bound() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    shown = picture(noise)
    assert shown.uri is not None
    assert len(base64.b64decode(shown.uri.partition(",")[2])) <= BOUND


def test_an_image_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"\xff\xd8 no more")
    for path in (damaged, tmp_path / "missing.jpg"):
        shown = thumbnail(path)
        assert shown.uri is None
        assert shown.reason


def test_small_images_are_not_enlarged() -> None:
    small = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    assert np.array_equal(fitted(small, 320, 240), small)
