from __future__ import annotations

import math
from pathlib import Path

import pytest

from test.training.datasets.trees import save_images
from training.datasets.frames import Frames
from training.datasets.source import BAD_ENTRY, Candidate, Entry, Excluded, Frame
from training.errors import DatasetError


def entries(root: Path, *paths: str) -> list[Entry]:
    save_images(root, paths)
    return list(Frames(root, "hall").entries())


def clips(found: list[Entry]) -> list[list[str]]:
    """Return the paths clip by clip; what is said of each frame must agree."""
    result: list[list[str]] = []
    for entry in found:
        assert isinstance(entry, Candidate)
        assert entry.frame is not None
        if entry.frame.position == 0:
            result.append([])
        result[-1].append(entry.path)
        assert entry.frame[:2] == (len(result) - 1, len(result[-1]) - 1)
    lengths = [entry.frame.frames for entry in found]
    assert lengths == [len(clip) for clip in result for _ in clip]
    return result


def test_frames_follow_the_number_and_not_the_spelling(tmp_path: Path) -> None:
    names = ["go_10.jpg", "go_9.jpg", "go_1.jpg", "go_0011.jpg", "go_250.jpg"]
    expected = ["go_1.jpg", "go_9.jpg", "go_10.jpg", "go_0011.jpg", "go_250.jpg"]
    assert clips(entries(tmp_path, *names)) == [expected]


def test_a_clip_is_of_one_folder_one_name_and_one_kind_of_file(tmp_path: Path) -> None:
    others = ["a/go1.png", "a/go_1.jpg", "a/stay1.jpg", "b/go1.jpg", "go1.jpg", "2.jpg"]
    found = clips(entries(tmp_path, *others, "a/go1.jpg", "a/go2.jpg"))
    assert sorted(found) == sorted([["a/go1.jpg", "a/go2.jpg"], *([other] for other in others)])


def test_only_the_last_number_counts(tmp_path: Path) -> None:
    names = ["cam0_2.jpg", "cam1_1.jpg", "cam0_1.jpg", "v2.9.jpg", "v2.10.jpg", "v3.11.jpg"]
    assert clips(entries(tmp_path, *names)) == [
        ["cam0_1.jpg", "cam0_2.jpg"],
        ["cam1_1.jpg"],
        ["v2.9.jpg", "v2.10.jpg"],
        ["v3.11.jpg"],
    ]


def test_names_that_are_times_are_one_clip(tmp_path: Path) -> None:
    seconds = ["1305031102.175304.png", "1305031102.9.png", "1305031103.01.png"]
    assert clips(entries(tmp_path / "s", *seconds)) == [seconds]
    nanoseconds = ["999999999999999999.png", "1403636579763555584.png", "1403636579763555585.png"]
    assert clips(entries(tmp_path / "n", *nanoseconds)) == [nanoseconds]


def test_a_frame_has_neither_position_nor_heading(tmp_path: Path) -> None:
    (only,) = entries(tmp_path, "7.jpg")
    assert isinstance(only, Candidate)
    assert (only.city, only.frame) == ("hall", Frame(0, 0, 1))
    assert all(math.isnan(value) for value in only if isinstance(value, float))


def test_a_file_without_a_number_is_named(tmp_path: Path) -> None:
    detail = "its name does not end in the number of a frame"
    first, second, *rest = entries(tmp_path, "cover.jpg", "a/1_last.png", "a/1.png", ".1.jpg")
    assert first == Excluded("a/1_last.png", "hall", BAD_ENTRY, detail, faulty=True)
    assert second == Excluded("cover.jpg", "hall", BAD_ENTRY, detail, faulty=True)
    assert clips(rest) == [["a/1.png"]]


def test_clips_are_counted(tmp_path: Path) -> None:
    save_images(tmp_path, ["a1.jpg", "a2.jpg", "b1.jpg"])
    frames = Frames(tmp_path, "hall")
    assert len(list(frames.entries())) == 3
    assert frames.notes == ["2 clips"]


def test_a_folder_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no folder: expected a folder of frames of video"):
        Frames(tmp_path / "gone", "hall")
