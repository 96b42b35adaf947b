from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.errors import MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import MapWriter, ModelInfo, PlaceMap, merge_maps, new_map
from selavpr_core.place_map.frames import PlanarTransform
from selavpr_core.storage import durable

from .maps import CAMERA, LUND, MODEL, places, tree, write_map

# Across the border of zones 32 and 33, 12 degrees east: grid north turns by about 5 degrees.
HELSINGOR = Datum.at(55.75, 11.97, 10.0)
NEARBY = Datum.at(55.72, 13.21, 20.0)


def test_segments_of_one_datum_are_linked(tmp_path: Path) -> None:
    first = write_map(tmp_path / "a", {"drive": places(3, 1), "x": places(2, 2)})
    second = write_map(tmp_path / "b", {"drive": places(4, 3)})
    merged = merge_maps([first, second], tmp_path / "out/merged")
    assert [(s.name, s.count) for s in merged.segments] == [
        ("drive", 3), ("x", 2), ("drive-2", 4),
    ]  # fmt: skip
    assert merged.path == tmp_path / "out/merged"
    assert (merged.model, merged.datum) == (MODEL, LUND)
    sources = [PlaceMap.load(first), PlaceMap.load(second)]
    assert np.array_equal(merged.positions, np.concatenate([s.positions for s in sources]))
    assert np.array_equal(merged.headings, np.concatenate([s.headings for s in sources]))
    assert merged.thumbnail(8) == places(4, 3)["thumbnails"][3]
    assert [s.created for s in merged.segments[:2]] == [s.created for s in sources[0].segments]
    for name, original in (("drive", first / "segments/drive.safetensors"),
                           ("drive-2", second / "segments/drive.safetensors")):  # fmt: skip
        assert (merged.path / f"segments/{name}.safetensors").samefile(original)
    assert not [p for p in (tmp_path / "out").iterdir() if p != merged.path]


def test_segments_are_copied_where_the_file_system_cannot_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    first = write_map(tmp_path / "a", {"drive": places(3, 1)})
    monkeypatch.setattr(new_map.os, "link", no_links)
    merged = merge_maps([first], tmp_path / "merged")
    for file in ("segments/drive.safetensors", "thumbnails/drive.safetensors"):
        assert (merged.path / file).read_bytes() == (first / file).read_bytes()
        assert not (merged.path / file).samefile(first / file)
    assert tree(merged.path) == tree(first)


@pytest.mark.parametrize("other", [NEARBY, HELSINGOR])
def test_positions_keep_their_place_on_earth(tmp_path: Path, other: Datum) -> None:
    first = write_map(tmp_path / "a", {"a": places(3, 1)})
    second = write_map(tmp_path / "b", {"b": places(40, 2)}, datum=other)
    merged = merge_maps([first, second], tmp_path / "merged")
    assert merged.datum == LUND
    moved = merged.datum.to_wgs84(merged.positions[3:])
    original = other.to_wgs84(places(40, 2)["positions"])
    np.testing.assert_allclose(moved[0], original[0], atol=1e-11)  # 1e-6 m
    np.testing.assert_allclose(moved[1], original[1], atol=1e-11)
    np.testing.assert_allclose(moved[2], original[2], atol=1e-9)
    np.testing.assert_array_equal(merged.positions[:3], places(3, 1)["positions"])


@pytest.mark.parametrize("other", [NEARBY, HELSINGOR])
def test_headings_point_the_same_way(tmp_path: Path, other: Datum) -> None:
    contents = places(40, 2)
    contents["headings"][7] = np.nan
    first = write_map(tmp_path / "a", {"a": places(1, 1)})
    second = write_map(tmp_path / "b", {"b": contents}, datum=other)
    merged = merge_maps([first, second], tmp_path / "merged")
    # A step ahead on the old grid, seen on the new one: needs no formula for the grids' angle.
    headings = contents["headings"].astype(np.float64)
    ahead = np.stack([np.cos(headings), np.sin(headings), 0 * headings], axis=1)
    known = np.isfinite(headings)
    step = LUND.to_map(*other.to_wgs84((contents["positions"] + ahead)[known]))
    step -= merged.positions[1:][known]
    expected = np.arctan2(step[:, 1], step[:, 0])
    difference = merged.headings[1:][known] - expected
    assert np.abs(np.angle(np.exp(1j * difference))).max() < 1e-4
    assert (np.abs(merged.headings[1:][known]) <= np.float32(math.pi)).all()
    assert np.isnan(merged.headings[8])
    turned = np.abs(np.angle(np.exp(1j * (headings[known] - merged.headings[1:][known]))))
    assert (turned > 0.08).all() if other is HELSINGOR else (turned < 1e-6).all()


