from __future__ import annotations

from dataclasses import replace

import pytest

from selavpr_core.camera import CameraModel
from selavpr_core.place_map.camera_runs import CameraRuns

from .maps import CAMERA

OTHER = replace(CAMERA, fx=400.0)
DRIVE = [None, None, CAMERA, CAMERA, replace(CAMERA), OTHER, CAMERA, None]


SIZE = (CAMERA.width, CAMERA.height)


@pytest.fixture
def runs() -> CameraRuns:
    runs = CameraRuns()
    for number, camera in enumerate(DRIVE):
        runs.put(number, camera, SIZE)
    return runs


def test_each_place_has_its_own(runs: CameraRuns) -> None:
    assert [runs.of(number) for number in range(len(DRIVE))] == DRIVE


def test_places_have_one_where_all_of_them_do(runs: CameraRuns) -> None:
    for first in range(len(DRIVE)):
        for stop in range(first + 1, len(DRIVE) + 1):
            places = DRIVE[first:stop]
            while len(places) > 1 and places[0] is None:
                places = places[1:]  # not known yet
            cameras = set(places)
            expected: CameraModel | None = cameras.pop() if len(cameras) == 1 else None
            assert runs.one_of(first, stop) == expected, (first, stop)


def test_pictures_of_another_shape_are_not_of_the_camera_that_is_known_later() -> None:
    half = (CAMERA.width // 2, CAMERA.height // 2)
    wide = (CAMERA.width, CAMERA.height // 2)
    for size, expected in ((half, CAMERA), (wide, None), (None, None)):
        runs = CameraRuns()
        runs.put(0, None, SIZE)
        runs.put(1, None, size)
        runs.put(2, CAMERA, SIZE)
        assert runs.one_of(0, 3) == expected, size
        assert runs.one_of(2, 3) == CAMERA


def test_a_picture_of_another_size_does_not_part_a_camera() -> None:
    runs = CameraRuns()
    runs.put(0, CAMERA, SIZE)
    runs.put(1, CAMERA, (2 * CAMERA.width, 2 * CAMERA.height))
    assert runs.one_of(0, 2) == CAMERA


def test_a_place_that_is_put_again_has_the_last(runs: CameraRuns) -> None:
    """As after a full disk, which the place before did not reach."""
    count = len(DRIVE)
    runs.put(count, CAMERA, SIZE)
    runs.put(count, OTHER, SIZE)
    assert runs.of(count) == OTHER
    assert runs.one_of(count - 1, count) is None
    assert runs.one_of(count - 1, count + 1) == OTHER  # not known before
    runs.put(count, None, SIZE)
    assert runs.one_of(count - 1, count + 1) is None
    assert runs.of(count - 2) == CAMERA
