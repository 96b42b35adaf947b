"""Prediction files, as the MSLS challenge takes them."""

from __future__ import annotations

from pathlib import Path

from training.errors import EvaluationError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import EvaluationResult


def write_predictions(
    folder: Path, result: EvaluationResult, evaluation_set: EvaluationSet
) -> list[Path]:
    """Write one file for each mode, `<set>_<mode>.txt`, and return their paths.

    A line a query, `query_key db_key db_key ...`, best first. A query that could not be read has
    a line with its key alone. Raises EvaluationError where a key has a space in it, or the folder
    cannot be written.
    """
    keys = evaluation_set.database_keys
    for key in (*evaluation_set.query_keys, *keys):
        if len(key.split()) != 1:
            raise EvaluationError(f"no prediction file can name {key!r}: it has a space in it")
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, mode in result.modes.items():
            path = folder / f"{evaluation_set.name}_{name}.txt"
            with path.open("w", encoding="utf-8") as file:
                for query, places in zip(evaluation_set.query_keys, mode.rankings, strict=True):
                    found = [keys[place] for place in places.tolist() if place >= 0]
                    file.write(" ".join([query, *found]) + "\n")
            paths.append(path)
    except OSError as error:
        raise EvaluationError(f"predictions cannot be written to {folder}: {error}") from error
    return paths
