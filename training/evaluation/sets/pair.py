"""Anybody's images: two folders, or two tables."""

from __future__ import annotations

from pathlib import Path

from training.errors import EvaluationError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.sets.folders import RADIUS, folders_set
from training.evaluation.sets.table import table_set


def pair_set(
    database: Path, queries: Path, *, radius: float | None = None, heading: float | None = None
) -> EvaluationSet:
    """Return the set of two folders of images with `@` names, or of two CSV files.

    radius: metres, None for 25. heading: as for `folders_set`.
    Raises EvaluationError where there is one of each, and what the readers raise.
    """
    radius = RADIUS if radius is None else radius
    tables = {path.is_file() for path in (database, queries)}
    if len(tables) > 1:
        raise EvaluationError(f"{database} and {queries}: give two folders or two CSV files")
    read = table_set if tables == {True} else folders_set
    return read(database, queries, radius=radius, heading=heading)
