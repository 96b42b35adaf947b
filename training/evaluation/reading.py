"""Reading images ahead of the network, so that it does not wait for the disk."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from selavpr_core.describer import Describer, Description
from training.errors import UndecodableImageError
from training.images import read_rgb

Pixels: TypeAlias = "NDArray[np.uint8]"

_AHEAD = 4  # images in work or waiting, for each thread


def read_query(path: Path, shorter_side: int | None) -> Pixels:
    """Return an image's pixels, RGB uint8 [H, W, 3], its shorter side reduced where asked for.

    Reduced by Pillow, bilinear with antialiasing; an image that is small enough is left as it is.
    Raises UndecodableImageError.
    """
    pixels = read_rgb(path)
    height, width = pixels.shape[:2]
    if shorter_side is None or min(height, width) <= shorter_side:
        return pixels
    scale = shorter_side / min(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def describe(
    describer: Describer,
    paths: Sequence[Path],
    *,
    shorter_side: int | None = None,
    workers: int = 1,
    failures: dict[int, str],
    start: int = 0,
) -> Generator[tuple[NDArray[np.int64], Description], None, None]:
    """Describe images from files, batch by batch, in their order.

    Args:
        describer: gives the size of the batches.
        paths: of the images.
        shorter_side: as for `read_query`.
        workers: threads that read.
        failures: gets the number of each image that cannot be read, with the reason.
        start: number of the first image to describe.

    Yields the images' numbers [n] and their description. When it ends, each number from `start`
    was either yielded or is in `failures`.
    """
    numbers: deque[int] = deque()
    for description in describer.stream(
        _pixels(paths, shorter_side, workers, failures, start, numbers)
    ):
        size = next(len(part) for part in description if part is not None)
        yield np.array([numbers.popleft() for _ in range(size)], np.int64), description


def _pixels(
    paths: Sequence[Path],
    shorter_side: int | None,
    workers: int,
    failures: dict[int, str],
    start: int,
    numbers: deque[int],
) -> Iterator[Pixels]:
    """Yield the images that can be read, the number of each noted first."""
    executor = ThreadPoolExecutor(workers, thread_name_prefix="read-images")
    try:
        jobs: Iterable[tuple[int, Future[Pixels]]] = (
            (number, executor.submit(read_query, paths[number], shorter_side))
            for number in range(start, len(paths))
        )
        jobs = iter(jobs)
        waiting = deque(islice(jobs, _AHEAD * workers))
        while waiting:
            number, job = waiting.popleft()
            try:
                pixels = job.result()
            except UndecodableImageError as error:
                failures[number] = error.reason
            else:
                numbers.append(number)
                yield pixels
            waiting.extend(islice(jobs, 1))
    finally:
        executor.shutdown(cancel_futures=True)


def stat_entry(path: Path) -> tuple[str, int, int, bool] | tuple[str]:
    """Return what changes when a file does: path, size, modification time, whether it is readable.

    The path alone where there is no such file.
    """
    where = os.path.abspath(path)
    try:
        status = os.stat(where)
    except OSError:
        return (where,)
    return where, status.st_size, status.st_mtime_ns, os.access(where, os.R_OK)
