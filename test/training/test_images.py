from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UndecodableImageError, match="no such file"):
        read_rgb(tmp_path / "none.jpg")


def test_the_error_crosses_a_process_border() -> None:
    error = pickle.loads(pickle.dumps(UndecodableImageError(Path("a.jpg"), "cut short")))
    assert (error.path, error.reason) == (Path("a.jpg"), "cut short")
