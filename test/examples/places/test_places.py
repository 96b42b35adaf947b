"""The rendered places: where they are, and that readers of datasets take them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from examples.places import command, files
from examples.places.drives import inner_streets, views
from examples.places.towns import Town, evaluation_town, training_towns
from examples.streets import LIGHTS, build_world
from training.command import run
from training.datasets.file_names import parse_image_name


def small(town: Town) -> Town:
    """The town with a picture or two a street."""
    return replace(town, visits=tuple(replace(v, spacing=40.0) for v in town.visits[:2]))


@pytest.fixture(scope="module")
def towns() -> tuple[Town, Town]:
    trained = training_towns(0)[0]
    return small(replace(evaluation_town(0), size=3)), small(trained)


def test_no_two_towns_are_alike_and_none_is_both_trained_and_tested_in() -> None:
    for seed in (0, 1):
        seeds = [town.seed for town in [evaluation_town(seed), *training_towns(seed)]]
        assert len(set(seeds)) == len(seeds)
        assert not set(seeds) & {town.seed for town in training_towns(seed + 1)}


def test_each_training_town_is_seen_in_three_lights_and_all_lights_are_used() -> None:
    lights = [{visit.light for visit in town.visits} for town in training_towns(0)]
    assert all(len(names) == 3 for names in lights)
    assert set().union(*lights) == set(LIGHTS)
    database, queries = evaluation_town(0).visits
    assert database.light != queries.light


def test_cameras_stand_in_inner_streets_and_look_along_them() -> None:
    world = build_world(3, 3, 3)
    streets = inner_streets(world)
    assert len(streets) == 4  # those at the middle crossing
    assert all((1, 1) in (street.start, street.end) for street in streets)
    visit = training_towns(0)[0].visits[0]
    cameras = list(views(world, visit, 1))
    assert cameras == list(views(world, visit, 1))
    assert cameras != list(views(world, visit, 2))
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
        assert min(offsets) < 4.3  # half the narrowest carriageway


@pytest.fixture(scope="module")
def rendered(towns: tuple[Town, Town], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("places")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(files, "evaluation_town", lambda seed: towns[0])
        patched.setattr(files, "training_towns", lambda seed: [towns[1]])
        told: list[tuple[int, int]] = []
        counts = files.render_places(folder, 0, 2, lambda *step: told.append(step))
    assert told == [(1, 2), (2, 2)]
    on_disk = {
        name: len(list((folder / name).rglob("*.jpg")))
        for name in ("train", "test/database", "test/queries")
    }
    assert counts == on_disk
    assert min(counts.values()) >= 4
    return folder


def test_the_table_lists_every_picture_with_its_pose(
    rendered: Path, towns: tuple[Town, Town]
) -> None:
    town = towns[1]
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
    assert picture.shape == (120, 160, 3)
    assert picture.std() > 20


def test_names_of_the_tested_drives_say_their_position_twice_and_alike(rendered: Path) -> None:
    for path in (rendered / "test").rglob("*.jpg"):
        name = parse_image_name(path.name)
        assert name.zone == "32T"
        assert name.heading is not None
        assert name.latitude is not None
        assert name.longitude is not None
        datum = evaluation_town(0).datum
        origin = np.array(datum.utm_origin)
        position = datum.to_map(name.latitude, name.longitude)[:2] + origin
        assert position == pytest.approx([name.easting, name.northing], abs=2.0)


def test_the_same_seed_renders_the_same_bytes(
    rendered: Path, towns: tuple[Town, Town], tmp_path: Path
) -> None:
    files._render_town(towns[1], tmp_path)
    again = sorted((tmp_path / "train").rglob("*.jpg"))
    assert again
    for path in again:
        assert path.read_bytes() == (rendered / path.relative_to(tmp_path)).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--seed", "-1"], "--seed"), (["--processes", "0"], "whole number"), ([], "is there")],
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
