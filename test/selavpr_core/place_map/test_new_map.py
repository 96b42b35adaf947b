"""A map put together by hand: merging and pruning, which do it, have tests of their own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.errors import MapError
from selavpr_core.place_map import PlaceMap
from selavpr_core.place_map.manifest import read_manifest
from selavpr_core.place_map.new_map import NewMap, new_map

from .maps import places, tree, write_map


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_map(tmp_path / "source", {"a": places(3, 1), "b": places(4, 2)})


def copy(source: Path, made: NewMap) -> None:
    """Put a map together that holds what another does."""
    manifest = read_manifest(source)
    for segment in manifest.segments:
        for stored in (segment.data, segment.thumbnails):
            assert stored is not None
            assert made.adopt(source / stored.file, stored) == stored
    made.finish(manifest)


@pytest.mark.parametrize("output", ["new", "empty", "deeper/still/new"])
def test_what_was_put_together_is_a_map_once_the_block_ends(
    source: Path, tmp_path: Path, output: str
) -> None:
    (tmp_path / "empty").mkdir()
    path = tmp_path / output
    with new_map(path) as made:
        copy(source, made)
        with pytest.raises(MapError):
            PlaceMap.load(path)
    first, second = PlaceMap.load(source), PlaceMap.load(path)
    assert np.array_equal(first.positions, second.positions)
    assert [second.thumbnail(n) for n in range(7)] == [first.thumbnail(n) for n in range(7)]
    assert tree(path) - {".lock"} == tree(source) - {".lock"}
    assert [p.name for p in path.parent.iterdir() if p.name.endswith("merging")] == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("output", ["new", "empty"])
def test_a_block_that_fails_leaves_things_as_they_were(
    source: Path, tmp_path: Path, output: str, error: type[BaseException]
) -> None:
    (tmp_path / "empty").mkdir()
    before = tree(source)

    def fail() -> None:
        with new_map(tmp_path / output) as made:
            copy(source, made)
            raise error

    with pytest.raises(error):
        fail()
    assert {path.name for path in tmp_path.iterdir()} == {"source", "empty"}
    assert not any((tmp_path / "empty").iterdir())
    # Segments are links to one file: what was removed was one of its names.
    assert tree(source) == before
    assert len(PlaceMap.load(source)) == 7


@pytest.mark.parametrize("name", [300 * "n", 250 * "n"])
def test_a_name_that_no_folder_can_have_is_one_line(tmp_path: Path, name: str) -> None:
    refused = pytest.raises(MapError, match="n cannot be written: File name too long")
    with refused, new_map(tmp_path / name):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_leads_nowhere_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(MapError, match="link exists already"), new_map(tmp_path / "link"):
        pass
    assert (tmp_path / "link").is_symlink()


def test_a_map_without_a_manifest_does_not_appear(source: Path, tmp_path: Path) -> None:
    """In a folder that was there already, where the manifest is moved by itself."""
    (tmp_path / "empty").mkdir()
    stored = read_manifest(source).segments[0].data
    with pytest.raises(MapError, match="empty cannot be written"), new_map(tmp_path / "empty") as m:
        m.adopt(source / stored.file, stored)
    assert not any((tmp_path / "empty").iterdir())


@pytest.mark.parametrize("kind", ["file", "folder with a hidden file", "below a file"])
def test_what_is_there_already_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "there"
    if kind == "folder with a hidden file":
        path.mkdir()
        (path / ".hidden").write_text("mine")
    else:
        path.write_text("mine")
    before = {p: p.is_dir() or p.read_text() for p in tmp_path.rglob("*")}
    entered = False
    with (
        pytest.raises(MapError, match=r"exists already|is a file"),
        new_map(path / "map" if kind == "below a file" else path),
    ):
        entered = True
    assert not entered
    assert {p: p.is_dir() or p.read_text() for p in tmp_path.rglob("*")} == before


def test_a_link_to_nothing_is_not_followed(source: Path, tmp_path: Path) -> None:
    os.symlink(tmp_path / "nowhere", tmp_path / "link")
    with pytest.raises(MapError, match="link"), new_map(tmp_path / "link") as made:
        copy(source, made)
    assert {path.name for path in tmp_path.iterdir()} == {"source", "link"}
    assert (tmp_path / "link").is_symlink()
