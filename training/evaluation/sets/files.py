"""Finding the images of a set on the disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from training.datasets.file_names import IMAGE_SUFFIXES
from training.errors import DatasetError


def image_files(folder: Path) -> list[str]:
    """Return the images below a folder, relative to it, in the order of their paths.

    Where there is a `<folder>_images_paths.txt` beside it, that list is taken, in its own order:
    listing millions of files takes long. Raises DatasetError where there is no image.
    """
    listed = folder.with_name(f"{folder.name}_images_paths.txt")
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
    names = [
        os.path.relpath(os.path.join(parent, file), folder)
        for parent, _, files in os.walk(folder, followlinks=True)
        for file in files
        if file.lower().endswith(IMAGE_SUFFIXES)
    ]
    if not names:
        raise DatasetError(f"{folder} holds no image ({', '.join(IMAGE_SUFFIXES)})")
    return sorted(names)


def first_folder(root: Path, candidates: Sequence[str], what: str) -> Path:
    """Return the first of the folders below root that exists; DatasetError where none does."""
    found = existing_folder(root, candidates)
    if found is None:
        raise DatasetError(f"{root} has no {what}: expected one of {', '.join(candidates)} there")
    return found


def existing_folder(root: Path, candidates: Sequence[str]) -> Path | None:
    """Return the first of the folders below root that exists, or None.

    A folder whose images are named in a list beside it counts, too.
    """
    for candidate in candidates:
        folder = root / candidate
        if folder.is_dir() or folder.with_name(f"{folder.name}_images_paths.txt").is_file():
            return folder
    return None
