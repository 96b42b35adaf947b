from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from selavpr_core.errors import MapError
from selavpr_core.place_map import PlaceMap, read_manifest
from selavpr_core.place_map.segment import Segment, unique_name
from selavpr_core.place_map.tensor_file import digest_of

from .maps import MODEL, places, write_map


@pytest.fixture
def campus(tmp_path: Path) -> Path:
    return write_map(tmp_path / "campus", {"north": places(9, 1), "south": places(5, 2)})


def test_a_missing_segment_is_named(campus: Path) -> None:
    (campus / "segments/south.safetensors").unlink()
    with pytest.raises(MapError, match="segment 'south' is missing"):
        PlaceMap.load(campus)


def test_a_wrong_size_is_named(campus: Path) -> None:
    with (campus / "segments/north.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(MapError, match=r"segment 'north' is damaged: .* bytes instead of"):
        PlaceMap.load(campus)


@pytest.mark.parametrize("folder", ["segments", "thumbnails"])
@pytest.mark.parametrize("where", [0, 100, 5000, -1])
def test_one_flipped_bit_is_named(campus: Path, folder: str, where: int) -> None:
    path = campus / folder / "south.safetensors"
    content = bytearray(path.read_bytes())
    content[min(where, len(content) - 1)] ^= 1
    path.write_bytes(content)
    with pytest.raises(MapError, match=r"segment 'south' is damaged: .* wrong checksum"):
        PlaceMap.load(campus)


def test_an_unreadable_segment_is_named(campus: Path) -> None:
    path = campus / "segments/south.safetensors"
    size = path.stat().st_size
    path.unlink()
    path.mkdir()
    if path.stat().st_size == size:
        pytest.skip("a folder has the segment's size here")
    with pytest.raises(MapError, match="segment 'south'"):
        PlaceMap.load(campus)


def replace_columns(campus: Path, folder: str, change) -> None:
    """Change a file of the segment "north" and make the manifest agree with it."""
    path = campus / folder / "north.safetensors"
    columns = {name: array.copy() for name, array in load_file(path).items()}
    change(columns)
    save_file(columns, path)
    entries = json.loads((campus / "map.json").read_text())
    stored = entries["segments"][0]["data" if folder == "segments" else "thumbnails"]
    stored["bytes"], stored["sha256"] = vars(digest_of(path)).values()
    (campus / "map.json").write_text(json.dumps(entries))


@pytest.mark.parametrize(
    ("folder", "change"),
    [
        ("segments", lambda c: c.pop("codes")),
        ("segments", lambda c: c.update(extra=np.zeros(9))),
        ("segments", lambda c: c.update(codes=c["codes"][:, :4].copy())),
        ("segments", lambda c: c.update(descriptors=c["descriptors"].astype(np.float32))),
        ("segments", lambda c: c.update(positions=c["positions"][:8])),
        ("segments", lambda c: c.update(stamps=c["stamps"].astype(np.float64))),
        ("thumbnails", lambda c: c.pop("jpeg")),
        ("thumbnails", lambda c: c.pop("offsets")),
        ("thumbnails", lambda c: c.update(offsets=c["offsets"][:-1])),
        ("thumbnails", lambda c: c.update(jpeg=c["jpeg"].astype(np.float32))),
    ],
)
def test_columns_that_do_not_fit_are_refused(campus: Path, folder: str, change) -> None:
    replace_columns(campus, folder, change)
    with pytest.raises(MapError, match="segment 'north' does not fit"):
        PlaceMap.load(campus)


def test_another_program_may_write_the_file(campus: Path) -> None:
    # The order of tensors and the padding are ours; the format is the safetensors library's.
    replace_columns(campus, "segments", lambda columns: None)
    replace_columns(campus, "thumbnails", lambda columns: None)
    loaded = PlaceMap.load(campus)
    assert loaded.thumbnail(3) == places(9, 1)["thumbnails"][3]


def test_columns_are_views_of_the_file(campus: Path) -> None:
    info = read_manifest(campus).segments[0]
    segment = Segment(campus, info, MODEL)
    for column in (segment.codes, segment.descriptors, segment.positions, segment.stamps):
        assert column is not None
        assert column.base is not None
        assert not column.flags.writeable


@given(st.text(max_size=40), st.sets(st.text(max_size=8), max_size=5))
def test_names_fit_every_file_system_and_differ(name: str, taken: set[str]) -> None:
    names = set(taken)
    for _ in range(3):
        unique = unique_name(name, names)
        assert unique.casefold() not in {other.casefold() for other in names}
        assert 0 < len(unique.encode()) <= 110
        assert not set(unique) & set('/\\:*?"<>| \n\0')
        assert not unique.startswith((".", "-"))
        names.add(unique)


def test_names_stay_readable() -> None:
    assert unique_name("drive_2026-01-02", set()) == "drive_2026-01-02"
    assert unique_name("drive", {"Drive", "drive-2"}) == "drive-3"
    assert unique_name("göteborg väst.mcap", set()) == "göteborg_väst.mcap"
    assert unique_name("../..", set()) == "segment"
    assert unique_name("ü" * 90, set()) == "ü" * 50
