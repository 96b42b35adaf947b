"""Pitts30k: panoramas of Pittsburgh cut into 2 pitches x 12 yaws; database and queries.

As published:     datasets/pitts30k_train.mat, 000 ... 006/000829_pitch1_yaw1.jpg, queries_real/...
With `@` names:   images/train/{database,queries}/@...@.jpg, where tile = pitch x 24 + yaw

Neither gives a heading: the pseudo heading is the yaw's number x 30 degrees, the same for both
pitches. It tells views of one panorama apart, and is no direction on the ground.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.datasets.at_names import candidate_or_reason
from training.datasets.dbstruct import read_dbstruct
from training.datasets.source import (
    BAD_ENTRY,
    NO_HEADING,
    Candidate,
    Entry,
    Excluded,
    existing_folder,
    images_below,
)

YAWS = 12
_CITY = "pittsburgh"
_ZONE = "17T"
_QUERIES = "queries_real"
_TABLE = "datasets/pitts30k_train.mat"
_EXPECTED = f"Pitts30k with {_TABLE} and 000 to 006, or with images/train/{{database,queries}}"
_YAW = re.compile(r"_yaw(\d+)\.")


class Pitts30k:
    """Reader of the train split of Pitts30k. See training.datasets.source.Source."""

    name = "pitts30k"
    version = 1
    notes: Sequence[str] = ()

    def __init__(self, root: Path) -> None:
        """root: of either layout. Raises DatasetError if it is neither."""
        self.root = root
        self._start = existing_folder(root, "images/train", _TABLE, expected=_EXPECTED)
        if self._start.is_dir():
            for side in ("database", "queries"):
                existing_folder(self._start, side, expected=f"{_EXPECTED} (no {side} in it)")

    def entries(self) -> Iterator[Entry]:
        """Yield the database and the queries, as one set."""
        return self._named() if self._start.is_dir() else self._published()

    def _named(self) -> Iterator[Entry]:
        for side in ("database", "queries"):
            for path in images_below(self._start / side, self.root):
                found = candidate_or_reason(path, _CITY)
                if isinstance(found, Excluded):
                    yield found
                    continue
                name, candidate = found
                if name.tile is None:
                    yield Excluded(path, _CITY, NO_HEADING, "no tile number in its name")
                else:
                    yield candidate._replace(heading=pseudo_heading(name.tile))

    def _published(self) -> Iterator[Entry]:
        split = read_dbstruct(self._start)
        queries = [
            name if name.startswith(f"{_QUERIES}/") else f"{_QUERIES}/{name}"
            for name in split.queries
        ]
        for names, positions in ((split.database, split.database_utm), (queries, split.query_utm)):
            for path, (easting, northing) in zip(names, positions.tolist(), strict=True):
                yaw = _YAW.search(path)
                if not yaw:
                    yield Excluded(path, _CITY, BAD_ENTRY, "no yaw in its name", faulty=True)
                    continue
                heading = pseudo_heading(int(yaw[1]) - 1)
                yield Candidate(path, _CITY, easting, northing, _ZONE, heading=heading)


def pseudo_heading(tile: int) -> float:
    """Return the pseudo heading, degrees from 0 to 330, of a tile or a yaw counted from 0."""
    return tile % YAWS * (360.0 / YAWS)
