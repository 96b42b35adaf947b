from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import utm

from test.training.datasets.trees import gsv_cities, msls, save_images, sf_xl
from training.datasets.gsv_cities import GsvCities
from training.datasets.msls import Msls
from training.datasets.sf_xl import SfXl
from training.datasets.source import Candidate, Entry
from training.errors import DatasetError
from training.index import PlaceIndex
from training.index.build import BuildSettings, Dataset, build_index
from training.index.division import PUBLISHED, Division, OwnPlaces


@dataclass
class Listed:
    """A source of images that are listed in memory."""

    root: Path
    images: Sequence[Entry]
    name: str = "mine"
    version: int = 1
    notes: Sequence[str] = ()

    def entries(self) -> Iterator[Entry]:
        yield from self.images


def three_sets(root: Path) -> list[Dataset]:
    return [
        Dataset(GsvCities(gsv_cities(root / "gsv")), PUBLISHED["gsv-cities"]),
        Dataset(SfXl(sf_xl(root / "sf@xl")), PUBLISHED["sf-xl"]),
        Dataset(Msls(msls(root / "msls")), PUBLISHED["msls"]),
    ]


def rows(folder: Path) -> list[dict[str, object]]:
    return pq.read_table(folder / "index.parquet").to_pylist()


def test_datasets_follow_each_other_with_labels_of_their_own(tmp_path: Path) -> None:
    build_index(three_sets(tmp_path), tmp_path / "index", BuildSettings())
    index = PlaceIndex.load(tmp_path / "index")
    names = [name.rsplit("/", 1)[0] for name in index.group_names]
    assert names == ["gsv-cities", "gsv-cities", "sf-xl/san-francisco", "msls/amman", "msls/zurich"]
    assert index.group_cities.tolist() == [0, 1, 2, 3, 4]
    assert (index.places, index.images) == (5, 4 + 5 + 4 + 5 + 5)
    assert all(index.path(row).is_file() for row in range(index.images))
    assert [row["dataset"] for row in rows(tmp_path / "index")][:10] == ["gsv-cities"] * 9 + [
        "sf-xl"
    ]


def test_columns_hold_what_the_datasets_say(tmp_path: Path) -> None:
    build_index(three_sets(tmp_path), tmp_path / "index", BuildSettings())
    found = {row["path"]: row for row in rows(tmp_path / "index")}
    gsv = found["Images/Phoenix/Phoenix_0000007_2014_06_000_33.4484000_-112.074_pano70.jpg"]
    assert (gsv["city"], gsv["zone"], gsv["date"]) == ("Phoenix", "12S", "2014-06")
    easting, northing, *_ = utm.from_latlon(33.4484, -112.074)
    assert gsv["easting"] == pytest.approx(easting, abs=1e-3)
    assert gsv["northing"] == pytest.approx(northing, abs=1e-3)
    amman = found["train_val/amman/database/images/database2.jpg"]
    assert (amman["heading"], amman["zone"], amman["date"]) == (122.0, "36R", "2016-05")


def test_the_same_input_is_the_same_bytes_wherever_and_however_it_is_sorted(tmp_path: Path) -> None:
    datasets = three_sets(tmp_path)
    build_index(datasets, tmp_path / "a", BuildSettings())
    build_index(datasets, tmp_path / "b" / "c", BuildSettings(run_rows=3))
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["index.json", "index.parquet", "report.json", "report.txt"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / "c" / name).read_bytes()


def test_what_made_it_is_written_down(tmp_path: Path) -> None:
    build_index(three_sets(tmp_path), tmp_path / "index", BuildSettings())
    manifest = json.loads((tmp_path / "index" / "index.json").read_text())
    assert manifest["version"] == 1
    assert manifest["roots"]["sf-xl"] == str(tmp_path / "sf@xl")
    assert manifest["settings"]["gsv-cities"] == {"reader": 1, "min_images": 4}
    assert manifest["settings"]["sf-xl"] == {
        "reader": 1,
        "M": 10.0,
        "alpha": 60.0,
        "N": 5,
        "L": 2,
        "min_images": 4,
        "groups": 1,
    }


