from __future__ import annotations

import hashlib
import json
import struct
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from selavpr_core.errors import MapError
from selavpr_core.place_map.tensor_file import (
    Tensor,
    TensorFile,
    array_blocks,
    digest_of,
    file_blocks,
    range_blocks,
    read_range,
    write_tensor_file,
)

ARRAYS = st.dictionaries(
    st.text("abcdefg", min_size=1, max_size=6),
    st.builds(
        lambda dtype, shape: (np.arange(np.prod(shape)) % 251).astype(dtype).reshape(shape),
        st.sampled_from(["f8", "f4", "f2", "i8", "u1"]),
        st.lists(st.integers(0, 9), min_size=1, max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=5,
)


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    write_tensor_file(
        path,
        {
            name: (Tensor(array.dtype, array.shape), array_blocks(array))
            for name, array in arrays.items()
        },
        {"source": "a test"},
    )


@settings(deadline=None)
@given(ARRAYS)
def test_the_safetensors_library_and_we_read_what_was_written(arrays) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        write(path, arrays)
        for read in (load_file(path), TensorFile(path).map()):
            assert read.keys() == arrays.keys()
            for name, array in arrays.items():
                assert read[name].dtype == array.dtype
                assert read[name].shape == array.shape
                assert np.array_equal(read[name], array)


def test_we_read_what_the_safetensors_library_wrote(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.arange(4, dtype=np.float16)}
    save_file(arrays, tmp_path / "x")
    read = TensorFile(tmp_path / "x").map()
    assert all(np.array_equal(read[name], array) for name, array in arrays.items())


def test_metadata_reaches_the_header(tmp_path: Path) -> None:
    write(tmp_path / "x", {"a": np.zeros(1)})
    with safetensors.safe_open(tmp_path / "x", "np") as file:
        assert file.metadata() == {"source": "a test"}


@pytest.mark.parametrize(("dim", "alignment"), [(2048, 4096), (4096, 4096), (1024, 2048), (7, 2)])
def test_every_row_is_aligned(tmp_path: Path, dim: int, alignment: int) -> None:
    arrays = {
        "codes": np.zeros((3, 64), np.uint8),
        "stamps": np.zeros(3, np.int64),
        "positions": np.zeros((3, 3)),
        "headings": np.zeros(3, np.float32),
        "descriptors": np.zeros((3, dim), np.float16),
    }
    write(tmp_path / "x", arrays)
    read = TensorFile(tmp_path / "x").map()
    for name, wanted in (("descriptors", alignment), ("codes", 64), ("positions", 8)):
        assert read[name].ctypes.data % wanted == 0
        assert read[name].strides[0] % wanted == 0
    assert all(array.flags.aligned for array in read.values())


def test_digest_is_that_of_the_file(tmp_path: Path) -> None:
    array = np.arange(500_000, dtype=np.int64)  # several blocks
    tensors = {"a": (Tensor(array.dtype, array.shape), array_blocks(array))}
    digest = write_tensor_file(tmp_path / "x", tensors, {})
    content = (tmp_path / "x").read_bytes()
    assert digest.bytes == len(content)
    assert digest.sha256 == hashlib.sha256(content).hexdigest()
    assert digest_of(tmp_path / "x") == digest


def test_mapped_arrays_are_read_only(tmp_path: Path) -> None:
    write(tmp_path / "x", {"a": np.zeros(3)})
    array = TensorFile(tmp_path / "x").map()["a"]
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_rows_are_read_without_the_rest(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    write(tmp_path / "x", {"a": array, "b": np.zeros(5)})
    file = TensorFile(tmp_path / "x")
    assert np.array_equal(file.read_rows("a", 1, 3), array[1:3])
    assert file.read_rows("a", 2, 2).shape == (0, 3)


def test_rows_are_not_read_from_another_file_of_that_name(tmp_path: Path) -> None:
    array = np.zeros((4, 3))
    write(tmp_path / "x", {"a": array})
    file = TensorFile(tmp_path / "x")
    mapped = file.map()["a"]
    write(tmp_path / "new", {"a": array + 1})
    (tmp_path / "new").replace(tmp_path / "x")
    with pytest.raises(FileNotFoundError):
        file.read_rows("a", 0, 1)
    (tmp_path / "x").unlink()
    with pytest.raises(FileNotFoundError):
        file.read_rows("a", 0, 1)
    assert np.array_equal(mapped, array)


def test_a_range_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(range(200)) * 20_000)  # several blocks
    with (tmp_path / "x").open("rb") as file:
        for start, stop in ((0, 4_000_000), (7, 7), (199, 2_500_001), (3_999_999, 4_000_005)):
            blocks = b"".join(bytes(block) for block in range_blocks(file.fileno(), start, stop))
            assert blocks == (bytes(range(200)) * 20_000)[start:stop]
        rows = np.empty((2, 3), np.uint8)
        read_range(file.fileno(), rows, 1)
        assert rows.tolist() == [[1, 2, 3], [4, 5, 6]]
        with pytest.raises(EOFError, match="5 bytes are missing"):
            read_range(file.fileno(), rows, 3_999_999)


def test_writing_needs_no_memory_for_the_data(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(bytes(32 << 20))
    tensor = Tensor(np.dtype(np.uint8), (32 << 20,))
    tracemalloc.start()
    write_tensor_file(tmp_path / "x", {"a": (tensor, file_blocks(tmp_path / "raw"))}, {})
    digest_of(tmp_path / "x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("given", [b"", b"short", bytes(9)])
def test_too_few_or_too_many_bytes_are_refused(tmp_path: Path, given: bytes) -> None:
    tensors = {"a": (Tensor(np.dtype(np.uint8), (8,)), [given])}
    with pytest.raises(MapError, match="a has"):
        write_tensor_file(tmp_path / "x", tensors, {})


def header(entries: object, data: bytes = b"") -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        bytes(8),
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 3) + b"{}",
        struct.pack("<Q", 2) + b"{[",
        header([]),
        header({"a": 1}),
        header({"a": {"dtype": "F8", "shape": [1], "data_offsets": [0, 1]}}, b"x"),
        header({"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 1]}}, b"xx"),
        header({"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}}, b"x"),
        header({"a": {"dtype": "U8", "shape": [1], "data_offsets": [-1, 0]}}, b"x"),
        header({"a": {"dtype": "U8", "shape": ["x"], "data_offsets": [0, 1]}}, b"x"),
        header({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0]}}, b"x"),
        header({"a": {"dtype": "U8", "data_offsets": [0, 1]}}, b"x"),
    ],
)
def test_malformed_files_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(MapError, match=r"x\.safetensors"):
        TensorFile(tmp_path / "x.safetensors")
