from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from selavpr_core.place_map import Place, PlaceMap, Session
from selavpr_core.retrieval import Localizer
from selavpr_ros.loop_closure import CameraModel, geometric
from selavpr_ros.loop_closure.candidate import Candidate
from selavpr_ros.loop_closure.drives import Drive, Waypoint
from selavpr_ros.loop_closure.geometric import GeometricVerification
from selavpr_ros.loop_closure.geometry import PICTURE_SIDE
from selavpr_ros.loop_closure.known_map import KnownMap
from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.mapping.thumbnail import thumbnail
from test.selavpr_ros.loop_closure import room
from test.selavpr_ros.loop_closure.circuit import MODEL, SECOND, Describer, picture

SETTINGS = LoopClosureSettings(min_inliers=15, min_coverage=0.1)
CAMERA = CameraModel(64, 48, 60.0, 60.0, 31.5, 23.5)
OF_ANOTHER_SHAPE = CameraModel(64, 36, 60.0, 60.0, 31.5, 17.5)
# What a map was made with, and another that the robot has now.
WIDE = CameraModel(640, 480, 400.0, 400.0, 319.5, 239.5, (-0.2, 0.03, 0.0, 0.0, 0.0))
FLAT = CameraModel(800, 450, 380.0, 390.0, 405.0, 220.0)
HERE = Drive(None, 0)


def of(number: int, drive: Drive = HERE) -> Waypoint:
    return Waypoint(drive, number, number * SECOND, 0.0, None)


def like(number: int, drive: Drive = HERE) -> Candidate:
    return Candidate(of(number, drive), 0.9, 0)


class Drives:
    """A session whose keyframes are verified, as a detector has them."""

    def __init__(self, session: Session, known_map: KnownMap | None = None, **values: Any) -> None:
        self._session = session
        settings = LoopClosureSettings(**{**vars(SETTINGS), **values})
        self.verification = GeometricVerification(settings, session, known_map)

    def add(
        self, shown: NDArray[np.uint8], camera: CameraModel | None = None, stored: bool = True
    ) -> Waypoint:
        codes, descriptors = Describer()(shown)
        assert codes is not None
        assert descriptors is not None
        jpeg = thumbnail(shown, PICTURE_SIDE) if stored else b""
        self._session.append(
            Place(codes[0], descriptors[0], (0.0, 0.0, 0.0), SECOND, thumbnail=jpeg, camera=camera)
        )
        self.verification.begin(shown)
        return of(len(self._session) - 1)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session(MODEL, tmp_path / "spool") as opened:
        yield opened


def test_the_picture_of_the_same_place_passes_and_that_of_another_does_not(
    session: Session,
) -> None:
    drive = Drives(session)
    for place in (1, 2, 1):
        query = drive.add(picture(place))
    right, wrong = like(0), like(1)
    passed, evidence = drive.verification.check(query, right)
    assert passed
    assert evidence["model"] == "fundamental"
    assert evidence["inliers"] == drive.verification.inliers(query, right.waypoint) >= 15
    assert not drive.verification.check(query, wrong).passed
    assert drive.verification.inliers(query, wrong.waypoint) < 15
    assert drive.verification.verified(right)
    assert not drive.verification.verified(wrong)


def test_points_in_one_corner_do_not_suffice(session: Session) -> None:
    drive = Drives(session, min_coverage=0.2)
    shown = []
    for seed in (7, 8):  # one poster on two walls
        noise = np.random.default_rng(seed).integers(118, 138, (48, 64, 3), dtype=np.uint8)
        noise[:20, :28] = picture(1)[:20, :28]
        shown.append(noise)
    drive.add(shown[0])
    query = drive.add(shown[1])
    passed, evidence = drive.verification.check(query, like(0))
    assert evidence["coverage"] < 0.2
    assert not passed


def test_a_keyframe_without_a_picture_does_not_pass(session: Session) -> None:
    drive = Drives(session)
    drive.add(picture(1), stored=False)
    query = drive.add(picture(1))
    verdict = drive.verification.check(query, like(0))
    assert verdict == (False, {"inliers": 0, "problem": "no picture"})
    assert drive.verification.inliers(query, of(0)) == 0
    assert not drive.verification.verified(like(0))


