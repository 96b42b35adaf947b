from __future__ import annotations

import os
import shutil
import tracemalloc
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from selavpr_core.errors import MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map import MapWriter, ModelInfo, PlaceMap, read_manifest, spool
from selavpr_core.storage import durable

from .maps import CAMERA, LUND, MODEL, places, tree, write_map

OTHER = ModelInfo("cd" * 32, "base", "base", True, 16, 8)


def begin_and_raise(opened: AbstractContextManager[MapWriter], kind: type[BaseException]) -> None:
    with opened as writer, writer.segment("a", "x") as segment:
        segment.add(**places(4))
        raise kind


def test_files_are_plain_safetensors(tmp_path: Path) -> None:
    contents = places(20, 3)
    path = write_map(tmp_path / "m", {"drive": contents})
    assert tree(path) == {
        ".lock", "map.json", "segments/drive.safetensors", "thumbnails/drive.safetensors",
    }  # fmt: skip
    data = load_file(path / "segments/drive.safetensors")
    assert set(data) == contents.keys() - {"thumbnails"}
    assert data["descriptors"].dtype == np.float16
    assert np.array_equal(data["codes"], contents["codes"])
    thumbnails = load_file(path / "thumbnails/drive.safetensors")
    blob, offsets = thumbnails["jpeg"].tobytes(), thumbnails["offsets"]
    cut = [blob[a:b] for a, b in pairwise(offsets)]
    assert cut == contents["thumbnails"]


def test_places_keep_their_order_over_many_calls(tmp_path: Path) -> None:
    parts = [places(n, n) for n in (1, 0, 4, 2)]
    with MapWriter(tmp_path / "m", MODEL, LUND) as writer:
        with writer.segment("a", "x") as segment:
            for part in parts:
                segment.add(**part)
            assert len(segment) == 7
        (info,) = writer.segments
    loaded = PlaceMap.load(tmp_path / "m")
    assert info == loaded.segments[0]
    for name in ("positions", "headings", "stamps"):
        assert np.array_equal(getattr(loaded, name), np.concatenate([p[name] for p in parts]))
    thumbnails = [jpeg or None for part in parts for jpeg in part["thumbnails"]]
    assert [loaded.thumbnail(n) for n in range(7)] == thumbnails


def test_a_segment_exists_once_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "m"
    with MapWriter(path, MODEL, LUND) as writer:
        assert len(PlaceMap.load(path)) == 0
        with writer.segment("a", "x") as segment:
            segment.add(**places(3))
            assert len(PlaceMap.load(path)) == 0
        assert len(PlaceMap.load(path)) == 3
    created = datetime.fromisoformat(read_manifest(path).segments[0].created)
    assert created.tzinfo is not None


def test_an_exception_drops_the_segment_and_nothing_else(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"a": places(3)})
    before = tree(path)
    with pytest.raises(KeyboardInterrupt):
        begin_and_raise(MapWriter(path, MODEL, LUND), KeyboardInterrupt)
    assert tree(path) == before
    assert [s.name for s in PlaceMap.load(path).segments] == ["a"]


def test_the_writer_goes_on_after_a_dropped_segment(tmp_path: Path) -> None:
    with MapWriter(tmp_path / "m", MODEL, LUND) as writer:
        with pytest.raises(RuntimeError):
            begin_and_raise(nullcontext(writer), RuntimeError)
        with writer.segment("a", "x") as segment:
            segment.add(**places(5))
    assert [(s.name, s.count) for s in PlaceMap.load(tmp_path / "m").segments] == [("a", 5)]


def test_a_block_without_places_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m"
    with MapWriter(path, MODEL, LUND) as writer, writer.segment("a", "x"):
        pass
    assert tree(path) == {".lock", "map.json"}


def test_a_failed_first_build_leaves_no_map(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), MapWriter(tmp_path / "m", MODEL, LUND):
        raise RuntimeError
    assert not (tmp_path / "m").exists()
    write_map(tmp_path / "m", {"a": places(1)})
    with pytest.raises(RuntimeError), MapWriter(tmp_path / "m", MODEL, LUND):
        raise RuntimeError
    assert len(PlaceMap.load(tmp_path / "m")) == 1


def test_sessions_are_added_and_names_made_unique(tmp_path: Path) -> None:
    path = tmp_path / "deep/er/m"
    for count in (2, 3, 4):
        write_map(path, {"a drive": places(count)})
    loaded = PlaceMap.load(path)
    assert [(s.name, s.count) for s in loaded.segments] == [
        ("a_drive", 2), ("a_drive-2", 3), ("a_drive-3", 4),
    ]  # fmt: skip


def test_a_segment_keeps_its_camera_when_others_are_added(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"a": places(2)})
    assert read_manifest(path).version == 2
    write_map(path, {"b": places(3)}, camera=CAMERA)
    write_map(path, {"c": places(1)})
    manifest = read_manifest(path)
    assert [segment.camera for segment in manifest.segments] == [None, CAMERA, None]
    assert manifest.version == 3


def test_a_source_need_not_be_valid_unicode(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {os.fsdecode(b"bag\xff"): places(1)})
    assert PlaceMap.load(path).segments[0].source == "/bags/bag?.mcap"


