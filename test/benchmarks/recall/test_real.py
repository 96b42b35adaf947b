from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.recall.bag_frames import write_frames
from benchmarks.recall.real import HELD_BACK, lund, rtabmap_samples, toshiki_loop, tower
from selavpr_ros.bags import BagReader
from test.benchmarks.recall.made_up import (
    EVEN,
    FRAMES,
    LOOP,
    ODD,
    STEP,
    picture,
    tower_rows,
    write_circuit,
    write_data,
)
from training.errors import DatasetError
from training.evaluation import EvaluationSet
from training.images import read_rgb


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def numbers(paths: object) -> list[int]:
    """The numbers that pictures stand for."""
    pixels = [read_rgb(path)[0, 0] for path in paths]  # type: ignore[attr-defined]
    return [(int(red) << 8) + int(green) for red, green, _ in pixels]


def lists(evaluation_set: EvaluationSet) -> list[list[int]]:
    return [right.tolist() for right in evaluation_set.positives]


@given(st.lists(st.booleans(), min_size=FRAMES**2, max_size=FRAMES**2))
@settings(max_examples=20, deadline=None)
def test_the_second_round_asks_for_frames_of_the_first(
    tmp_path_factory: pytest.TempPathFactory, values: list[bool]
) -> None:
    white = np.array(values).reshape(FRAMES, FRAMES)
    folder = tmp_path_factory.mktemp("circuit")
    write_circuit(folder, white)
    found = rtabmap_samples(folder, folder)
    assert numbers(found.database) == [1, 2, 3]
    assert numbers(found.queries) == [4, 5, 6]
    assert lists(found) == [
        [place - 1 for place in (1, 2, 3) if white[query - 1, place - 1]] for query in (4, 5, 6)
    ]
    assert found.count_without_positives


def test_photos_belong_together_within_ten_metres(data: Path, tmp_path: Path) -> None:
    found = lund(data, tmp_path)
    assert numbers(found.database) == [100 + n for n in EVEN]
    assert numbers(found.queries) == [100 + n for n in ODD]
    metres = STEP * math.pi / 180 * 6_371_000
    expected = [[i for i, n in enumerate(EVEN) if abs(n - query) * metres <= 10] for query in ODD]
    assert lists(found) == expected
    assert {len(right) for right in expected} == {2}  # 4.4 m are near, 13.3 m are not


def test_odd_frames_of_the_loop_ask_for_even_ones_within_six_metres(
    data: Path, tmp_path: Path
) -> None:
    found = toshiki_loop(data, tmp_path)
    assert numbers(found.database) == [200, 202, 204, 206, 208]
    assert numbers(found.queries) == [201, 203, 205, 207, 209]
    assert lists(found) == [
        [n // 2 for n in range(0, LOOP, 2) if 2 * abs(n - query) <= 6]
        for query in range(1, LOOP, 2)
    ]


def test_the_tower_is_asked_on_floors_that_are_held_back(data: Path, tmp_path: Path) -> None:
    found = tower(data, tmp_path)
    rows = list(enumerate(tower_rows(), 300))
    held = [(n, row) for n, row in rows if row[0] in HELD_BACK]
    assert 0 < len(held) < len(rows)
    gallery = [(n, row) for n, row in held if row[2] == "gallery"]
    queries = [(n, row) for n, row in held if row[2] == "query"]
    assert numbers(found.database) == [n for n, _ in gallery]
    assert numbers(found.queries) == [n for n, _ in queries]
    expected = []
    for _, (floor, area, _) in queries:
        expected.append([i for i, (_, row) in enumerate(gallery) if row[:2] == (floor, area)])
    assert lists(found) == expected


def test_frames_come_out_of_a_bag_as_they_went_in(data: Path, tmp_path: Path) -> None:
    frames = write_frames(data / "bags" / "lund_map_even", tmp_path / "made")
    for path, n in zip(frames.paths, EVEN, strict=True):
        assert np.array_equal(read_rgb(path), picture(100 + n))
    later = write_frames(data / "bags" / "lund_query_odd", tmp_path / "later", frames.datum)
    assert later.datum == frames.datum
    steps = np.diff(np.concatenate([frames.positions[:1], later.positions[:1]]), axis=0)
    assert steps[0, 1] == pytest.approx(4.45, abs=0.02)  # of one frame, north, on the same grid


def test_a_data_folder_that_is_not_whole_is_named(data: Path, tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    (folder / "loop" / "rtabmap_samples" / "4.jpg").unlink()
    with pytest.raises(DatasetError, match=r"has 5 of the frames .* 6 x 6 .* copy them again"):
        rtabmap_samples(folder, tmp_path)
    (folder / "loop" / "samples_GT.bmp").write_bytes(b"BM")
    with pytest.raises(DatasetError, match=r"samples_GT.bmp cannot be read"):
        rtabmap_samples(folder, tmp_path)
    (folder / "tower" / "dataset.csv").write_text("path,floor\na.jpg,1\n")
    with pytest.raises(DatasetError, match=r"is not the tower's table"):
        tower(folder, tmp_path)


def test_a_bag_that_is_cut_short_would_shift_its_frames(data: Path, tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    (bag,) = (folder / "bags" / "toshiki_loop").glob("*.mcap")
    content = bag.read_bytes()
    bag.write_bytes(content[: 2 * len(content) // 3])
    with BagReader(bag.parent) as reader:
        assert reader.warnings  # something is left to read
    with pytest.raises(DatasetError, match=r"toshiki_loop is damaged .* copy it again"):
        toshiki_loop(folder, tmp_path / "work")


@pytest.mark.shared
def test_the_recorded_sets_are_those_of_the_protocol(shared: Path, tmp_path: Path) -> None:
    """The sizes, and the share of right places, that baselines were published with."""
    sets = [read(shared / "data", tmp_path) for read in (rtabmap_samples, lund, toshiki_loop)]
    sizes = [(len(each.database), len(each.queries)) for each in sets]
    assert sizes == [(42, 42), (15, 14), (36, 36)]
    assert [sum(not len(right) for right in each.positives) for each in sets] == [0, 1, 0]
    for each, chance in zip(sets, (0.12, 0.12, 0.06), strict=True):
        shares = [len(right) / len(each.database) for right in each.positives if len(right)]
        assert round(float(np.mean(shares)), 2) == chance
