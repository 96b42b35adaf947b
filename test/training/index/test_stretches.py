"""An index of clips without positions."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from test.training.datasets.trees import save_images
from training.batches import BatchSettings, PlaceSampler
from training.datasets.frames import Frames
from training.datasets.source import Candidate, Frame
from training.errors import ConfigError
from training.index import PlaceIndex
from training.index.build import BuildSettings, Dataset, build_index, sortable
from training.index.division import Stretches, stretches, with_settings
from training.index.report import DatasetReport


def names(clip: str, frames: int) -> list[str]:
    return [f"{clip}_{number:03d}.jpg" for number in range(1, frames + 1)]


def build(
    root: Path, clips: dict[str, int], division: Stretches, cities: Sequence[str] = ("hall",)
) -> tuple[PlaceIndex, list[DatasetReport]]:
    """Index the same clips in each of some cities."""
    for city in cities:
        save_images(root / city, [name for clip in clips for name in names(clip, clips[clip])])
    datasets = [Dataset(Frames(root / city, city), division) for city in cities]
    settings = BuildSettings(run_rows=5)
    reports = build_index(datasets, root / "index", settings)
    return PlaceIndex.load(root / "index"), reports


def files(index: PlaceIndex, place: int) -> list[str]:
    return [index.path(row).name for row in range(index.starts[place], index.starts[place + 1])]


def cut_by_hand(frames: int, length: int) -> list[list[int]]:
    """Return the places of a clip as lists of its frames' positions."""
    places = []
    left = list(range(frames))
    while len(left) >= 2 * length:
        places.append(left[:length])
        left = left[length:]
    return [*places, left]


@given(frames=st.integers(1, 200), length=st.integers(1, 30))
def test_a_stretch_is_length_frames_and_the_last_takes_the_rest(frames: int, length: int) -> None:
    found: dict[int, list[int]] = defaultdict(list)
    numbers = stretches(np.arange(frames), np.full(frames, frames), length)
    for position, number in enumerate(numbers.tolist()):
        found[number].append(position)
    assert list(found.values()) == cut_by_hand(frames, length)
    assert list(found) == list(range(len(found)))


def test_the_places_of_two_clips(tmp_path: Path) -> None:
    index, (report,) = build(tmp_path, {"go": 19, "lift": 8, "short": 3}, Stretches())
    assert (index.images, index.places, index.groups) == (27, 3, 2)
    assert index.group_names == ("hall/hall/0", "hall/hall/1")
    go = names("go", 19)
    assert [files(index, place) for place in range(3)] == [go[:8], go[8:], names("lift", 8)]
    assert index.place_groups.tolist() == [0, 1, 1]
    assert report.total().left_out == {"too few images at the place": 3}
    assert report.notes == ["3 clips"]
    manifest = json.loads((tmp_path / "index" / "index.json").read_text())
    assert manifest["settings"]["hall"] == {"reader": 1, "length": 8, "N": 2, "min_images": 4}


def test_single_images_are_places_where_that_is_asked_for(tmp_path: Path) -> None:
    index, _ = build(tmp_path, {"go": 3, "one": 1}, Stretches(length=1, min_images=1))
    assert [len(files(index, place)) for place in range(index.places)] == [1] * 4


def test_positions_are_unknown_in_the_index(tmp_path: Path) -> None:
    build(tmp_path, {"go": 8}, Stretches())
    rows = pq.read_table(tmp_path / "index" / "index.parquet").to_pylist()
    assert len(rows) == 8
    for row in rows:
        assert all(math.isnan(row[name]) for name in ("easting", "northing", "heading"))
        assert (row["zone"], row["date"]) == ("", "")


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    clips=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    length=st.integers(1, 9),
    period=st.integers(2, 6),
)
def test_places_of_one_group_and_clip_are_apart(clips: list[int], length: int, period: int) -> None:
    candidates = [
        Candidate(f"{clip}/{position}", "hall", frame=Frame(clip, position, frames))
        for clip, frames in enumerate(clips)
        for position in range(frames)
    ]
    division = Stretches(length, period, min_images=1)
    table = sortable(np.zeros(len(candidates), np.int64), candidates, division)
    members = defaultdict(lambda: defaultdict(set))
    for row in table.to_pylist():
        clip, position = map(int, row["path"].split("/"))
        members[row["key"][:10], clip][row["key"]].add(position)
    for places in members.values():
        for key, place in places.items():
            for other in places.keys() - {key}:
                gap = min(abs(a - b) for a in place for b in places[other])
                assert gap > (period - 1) * length
    cut = [cut_by_hand(frames, length) for frames in clips]
    assert sum(map(len, members.values())) == sum(map(len, cut))


def test_short_clips_fill_the_groups_evenly(tmp_path: Path) -> None:
    index, _ = build(tmp_path, {f"clip{n}": 4 for n in range(12)}, Stretches(length=4, N=3))
    assert np.bincount(index.place_groups).tolist() == [4, 4, 4]


def test_a_missing_frame_moves_no_other(tmp_path: Path) -> None:
    save_images(tmp_path / "hall", names("go", 16))
    empty = tmp_path / "hall" / names("go", 16)[2]
    empty.write_bytes(b"")
    dataset = Dataset(Frames(tmp_path / "hall", "hall"), Stretches())
    (report,) = build_index([dataset], tmp_path / "index", BuildSettings(max_missing=0.1))
    index = PlaceIndex.load(tmp_path / "index")
    go = names("go", 16)
    assert [files(index, place) for place in (0, 1)] == [[*go[:2], *go[3:8]], go[8:]]
    assert report.total().faulty == {"unreadable": 1}
    assert f"{empty.name}: unreadable (empty file)" in (
        tmp_path / "index" / "report.txt"
    ).read_text(encoding="utf-8")


def test_batches_join_the_small_groups_of_several_folders(tmp_path: Path) -> None:
    cities = [f"floor{number}" for number in range(6)]
    index, _ = build(tmp_path, {"go": 16, "lift": 12}, Stretches(length=4), cities)
    assert np.bincount(index.place_groups).tolist() == [3, 4] * 6
    batches = list(PlaceSampler(index, BatchSettings(places=20), seed=0))
    assert sorted(len(batch) for batch in batches) == [3, 19, 20]
    for batch in batches:
        groups = {int(index.place_groups[request.place]) for request in batch}
        assert len({int(index.group_cities[group]) for group in groups}) == len(groups)


def test_a_batch_larger_than_the_only_city_holds_one_group(tmp_path: Path) -> None:
    index, _ = build(tmp_path, {"go": 96}, Stretches(length=4))
    batches = list(PlaceSampler(index, BatchSettings(places=120), seed=0))
    assert [len(batch) for batch in batches] == [12, 12]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"length": "0"}, "length=0 is below 1"),
        ({"min_images": "0"}, "min_images=0 is below 1"),
        ({"N": "1"}, "N=1 is below 2: neighbouring places would share a group"),
        ({"N": "65536"}, "N=65536 is above 65535"),
        ({"M": "3"}, "there is no setting 'M'; there is length, N, min_images"),
        ({"length": "2.5"}, "length=2.5 is not a whole number"),
    ],
)
def test_values_that_make_no_division(values: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        with_settings(Stretches(), values)
