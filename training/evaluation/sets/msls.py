"""MSLS: the val set that papers report, the larger one of the same name, and the challenge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.datasets.tables import number, read_lines
from training.errors import DatasetError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.locations import Locations, find_positives, rule
from training.evaluation.sets.files import folder_pair
from training.evaluation.sets.folders import RADIUS, folders_set
from training.evaluation.sets.options import SetOptions

VAL_CITIES = ("cph", "sf")
TEST_CITIES = ("miami", "athens", "buenosaires", "stockholm", "bengaluru", "kampala")
_SUBTASK = "all"


def msls_val(root: Path, options: SetOptions) -> EvaluationSet:
    """Read the val set of 740 queries: subtask "all", without panoramas, with a positive.

    Queries without a positive (7 of 747 at 25 m) are there, but not counted. Raises DatasetError.
    """
    if _city_folder(root, "train_val", VAL_CITIES) is None and _named(root) is not None:
        raise DatasetError(
            f"{root} does not say which of its queries are the 740 (that is in subtask_index.csv of"
            " MSLS as published, in train_val/): give that folder, or evaluate msls-val-11084"
        )
    return _from_tables(
        root,
        "train_val",
        VAL_CITIES,
        options,
        name="msls-val",
        sentence="MSLS-val, subtask all without panoramas: the 740 queries that papers report",
        only_subtask=True,
        count_without_positives=False,
    )


def msls_val_11084(root: Path, options: SetOptions) -> EvaluationSet:
    """Read the val set of 11,084 queries: all that are no panoramas. Raises DatasetError."""
    name, sentence = "msls-val-11084", "MSLS-val, all 11,084 queries (not the 740 of most papers)"
    pair = _named(root)
    if pair is not None:
        return folders_set(
            *pair,
            radius=RADIUS if options.radius is None else options.radius,
            heading=options.heading,
            name=name,
            variant=f"{sentence}; positions from @ names",
        )
    return _from_tables(
        root,
        "train_val",
        VAL_CITIES,
        options,
        name=name,
        sentence=sentence,
        only_subtask=False,
        count_without_positives=True,
    )


def msls_challenge(root: Path, options: SetOptions) -> EvaluationSet:
    """Read the test cities; `scored` if the tables have the positions, public since April 2026.

    Raises DatasetError where files are missing or only some cities have positions.
    """
    return _from_tables(
        root,
        "test",
        TEST_CITIES,
        options,
        name="msls-challenge",
        sentence="MSLS-challenge, subtask all of the six test cities without panoramas",
        only_subtask=True,
        count_without_positives=False,
    )


@dataclass(frozen=True)
class _Side:
    """Database or queries of one city."""

    keys: list[str]
    paths: list[Path]
    locations: Locations


def _from_tables(
    root: Path,
    split: Literal["train_val", "test"],
    cities: Sequence[str],
    options: SetOptions,
    *,
    name: str,
    sentence: str,
    only_subtask: bool,
    count_without_positives: bool,
) -> EvaluationSet:
    folder = _city_folder(root, split, cities)
    if folder is None:
        raise DatasetError(f"{root} is not MSLS: expected {split}/{cities[0]} and others there")
    database = [_read(folder / city / "database", only_subtask) for city in cities]
    queries = [_read(folder / city / "query", only_subtask) for city in cities]
    known = [_known(side) for side in (*database, *queries)]
    scored = any(known)
    if scored and not all(known):
        lacking = [
            c for c, known_here in zip((*cities, *cities), known, strict=True) if not known_here
        ]
        raise DatasetError(
            f"{folder} has positions for some cities only: postprocessed.csv of"
            f" {', '.join(dict.fromkeys(lacking))} lacks easting and northing"
        )
    if not scored and (split == "train_val" or options != SetOptions()):
        raise DatasetError(f"{folder} has no positions: postprocessed.csv lacks easting, northing")
    radius = RADIUS if options.radius is None else options.radius
    positives: list[NDArray[np.int64]] = []
    start = 0
    for places, asked in zip(database, queries, strict=True):
        if scored:
            near = find_positives(asked.locations, places.locations, radius, options.heading)
            positives += [start + numbers for numbers in near]
        else:
            positives += [np.empty(0, np.int64)] * len(asked.keys)
        start += len(places.keys)
    largest = max(range(len(cities)), key=lambda i: len(queries[i].keys))
    return EvaluationSet(
        name=name,
        variant=f"{sentence}; positions from postprocessed.csv"
        if scored
        else f"{sentence}; no ground truth in these files: predictions only",
        database=[path for side in database for path in side.paths],
        queries=[path for side in queries for path in side.paths],
        positives=positives,
        database_positions=_positions_of(database, largest) if scored else None,
        query_positions=_positions_of(queries, largest) if scored else None,
        rule=rule(radius, options.heading),
        count_without_positives=count_without_positives,
        database_keys=[key for side in database for key in side.keys],
        query_keys=[key for side in queries for key in side.keys],
        scored=scored,
    )


def _city_folder(root: Path, split: str, cities: Sequence[str]) -> Path | None:
    """Return the folder of the cities: root/split or root itself."""
    for folder in (root / split, root):
        if (folder / cities[0]).is_dir():
            return folder
    return None


def _named(root: Path) -> tuple[Path, Path] | None:
    """Return database and queries of the layout with @ names."""
    return folder_pair(root, ("images/val", "val", ""), ("database",), ("queries",))


def _read(folder: Path, only_subtask: bool) -> _Side:
    """Read one side of a city: its images but panoramas, in the order of the tables."""
    listing = folder / ("subtask_index.csv" if only_subtask else "postprocessed.csv")
    columns = ("key", _SUBTASK) if only_subtask else ("key",)
    keys = [
        line.fields["key"]
        for line in read_lines(listing, columns)
        if not only_subtask or _true(line.fields[_SUBTASK])
    ]
    raw, placed = _by_key(folder / "raw.csv"), _by_key(folder / "postprocessed.csv")
    keys = [key for key in keys if not _true(raw.get(key, {}).get("pano", ""))]
    positions = [
        [number(placed.get(key, {}).get(name, "")) for name in ("easting", "northing")]
        for key in keys
    ]
    headings = [number(raw.get(key, {}).get("ca", "")) for key in keys]
    return _Side(
        keys,
        [folder / "images" / f"{key}.jpg" for key in keys],
        Locations(
            np.array(positions, np.float64).reshape(-1, 2),
            [""] * len(keys),
            np.array(headings, np.float64),
        ),
    )


def _by_key(table: Path) -> dict[str, dict[str, str]]:
    """Return a table's lines by key; none where the file is not there, as in the test cities."""
    if not table.is_file():
        return {}
    return {line.fields["key"]: line.fields for line in read_lines(table, ("key",))}


def _true(text: str) -> bool:
    return text.strip().lower() in ("true", "1")


def _known(side: _Side) -> bool:
    return bool(np.isfinite(side.locations.positions).any())


def _positions_of(sides: Sequence[_Side], chosen: int) -> NDArray[np.float64]:
    """Return the positions of one city; cities are in zones of their own, so others get NaN."""
    return np.concatenate(
        [
            side.locations.positions
            if i == chosen
            else np.full_like(side.locations.positions, math.nan)
            for i, side in enumerate(sides)
        ]
    )
