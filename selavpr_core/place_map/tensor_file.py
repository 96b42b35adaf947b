"""Safetensors files written and read in blocks: nothing of their data has to fit into memory."""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from selavpr_core.errors import MapError

_BLOCK_BYTES = 1 << 20
_ALIGNMENT = 4096  # of the first tensor: a page, so that rows of 4096 bytes lie in one page each
_MAX_HEADER_BYTES = 100_000_000  # the limit of the safetensors format
_TYPE_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "uint8": "U8"}
Block = bytes | memoryview
_DTYPES = {name: np.dtype(dtype) for dtype, name in _TYPE_NAMES.items()}


@dataclass(frozen=True)
class Tensor:
    """A tensor's type and shape; `row_bytes` is the size of one entry of its first axis."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of one entry of the first axis."""
        return self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))

    @property
    def bytes(self) -> int:
        """Bytes of the whole tensor."""
        return self.row_bytes * self.shape[0]


@dataclass(frozen=True)
class FileDigest:
    """Size and SHA-256 (64 hex digits) of a file."""

    bytes: int
    sha256: str


def write_tensor_file(
    path: Path, tensors: Mapping[str, tuple[Tensor, Iterable[Block]]], metadata: Mapping[str, str]
) -> FileDigest:
    """Write a .safetensors file block by block.

    The first tensor starts at a multiple of 4096 bytes, and tensors are ordered by the largest
    power of two that divides a row's size, so every row of every tensor is aligned to that power
    of two.

    Args:
        path: the file to write.
        tensors: each tensor and its bytes, little-endian in row order, as any number of blocks.
        metadata: kept in the file's header.

    Raises:
        MapError: the blocks of a tensor do not have its size.
    """
    order = sorted(tensors, key=lambda name: (-_row_alignment(tensors[name][0]), name))
    header = _header([(name, tensors[name][0]) for name in order], metadata)
    digest = hashlib.sha256(header)
    size = len(header)
    with path.open("wb", buffering=0) as output:
        _write_all(output, header)
        for name in order:
            tensor, blocks = tensors[name]
            end = size + tensor.bytes
            for block in blocks:
                _write_all(output, block)
                digest.update(block)
                size += memoryview(block).nbytes
            if size != end:
                raise MapError(f"{path} cannot be written: {name} has {size - end:+} bytes")
    return FileDigest(size, digest.hexdigest())


def file_blocks(path: Path) -> Iterator[memoryview]:
    """Yield a file's bytes through one buffer that is used again for each block."""
    with path.open("rb", buffering=0) as file:
        yield from range_blocks(file.fileno(), 0, os.fstat(file.fileno()).st_size)


def range_blocks(file: int, start: int, stop: int) -> Iterator[memoryview]:
    """Yield bytes [start, stop) of an open file through one buffer, wherever its position is.

    Ends early where the file does.
    """
    view = memoryview(bytearray(_BLOCK_BYTES))
    while start < stop and (read := os.preadv(file, [view[: stop - start]], start)):
        yield view[:read]
        start += read


def read_range(file: int, array: NDArray[Any], start: int) -> None:
    """Fill a contiguous array with bytes of an open file from `start` on.

    Raises:
        EOFError: the file ends before.
    """
    rest = array.reshape(-1).view(np.uint8).data
    while rest:
        read = os.preadv(file, [rest], start)
        if not read:
            raise EOFError(f"{rest.nbytes} bytes are missing")
        rest, start = rest[read:], start + read


def array_blocks(array: NDArray[Any]) -> Iterator[memoryview]:
    """Yield the bytes of a contiguous array in blocks, without a copy of the whole."""
    flat = array.reshape(-1).view(np.uint8).data
    for start in range(0, len(flat), _BLOCK_BYTES):
        yield flat[start : start + _BLOCK_BYTES]


