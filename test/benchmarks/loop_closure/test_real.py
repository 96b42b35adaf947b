from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.loop_closure import real
from training.errors import DatasetError


def circuit(folder: Path, frames: int, bitmap: tuple[int, int]) -> Path:
    """Write a folder like that of rtabmap_samples."""
    pictures = folder / "loop" / "rtabmap_samples"
    pictures.mkdir(parents=True)
    for number in range(1, frames + 1):
        cv2.imwrite(str(pictures / f"{number}.jpg"), np.full((8, 8, 3), number, np.uint8))
    truth = np.zeros(bitmap, np.uint8)
    truth[-1, 0] = 255
    cv2.imwrite(str(folder / "loop" / "samples_GT.bmp"), truth)
    return folder


def test_frames_come_in_their_order_a_second_apart(tmp_path: Path) -> None:
    recording = real.rtabmap_samples(circuit(tmp_path, 12, (12, 12)))
    assert [int(recording.picture(n)[0, 0, 0]) for n in range(12)] == list(range(1, 13))
    assert np.diff(recording.stamps).tolist() == [10**9] * 11
    assert recording.poses == [None] * 12
    assert np.argwhere(recording.right).tolist() == [[11, 0]]
    assert recording.settings.exclusion_seconds == 10


@pytest.mark.parametrize(("frames", "bitmap"), [(11, (12, 12)), (12, (12, 11))])
def test_a_bitmap_of_other_frames_is_refused(
    tmp_path: Path, frames: int, bitmap: tuple[int, int]
) -> None:
    with pytest.raises(DatasetError, match="rtabmap_samples"):
        real.rtabmap_samples(circuit(tmp_path, frames, bitmap))


def test_a_missing_bitmap_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="samples_GT"):
        real.rtabmap_samples(tmp_path)


@pytest.mark.shared
def test_the_recorded_circuit_is_driven_twice(shared: Path) -> None:
    recording = real.rtabmap_samples(shared / "data")
    assert len(recording) == 84
    assert recording.right[42:, :42].any(axis=1).all()


@pytest.mark.shared
def test_the_campus_loop_closes_at_its_end(shared: Path) -> None:
    recording = real.toshiki_loop(shared / "data")
    assert len(recording) == 72
    assert None not in recording.poses
    assert recording.picture(0).shape == (240, 426, 3)
    far = np.abs(np.arange(72)[:, None] - np.arange(72)) > 30
    closing = np.argwhere(recording.right & far)
    assert closing[:, 0].max() >= 70
    assert closing.min() <= 2
