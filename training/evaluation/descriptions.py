"""Descriptions of images, written once and kept for the next evaluation.

A cache entry is a folder that is named after everything its content depends on. It is filled under
another name, where an interrupted description goes on, and renamed when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from selavpr_core.describer import Describer, Description
from selavpr_core.storage.durable import publish
from selavpr_core.storage.lock import lock_folder, unlock
from training.errors import EvaluationError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.reading import describe, stat_entry

_VERSION = 1
_CODES, _DESCRIPTORS, _META = "codes.npy", "descriptors.npy", "meta.json"
_CHECKPOINT_SECONDS = 20.0

_logger = logging.getLogger("training")


@dataclass(frozen=True)
class Descriptions:
    """What a model says about N images, in memory or mapped from files.

    Attributes:
        codes: [N, code_bytes] uint8, or None without hash branch.
        descriptors: [N, D] float16 (database) or float32 (queries), or None without float branch.
        unreadable: the reason for each image without description, whose rows are zero.
    """

    codes: NDArray[np.uint8] | None
    descriptors: NDArray[np.floating] | None
    unreadable: dict[int, str]
    count: int

    @cached_property
    def readable(self) -> NDArray[np.int64]:
        """Numbers of the images that have a description, ascending."""
        mask = np.ones(self.count, bool)
        mask[list(self.unreadable)] = False
        return np.flatnonzero(mask)


@dataclass(frozen=True)
class ImageList:
    """Images that are described alike.

    paths: their files. shorter_side: as for `read_query`. dtype: of the descriptors that are kept.
    what: they are, for messages and progress bars.
    """

    paths: Sequence[Path]
    shorter_side: int | None
    dtype: type[np.floating]
    what: str


def image_lists(evaluation_set: EvaluationSet) -> tuple[ImageList, ImageList]:
    """Return database and queries, to be kept as a robot has them: float16 in its map, float32."""
    return (
        ImageList(evaluation_set.database, None, np.float16, "database"),
        ImageList(evaluation_set.queries, evaluation_set.query_shorter_side, np.float32, "queries"),
    )


def describe_in_memory(describer: Describer, images: ImageList, workers: int) -> Descriptions:
    """Describe images without keeping anything on the disk."""
    count = len(images.paths)
    codes = _in_memory(count, describer.code_bytes, np.uint8)
    descriptors = _in_memory(count, describer.descriptor_dim, images.dtype)
    failures: dict[int, str] = {}
    for numbers, description in describe(
        describer,
        images.paths,
        shorter_side=images.shorter_side,
        workers=workers,
        failures=failures,
    ):
        _store(numbers, description, codes, descriptors)
    return Descriptions(codes, descriptors, failures, count)


def describe_once(
    describer: Describer, images: ImageList, cache: Path, workers: int, progress: bool
) -> Descriptions:
    """Return descriptions from the cache, after describing what is not there.

    They are used again for the same weights, preprocessing, precision and kind of device, and the
    same files: paths, sizes and times of modification. An interrupted description goes on where
    it last wrote to the disk. The arrays are mapped from files.

    Raises EvaluationError where the cache cannot be written or a descriptor is zero or not finite,
    StorageError where another process is writing the same descriptions.
    """
    key = _key(describer, images, progress)
    entry = cache / key
    try:
        kept = _load(entry, describer, images)
        if kept is None:
            _describe_into(entry, describer, images, workers, progress)
            kept = _load(entry, describer, images)
    except OSError as error:
        raise EvaluationError(f"the cache {entry} cannot be used: {error}") from error
    if kept is None:
        raise EvaluationError(f"{entry} changed while it was written: is its disk full?")
    return kept


def _key(describer: Describer, images: ImageList, progress: bool) -> str:
    digest = hashlib.sha256()
    settings = {
        "version": _VERSION,
        "fingerprint": describer.fingerprint,
        "preprocessing": describer.preprocessing.to_json(),
        "precision": describer.precision,
        "device": describer.device.partition(":")[0],
        "shorter_side": images.shorter_side,
        "dtype": np.dtype(images.dtype).name,
    }
    digest.update(json.dumps(settings, sort_keys=True).encode())
    with progress_bar(f"{images.what}: files", "file", len(images.paths), progress) as bar:
        for path in images.paths:
            digest.update(b"\n" + json.dumps(stat_entry(path)).encode())
            bar.update()
    return digest.hexdigest()[:40]


def _load(entry: Path, describer: Describer, images: ImageList) -> Descriptions | None:
    """Return a complete cache entry; None where there is none, or a damaged one was removed."""
    if not entry.is_dir():
        return None
    try:
        meta = json.loads((entry / _META).read_text("utf-8"))
        unreadable = {int(number): str(reason) for number, reason in meta["unreadable"].items()}
        codes = _mapped(entry / _CODES, _shape(images, describer.code_bytes), np.uint8)
        descriptors = _mapped(
            entry / _DESCRIPTORS, _shape(images, describer.descriptor_dim), images.dtype
        )
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        _logger.warning("%s is damaged and is made anew: %s", entry, error)
        shutil.rmtree(entry)
        return None
    return Descriptions(codes, descriptors, unreadable, len(images.paths))


def _describe_into(
    entry: Path, describer: Describer, images: ImageList, workers: int, progress: bool
) -> None:
    partial = entry.with_name(f"{entry.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    lock = lock_folder(partial)
    try:
        if entry.is_dir():  # by another process, since we looked
            return
        files = _open_partial(partial, describer, images)
        with progress_bar(images.what, "image", len(images.paths), progress) as bar:
            bar.update(files.done)
            files.fill(describer, images, workers, bar)
        os.replace(partial, entry)
    finally:
        unlock(lock)


@dataclass
class _PartialFiles:
    """Arrays on the disk that are being filled; the first `done` images are."""

    folder: Path
    codes: NDArray[np.uint8] | None
    descriptors: NDArray[np.floating] | None
    unreadable: dict[int, str]
    done: int

    def fill(self, describer: Describer, images: ImageList, workers: int, bar: Any) -> None:
        written = time.monotonic()
        batches = describe(
            describer,
            images.paths,
            shorter_side=images.shorter_side,
            workers=workers,
            failures=self.unreadable,
            start=self.done,
        )
        try:
            with closing(batches):
                for numbers, description in batches:
                    _store(numbers, description, self.codes, self.descriptors)
                    bar.update(int(numbers[-1]) + 1 - self.done)
                    self.done = int(numbers[-1]) + 1
                    if time.monotonic() - written > _CHECKPOINT_SECONDS:
                        self.write()
                        written = time.monotonic()
            bar.update(len(images.paths) - self.done)
            self.done = len(images.paths)  # the last ones may be unreadable
        finally:
            self.write()

    def write(self) -> None:
        """Bring everything to the disk, the count of what is done after the data."""
        for array in (self.codes, self.descriptors):
            if isinstance(array, np.memmap):
                array.flush()
        # Copied, since the thread that reads may add to it.
        unreadable = {str(n): r for n, r in dict(self.unreadable).items() if n < self.done}
        aside = self.folder / f"{_META}.new"
        aside.write_text(json.dumps({"done": self.done, "unreadable": unreadable}), "utf-8")
        publish(aside, self.folder / _META)


def _open_partial(folder: Path, describer: Describer, images: ImageList) -> _PartialFiles:
    """Open what an interrupted description left, or empty files."""
    code_shape = _shape(images, describer.code_bytes)
    descriptor_shape = _shape(images, describer.descriptor_dim)
    try:
        meta = json.loads((folder / _META).read_text("utf-8"))
        done = int(meta["done"])
        unreadable = {int(number): str(reason) for number, reason in meta["unreadable"].items()}
        codes = _mapped(folder / _CODES, code_shape, np.uint8, "r+")
        descriptors = _mapped(folder / _DESCRIPTORS, descriptor_shape, images.dtype, "r+")
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        (folder / _META).unlink(missing_ok=True)  # before the files that it speaks of
        codes = _created(folder / _CODES, code_shape, np.uint8)
        descriptors = _created(folder / _DESCRIPTORS, descriptor_shape, images.dtype)
        return _PartialFiles(folder, codes, descriptors, {}, 0)
    _logger.info("%s: going on after %d of %d", images.what, done, len(images.paths))
    return _PartialFiles(folder, codes, descriptors, unreadable, done)


def _store(
    numbers: NDArray[np.int64],
    description: Description,
    codes: NDArray[np.uint8] | None,
    descriptors: NDArray[np.floating] | None,
) -> None:
    if codes is not None:
        assert description.codes is not None
        codes[numbers] = description.codes
    if descriptors is not None:
        assert description.descriptors is not None
        lengths = np.linalg.norm(description.descriptors, axis=1)
        if not ((lengths > 0) & np.isfinite(lengths)).all():
            raise EvaluationError(
                "the weights give descriptors that are zero or not finite: they are damaged, or the"
                " precision is too low for them (try --precision fp32)"
            )
        descriptors[numbers] = description.descriptors


def _shape(images: ImageList, width: int | None) -> tuple[int, int] | None:
    return None if width is None else (len(images.paths), width)


def _in_memory(count: int, width: int | None, dtype: Any) -> NDArray[Any] | None:
    return None if width is None else np.zeros((count, width), dtype)


def _created(path: Path, shape: tuple[int, int] | None, dtype: Any) -> NDArray[Any] | None:
    if shape is None:
        return None
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def _mapped(
    path: Path, shape: tuple[int, int] | None, dtype: Any, mode: Any = "r"
) -> NDArray[Any] | None:
    if shape is None:
        return None
    array: NDArray[Any] = np.load(path, mmap_mode=mode, allow_pickle=False)
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"{path.name} is {array.dtype} {array.shape}, not {dtype} {shape}")
    return array


def progress_bar(what: str, unit: str, total: int, progress: bool) -> Any:
    """Return a bar on standard error, which shows after a second and goes when it is done.

    There is none where standard error is no terminal: it would fill a log with its steps.
    """
    hidden = None if progress else True
    return tqdm(total=total, desc=what, unit=unit, disable=hidden, delay=1, leave=False)
