"""Sets whose images are frames of the same ride at two times: Nordland and SPED."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets.file_names import parse_image_name
from training.errors import DatasetError, EvaluationError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.sets.files import FilesBelow, folder_pair, image_files
from training.evaluation.sets.options import SetOptions

_PARENTS = ("images/test", "test", "")
_DATABASES = ("database", "summer", "ref", "reference")
_QUERIES = ("queries", "winter", "query")
_SELECTION = "cleanImageNames.txt"  # the 27,592 of Nordland's frames in which the train moves
_SPACING = 2.381  # metres a frame, in the layout with @ names: 25 m are 10 frames

_BY_ORDER = (
    "; frames belong together by their order here, and by their numbers they would not: is one"
    " missing on each side?"
)


@dataclass(frozen=True)
class FrameSet:
    """A reader of one such set: images are numbered in the order of the positions or
    numbers in their names.

    sentence: what the set is. tolerance: frames that a right image may be off. every: a query is
    every so many-th frame of the database. spacing: metres from frame to frame, None where the
    set has no positions.
    """

    name: str
    sentence: str
    tolerance: int
    every: int = 1
    spacing: float | None = None

    def __call__(self, root: Path, options: SetOptions) -> EvaluationSet:
        """Read the set below root, whose folders may have the names of any layout in use.

        Raises DatasetError where the folders are not there or do not fit each other,
        EvaluationError for a radius or heading, which frames do not have.
        """
        if options.radius is not None or options.heading is not None:
            raise EvaluationError(f"{self.name} counts frames: leave --radius and --heading out")
        pair = folder_pair(root, _PARENTS, _DATABASES, _QUERIES)
        if pair is None:
            raise DatasetError(
                f"{root} is not {self.name}: expected images/test/database and"
                " images/test/queries, or folders summer and winter, or ref and query, there"
            )
        database_keys, query_keys = (_in_order(folder, root / _SELECTION) for folder in pair)
        note = _BY_ORDER if _numbered_otherwise(database_keys, query_keys) else ""
        frames, query_keys = self._frames(root, database_keys, query_keys)
        return EvaluationSet(
            name=self.name,
            variant=self.sentence + note,
            database=FilesBelow(pair[0], database_keys),
            queries=FilesBelow(pair[1], query_keys),
            positives=[
                np.arange(
                    max(0, frame - self.tolerance),
                    min(len(database_keys), frame + self.tolerance + 1),
                )
                for frame in frames.tolist()
            ],
            database_positions=self._positions(np.arange(len(database_keys))),
            query_positions=self._positions(frames),
            rule="same frame" if self.tolerance == 0 else _frames_rule(self.tolerance),
            count_without_positives=True,
            database_keys=database_keys,
            query_keys=query_keys,
        )

    def _frames(
        self, root: Path, database: list[str], queries: list[str]
    ) -> tuple[NDArray[np.int64], list[str]]:
        """Return the frame of each query, and the queries: chosen from all where all are there."""
        if len(queries) == len(database):
            frames = np.arange(0, len(database), self.every)
            return frames, [queries[frame] for frame in frames]
        if self.every > 1 and len(queries) == -(-len(database) // self.every):
            numbers = {os.path.basename(name): i for i, name in enumerate(database)}
            named = [numbers.get(os.path.basename(name)) for name in queries]
            if any(number is None for number in named):
                return np.arange(0, len(database), self.every), queries
            return np.array(named, np.int64), queries
        raise DatasetError(
            f"{root} is not {self.name}: {len(database)} database images and {len(queries)} queries"
            f" do not belong together frame by frame"
        )

    def _positions(self, frames: NDArray[np.int64]) -> NDArray[np.float64] | None:
        if self.spacing is None:
            return None
        return np.stack([frames * self.spacing, np.zeros(len(frames))], axis=1)


def _in_order(folder: Path, selection: Path) -> list[str]:
    """Return the images of a folder in the order of the ride; those of the list if there is one."""
    names = image_files(folder)
    if selection.is_file():
        try:
            chosen = set(selection.read_text("utf-8").split())
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"{selection} cannot be read: {error}") from error
        names = [name for name in names if os.path.basename(name) in chosen]
    return sorted(names, key=_numbers)


def _numbers(name: str) -> tuple[list[float], str]:
    """Return what orders frames: position or number, which are not always padded with zeros."""
    base = os.path.basename(name)
    try:
        said = parse_image_name(base)
    except DatasetError:
        return [float(digits) for digits in re.findall(r"\d+", base)], name
    return [said.easting, said.northing], name


def _numbered_otherwise(database: list[str], queries: list[str]) -> bool:
    """Return whether frames at one place of the order are not always equally far in their numbers.

    Sides of different lengths do not belong together by their order alone.
    """
    if len(database) != len(queries):
        return False
    steps = set()
    for names in zip(database, queries, strict=True):
        here, there = (_numbers(name)[0] for name in names)
        steps.add(tuple(round(b - a, 2) for a, b in zip(here, there, strict=False)))
    return len(steps) > 1


def _frames_rule(tolerance: int) -> str:
    return f"{tolerance} frame{'s' if tolerance > 1 else ''}"


NORDLAND = {
    "nordland-a": FrameSet(
        "nordland-a",
        "Nordland A, every winter frame against every summer frame (as in the SelaVPR++ paper)",
        tolerance=10,
        spacing=_SPACING,
    ),
    "nordland-b": FrameSet(
        "nordland-b",
        "Nordland B, every tenth winter frame against every summer frame",
        tolerance=1,
        every=10,
        spacing=_SPACING,
    ),
    "nordland-c": FrameSet(
        "nordland-c",
        "Nordland C, the test part of the partitioned Nordland, winter against summer",
        tolerance=2,
        spacing=_SPACING,
    ),
}
SPED = FrameSet("sped", "SPED, the image with the same number", tolerance=0)
