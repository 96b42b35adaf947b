"""Named sets whose images carry their positions, in `@` names or in a .mat file; 25 m."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import utm
from numpy.typing import NDArray

from training.datasets.dbstruct import read_dbstruct
from training.errors import DatasetError, EvaluationError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.locations import Locations, find_positives, rule
from training.evaluation.sets.files import existing_folder, folder_pair, image_files
from training.evaluation.sets.folders import RADIUS, folders_set
from training.evaluation.sets.options import SetOptions

_PARENTS = ("images/test", "test", "")


@dataclass(frozen=True)
class _MatLayout:
    """The layout of NetVLAD's data: a .mat file, and folders that its names are relative to.

    zone: UTM zone, where queries may have their positions in a CSV beside each.
    """

    files: tuple[str, ...]
    database_folders: tuple[str, ...]
    query_folders: tuple[str, ...]
    zone: int | None = None


@dataclass(frozen=True)
class PositionedSet:
    """A reader of one such set.

    sentence: what the set is. databases, queries: what the folders may be called in the layout
    with `@` names. mat: the other published layout, where there is one.
    """

    name: str
    sentence: str
    databases: tuple[str, ...] = ("database",)
    queries: tuple[str, ...] = ("queries",)
    mat: _MatLayout | None = None
    query_shorter_side: int | None = None

    def __call__(self, root: Path, options: SetOptions) -> EvaluationSet:
        """Read the set below root, in either layout; DatasetError where there is neither."""
        radius = RADIUS if options.radius is None else options.radius
        pair = folder_pair(root, _PARENTS, self.databases, self.queries)
        if pair is not None:
            return folders_set(
                *pair,
                radius=radius,
                heading=options.heading,
                name=self.name,
                variant=f"{self.sentence}; positions from @ names",
                query_shorter_side=self.query_shorter_side,
            )
        expected = f"images/test/{self.databases[0]} and images/test/{self.queries[0]}"
        if self.mat is None:
            raise DatasetError(f"{root} is not {self.name}: expected {expected} there")
        for file in self.mat.files:
            if (root / file).is_file():
                return self._from_mat(root, root / file, self.mat, radius, options)
        raise DatasetError(
            f"{root} is not {self.name}: expected {expected}, or {self.mat.files[0]} there"
        )

    def _from_mat(
        self, root: Path, file: Path, layout: _MatLayout, radius: float, options: SetOptions
    ) -> EvaluationSet:
        if options.heading is not None:
            raise EvaluationError(f"{file} gives no headings: leave --heading out")
        content = read_dbstruct(file)
        given = _queries_with_tables(root, layout)
        source = file.name if given is None else f"{file.name} and a CSV beside each query"
        query_keys, queries, query_positions = given or (
            content.queries,
            _resolved(root, layout.query_folders, content.queries),
            content.query_utm,
        )
        return EvaluationSet(
            name=self.name,
            variant=f"{self.sentence}; positions from {source}",
            database=_resolved(root, layout.database_folders, content.database),
            queries=queries,
            positives=find_positives(
                _on_plain_grid(query_positions), _on_plain_grid(content.database_utm), radius
            ),
            database_positions=content.database_utm,
            query_positions=query_positions,
            rule=rule(radius, None),
            count_without_positives=True,
            database_keys=content.database,
            query_keys=query_keys,
            query_shorter_side=self.query_shorter_side,
        )


def _on_plain_grid(positions: NDArray[np.float64]) -> Locations:
    count = len(positions)
    return Locations(positions, [""] * count, np.full(count, np.nan))


def _queries_with_tables(
    root: Path, layout: _MatLayout
) -> tuple[list[str], list[Path], NDArray[np.float64]] | None:
    """Return keys, files and positions of queries that have a CSV each, or None.

    Its first line is `name,latitude,longitude,...`. Raises DatasetError where it is not.
    """
    folder = existing_folder(root, *layout.query_folders) if layout.zone is not None else None
    if folder is None or not any(folder.glob("*.csv")):
        return None
    keys = image_files(folder)
    positions = []
    for key in keys:
        table = (folder / key).with_suffix(".csv")
        try:
            fields = table.read_text("utf-8").splitlines()[0].split(",")
            latitude, longitude = float(fields[1]), float(fields[2])
            east, north, *_ = utm.from_latlon(latitude, longitude, force_zone_number=layout.zone)
        except (OSError, ValueError, IndexError) as error:  # utm's error is a ValueError
            raise DatasetError(f"{table} does not begin with name,latitude,longitude") from error
        positions.append((east, north))
    return keys, [folder / key for key in keys], np.array(positions, np.float64)


def _resolved(root: Path, folders: Sequence[str], names: Sequence[str]) -> list[Path]:
    """Return the file of each name: in the first folder that has it, as .png where it is one.

    Tokyo24/7's .mat file names .jpg files that were published as .png.
    """
    paths = []
    for name in names:
        candidates = [
            (root / folder / name).with_suffix(suffix)
            for folder in folders
            for suffix in (Path(name).suffix, ".png", ".jpg")
        ]
        paths.append(next((path for path in candidates if path.is_file()), candidates[0]))
    return paths


PITTS30K = PositionedSet(
    "pitts30k",
    "Pitts30k, test split",
    mat=_MatLayout(
        files=("datasets/pitts30k_test.mat", "pitts30k_test.mat"),
        database_folders=("", "images"),
        query_folders=("queries_real", "images/queries_real", ""),
    ),
)
TOKYO247 = PositionedSet(
    "tokyo247",
    "Tokyo24/7, 315 queries (247query_subset_v2)",
    mat=_MatLayout(
        files=("datasets/tokyo247.mat", "tokyo247.mat"),
        database_folders=("", "images", "database", "tokyo247"),
        query_folders=(
            "247query_subset_v2",
            "tokyo247/247query_subset_v2",
            "query",
            "queries",
            "",
        ),
        zone=54,
    ),
    query_shorter_side=480,
)
EYNSHAM = PositionedSet("eynsham", "Eynsham, grey images")
SVOX = {
    f"svox-{condition}": PositionedSet(
        f"svox-{condition}",
        f"SVOX, queries by {condition}",
        databases=("gallery", "database"),
        queries=(f"queries_{condition}", condition),
    )
    for condition in ("night", "rain", "overcast", "snow", "sun")
}