def test_another_model_or_datum_is_refused(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"a": places(1)})
    with pytest.raises(MapError, match="other weights"):
        MapWriter(path, OTHER, LUND)
    with pytest.raises(MapError, match=r"datum at 55\.7100000, 13\.1900000 \(zone 33\)"):
        MapWriter(path, MODEL, Datum.at(55.72, 13.19))
    with pytest.raises(MapError, match="without GPS need a new map"):
        MapWriter(path, MODEL, None)
    odometry = write_map(tmp_path / "o", {"a": places(1)}, datum=None)
    with pytest.raises(MapError, match="with GPS need a new map"):
        MapWriter(odometry, MODEL, LUND)
    # A refused writer does not keep the map locked.
    write_map(path, {"b": places(1)})


def test_an_empty_map_takes_on_another_model(tmp_path: Path) -> None:
    MapWriter(tmp_path / "m", MODEL, LUND).close()
    path = write_map(tmp_path / "m", {"a": places(1)}, OTHER, None)
    assert PlaceMap.load(path, OTHER.fingerprint).datum is None


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with MapWriter(tmp_path / "m", MODEL, LUND) as writer:
        with pytest.raises(MapError, match=r"another program is writing to .*m: wait"):
            MapWriter(tmp_path / "m", MODEL, LUND)
        with (
            writer.segment("a", "x"),
            pytest.raises(MapError, match="finish it first"),
            writer.segment("b", "x"),
        ):
            pass
    writer.close()
    with pytest.raises(MapError, match="is closed"), writer.segment("c", "x"):
        pass


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"a": places(2)})
    before = tree(path)
    for leftover in (
        ".writing/b/codes.raw", ".writing/map.json",
        "segments/b.safetensors", "thumbnails/b.safetensors",
    ):  # fmt: skip
        (path / leftover).parent.mkdir(parents=True, exist_ok=True)
        (path / leftover).write_bytes(b"left behind")
    assert len(PlaceMap.load(path)) == 2
    MapWriter(path, MODEL, LUND).close()
    assert tree(path) == before


def test_a_folder_of_something_else_stays_untouched(tmp_path: Path) -> None:
    foreign = tmp_path / "data"
    (foreign / "segments").mkdir(parents=True)
    (foreign / "segments/weights.safetensors").write_text("precious")
    with pytest.raises(MapError, match=r"not a place map and not empty \(it has segments\)"):
        MapWriter(foreign, MODEL, LUND)
    assert tree(foreign) == {"segments/weights.safetensors"}
    with pytest.raises(MapError, match="is a file"):
        MapWriter(foreign / "segments/weights.safetensors", MODEL, LUND)


def test_a_damaged_map_is_not_added_to(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"a": places(2)})
    (path / "map.json").write_text("{")
    before = tree(path)
    with pytest.raises(MapError, match="damaged"):
        MapWriter(path, MODEL, LUND)
    assert tree(path) == before


def test_thumbnails_that_were_left_behind_do_not_hinder_adding(tmp_path: Path) -> None:
    path = write_map(tmp_path / "m", {"a": places(4)})
    shutil.rmtree(path / "thumbnails")
    write_map(path, {"b": places(4)})
    loaded = PlaceMap.load(path)
    assert loaded.thumbnail(3) is None
    assert loaded.thumbnail(7) == places(4)["thumbnails"][3]


@pytest.mark.parametrize("when", ["adding", "finishing", "naming"])
def test_a_full_disk_is_one_line_and_drops_the_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    path = write_map(tmp_path / "m", {"a": places(2)})
    before = tree(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def add_a_segment() -> None:
        with (
            MapWriter(path, MODEL, LUND) as writer,
            monkeypatch.context() as patch,
            writer.segment("b", "x") as segment,
        ):
            if when == "adding":
                patch.setattr(spool.os, "pwrite", full)
            else:
                patch.setattr(durable.os, "fsync" if when == "finishing" else "replace", full)
            segment.add(**places(3))

    with pytest.raises(MapError, match="m cannot be written: No space left on device"):
        add_a_segment()
    assert tree(path) == before
    assert [s.name for s in PlaceMap.load(path).segments] == ["a"]


def test_errors_of_the_caller_pass_through(tmp_path: Path) -> None:
    # A bag that cannot be read must not look like a map that cannot be written.
    with (
        pytest.raises(FileNotFoundError),
        MapWriter(tmp_path / "m", MODEL, LUND) as writer,
        writer.segment("a", "x"),
    ):
        raise FileNotFoundError("drive.mcap")


def test_memory_does_not_grow_with_the_segment(tmp_path: Path) -> None:
    model = ModelInfo("ab" * 32, "t", "tiny", False, 1024, 64)
    part = places(500, 0, model)
    part["thumbnails"] = [bytes(2000)] * 500
    tracemalloc.start()
    with MapWriter(tmp_path / "m", model, None) as writer, writer.segment("a", "x") as segment:
        for _ in range(30):
            segment.add(**part)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = sum(p.stat().st_size for p in tmp_path.rglob("*.safetensors"))
    assert size > 60e6
    assert peak < 12e6
