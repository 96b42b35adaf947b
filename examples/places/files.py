"""Drives as files: pictures, the table of those to train with, and @ names for the others."""

from __future__ import annotations

import csv
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import cv2
import numpy as np
import utm

from examples.places.drives import Visit, views
from examples.places.towns import Town, evaluation_town, training_towns
from examples.streets import LIGHTS, Camera, Renderer, build_world, park_cars
from selavpr_core.geodesy import Datum

COLUMNS = ("path", "latitude", "longitude", "heading", "city", "date")
_JPEG_QUALITY = 92

Row = tuple[str, str, str, str, str, str]


def render_places(
    folder: Path, seed: int, processes: int, progress: Callable[[int, int], None]
) -> dict[str, int]:
    """Render everything into a folder that is there, and return how many pictures are in what.

    train.csv and train/ are towns to train in; test/database and test/queries are two drives
    through another one. `progress` is told the towns done, and all of them.
    """
    tested, trained = evaluation_town(seed), training_towns(seed)
    rows: dict[str, list[Row]] = {}
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        # The largest first.
        jobs = {pool.submit(_render_town, town, folder): town.name for town in [tested, *trained]}
        try:
            for done in as_completed(jobs):
                rows[jobs[done]] = done.result()
                progress(len(rows), len(jobs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    table = [row for town in trained for row in rows[town.name]]
    with (folder / "train.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *table])
    counts = {f"test/{visit.name}": 0 for visit in tested.visits}
    for path, *_ in rows[tested.name]:
        counts[path.rpartition("/")[0]] += 1
    return {"train": len(table), **counts}


def _render_town(town: Town, folder: Path) -> list[Row]:
    cv2.setNumThreads(1)  # there is a process for each core
    world = build_world(town.seed, town.size, town.size)
    rows = []
    for number, visit in enumerate(town.visits):
        drive = 10 * town.seed + number
        renderer = Renderer(world, LIGHTS[visit.light], park_cars(world, drive))
        place = Path(town.folder, visit.name)
        (folder / place).mkdir(parents=True)
        for frame, camera in enumerate(views(world, visit, drive)):
            latitude, longitude, heading = _pose(town.datum, camera)
            name = f"{frame:04d}.jpg"
            if town.at_names:
                name = _at_name(town.datum, camera, visit, frame)
            path = (place / name).as_posix()
            _write(folder / path, renderer.image(camera))
            position = (f"{latitude:.7f}", f"{longitude:.7f}", f"{heading:.1f}")
            rows.append((path, *position, town.name, visit.date))
    return rows


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
        f"{heading:.1f}", "", "", "", visit.date.replace("-", ""), visit.light,
    )  # fmt: skip
    return "".join(f"@{field}" for field in fields) + "@.jpg"


def _write(path: Path, picture: np.ndarray) -> None:
    quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
    path.write_bytes(encoded.tobytes())  # unlike imwrite, it says when the disk is full
