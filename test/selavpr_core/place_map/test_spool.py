from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selavpr_core.place_map.places import checked_columns
from selavpr_core.place_map.spool import CHUNK_ROWS, Contents, PlaceSpool

from .maps import MODEL, places


def filled(folder: Path, *parts: dict[str, Any]) -> PlaceSpool:
    spool = PlaceSpool(MODEL, folder)
    for part in parts:
        given = {name: values for name, values in part.items() if name != "thumbnails"}
        jpegs = part["thumbnails"] or [b""] * len(part["stamps"])
        spool.append(checked_columns(MODEL, given), jpegs)
    return spool


def joined(contents: Contents, name: str) -> np.ndarray:
    tensor, blocks = contents[name]
    data = b"".join(bytes(block) for block in blocks)
    return np.frombuffer(data, tensor.dtype).reshape(tensor.shape)


@pytest.mark.parametrize("bounds", [(0, 12), (0, 1), (3, 9), (11, 12)])
def test_contents_are_those_of_the_places(tmp_path: Path, bounds: tuple[int, int]) -> None:
    parts = [places(5, 1), places(7, 2)]
    spool = filled(tmp_path, *parts)
    first, stop = bounds
    contents = spool.contents(first, stop)
    assert contents.count == stop - first
    for name in contents.data:
        expected = np.concatenate([part[name] for part in parts])[first:stop]
        column = joined(contents.data, name)
        assert np.array_equal(column, expected.astype(column.dtype))
    stamps = np.concatenate([part["stamps"] for part in parts])[first:stop]
    assert (contents.first_stamp, contents.last_stamp) == (stamps.min(), stamps.max())
    jpegs = [*parts[0]["thumbnails"], *parts[1]["thumbnails"]][first:stop]
    if any(jpegs):
        assert contents.thumbnails is not None
        offsets = joined(contents.thumbnails, "offsets")
        blob = joined(contents.thumbnails, "jpeg").tobytes()
        assert [blob[a:b] for a, b in pairwise(offsets)] == jpegs
    else:
        assert contents.thumbnails is None
    spool.close()


def test_the_offsets_of_many_places(tmp_path: Path) -> None:
    spool = filled(tmp_path, places(2 * CHUNK_ROWS + 1))
    contents = spool.contents(2, 2 * CHUNK_ROWS + 1)
    assert contents.thumbnails is not None
    lengths = [len(jpeg) for jpeg in places(2 * CHUNK_ROWS + 1)["thumbnails"][2:]]
    assert np.array_equal(joined(contents.thumbnails, "offsets"), np.cumsum([0, *lengths]))
    spool.close()


def test_columns_are_freed_with_their_last_use(tmp_path: Path) -> None:
    spool = filled(tmp_path, places(50))
    contents = spool.contents(0, 50, last_use=True)
    before = np.array(places(50)["codes"])
    assert np.array_equal(joined(contents.data, "codes"), before)
    assert os.fstat(spool._files["codes"].fileno()).st_size == 0
    assert os.fstat(spool._files["descriptors"].fileno()).st_size > 0
    spool.close()


@pytest.mark.parametrize(
    "counts", [(1,), (CHUNK_ROWS - 1, 1, 1), (CHUNK_ROWS,), (3 * CHUNK_ROWS + 1,), (1, CHUNK_ROWS)]
)
def test_every_chunk_that_has_a_row_can_be_mapped(tmp_path: Path, counts: tuple[int, ...]) -> None:
    parts = [places(count, seed, thumbnails=False) for seed, count in enumerate(counts)]
    spool = filled(tmp_path, *parts)
    expected = np.concatenate([part["descriptors"] for part in parts]).astype(np.float16)
    for number in range(-(-sum(counts) // CHUNK_ROWS)):
        chunk = spool.map_chunk("descriptors", number, random_access=number % 2 == 0)
        wanted = expected[number * CHUNK_ROWS : (number + 1) * CHUNK_ROWS]
        assert len(chunk.rows) == CHUNK_ROWS
        assert np.array_equal(chunk.rows[: len(wanted)], wanted)
        # What is not there yet is zero and can be read without harm.
        assert not chunk.rows[len(wanted) :].any()
    spool.close()


def test_files_are_closed_and_have_no_names(tmp_path: Path) -> None:
    spool = filled(tmp_path, places(3))
    assert list(tmp_path.iterdir()) == []
    files = list(spool._files.values())
    spool.close()
    spool.close()
    assert all(file.closed for file in files)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PlaceSpool(MODEL, tmp_path / "none")
