"""Whether the images that a dataset names are there, and how closely that is looked at."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from training.datasets.source import MISSING, UNREADABLE, Candidate, Excluded
from training.errors import UndecodableImageError
from training.images import read_rgb

LEVELS = ("files", "headers", "full")
"""files: there and not empty; headers: the image's header is sound; full: every pixel decodes."""

_TOGETHER = 256
_WAITING_ON_DISK = 8
"""Threads where the time goes into waiting for a (network) file system."""

Check: TypeAlias = Callable[[Path, Sequence[Candidate]], list[Candidate | Excluded]]


@contextmanager
def image_check(level: str) -> Iterator[Check]:
    """Yield a function that replaces candidates whose images are missing or damaged.

    It takes the root of the paths and the candidates, and returns as many in the same order. level
    is one of LEVELS.
    """
    problem = {"files": _file_problem, "headers": _header_problem, "full": _pixel_problem}[level]
    threads = max(_WAITING_ON_DISK, os.cpu_count() or 1)

    def check_some(root: Path, candidates: Sequence[Candidate]) -> list[Candidate | Excluded]:
        base = str(root)
        return [_checked(base, candidate, problem) for candidate in candidates]

    with ThreadPoolExecutor(threads) as pool:

        def check(root: Path, candidates: Sequence[Candidate]) -> list[Candidate | Excluded]:
            parts = [candidates[i : i + _TOGETHER] for i in range(0, len(candidates), _TOGETHER)]
            done = pool.map(lambda part: check_some(root, part), parts)
            return [entry for part in done for entry in part]

        try:
            yield check
        finally:
            pool.shutdown(cancel_futures=True)  # an interruption need not wait for what is queued


def _checked(
    root: str, candidate: Candidate, problem: Callable[[str], tuple[str, str] | None]
) -> Candidate | Excluded:
    try:
        candidate.path.encode()
    except UnicodeEncodeError:
        found: tuple[str, str] | None = UNREADABLE, "its name is not UTF-8"
    else:
        found = problem(os.path.join(root, candidate.path))
    if found is None:
        return candidate
    return Excluded(candidate.path, candidate.city, *found, faulty=True)


def _file_problem(path: str) -> tuple[str, str] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return MISSING, ""
    except (OSError, ValueError) as error:  # ValueError: a NUL in a name
        return UNREADABLE, str(error)
    if not stat.S_ISREG(status.st_mode):
        return UNREADABLE, "not a file"
    return None if status.st_size else (UNREADABLE, "empty file")


def _header_problem(path: str) -> tuple[str, str] | None:
    if found := _file_problem(path):
        return found
    try:
        with Image.open(path):
            return None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return UNREADABLE, "not an image"


def _pixel_problem(path: str) -> tuple[str, str] | None:
    if found := _file_problem(path):
        return found
    try:
        read_rgb(Path(path))
    except UndecodableImageError as error:
        return UNREADABLE, error.reason
    return None