def test_what_does_not_depend_on_the_datum_is_unchanged(tmp_path: Path) -> None:
    first = write_map(tmp_path / "a", {"a": places(1, 1)})
    second = write_map(tmp_path / "b", {"b": places(20, 2)}, datum=HELSINGOR)
    merged, original = merge_maps([first, second], tmp_path / "merged"), PlaceMap.load(second)
    assert merged.codes is not None
    assert original.codes is not None
    assert np.array_equal(merged.codes[1], original.codes[0])
    assert np.array_equal(merged.gather(range(1, 21)), original.gather(range(20)))
    for name in ("stamps", "heading_sigmas", "position_sigmas"):
        assert np.array_equal(getattr(merged, name)[1:], getattr(original, name))
    assert merged.thumbnail(11) == original.thumbnail(10)
    assert merged.segments[1].source == original.segments[0].source


def test_thumbnails_that_were_left_behind_stay_so(tmp_path: Path) -> None:
    first = write_map(tmp_path / "a", {"a": places(4, 1)})
    (first / "thumbnails/a.safetensors").unlink()
    merged = merge_maps([first], tmp_path / "merged")
    assert merged.thumbnail(3) is None
    assert merged.segments[0].thumbnails is not None


@pytest.mark.parametrize("other", [LUND, HELSINGOR])
def test_each_segment_keeps_its_camera(tmp_path: Path, other: Datum) -> None:
    first = write_map(tmp_path / "a", {"a": places(3, 1)})
    second = write_map(tmp_path / "b", {"b": places(4, 2)}, datum=other, camera=CAMERA)
    assert [s.camera for s in merge_maps([first, second], tmp_path / "c").segments] == [
        None,
        CAMERA,
    ]
    alone = write_map(tmp_path / "odometry", {"o": places(4, 2)}, datum=None, camera=CAMERA)
    move = PlanarTransform(1.0, 2.0, 3.0, 0.5)
    aligned = merge_maps([first, alone], tmp_path / "d", [None, move])
    assert [segment.camera for segment in aligned.segments] == [None, CAMERA]


