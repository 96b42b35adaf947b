"""Recorded places beside a development checkout; protocols are those of the package's docstring."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.recall.bag_frames import write_frames
from selavpr_core.evaluation import positives_within
from training.errors import DatasetError
from training.evaluation import EvaluationSet

HELD_BACK = ("basement3", "floor9", "floor16", "floor22")
"""Floors of the tower that no training and no validation reads."""

Reader = Callable[[Path, Path], EvaluationSet]


def rtabmap_samples(data: Path, _: Path) -> EvaluationSet:
    """Return the set of the circuit driven twice; DatasetError where picture and bitmap differ."""
    bitmap = data / "loop" / "samples_GT.bmp"
    pixels = cv2.imread(str(bitmap), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise DatasetError(f"{bitmap} cannot be read as a picture: copy it again")
    folder = data / "loop" / "rtabmap_samples"
    paths = [folder / f"{number}.jpg" for number in range(1, len(pixels) + 1)]
    found = sum(path.is_file() for path in paths)
    if pixels.shape != (len(paths), len(paths)) or found != len(paths):
        raise DatasetError(
            f"{folder} has {found} of the frames 1.jpg, 2.jpg, ... that {bitmap.name} of"
            f" {pixels.shape[1]} x {pixels.shape[0]} pixels speaks of: copy them again"
        )
    half = len(paths) // 2
    positives = [np.flatnonzero(row[:half] > 127) for row in pixels[half:]]
    return _listed("rtabmap_samples", "bitmap", paths[:half], paths[half:], positives)


def lund(data: Path, work: Path) -> EvaluationSet:
    """Return the set of the two bags of street photos."""
    database = write_frames(data / "bags" / "lund_map_even", work / "lund_map_even")
    queries = write_frames(
        data / "bags" / "lund_query_odd", work / "lund_query_odd", database.datum
    )
    positives = positives_within(queries.positions, database.positions, 10.0)
    return _listed("lund", "10 m", database.paths, queries.paths, positives)


def toshiki_loop(data: Path, work: Path) -> EvaluationSet:
    """Return the set of even and odd frames of the campus loop."""
    frames = write_frames(data / "bags" / "toshiki_loop", work / "toshiki_loop")
    positives = positives_within(frames.positions[1::2], frames.positions[::2], 6.0)
    return _listed("toshiki_loop", "6 m", frames.paths[::2], frames.paths[1::2], positives)


def tower(data: Path, _: Path) -> EvaluationSet:
    """Return the set of the floors that training holds back; DatasetError for another table."""
    table = data / "tower" / "dataset.csv"
    places: dict[str, list[tuple[str, str]]] = {"gallery": [], "query": []}
    paths: dict[str, list[Path]] = {"gallery": [], "query": []}
    try:
        with table.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["label"] in HELD_BACK:
                    places[row["split"]].append((row["label"], row["area"]))
                    paths[row["split"]].append(table.parent / row["image_path"])
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"{table} is not the tower's table (label, area, split, image_path): {error!r}"
        ) from error
    positives = [
        np.array([n for n, other in enumerate(places["gallery"]) if other == place], np.int64)
        for place in places["query"]
    ]
    return _listed("tower", "floor and area", paths["gallery"], paths["query"], positives)


SETS: dict[str, tuple[str, Reader]] = {
    "rtabmap_samples": ("loop/rtabmap_samples", rtabmap_samples),
    "lund": ("bags/lund_map_even", lund),
    "toshiki_loop": ("bags/toshiki_loop", toshiki_loop),
    "tower": ("tower/dataset.csv", tower),
}
"""Where each set lies below the data folder, and what reads it from there.

A reader takes the data folder and a folder of its own to write into.
"""


def _listed(
    name: str,
    rule: str,
    database: Sequence[Path],
    queries: Sequence[Path],
    positives: Sequence[NDArray[np.int64]],
) -> EvaluationSet:
    return EvaluationSet(
        name=name,
        variant=name,
        database=database,
        queries=queries,
        positives=positives,
        database_positions=None,
        query_positions=None,
        rule=rule,
        count_without_positives=True,
        database_keys=[path.name for path in database],
        query_keys=[path.name for path in queries],
    )