class TensorFile:
    """The layout of a .safetensors file; its data stays on disk.

    Attributes:
        path: the file.
        tensors: type and shape of every tensor by name.
    """

    def __init__(self, path: Path) -> None:
        """Read the file's header.

        Raises:
            MapError: not a well-formed .safetensors file.
            OSError: the file cannot be read.
        """
        self.path = path
        with path.open("rb") as file:
            self._identity = _identity(file)
            slots = _read_header(file, path)
        self.tensors = {name: tensor for name, (tensor, _) in slots.items()}
        self._offsets = {name: offset for name, (_, offset) in slots.items()}
        self._memory: mmap.mmap | None = None

    def map(self) -> dict[str, NDArray[Any]]:
        """Map the file into memory and return its tensors as read-only arrays over it.

        Only the pages that are touched are read, and the kernel may drop them again: mapping adds
        no anonymous memory.
        """
        with self.path.open("rb") as file:
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._memory = memory
        return {
            name: np.frombuffer(
                memory, tensor.dtype, tensor.bytes // tensor.dtype.itemsize, self._offsets[name]
            ).reshape(tensor.shape)
            for name, tensor in self.tensors.items()
        }

    def expect_random_access(self, expected: bool) -> None:
        """Tell the kernel whether the mapped data will be read row by row or all in sequence.

        It then reads single pages from the disk, or ahead. Without effect on what is in memory.
        """
        if self._memory is not None and hasattr(self._memory, "madvise"):  # not on every system
            self._memory.madvise(mmap.MADV_RANDOM if expected else mmap.MADV_SEQUENTIAL)

    def read_rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Read rows [start, stop) of a tensor from the disk.

        Raises:
            FileNotFoundError: the file was removed, or another has its name by now.
        """
        tensor = self.tensors[name]
        rows = np.empty((stop - start, *tensor.shape[1:]), tensor.dtype)
        with self.path.open("rb", buffering=0) as file:
            if _identity(file) != self._identity:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
            read_range(file.fileno(), rows, self._offsets[name] + start * tensor.row_bytes)
        return rows


def digest_of(path: Path, progress: Callable[[int], object] | None = None) -> FileDigest:
    """Return size and SHA-256 of a file, reading it in blocks; `progress` is told their bytes."""
    digest = hashlib.sha256()
    size = 0
    for block in file_blocks(path):
        digest.update(block)
        size += len(block)
        if progress is not None:
            progress(len(block))
    return FileDigest(size, digest.hexdigest())


def _write_all(output: RawIOBase, block: Block) -> None:
    """Write a block to an unbuffered file, which may take it in several pieces."""
    rest = memoryview(block).cast("B")
    while rest:
        rest = rest[output.write(rest) or 0 :]


def _identity(file: IO[bytes]) -> tuple[int, ...]:
    """Return what tells an open file from another that took its name."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _row_alignment(tensor: Tensor) -> int:
    return tensor.row_bytes & -tensor.row_bytes


def _header(tensors: list[tuple[str, Tensor]], metadata: Mapping[str, str]) -> bytes:
    entries: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, tensor in tensors:
        entries[name] = {
            "dtype": _TYPE_NAMES[tensor.dtype.name],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + tensor.bytes],
        }
        offset += tensor.bytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    return struct.pack("<Q", len(text)) + text


def _read_header(file: BinaryIO, path: Path) -> dict[str, tuple[Tensor, int]]:
    """Return each tensor with its offset from the start of the file."""
    size = path.stat().st_size
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
    if not 0 < length <= min(_MAX_HEADER_BYTES, size - 8):
        raise MapError(f"{path} is not a safetensors file (its header has no valid length)")
    try:
        entries = json.loads(file.read(length))
        entries.pop("__metadata__", None)
        slots = {}
        for name, entry in entries.items():
            tensor = Tensor(_DTYPES[entry["dtype"]], tuple(int(n) for n in entry["shape"]))
            begin, end = entry["data_offsets"]
            if not 0 <= begin <= end <= size - 8 - length or end - begin != tensor.bytes:
                raise ValueError(f"tensor {name} lies outside the file")
            slots[name] = (tensor, 8 + length + begin)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise MapError(f"{path} has a damaged safetensors header ({error!r})") from None
    return slots