def images(root: Path, count: int, lacking: int) -> Listed:
    save_images(root, [f"{number:03d}.jpg" for number in range(lacking, count)])
    listed = [Candidate(f"{number:03d}.jpg", "town", 1, 1, heading=0) for number in range(count)]
    return Listed(root, listed)


def test_missing_images_are_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    source = images(tmp_path / "set", 50, lacking=2)
    (report,) = build_index(
        [Dataset(source, Division())], tmp_path / "index", BuildSettings(max_missing=0.04)
    )
    assert report.total().faulty == {"missing": 2}
    assert report.total().images == 48
    assert report.total().listed == 50
    text = (tmp_path / "index" / "report.txt").read_text()
    assert "mine: 000.jpg: missing" in text
    assert "mine: 001.jpg: missing" in text
    listed = json.loads((tmp_path / "index" / "report.json").read_text())["faulty"]
    assert [fault["path"] for fault in listed] == ["000.jpg", "001.jpg"]


def test_cities_are_reported_in_the_order_of_the_dataset(tmp_path: Path) -> None:
    save_images(tmp_path, ["a.jpg", "b.jpg"])
    there = [Candidate(f"{name}.jpg", name, 1, 1, heading=0) for name in "ab"]
    missing = Candidate("none.jpg", "b", 1, 1, heading=0)
    build_index(
        [Dataset(Listed(tmp_path, [*there, missing]), Division(min_images=1))],
        tmp_path / "index",
        BuildSettings(max_missing=1),
    )
    report = json.loads((tmp_path / "index" / "report.json").read_text())
    assert list(report["datasets"]["mine"]["cities"]) == ["a", "b"]


def test_too_many_missing_images_are_an_error_that_keeps_the_list(tmp_path: Path) -> None:
    output = tmp_path / "index"
    build_index([Dataset(images(tmp_path / "whole", 9, 0), Division())], output, BuildSettings())
    before = PlaceIndex.load(output).fingerprint
    bad = [Dataset(images(tmp_path / "set", 50, lacking=2), Division())]
    with pytest.raises(
        DatasetError, match=r"2 of 50 images .*4\.0%.*000\.jpg: missing.*report\.txt"
    ):
        build_index(bad, output, BuildSettings(max_missing=0.039))
    assert PlaceIndex.load(output).fingerprint == before
    assert "001.jpg: missing" in (tmp_path / "index.report.txt").read_text()
    assert len(json.loads((tmp_path / "index.report.json").read_text())["faulty"]) == 2
    build_index(bad, output, BuildSettings(max_missing=0.04))
    assert not (tmp_path / "index.report.txt").exists()
    assert PlaceIndex.load(output).images == 48


def test_damaged_images_count_as_missing_ones(tmp_path: Path) -> None:
    source = images(tmp_path / "set", 50, lacking=0)
    (tmp_path / "set" / "007.jpg").write_bytes(b"no image")
    datasets = [Dataset(source, Division())]
    assert not build_index(datasets, tmp_path / "a", BuildSettings())[0].total().faulty
    settings = BuildSettings(check="full", max_missing=0.02)
    (report,) = build_index(datasets, tmp_path / "b", settings)
    assert report.total().faulty == {"unreadable": 1}


def test_images_without_heading_are_left_out_unless_headings_do_not_matter(tmp_path: Path) -> None:
    source = images(tmp_path / "set", 8, lacking=0)
    source.images = [*source.images[:4], *(c._replace(heading=np.nan) for c in source.images[4:])]
    (report,) = build_index([Dataset(source, Division())], tmp_path / "a", BuildSettings())
    assert report.total().left_out == {"no heading": 4}
    whole = Division(alpha=360, L=1)
    (report,) = build_index([Dataset(source, whole)], tmp_path / "b", BuildSettings())
    assert report.total().images == 8


def test_the_largest_angle_below_a_full_turn_is_stored_as_one_of_a_turn(tmp_path: Path) -> None:
    source = images(tmp_path / "set", 4, lacking=0)
    angles = (0.0, 360.0, -0.0, 719.9999999999)
    source.images = [c._replace(heading=a) for c, a in zip(source.images, angles, strict=True)]
    build_index([Dataset(source, Division(min_images=1))], tmp_path / "index", BuildSettings())
    found = [row["heading"] for row in rows(tmp_path / "index")]
    assert found == [0.0] * 4


