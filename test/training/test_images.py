from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from training.errors import UndecodableImageError
from training.images import read_rgb


def written(path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_pixels_are_rgb_whatever_the_file_holds(tmp_path: Path) -> None:
    grey = tmp_path / "grey.png"
    Image.fromarray(np.full((4, 6), 9, np.uint8)).save(grey)
    pixels = read_rgb(grey)
    assert pixels.shape == (4, 6, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == 9).all()


def test_a_lossless_file_gives_its_pixels(tmp_path: Path) -> None:
    pixels = read_rgb(written(tmp_path / "image.png"))
    expected = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("name", ["image.png", "image.jpg"])
@pytest.mark.parametrize("kept", [0, 30, 0.5])
def test_a_truncated_file_is_named(tmp_path: Path, name: str, kept: float) -> None:
    path = written(tmp_path / name)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    with pytest.raises(UndecodableImageError) as caught:
        read_rgb(path)
    assert caught.value.path == path
    assert caught.value.reason
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("orientation", range(10))
def test_a_photo_is_turned_as_opencv_turns_it(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "portrait.png"
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, exif=tags)
    np.testing.assert_array_equal(read_rgb(path), cv2.imread(str(path))[:, :, ::-1])


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow speaks of the damage
def test_damaged_exif_data_do_not_cost_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (24, 24)).save(path, exif=tags)
    content = path.read_bytes()
    start = content.index(b"Exif") + 6
    rng = np.random.default_rng(1)
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(start, start + 26, 4):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        assert read_rgb(path).shape == (24, 24, 3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UndecodableImageError, match="no such file"):
        read_rgb(tmp_path / "none.jpg")


def test_the_error_crosses_a_process_border() -> None:
    error = pickle.loads(pickle.dumps(UndecodableImageError(Path("a.jpg"), "cut short")))
    assert (error.path, error.reason) == (Path("a.jpg"), "cut short")
