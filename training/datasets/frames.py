"""Frames of video without positions: places are stretches of time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

from training.datasets.source import (
    BAD_ENTRY,
    Candidate,
    Entry,
    Excluded,
    Frame,
    existing_folder,
    images_below,
)

_NUMBERED = re.compile(r"(?P<before>.*?)(?P<number>[0-9]+)", re.ASCII | re.DOTALL)
_SECONDS = re.compile(r"(?P<before>)(?P<number>[0-9]+\.[0-9]+)", re.ASCII)
"""A name that is a time alone, as many recorders write it."""

_Clip: TypeAlias = tuple[str, str, str]
"""Folder, what stands before the number, and suffix."""


class Frames:
    """Reader of a folder of frames. See training.datasets.source.Source.

    Files of one folder whose names differ in their last number alone are a clip, in the order of
    that number, whatever gaps it has. A number that is a whole name may have a decimal point: a
    time in seconds. All clips below the folder are of one city, named like the dataset.
    """

    version = 1

    def __init__(self, root: Path, name: str) -> None:
        """Raise DatasetError if root is no folder."""
        self.name = name
        self.root = existing_folder(root, ".", expected="a folder of frames of video")
        self.notes: Sequence[str] = ()

    def entries(self) -> Iterator[Entry]:
        """Yield files without a number, then the frames clip by clip, each clip in its order."""
        clips: dict[_Clip, list[tuple[Decimal, str]]] = {}
        for path in images_below(self.root, self.root):
            clip, number = _clip_and_number(path)
            if number is None:
                detail = "its name does not end in the number of a frame"
                yield Excluded(path, self.name, BAD_ENTRY, detail, faulty=True)
            else:
                clips.setdefault(clip, []).append((number, path))
        self.notes = [f"{len(clips):,} clips"]
        for clip_number, clip in enumerate(sorted(clips)):
            frames = sorted(clips[clip])
            for position, (_, path) in enumerate(frames):
                frame = Frame(clip_number, position, len(frames))
                yield Candidate(path, self.name, frame=frame)


def _clip_and_number(path: str) -> tuple[_Clip, Decimal | None]:
    folder, _, file = path.rpartition("/")
    stem, _, suffix = file.rpartition(".")
    found = _SECONDS.fullmatch(stem) or _NUMBERED.fullmatch(stem)
    if found is None:
        return (folder, stem, suffix), None
    return (folder, found["before"], suffix), Decimal(found["number"])
