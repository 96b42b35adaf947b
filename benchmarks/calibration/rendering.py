"""Towns, and the drives through them as pictures."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from examples.places.drives import SAVED, Visit, views
from examples.streets import Renderer, Rig, Sensor, Traffic, build_world, condition, park_cars
from examples.streets.conditions import Time, Weather
from examples.streets.sprites import Season

POSES = "poses.npy"
_CROSSINGS = (3, 3)  # rows and columns: four inner streets
_SPACING = 2.0  # metres between pictures, as `selavpr build-map` keeps them
_CAMERA = Rig(height=1.6, sensor=Sensor(grain=1.5, vignette=0.1))
_ANOTHER = Rig(height=1.5, pitch=0.01, yaw=-0.02, sensor=Sensor(warmth=0.1, quality=85))


class Ride(NamedTuple):
    """A drive along all inner streets of a town, there and back: its light, camera and lane."""

    season: Season
    time: Time
    weather: Weather
    rig: Rig
    lane: float


RIDES = {
    "map": Ride("summer", "noon", "broken", _CAMERA, 1.2),
    "same day": Ride("summer", "noon", "broken", _CAMERA, 0.6),
    "autumn": Ride("autumn", "afternoon", "broken", _ANOTHER, 1.6),
    "spring": Ride("spring", "morning", "overcast", _ANOTHER, 0.6),
}


def picture_folder(name: str, town: int) -> str:
    """Return the name of the folder of a drive through a town."""
    return f"{name.replace(' ', '-')}-{town}"


def render_drives(
    folder: Path, seed: int, towns: int, progress: Callable[[int, int], None]
) -> None:
    """Render every drive that the folder lacks, through towns of eight kinds in turn.

    A drive's folder holds a JPEG file for each picture, by number, and POSES: [N, 3] float64 of x,
    y (metres) and yaw (radians). A drive is there as a whole or not at all. `progress` is told the
    drives that are there, and all of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drives = [(name, town) for town in range(towns) for name in RIDES]
    missing = [drive for drive in drives if not (folder / picture_folder(*drive)).is_dir()]
    progress(len(drives) - len(missing), len(drives))
    processes = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(_render_drive, folder, seed, name, town) for name, town in missing]
        try:
            for done, job in enumerate(as_completed(jobs), len(drives) - len(missing) + 1):
                job.result()
                progress(done, len(drives))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _render_drive(folder: Path, seed: int, name: str, town: int) -> None:
    cv2.setNumThreads(1)  # there is a process for each core
    ride = RIDES[name]
    town_seed = 1000 * seed + 500 + town
    drive = 10 * town_seed + list(RIDES).index(name)
    world = build_world(town_seed, *_CROSSINGS)
    light = condition(ride.season, ride.time, ride.weather, seed=town_seed)
    visit = Visit(name, light, "", _SPACING, ride.rig, ride.lane)
    renderer = Renderer(world, light, park_cars(world, drive))
    traffic = Traffic(world, drive, visit.busy)
    cameras = list(views(world, visit, drive))
    with tempfile.TemporaryDirectory(prefix=".rendering.", dir=folder) as making:
        pictures = Path(making, "pictures")
        pictures.mkdir()
        for frame, camera in enumerate(cameras):
            # Farther apart than one stays in view.
            passing = traffic.at(20.0 * frame, camera.x, camera.y, camera.yaw)
            image = cv2.resize(renderer.image(camera, passing), SAVED, interpolation=cv2.INTER_AREA)
            taken = ride.rig.sensor.take(np.asarray(image, np.uint8), 1000 * drive + frame)
            (pictures / f"{frame:04d}.jpg").write_bytes(ride.rig.sensor.jpeg(taken))
        np.save(pictures / POSES, np.array([[c.x, c.y, c.yaw] for c in cameras]))
        pictures.replace(folder / picture_folder(name, town))
