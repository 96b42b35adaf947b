from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.calibration import drives
from benchmarks.calibration.drives import DAY, SECOND, describe_drives
from benchmarks.calibration.rendering import POSES, RIDES, picture_folder
from selavpr_core.describer import Describer
from test.selavpr_ros.mapping.describing import grey, picture
from training.errors import EvaluationError

SEED, TOWNS, PICTURES = 7, 2, 3


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder in which everything is rendered."""
    for name in RIDES:
        for town in range(TOWNS):
            folder = tmp_path / "kept" / f"{drives._version()}-{SEED}" / picture_folder(name, town)
            folder.mkdir(parents=True)
            np.save(folder / POSES, np.array([[n, 10.0 * n, 0.5] for n in range(PICTURES)]))
            for n in range(PICTURES):
                cv2.imwrite(str(folder / f"{n:04d}.jpg"), picture(n + 5 * town, 48, 64))
    return tmp_path / "kept"


def described(describer: Describer, kept: Path, work: Path) -> drives.Drives:
    work.mkdir()
    return describe_drives(describer, SEED, TOWNS, kept, work)


def test_drives_become_segments_of_one_map(kept: Path, tmp_path: Path) -> None:
    found = described(grey(), kept, tmp_path / "work")
    names = [picture_folder(name, town) for name in RIDES for town in range(TOWNS)]
    assert [segment.name for segment in found.place_map.segments] == names
    second = found.part(["same day"], [0, 1])
    np.testing.assert_array_equal(
        second.positions[:, 0], [*range(PICTURES), *range(5000, 5000 + PICTURES)]
    )
    # The towns are passed one after the other, each drive on a day of its own.
    np.testing.assert_array_equal(second.stamps, DAY + SECOND * np.arange(2 * PICTURES))


def test_what_is_described_is_not_described_again(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    describer = grey()
    first = described(describer, kept, tmp_path / "first")
    asked: list[str] = []
    describe = drives._describe

    def noted(describer: Describer, pictures: Path, path: Path) -> None:
        asked.append(pictures.name)
        describe(describer, pictures, path)

    monkeypatch.setattr(drives, "_describe", noted)
    (lost,) = kept.glob("*/described-*/autumn-1.npz")
    lost.unlink()
    again = described(describer, kept, tmp_path / "again")
    assert asked == ["autumn-1"]
    everything = range(len(first.place_map))
    np.testing.assert_array_equal(
        again.place_map.gather(everything), first.place_map.gather(everything)
    )


def test_a_picture_that_is_none_is_named(kept: Path, tmp_path: Path) -> None:
    (folder,) = kept.glob("*/map-1")
    (folder / "0001.jpg").write_bytes(b"")
    with pytest.raises(EvaluationError, match=r"0001\.jpg is no picture"):
        described(grey(), kept, tmp_path / "work")