def test_a_set_without_images_and_one_without_places_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="mine: there is no image in"):
        build_index([Dataset(Listed(tmp_path, []), Division())], tmp_path / "x", BuildSettings())
    few = images(tmp_path / "set", 3, lacking=0)
    with pytest.raises(DatasetError, match=r"no place is left .* 3 of 3 images: too few images"):
        build_index([Dataset(few, Division())], tmp_path / "x", BuildSettings())
    assert not (tmp_path / "x").exists()


def test_positions_brought_to_another_zone_are_noted(tmp_path: Path) -> None:
    source = images(tmp_path / "set", 8, lacking=0)
    source.images = [
        image._replace(easting=np.nan, northing=np.nan, latitude=51.5, longitude=longitude)
        for image, longitude in zip(source.images, [-0.00001] * 3 + [0.00001] * 5, strict=True)
    ]
    division = Division(M=1000)
    (report,) = build_index([Dataset(source, division)], tmp_path / "index", BuildSettings())
    assert report.notes == ["5 positions brought to the UTM zone of their city"]
    assert {row["zone"] for row in rows(tmp_path / "index")} == {"30U"}


def test_progress_counts_every_image(tmp_path: Path) -> None:
    calls: dict[str, list[int]] = {}

    def progress(what: str, total: int | None):
        assert total in (None, 9)
        return calls.setdefault(what, []).append

    dataset = Dataset(images(tmp_path / "set", 9, lacking=0), Division())
    build_index([dataset], tmp_path / "index", BuildSettings(), progress)
    assert calls == {"mine: reading": [9, 0], "mine: dividing": [9, 0]}


class Endless(Listed):
    """Many images, made one by one."""

    def entries(self) -> Iterator[Entry]:
        for number in range(len(self.images)):
            place = number * 7919 % 6007
            yield Candidate(
                f"{number:09d}.jpg", "town", place % 77 * 15.0, place // 77 * 15.0, heading=place
            )


def peak_memory(output: Path, count: int) -> tuple[int, int]:
    """Return the most bytes that Python (with NumPy) and Arrow held while `count` images ran."""
    source = Endless(output.parent, range(count))  # type: ignore[arg-type]
    dataset = Dataset(source, Division(min_images=1))
    before = pa.total_allocated_bytes()
    arrow: list[int] = [0]

    def progress(what: str, total: int | None) -> Callable[[int], None]:
        return lambda done: arrow.append(pa.total_allocated_bytes() - before)

    tracemalloc.start()
    try:
        build_index([dataset], output, BuildSettings(run_rows=4000), progress)
        return tracemalloc.get_traced_memory()[1], max(arrow)
    finally:
        tracemalloc.stop()


def test_more_rows_take_no_more_memory(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("training.index.checking._file_problem", lambda path: None)
    monkeypatch.setattr("training.index.build._TOGETHER", 500)
    monkeypatch.setattr("training.index.sorting._BLOCK_ROWS", 100)
    monkeypatch.setattr("training.index.writing._ROWS_TOGETHER", 4000)
    peak_memory(tmp_path / "warm", 1000)  # imports and caches
    few = peak_memory(tmp_path / "few", 6000)
    many = peak_memory(tmp_path / "many", 24_000)
    assert PlaceIndex.load(tmp_path / "many").images == 24_000
    # Four times the rows: if each were held, the memory would be four times as much.
    for kind, more, less in zip(("Python", "Arrow"), many, few, strict=True):
        assert more < 2 * less, f"{kind}: {more:,} bytes for 24,000 images, {less:,} for 6,000"

    source = images(tmp_path / "set", 8, lacking=0)
    source.images = [c._replace(place=i % 2) for i, c in enumerate(source.images)]
    build_index([Dataset(source, OwnPlaces())], tmp_path / "index", BuildSettings())
    index = PlaceIndex.load(tmp_path / "index")
    assert (index.places, index.group_names) == (2, ("mine/town",))
