from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.camera import CameraModel
from selavpr_core.place_map import Place, PlaceMap, Session
from selavpr_core.retrieval import Localizer
from selavpr_ros.loop_closure.drives import Drive
from selavpr_ros.loop_closure.known_map import KnownMap
from test.selavpr_ros.loop_closure.circuit import MODEL, SECOND, Describer, picture, vector

CAMERA = CameraModel(64, 48, 60.0, 60.0, 31.5, 23.5)
FIRST, SECOND_LAP = range(4), range(4, 7)


def place(number: int) -> Place:
    """A place of a drive along x, three metres from the one before; the last has no picture."""
    codes, descriptors = Describer()(picture(number))
    assert codes is not None
    assert descriptors is not None
    return Place(
        codes[0],
        descriptors[0],
        (3.0 * number, 4.0, 1.0),
        number * SECOND,
        math.nan if number == 1 else 0.5,
        thumbnail=b"" if number == SECOND_LAP[-1] else b"\xff\xd8" + bytes([number]),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A map of two segments; between them the robot was carried 100 m."""
    with Session(MODEL, tmp_path / "spool") as session:
        for number in FIRST:
            session.append(place(number))
        session.save(tmp_path / "map", "one", "drive")
        for number in SECOND_LAP:
            session.append(replace(place(number), camera=CAMERA))
        carried = (100.0, 0.0, 0.0, 0.0)
        session.save(tmp_path / "map", "two", "drive", first=len(FIRST), transform=carried)
    return tmp_path / "map"


@pytest.fixture
def known(path: Path) -> KnownMap:
    return KnownMap(Localizer(PlaceMap.load(path)))


def test_it_finds_what_its_localizer_finds(path: Path, known: KnownMap) -> None:
    assert len(known) == 7
    codes, descriptors = Describer()(picture(5))
    assert codes is not None
    assert descriptors is not None
    expected = Localizer(PlaceMap.load(path)).localize(codes[0], descriptors[0])
    found = known.find(codes[0], descriptors[0])
    assert [(c.waypoint.number, c.similarity, c.hamming) for c in found] == [
        (match.place, match.similarity, match.hamming) for match in expected
    ]
    assert found[0].waypoint.number == 5
    assert found[0].similarity == pytest.approx(1.0, abs=1e-3)
    assert found[1].similarity == pytest.approx(
        max(float(vector(5) @ vector(n)) for n in range(7) if n != 5), abs=2e-3
    )


def test_each_segment_is_a_drive_and_its_metres_begin_anew(known: KnownMap) -> None:
    waypoints = [known.waypoint(number) for number in range(7)]
    assert [w.drive for w in waypoints] == [Drive("one", 0)] * 4 + [Drive("two", 0)] * 3
    assert [w.along for w in waypoints] == pytest.approx([0, 3, 6, 9, 0, 3, 6])
    assert [w.stamp for w in waypoints] == [number * SECOND for number in range(7)]
    assert [w.number for w in waypoints] == list(range(7))


def test_poses_are_those_of_the_map(known: KnownMap) -> None:
    pose = known.waypoint(5).pose
    assert pose is not None
    assert pose == pytest.approx((115.0, 4.0, 1.0, 0.5))
    unknown = known.waypoint(1).pose
    assert unknown is not None
    assert np.isnan(unknown.yaw)


def test_pictures_are_those_of_the_map(known: KnownMap, path: Path) -> None:
    assert known.picture(4) == b"\xff\xd8\x04"
    assert not known.picture(6)
    shutil.rmtree(path / "thumbnails")  # a map may be copied without them
    assert KnownMap(Localizer(PlaceMap.load(path))).picture(4) is None


def test_cameras_are_those_of_the_segments(known: KnownMap) -> None:
    assert [known.camera(number) for number in range(7)] == [None] * 4 + [CAMERA] * 3
