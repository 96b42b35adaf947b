"""The rendered drives, described once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.keeping import keep_columns
from benchmarks.localization.replay import Drive, Look, Place
from benchmarks.localization.simulation import drifting
from benchmarks.localization.town import SESSIONS, build_town, frames_of, pictures
from selavpr_core.describer import load_describer
from selavpr_ros.progress import progress_bar
from training.errors import EvaluationError

MAP = ("map first", "map second")
WAITS = "other way"  # on its way
QUERIES = ("again", "away and back", WAITS)
MAP_STRIDE = 2  # every second picture of these drives becomes a place
MAP_SIGMA = 0.5  # m, of the map's positions
LISTED = 100
DRAWS = 5  # of errors of the map and of odometry

Columns = Mapping[str, NDArray[np.float64]]


class Rendered(NamedTuple):
    """A map, the drives to it, and the descriptors of both."""

    place: Place
    drives: dict[str, Drive]
    map_descriptors: NDArray[np.float32]
    descriptors: dict[str, NDArray[np.float32]]

    def standing(self, rounds: int) -> tuple[list[Look], NDArray[np.float64]]:
        """What is seen, over and over, where a drive waits on its way, and where that is."""
        look, positions = self.look(WAITS), self.drives[WAITS].positions
        still = np.flatnonzero((positions[1:] == positions[:-1]).all(axis=1))
        return [look(int(frame)) for frame in still] * rounds, positions[still[0]]

    def look(self, name: str) -> Callable[[int], Look]:
        """Retrieval for the frames of a drive."""
        queries = self.descriptors[name]

        def one(frame: int) -> Look:
            similarities = (self.map_descriptors @ queries[frame]).astype(np.float64)
            listed = np.argsort(-similarities, kind="stable")[:LISTED]
            return listed, similarities[listed]

        return one


def load_rendered(weights: str, seed: int, keep: Path | None) -> list[Rendered]:
    """Render and describe, or take the descriptions from the folder `keep`.

    The pictures of all are the same; the errors of the map and of odometry are drawn for each.
    """
    describer = load_describer(weights, "cpu", "fp32")
    columns: dict[str, NDArray[np.float64]] = {}
    kept = None if keep is None else keep / f"town{seed}-{describer.fingerprint[:12]}.npz"
    if kept is not None and kept.is_file():
        with np.load(kept) as file:
            columns = dict(file)
        return [_arranged(columns, seed, draw) for draw in range(DRAWS)]
    world = build_town(seed)
    drives = [frames_of(world, name, seed) for name in SESSIONS]
    total = sum(len(frames.stamps) for frames in drives)
    with progress_bar("rendering and describing", total, "pictures") as bar:
        for frames in drives:
            described = []
            for picture in pictures(world, frames, seed):
                _, descriptors = describer(picture)
                if descriptors is None:
                    raise EvaluationError(f"{weights} has no float branch: give other --weights")
                described.append(descriptors[0])
                bar.update()
            columns[f"{frames.name}/desc"] = np.array(described)
            columns[f"{frames.name}/pos"] = frames.positions
            columns[f"{frames.name}/head"] = frames.headings
            columns[f"{frames.name}/stamps"] = frames.stamps.astype(np.float64)
    if kept is not None:
        keep_columns(kept, columns)
    return [_arranged(columns, seed, draw) for draw in range(DRAWS)]


def _arranged(columns: Columns, seed: int, draw: int) -> Rendered:
    positions, headings, descriptors, starts = [], [], [], []
    rng = np.random.default_rng([seed, 5, draw])
    count = 0
    for name in MAP:
        true = columns[f"{name}/pos"][::MAP_STRIDE]
        # Errors that last for some 20 places, as those of fixes do.
        white = rng.standard_normal((2, len(true) + 20))
        smooth = [np.convolve(row, np.full(21, 21**-0.5), "valid") for row in white]
        error = MAP_SIGMA * np.column_stack([*smooth, np.zeros(len(true))])
        positions.append(true + error)
        headings.append(columns[f"{name}/head"][::MAP_STRIDE])
        descriptors.append(columns[f"{name}/desc"][::MAP_STRIDE])
        starts.append(count)
        count += len(true)
    drives = {}
    for name in QUERIES:
        at, yaw = columns[f"{name}/pos"], columns[f"{name}/head"]
        seconds = columns[f"{name}/stamps"] / 1e9
        drives[name] = Drive(at, yaw, drifting(at, yaw, DRAWS * seed + draw), seconds)
    place = Place(
        np.concatenate(positions), np.concatenate(headings), starts, np.full(count, MAP_SIGMA)
    )
    queries = {name: columns[f"{name}/desc"].astype(np.float32) for name in QUERIES}
    return Rendered(place, drives, np.concatenate(descriptors).astype(np.float32), queries)
