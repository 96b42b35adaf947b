"""From images in order to numbered places: small classes and unused groups go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.index.division import AnyDivision, OwnPlaces, Stretches
from training.index.keys import CITY_BYTES, Keys, city_of, indices_of
from training.index.manifest import SCHEMA, Group

TOO_FEW = "too few images at the place"
GROUP_NOT_USED = "group not used"
LISTED_TWICE = "listed twice"


class _Classes(NamedTuple):
    """Neighbouring classes.

    counts: images of each. enough: whether it has enough of them. groups, places: their numbers,
    to be filled in; -1 for none.
    """

    counts: NDArray[np.int64]
    enough: NDArray[np.bool_]
    groups: NDArray[np.int32]
    places: NDArray[np.int32]

    def part(self, begin: int, end: int) -> _Classes:
        """Return some of them; numbers filled in there are filled in here."""
        rows = slice(begin, end)
        return _Classes(self.counts[rows], self.enough[rows], self.groups[rows], self.places[rows])


class PlaceNumbering:
    """Gives the rows of one dataset their groups and places, and counts what it drops.

    Rows come in the order of (key, path) in tables of any size; no more of them are held than one
    table and a class that is still too small.

    Attributes:
        groups: those in use, in the order of their numbers; the first has the number first_group.
        places: how many, of this dataset.
    """

    def __init__(
        self,
        dataset: str,
        cities: Sequence[str],
        division: AnyDivision,
        first_group: int,
        first_place: int,
        dropped: Callable[[str, str, int], None],
    ) -> None:
        """Set what does not change from table to table.

        Args:
            dataset: name of the dataset.
            cities: names, by the numbers that the keys have.
            division: its settings.
            first_group, first_place: the numbers that its first group and place get.
            dropped: called with city, reason and a number of images.
        """
        self.groups: list[Group] = []
        self.places = 0
        self._dataset = dataset
        self._cities = cities
        self._division = division
        self._first_group = first_group
        self._first_place = first_place
        self._dropped = dropped
        self._group = b""  # of the last row seen
        self._in_use = False  # whether that group has a number
        self._used = 0  # groups of its city that have one
        self._open_class = b""  # the last class seen, if it had images enough; it may go on
        self._last: tuple[bytes, str] | None = None

    def number(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Yield the rows that stay, in the index's schema."""
        waiting: list[pa.Table] = []
        for table in tables:
            fresh = self._without_repeats(table)
            if not fresh.num_rows:
                continue
            rows = pa.concat_tables([*waiting, fresh])
            numbered, undecided = self._numbered(rows, final=False)
            waiting = [rows.slice(rows.num_rows - undecided)]
            yield numbered
        if waiting and waiting[0].num_rows:
            yield self._numbered(waiting[0], final=True)[0]

    def _without_repeats(self, table: pa.Table) -> pa.Table:
        """Drop rows that equal the row before in key and path."""
        keys, paths = Keys(table["key"]).rows, table["path"].combine_chunks()
        first = keys[0].tobytes(), paths[0].as_py()
        same = np.zeros(len(keys), dtype=bool)
        same[0] = first == self._last
        same_path = pc.equal(paths.slice(1), paths.slice(0, len(paths) - 1))
        same[1:] = np.all(keys[1:] == keys[:-1], axis=1) & same_path.to_numpy(zero_copy_only=False)
        self._last = keys[-1].tobytes(), paths[-1].as_py()
        for row in np.flatnonzero(same):
            self._dropped(self._cities[city_of(keys[row].tobytes())], LISTED_TWICE, 1)
        return table.filter(pa.array(~same)) if same.any() else table

    def _numbered(self, rows: pa.Table, final: bool) -> tuple[pa.Table, int]:
        """Return the rows that stay, and how many at the end are not decided yet."""
        keys = Keys(rows["key"])
        starts = keys.class_starts()
        counts = np.diff(starts, append=rows.num_rows)
        enough = counts >= self._division.min_images
        goes_on = self._open_class == keys.rows[0].tobytes()
        enough[0] |= goes_on
        undecided = 0
        if not final and not enough[-1]:
            undecided = int(counts[-1])
            starts, counts, enough = starts[:-1], counts[:-1], enough[:-1]
        classes = _Classes(counts, enough, *np.full((2, len(starts)), -1, dtype=np.int32))
        segments = keys.group_starts(starts)
        for begin, end in pairwise([*segments, len(starts)]):
            first_goes_on = bool(goes_on and begin == 0)
            self._number_group(keys.group(starts[begin]), classes.part(begin, end), first_goes_on)
        self._open_class = b"" if undecided or not enough[-1] else keys.rows[-1].tobytes()
        return self._table(rows.slice(0, rows.num_rows - undecided), classes), undecided

    def _number_group(self, group: bytes, classes: _Classes, first_goes_on: bool) -> None:
        """Number the classes of one group; the first may go on from the rows before."""
        if group != self._group:
            if group[:CITY_BYTES] != self._group[:CITY_BYTES]:
                self._used = 0
            self._group, self._in_use = group, False
        city = self._cities[city_of(group)]
        if not self._in_use and self._used == self._division.groups:
            self._dropped(city, GROUP_NOT_USED, int(classes.counts.sum()))
            return
        stay = classes.enough
        if few := int(classes.counts[~stay].sum()):
            self._dropped(city, TOO_FEW, few)
        if not stay.any():
            return
        if not self._in_use:
            self._in_use = True
            self._used += 1
            self.groups.append(Group(self._name(group), self._dataset, city, 0, 0))
        fresh = int(stay.sum()) - first_goes_on
        numbers = self._first_place + self.places + np.cumsum(stay) - 1 - first_goes_on
        classes.groups[stay] = self._first_group + len(self.groups) - 1
        classes.places[stay] = numbers[stay]
        self.places += fresh
        group_so_far = self.groups[-1]
        self.groups[-1] = replace(
            group_so_far,
            places=group_so_far.places + fresh,
            images=group_so_far.images + int(classes.counts[stay].sum()),
        )

    def _name(self, group: bytes) -> str:
        name = f"{self._dataset}/{self._cities[city_of(group)]}"
        if isinstance(self._division, OwnPlaces):
            return name
        if isinstance(self._division, Stretches):
            return f"{name}/{indices_of(group)[0]}"
        return f"{name}/{'.'.join(map(str, indices_of(group)))}"

    def _table(self, rows: pa.Table, classes: _Classes) -> pa.Table:
        places = np.repeat(classes.places, classes.counts)
        stay = places >= 0
        kept = rows.filter(pa.array(stay))
        groups = np.repeat(classes.groups, classes.counts)[stay]
        names = pa.array([group.city for group in self.groups], pa.string())
        return pa.table(
            {
                "path": kept["path"],
                "dataset": pa.repeat(self._dataset, kept.num_rows),
                "city": names.take(pa.array(groups - self._first_group)),
                "group": groups,
                "place": places[stay],
                **{name: kept[name] for name in SCHEMA.names[5:]},
            },
            schema=SCHEMA,
        )
