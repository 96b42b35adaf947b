"""Finding the images of a set on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from training.datasets.file_names import IMAGE_SUFFIXES
from training.datasets.source import images_below
from training.errors import DatasetError


def image_files(folder: Path) -> list[str]:
    """Return the images below a folder, relative to it, in the order of their paths.

    Where there is a `<folder>_images_paths.txt` beside it, that list is taken, in its own order:
    listing millions of files takes long. Raises DatasetError where there is no image.
    """
    listed = _list_beside(folder)
    if listed.is_file():
        try:
            names = [line for line in listed.read_text("utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"{listed} cannot be read: {error}") from error
        if not names:
            raise DatasetError(f"{listed} names no image")
        return names
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder of images: check the path")
    names = list(images_below(folder, folder))
    if not names:
        raise DatasetError(f"{folder} holds no image ({', '.join(IMAGE_SUFFIXES)})")
    return sorted(names)


class FilesBelow(Sequence[Path]):
    """Files of one folder, as paths that are made when they are asked for.

    A path takes ten times the memory of its name, which counts in sets of millions.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> FilesBelow: ...
    def __getitem__(self, index: int | slice) -> Path | FilesBelow:
        """Return the path of one file, or the files of a slice."""
        if isinstance(index, slice):
            return FilesBelow(self._folder, self._names[index])
        return self._folder / self._names[index]


def existing_folder(root: Path, *candidates: str) -> Path | None:
    """Return the first of the folders below root that exists, or None.

    A folder whose images are named in a list beside it counts, too.
    """
    for candidate in candidates:
        folder = root / candidate
        if folder.is_dir() or _list_beside(folder).is_file():
            return folder
    return None


def folder_pair(
    root: Path, parents: tuple[str, ...], databases: tuple[str, ...], queries: tuple[str, ...]
) -> tuple[Path, Path] | None:
    """Return the folders of database and queries below the first parent that has both, or None.

    parents: folders below root, "" for root itself. databases, queries: what they may be called.
    """
    for parent in parents:
        database = existing_folder(root / parent, *databases)
        asked = existing_folder(root / parent, *queries)
        if database is not None and asked is not None:
            return database, asked
    return None


def _list_beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}_images_paths.txt")