def test_each_pair_is_compared_once_and_forgotten_with_the_query(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    compare = geometric.compare

    def counting(*arguments: Any) -> Any:
        compared.append(arguments)
        return compare(*arguments)

    monkeypatch.setattr(geometric, "compare", counting)
    drive = Drives(session)
    drive.add(picture(1))
    query = drive.add(picture(1))
    for _ in range(3):
        assert drive.verification.check(query, like(0)).passed
        drive.verification.inliers(query, of(0))
    assert len(compared) == 1
    query = drive.add(picture(2))
    assert not drive.verification.verified(like(0))
    assert not drive.verification.check(query, like(0)).passed
    assert len(compared) == 2


@pytest.mark.parametrize(
    ("cameras", "model"),
    [
        ((CAMERA, CAMERA), "essential"),
        ((None, CAMERA), "fundamental"),
        ((CAMERA, None), "fundamental"),
    ],
)
def test_each_keyframe_has_the_camera_that_took_it(
    session: Session, cameras: tuple[CameraModel | None, ...], model: str
) -> None:
    drive = Drives(session)
    drive.add(picture(9), None)
    drive.add(picture(1), cameras[0])
    query = drive.add(picture(1), cameras[1])
    passed, evidence = drive.verification.check(query, like(1))
    assert passed
    assert evidence["model"] == model
    assert (evidence["rotation"] is not None) == (model == "essential")


def as_map(session: Session, path: Path) -> KnownMap:
    session.save(path, "lap", "drive")
    return KnownMap(Localizer(PlaceMap.load(path)))


def test_a_place_of_the_map_is_compared_by_its_own_picture(tmp_path: Path) -> None:
    """Numbers of the map and of the session are two series."""
    with Session(MODEL, tmp_path / "first") as first:
        drive = Drives(first)
        for place in (5, 6):
            drive.add(picture(place))
        known = as_map(first, tmp_path / "map")
    with Session(MODEL, tmp_path / "second") as second:
        drive = Drives(second, known)
        drive.add(picture(8), CAMERA)
        query = drive.add(picture(5), CAMERA)
        in_map = like(0, Drive("lap", 0))
        passed, evidence = drive.verification.check(query, in_map)
        assert passed
        assert evidence["model"] == "fundamental"
        assert not drive.verification.check(query, like(0)).passed
        assert drive.verification.verified(in_map)
        assert not drive.verification.verified(like(0))


def compared_in_the_room(
    tmp_path: Path, of_map: CameraModel | None, of_robot: CameraModel | None
) -> tuple[bool, dict[str, Any]]:
    """Compare what WIDE took in a room, for a map, with what FLAT sees there from elsewhere."""
    with Session(MODEL, tmp_path / "first") as first:
        Drives(first).add(room.seen(WIDE, np.eye(3), np.zeros(3)), of_map)
        known = as_map(first, tmp_path / "map")
    with Session(MODEL, tmp_path / "second") as second:
        drive = Drives(second, known)
        drive.add(picture(8), CAMERA)
        rotation, _ = cv2.Rodrigues(TURNED)
        query = drive.add(room.seen(FLAT, np.asarray(rotation), STOOD), of_robot)
        return drive.verification.check(query, like(0, Drive("lap", 0)))


TURNED = np.array([0.05, -0.3, 0.0])  # radians about each axis
STOOD = np.array([1.0, 0.2, 0.5])


def test_with_the_camera_of_a_map_it_tells_how_another_stands(tmp_path: Path) -> None:
    passed, evidence = compared_in_the_room(tmp_path, WIDE, FLAT)
    assert passed
    assert evidence["model"] == "essential"
    assert evidence["inliers"] > 0.9 * evidence["matches"] > 300
    angle = np.linalg.norm(TURNED)
    expected = [*(np.sin(angle / 2) * TURNED / angle), np.cos(angle / 2)]
    np.testing.assert_allclose(evidence["rotation"], expected, atol=0.003)
    np.testing.assert_allclose(evidence["direction"], STOOD / np.linalg.norm(STOOD), atol=0.02)


def test_the_camera_of_the_map_is_not_that_of_the_robot(tmp_path: Path) -> None:
    """Taking one for the other would pass as well, and turn the robot by degrees."""
    wrong = replace(FLAT, width=640, height=480, cx=324.0, cy=234.0)
    _, evidence = compared_in_the_room(tmp_path, wrong, FLAT)
    assert np.abs(evidence["rotation"][:3] - TURNED / 2).max() > 0.01


@pytest.mark.parametrize(
    ("of_map", "of_robot"),
    [(None, FLAT), (WIDE, None), (replace(WIDE, height=360), FLAT)],
)
def test_without_both_cameras_there_is_no_rotation(
    tmp_path: Path, of_map: CameraModel | None, of_robot: CameraModel | None
) -> None:
    passed, evidence = compared_in_the_room(tmp_path, of_map, of_robot)
    assert passed
    assert evidence["model"] == "fundamental"
    assert evidence["rotation"] is None
    assert evidence["direction"] is None
