"""Safetensors files written and read in blocks: nothing of their data has to fit into memory."""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from selavpr_core.errors import MapError

BLOCK_BYTES = 1 << 20
_ALIGNMENT = 4096  # of the first tensor: a page, so that rows of 4096 bytes lie in one page each
_MAX_HEADER_BYTES = 100_000_000  # the limit of the safetensors format
_TYPE_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "uint8": "U8"}
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
    path: Path, tensors: Mapping[str, tuple[Tensor, Path]], metadata: Mapping[str, str]
) -> FileDigest:
    """Assemble a .safetensors file from one raw file for each tensor, copying in blocks.

    The raw files hold the tensors' bytes in row order, little-endian; each is removed once it is
    copied, so that the disk never holds everything twice. The first tensor starts at a multiple of
    4096 bytes, and tensors are ordered by the largest power of two that divides a row's size, so
    every row of every tensor is aligned to that power of two. Raises MapError if a raw file does
    not have its tensor's size.
    """
    order = sorted(tensors, key=lambda name: (-_row_alignment(tensors[name][0]), name))
    header = _header([(name, tensors[name][0]) for name in order], metadata)
    digest = hashlib.sha256(header)
    written = len(header)
    with path.open("wb") as output:
        output.write(header)
        for name in order:
            tensor, raw = tensors[name]
            copied = 0
            with raw.open("rb") as data:
                for block in _blocks(data):
                    output.write(block)
                    digest.update(block)
                    copied += len(block)
            if copied != tensor.bytes:
                raise MapError(f"{raw} has {copied} bytes, not {tensor.bytes}: it was changed")
            written += copied
            raw.unlink()
    return FileDigest(written, digest.hexdigest())


class TensorFile:
    """A .safetensors file mapped into memory, read-only.

    Only the pages that are touched are read, and they stay reclaimable: mapping a file adds no
    anonymous memory. Raises MapError if the file is not a well-formed .safetensors file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self.metadata, self._slots = _read_header(file, path)
            self._memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __contains__(self, name: str) -> bool:
        return name in self._slots

    def tensors(self) -> dict[str, Tensor]:
        """Return type and shape of every tensor by name."""
        return {name: tensor for name, (tensor, _) in self._slots.items()}

    def read(self, name: str) -> NDArray[Any]:
        """Return a tensor as a read-only array over the mapped file; nothing is copied."""
        tensor, offset = self._slots[name]
        flat = np.frombuffer(
            self._memory, tensor.dtype, tensor.bytes // tensor.dtype.itemsize, offset
        )
        return flat.reshape(tensor.shape)


def digest_of(path: Path) -> FileDigest:
    """Return size and SHA-256 of a file, reading it in blocks."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        for block in _blocks(file):
            digest.update(block)
            size += len(block)
    return FileDigest(size, digest.hexdigest())


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


def _read_header(
    file: BinaryIO, path: Path
) -> tuple[dict[str, str], dict[str, tuple[Tensor, int]]]:
    """Return the metadata, and each tensor with its offset from the start of the file."""
    size = path.stat().st_size
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
    if not 0 < length <= min(_MAX_HEADER_BYTES, size - 8):
        raise MapError(f"{path} is not a safetensors file (its header has no valid length)")
    try:
        entries = json.loads(file.read(length))
        metadata = entries.pop("__metadata__", {})
        slots = {}
        for name, entry in entries.items():
            tensor = Tensor(_DTYPES[entry["dtype"]], tuple(int(n) for n in entry["shape"]))
            begin, end = entry["data_offsets"]
            if not 0 <= begin <= end <= size - 8 - length or end - begin != tensor.bytes:
                raise ValueError(f"tensor {name} lies outside the file")
            slots[name] = (tensor, 8 + length + begin)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MapError(f"{path} has a damaged safetensors header ({error!r})") from None
    return metadata, slots


def _blocks(file: BinaryIO) -> Iterator[memoryview]:
    """Yield a file's bytes through one buffer that is used again for each block."""
    buffer = bytearray(BLOCK_BYTES)
    view = memoryview(buffer)
    while read := file.readinto(buffer):  # type: ignore[attr-defined]
        yield view[:read]
