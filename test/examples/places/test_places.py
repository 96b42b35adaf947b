"""The rendered places: where they are, and that readers of datasets take them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from examples.places import command, files
from examples.places.drives import SAVED, Visit, built_up, inner_streets, views
from examples.places.towns import EVALUATIONS, Town, evaluation_town, training_towns
from examples.streets import LIGHTS, Camera, Light, World, build_world
from examples.streets.cars import Car
from selavpr_core.geodesy import Datum
from training.command import run
from training.datasets.file_names import parse_image_name

LANE = Visit("lane", LIGHTS["overcast"], "2025-06", 6.0)


def small(town: Town, streets: int | None = None) -> Town:
    """The town with some ten pictures in each of two drives, or some in its first streets."""
    visits = tuple(replace(visit, spacing=30.0, streets=streets) for visit in town.visits[:2])
    return replace(town, rows=3, columns=3, visits=visits)


class Scribbler:
    """Stands in for the renderer, which takes seconds to paint a street before its first picture.

    Its pictures follow from everything that theirs do.
    """

    def __init__(self, world: World, light: Light, cars: Sequence[Car]) -> None:
        self._drive = f"{len(world.walls)} {light.name} {cars}"

    def image(self, camera: Camera, passing: Sequence[object]) -> NDArray[np.uint8]:
        seed = zlib.crc32(f"{self._drive} {camera} {passing}".encode())
        shape = (camera.height, camera.width, 3)
        return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.fixture(scope="module")
def towns() -> dict[str, Town]:
    evaluated = {which: small(evaluation_town(0, which)) for which in EVALUATIONS}
    return {**evaluated, "train": small(training_towns(0)[0])}


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(3, 3, 3)


def test_no_two_towns_are_alike_and_none_is_both_trained_and_evaluated_in() -> None:
    for seed in (0, 1):
        evaluated = [evaluation_town(seed, which) for which in EVALUATIONS]
        trained = training_towns(seed, 900)
        seeds = [town.seed for town in [*evaluated, *trained]]
        assert len(set(seeds)) == len(seeds)
        assert not set(seeds) & {town.seed for town in training_towns(seed + 1)}


def test_each_drive_of_a_training_town_has_a_condition_camera_and_lane_of_its_own() -> None:
    towns = training_towns(0)
    assert len(towns) == 16
    visits = [visit for town in towns for visit in town.visits]
    assert {len(town.visits) for town in towns} == {4, 5}
    for part in ("light", "rig", "lane", "parked", "busy"):
        assert len({getattr(visit, part) for visit in visits}) == len(visits)
    for town in towns:
        assert len({visit.date for visit in town.visits}) == len(town.visits)
    assert training_towns(0, 3) == towns[:3]


@pytest.mark.parametrize("seed", range(10))
def test_queries_are_asked_in_another_season_and_light_than_the_database(seed: int) -> None:
    for which in EVALUATIONS:
        database, queries = evaluation_town(seed, which).visits
        assert database.light.season != queries.light.season
        assert database.light.name.split("-")[2] != queries.light.name.split("-")[2]
        assert database.lane != queries.lane
        assert database.rig != queries.rig
        for visit in (database, queries):
            assert visit.light.haze_range > 80
            assert "night" not in visit.light.name
    validated, tested = (evaluation_town(seed, which) for which in EVALUATIONS)
    assert validated.visits[0].light.season != tested.visits[0].light.season


def test_queries_true_places_are_all_in_the_database() -> None:
    town = evaluation_town(0)
    world = build_world(town.seed, town.rows, town.columns)
    database, queries = (
        np.array([[c.x, c.y, c.yaw] for c in views(world, visit, 10 * town.seed + number)])
        for number, visit in enumerate(town.visits)
    )
    assert len(database) > 200
    assert len(queries) > 140
    apart = np.linalg.norm(queries[:, None, :2] - database[None, :, :2], axis=2)
    apart[np.cos(queries[:, None, 2] - database[None, :, 2]) < np.cos(np.radians(30))] = np.inf
    assert apart.min(axis=1).max() < 10.0


def test_cameras_stand_in_inner_streets_and_look_along_them(world: World) -> None:
    streets = inner_streets(world)
    assert len(streets) == 4  # those at the middle crossing
    assert all((1, 1) in (street.start, street.end) for street in streets)
    cameras = list(views(world, LANE, 1))
    assert cameras == list(views(world, LANE, 1))
    assert cameras != list(views(world, LANE, 2))
    assert len(cameras) > 20
    for camera in cameras:
        offsets = []
        for street in streets:
            start, end = world.plan.ends(street)
            along = (end - start) / np.linalg.norm(end - start)
            to_camera = camera.position[:2] - start
            share = to_camera @ along / np.linalg.norm(end - start)
            turned = np.cos(camera.yaw) * along[0] + np.sin(camera.yaw) * along[1]
            if 0 < share < 1 and abs(turned) > np.cos(np.radians(30)):
                offsets.append(abs(along[0] * to_camera[1] - along[1] * to_camera[0]))
        # Clear of the cars at the kerb.
        assert min(offsets) < 0.5 * max(street.carriageway for street in streets) - 2.5


def test_no_picture_is_taken_of_open_country(world: World) -> None:
    crossings = world.plan.crossings
    x, y = crossings[1, 2]  # at the edge of the town
    inwards, outwards = np.arctan2(*(crossings[1, 1] - [x, y])[::-1]), 0.0
    assert built_up(world, x + 200.0, y, outwards) == 0.0
    assert built_up(world, float(x), float(y), float(inwards)) > 0.4
    assert all(built_up(world, c.x, c.y, c.yaw) > 0.2 for c in views(world, LANE, 3))


@pytest.fixture(scope="module")
def rendered(towns: dict[str, Town], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("places")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(files, "evaluation_town", lambda seed, which: towns[which])
        patched.setattr(files, "training_towns", lambda seed, count: [towns["train"]][:count])
        patched.setattr(files, "Renderer", Scribbler)
        patched.setattr(files, "ProcessPoolExecutor", lambda count, _: ThreadPoolExecutor(count))
        told: list[tuple[int, int]] = []
        counts = files.render_places(folder, 0, 2, lambda *step: told.append(step), towns=1)
    assert told[-1] == (6, 6)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    on_disk = {
        name: len(list((folder / name).rglob("*.jpg")))
        for name in (
            "train", "validation/database", "validation/queries", "test/database", "test/queries"
        )
    }  # fmt: skip
    assert counts == on_disk
    assert min(counts.values()) >= 3
    return folder


def test_the_table_lists_every_picture_with_its_pose(
    rendered: Path, towns: dict[str, Town]
) -> None:
    town = towns["train"]
    with (rendered / "train.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["path"] for row in rows} == {
        str(path.relative_to(rendered)) for path in (rendered / "train").rglob("*.jpg")
    }
    cameras = list(views(build_world(town.seed, 3, 3), town.visits[0], 10 * town.seed))
    for row, camera in zip(rows, cameras, strict=False):
        position = town.datum.to_map(float(row["latitude"]), float(row["longitude"]))
        assert position[:2] == pytest.approx(camera.position[:2], abs=0.05)
        # Clockwise from north, and the grid's north is a degree off at most here.
        assert np.cos(np.radians(90 - float(row["heading"])) - camera.yaw) > np.cos(0.03)
    picture = cv2.imread(str(rendered / rows[0]["path"]))
    assert picture.shape == (SAVED[1], SAVED[0], 3)


def test_names_of_the_evaluated_drives_say_their_position_twice_and_alike(
    rendered: Path,
) -> None:
    for which in EVALUATIONS:
        datum: Datum = evaluation_town(0, which).datum
        for path in (rendered / which).rglob("*.jpg"):
            name = parse_image_name(path.name)
            assert name.zone == "32T"
            assert name.heading is not None
            assert name.latitude is not None
            assert name.longitude is not None
            origin = np.array(datum.utm_origin)
            position = datum.to_map(name.latitude, name.longitude)[:2] + origin
            assert position == pytest.approx([name.easting, name.northing], abs=2.0)


def test_the_test_town_alone_is_rendered_to_the_same_bytes(
    rendered: Path, towns: dict[str, Town], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "evaluation_town", lambda seed, which: towns[which])
    monkeypatch.setattr(files, "Renderer", Scribbler)
    monkeypatch.setattr(files, "ProcessPoolExecutor", lambda count, _: ThreadPoolExecutor(count))
    counts = files.render_evaluation(tmp_path, 0, 1, lambda *_: None)
    again = sorted(tmp_path.rglob("*.jpg"))
    assert sum(counts.values()) == len(again) > 0
    assert set(counts) == {"test/database", "test/queries"}
    for path in again:
        assert path.read_bytes() == (rendered / path.relative_to(tmp_path)).read_bytes()


def test_processes_render_the_very_pictures_that_this_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = small(evaluation_town(0), 1)
    monkeypatch.setattr(files, "evaluation_town", lambda seed, which: town)
    counts = files.render_evaluation(tmp_path / "processes", 0, 2, lambda *_: None, streets=1)
    assert counts == {"test/database": 3, "test/queries": 3}
    files._render_drives(town, range(1), tmp_path / "here")
    here = sorted((tmp_path / "here").rglob("*.jpg"))
    assert len(here) == 3
    for path in here:
        there = tmp_path / "processes" / path.relative_to(tmp_path / "here")
        assert there.read_bytes() == path.read_bytes()
        picture = cv2.imread(str(path))
        assert picture.shape == (SAVED[1], SAVED[0], 3)
        assert picture.std() > 12


def test_some_streets_alone_are_driven_along_as_if_all_were(world: World) -> None:
    everywhere = list(views(world, LANE, 4))
    before = 0
    for streets in range(1, 5):
        some = list(views(world, replace(LANE, streets=streets), 4))
        assert before < len(some)
        assert some == everywhere[: len(some)]
        before = len(some)
    assert before == len(everywhere)


def test_streets_to_train_and_to_evaluate_in_are_asked_for_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, set[int | None]] = {}

    def render_none(town: Town, drives: range, folder: Path) -> list[list[files.Row]]:
        asked.setdefault(town.name, set()).update(town.visits[n].streets for n in drives)
        return [[] for _ in drives]

    monkeypatch.setattr(files, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(1))
    monkeypatch.setattr(files, "_render_drives", render_none)
    output = tmp_path / "places"
    assert run(command.main, ["--output", str(output), "--towns", "1", "--streets", "2"]) == 0
    assert asked == {"validation": {2}, "test": {2}, "town1": {None}}
    asked.clear()
    wanted = ("--towns", "2", "--training-streets", "3")
    assert run(command.main, ["--output", str(tmp_path / "more"), *wanted]) == 0
    assert asked == {"validation": {None}, "test": {None}, "town1": {3}, "town2": {3}}
    asked.clear()
    files.render_evaluation(tmp_path, 0, 1, lambda *_: None, "validation", streets=3)
    assert asked == {"validation": {3}}


_RENDERING_FOREVER = """
import multiprocessing

from examples.places.files import _end_with_parent


def render():
    print("rendering", flush=True)
    while True:
        _end_with_parent()


if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=render)
    process.start()
    process.join()
"""


def test_processes_end_with_one_that_is_killed(tmp_path: Path, project: Path) -> None:
    script = tmp_path / "rendering.py"
    script.write_text(_RENDERING_FOREVER)
    environment = {**os.environ, "PYTHONPATH": str(project)}
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"rendering\n"
        killed.kill()
        assert killed.stdout.read() == b""  # its end: nobody holds it any more


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--towns", "901"], "at most 900"),
        (["--streets", "0"], "whole number"),
        (["--seed", "-1"], "--seed"),
        (["--processes", "0"], "whole number"),
        ([], "is there"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept").touch()
    try:
        code = run(command.main, ["--output", str(tmp_path), *arguments])
    except SystemExit as end:
        code = int(end.code or 0)
    lines = capsys.readouterr().err.splitlines()
    assert code == 2
    assert len(lines) == 1
    assert message in lines[0]
    assert (tmp_path / "kept").exists()