def test_maps_without_a_datum_merge_with_none(tmp_path: Path) -> None:
    gps = write_map(tmp_path / "gps", {"a": places(1)})
    odometry = write_map(tmp_path / "odometry", {"a": places(1)}, datum=None)
    for sources in ([gps, odometry], [odometry, gps], [odometry, odometry]):
        with pytest.raises(MapError, match="odometry has no datum"):
            merge_maps(sources, tmp_path / "out")
    assert merge_maps([odometry], tmp_path / "out").datum is None


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    first = write_map(tmp_path / "a", {"a": places(1)})
    other = write_map(
        tmp_path / "b", {"b": places(1)}, ModelInfo("cd" * 32, "base", "base", True, 16, 8)
    )
    far = write_map(tmp_path / "far", {"c": places(1)}, datum=Datum.at(40.0, -74.0))
    with pytest.raises(MapError, match=r"b was made with other weights .* than .*a \("):
        merge_maps([first, other], tmp_path / "out")
    with pytest.raises(MapError, match="segment 'c' cannot be expressed in the first map's datum"):
        merge_maps([first, far], tmp_path / "out")
    with pytest.raises(MapError, match="at least one"):
        merge_maps([], tmp_path / "out")
    with pytest.raises(MapError, match="no place map at"):
        merge_maps([first, tmp_path / "nowhere"], tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == {"a", "b", "far"}


def test_a_damaged_source_is_not_merged(tmp_path: Path) -> None:
    first = write_map(tmp_path / "a", {"a": places(2)})
    with (first / "segments/a.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")
    with pytest.raises(MapError, match="wrong checksum"):
        merge_maps([first], tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == {"a"}


def test_the_output_must_be_new_or_empty(tmp_path: Path) -> None:
    first = write_map(tmp_path / "a", {"a": places(2)})
    before = tree(first)
    with pytest.raises(MapError, match="exists already"):
        merge_maps([first], first)
    (tmp_path / "file").touch()
    with pytest.raises(MapError, match="exists already"):
        merge_maps([first], tmp_path / "file")
    assert tree(first) == before
    (tmp_path / "empty").mkdir()
    assert len(merge_maps([first], tmp_path / "empty")) == 2


def test_empty_maps_merge(tmp_path: Path) -> None:
    empty = write_map(tmp_path / "empty", {})
    first = write_map(tmp_path / "a", {"a": places(2)})
    assert len(merge_maps([empty, first, empty], tmp_path / "out")) == 2
    assert len(merge_maps([empty], tmp_path / "out2")) == 0


def test_the_merged_map_can_be_added_to(tmp_path: Path) -> None:
    first = write_map(tmp_path / "a", {"a": places(2)})
    out = merge_maps([first, first], tmp_path / "out").path
    assert [s.name for s in PlaceMap.load(write_map(out, {"a": places(1)})).segments] == [
        "a", "a-2", "a-3",
    ]  # fmt: skip
    assert len(PlaceMap.load(first)) == 2


def test_leftovers_of_a_killed_merge_are_removed(tmp_path: Path) -> None:
    first = write_map(tmp_path / "a", {"a": places(2)})
    left = tmp_path / ".out.merging"
    write_map(left, {"old": places(3)})
    (left / "map.json.new").touch()
    merged = merge_maps([first], tmp_path / "out")
    assert tree(merged.path) == tree(first)
    assert not left.exists()


def test_two_merges_to_one_output_do_not_mix(tmp_path: Path) -> None:
    first = write_map(tmp_path / "a", {"a": places(2)})
    with (
        MapWriter(tmp_path / ".out.merging", MODEL, LUND),
        pytest.raises(MapError, match="another program is writing"),
    ):
        merge_maps([first], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_no_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    first = write_map(tmp_path / "a", {"a": places(2)})
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(durable.os, "replace", full)
    for name in ("out", "empty"):
        with pytest.raises(MapError, match=f"{name} cannot be written: No space left on device"):
            merge_maps([first], tmp_path / name)
    assert {p.name for p in tmp_path.iterdir()} == {"a", "empty"}
    assert not any((tmp_path / "empty").iterdir())


@pytest.mark.parametrize("output", [".", "../here", "./new"])
def test_the_working_folder_can_be_named_in_any_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    first = write_map(tmp_path / "a", {"a": places(2)})
    here = tmp_path / "here"
    (here / ".merging" / "segments").mkdir(parents=True)  # what a killed merge left
    if output == "./new":
        (here / ".merging" / "segments").rmdir()
        (here / ".merging").rmdir()
    monkeypatch.chdir(here)
    assert len(merge_maps(["../a"], output)) == 2
    # Relative to the process, which still stands in a folder that exists.
    assert len(PlaceMap.load(output)) == 2
    assert tree(Path(output)) - {".lock"} == tree(first) - {".lock"}
    assert {p.name for p in tmp_path.iterdir()} == {"a", "here"}


def test_a_move_that_fails_half_way_leaves_the_folder_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    first = write_map(tmp_path / "a", {"a": places(2)})
    (tmp_path / "out").mkdir()
    # After the segments were moved, before the manifest is.
    monkeypatch.setattr(new_map, "sync_folder", fail)
    monkeypatch.setattr(new_map.os, "link", fail)
    with pytest.raises(MapError, match="Input/output error"):
        merge_maps([first], tmp_path / "out")
    assert not any((tmp_path / "out").iterdir())
    monkeypatch.undo()
    assert len(merge_maps([first], tmp_path / "out")) == 2
