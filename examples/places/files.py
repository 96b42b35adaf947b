"""Drives as files: pictures, the table of those to train with, and @ names for the others."""

from __future__ import annotations

import csv
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import utm

from examples.places.drives import SAVED, Visit, views
from examples.places.towns import (
    EVALUATIONS,
    TOWNS,
    Evaluation,
    Town,
    evaluation_town,
    training_towns,
)
from examples.streets import Camera, Renderer, Traffic, World, build_world, park_cars
from selavpr_core.geodesy import Datum

COLUMNS = ("path", "latitude", "longitude", "heading", "city", "date")

Row = tuple[str, str, str, str, str, str]
Job = tuple[Town, range]  # drives of a town, by number
Progress = Callable[[int, int], None]


def render_places(
    folder: Path,
    seed: int,
    processes: int,
    progress: Progress,
    towns: int = TOWNS,
    streets: int | None = None,
    training_streets: int | None = None,
) -> dict[str, int]:
    """Render everything into a folder that is there, and return how many pictures are in what.

    train.csv and train/ are `towns` towns to train in; validation/ and test/ are a town each, with
    a database and queries. streets, training_streets: only along the first so many of a town to
    evaluate or to train in, with the very same pictures; None for all. `progress` is told the
    drives done, and all of them.
    """
    evaluated = [_along(evaluation_town(seed, which), streets) for which in EVALUATIONS]
    trained = [_along(town, training_streets) for town in training_towns(seed, towns)]
    # The largest first.
    jobs = [*_drives(evaluated), *((town, range(len(town.visits))) for town in trained)]
    rows = _render(jobs, folder, processes, progress)
    table = [row for town in trained for row in rows[town.name]]
    with (folder / "train.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *table])
    return {"train": len(table), **_counts(evaluated, rows)}


def render_evaluation(
    folder: Path,
    seed: int,
    processes: int,
    progress: Progress,
    which: Evaluation = "test",
    streets: int | None = None,
) -> dict[str, int]:
    """Render a seed's town to validate or test in alone, as `render_places` does.

    Returns how many pictures are in `which`/database and `which`/queries.
    """
    town = _along(evaluation_town(seed, which), streets)
    return _counts([town], _render(_drives([town]), folder, processes, progress))


def _along(town: Town, streets: int | None) -> Town:
    """The town with its drives along the first so many streets; all for None."""
    return replace(town, visits=tuple(replace(visit, streets=streets) for visit in town.visits))


def _counts(towns: Sequence[Town], rows: dict[str, list[Row]]) -> dict[str, int]:
    counts = {f"{town.folder}/{visit.name}": 0 for town in towns for visit in town.visits}
    for town in towns:
        for path, *_ in rows[town.name]:
            counts[path.rpartition("/")[0]] += 1
    return counts


def _drives(towns: Sequence[Town]) -> list[Job]:
    """Jobs of a drive each."""
    return [(town, range(n, n + 1)) for town in towns for n in range(len(town.visits))]


def _render(
    wanted: Sequence[Job], folder: Path, processes: int, progress: Progress
) -> dict[str, list[Row]]:
    """Render drives, some at once; returns the rows of each town."""
    rows: dict[tuple[str, int], list[Row]] = {}
    total = sum(len(drives) for _, drives in wanted)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        jobs = {
            pool.submit(_render_drives, town, drives, folder): (town, drives)
            for town, drives in wanted
        }
        try:
            for done in as_completed(jobs):
                town, drives = jobs[done]
                for number, made in zip(drives, done.result(), strict=True):
                    rows[town.name, number] = made
                progress(len(rows), total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    # In the order of the drives, whichever was done first.
    tables: dict[str, list[Row]] = {}
    for name, number in sorted(rows):
        tables.setdefault(name, []).extend(rows[name, number])
    return tables


def _render_drives(town: Town, drives: range, folder: Path) -> list[list[Row]]:
    """Render some of a town's drives, which share the painting of its houses."""
    cv2.setNumThreads(1)  # there is a process for each core
    world = build_world(town.seed, town.rows, town.columns)
    return [_render_drive(world, town, number, folder) for number in drives]


def _render_drive(world: World, town: Town, number: int, folder: Path) -> list[Row]:
    visit = town.visits[number]
    drive = 10 * town.seed + number
    renderer = Renderer(world, visit.light, park_cars(world, drive, visit.parked))
    traffic = Traffic(world, drive, visit.busy)
    place = Path(town.folder, visit.name)
    (folder / place).mkdir(parents=True)
    rows = []
    for frame, camera in enumerate(views(world, visit, drive)):
        _end_with_parent()
        latitude, longitude, heading = _pose(town.datum, camera)
        name = f"{frame:04d}.jpg"
        if town.at_names:
            name = _at_name(town.datum, camera, visit, frame)
        path = (place / name).as_posix()
        # Farther apart than one stays in view.
        passing = traffic.at(20.0 * frame, camera.x, camera.y, camera.yaw)
        sensor = visit.rig.sensor
        small = cv2.resize(renderer.image(camera, passing), SAVED, interpolation=cv2.INTER_AREA)
        picture = sensor.take(np.asarray(small, np.uint8), 1000 * drive + frame)
        # Unlike imwrite, this says when the disk is full.
        (folder / path).write_bytes(sensor.jpeg(picture))
        position = (f"{latitude:.7f}", f"{longitude:.7f}", f"{heading:.1f}")
        rows.append((path, *position, town.name, visit.date))
    return rows


def _end_with_parent() -> None:
    """End this process at once where it renders for one that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)


def _pose(datum: Datum, camera: Camera) -> tuple[float, float, float]:
    """Latitude, longitude and heading (clockwise from true north) of a camera, degrees."""
    latitude, longitude, _ = map(float, datum.to_wgs84(camera.position))
    true_yaw = camera.yaw - datum.convergence(latitude, longitude)
    return latitude, longitude, float((90.0 - np.degrees(true_yaw)) % 360.0)


def _at_name(datum: Datum, camera: Camera, visit: Visit, frame: int) -> str:
    """The name that public datasets give a picture: its position and heading between @."""
    latitude, longitude, heading = _pose(datum, camera)
    east, north = np.add(datum.utm_origin, camera.position[:2])
    fields = (
        f"{east:010.2f}", f"{north:010.2f}", datum.zone, utm.latitude_to_zone_letter(latitude),
        f"{latitude:09.5f}", f"{longitude:010.5f}", f"{visit.name}{frame:04d}", "",
        f"{heading:.1f}", "", "", "", visit.date.replace("-", ""), visit.light.name,
    )  # fmt: skip
    return "".join(f"@{field}" for field in fields) + "@.jpg"
