from __future__ import annotations

import json
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from selavpr_ros.loop_closure import CameraModel, geometry
from selavpr_ros.loop_closure.geometry import Features, compare, extract, extract_jpeg

SIZE = (512, 384)
CAMERA = CameraModel(*SIZE, 400.0, 400.0, 255.5, 191.5)


def turned(yaw: float, pitch: float = 0.0) -> NDArray[np.float64]:
    """Rotation that a camera which looks `yaw` to the left and `pitch` up has against another."""
    left, _ = cv2.Rodrigues(np.array([0.0, -yaw, 0.0]))
    up, _ = cv2.Rodrigues(np.array([pitch, 0.0, 0.0]))
    return np.asarray(left @ up)


class Scene:
    """Points in space with descriptors of their own, and what cameras see of them."""

    def __init__(self, seed: int, count: int = 150) -> None:
        self._rng = np.random.default_rng(seed)
        x, y, z = self._rng.uniform([-8, -5, 4], [8, 5, 25], (count, 3)).T
        self.points = np.stack([x, y, z], axis=1)
        self.looks = self.descriptors(count)

    def descriptors(self, count: int) -> NDArray[np.float32]:
        drawn = self._rng.uniform(0, 1, (count, 128)) ** 4  # far from each other
        return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)

    def seen(
        self,
        rotation: NDArray[np.float64],
        position: NDArray[np.float64],
        strangers: int = 0,
        size: tuple[int, int] = SIZE,
    ) -> Features:
        """What a camera sees; `rotation` takes its optical frame's directions to the scene's."""
        optical = (self.points - position) @ rotation
        scale = size[0] / SIZE[0]
        middle = np.array([255.5, 191.5])
        pixels = 400.0 * optical[:, :2] / optical[:, 2:] + middle
        pixels = (pixels + 0.5) * scale - 0.5 + self._rng.normal(0, 0.3, pixels.shape)
        inside = (optical[:, 2] > 0.5) & ((pixels >= 0) & (pixels < size)).all(axis=1)
        others = self._rng.uniform([0, 0], size, (strangers, 2))
        return Features(
            np.concatenate([pixels[inside], others]).astype(np.float32),
            np.concatenate([self.looks[inside], self.descriptors(strangers)]),
            size,
        )


HERE = np.eye(3), np.zeros(3)


@pytest.mark.parametrize("seed", range(3))
def test_two_views_of_one_scene_agree(seed: int) -> None:
    scene = Scene(seed)
    there = turned(0.2), np.array([1.0, 0.0, 0.5])
    found = compare(scene.seen(*HERE, strangers=40), scene.seen(*there, strangers=40))
    assert found.model == "fundamental"
    assert found.inliers > 0.8 * found.matches > 40
    assert found.coverage > 0.5
    assert found.rotation is None
    assert found.direction is None


@pytest.mark.parametrize("seed", range(3))
def test_views_of_two_scenes_have_nothing_in_common(seed: int) -> None:
    found = compare(Scene(seed).seen(*HERE), Scene(seed + 100).seen(*HERE))
    assert found.inliers < 12


def test_features_that_match_but_stand_elsewhere_are_no_inliers() -> None:
    """The same things in another arrangement: what the epipolar geometry is for."""
    scene, shuffled = Scene(1), Scene(1)
    shuffled.points = np.random.default_rng(5).permutation(shuffled.points)
    found = compare(scene.seen(*HERE), shuffled.seen(*HERE), CAMERA, CAMERA)
    assert found.matches > 60
    assert found.inliers < 0.35 * found.matches


@pytest.mark.parametrize(
    ("yaw", "pitch", "position"),
    [(0.0, 0.0, (1.0, 0, 0)), (0.3, 0.05, (0.5, 0.1, 2.0)), (-0.4, -0.1, (-1.5, 0, -1.0))],
)
def test_with_cameras_it_tells_how_they_stand(
    yaw: float, pitch: float, position: tuple[float, float, float]
) -> None:
    scene = Scene(3)
    there = turned(yaw, pitch), np.array(position)
    found = compare(scene.seen(*HERE), scene.seen(*there), CAMERA, CAMERA)
    assert found.model == "essential"
    assert found.rotation is not None
    assert found.direction is not None
    x, y, z, w = found.rotation
    vector, _ = cv2.Rodrigues(there[0])
    angle = np.linalg.norm(vector)
    assert w == pytest.approx(math.cos(angle / 2), abs=0.01)
    expected = vector.ravel() * (math.sin(angle / 2) / angle if angle else 0)
    np.testing.assert_allclose([x, y, z], expected, atol=0.01)
    cosine = np.dot(found.direction, position) / np.linalg.norm(position)
    assert math.degrees(math.acos(min(cosine, 1))) < 5


def test_a_camera_of_another_size_and_lens_agrees_as_well() -> None:
    scene = Scene(4)
    there = turned(0.2), np.array([2.0, 0.0, 0.0])
    small = scene.seen(*there, size=(256, 192))  # a thumbnail of the same camera
    found = compare(scene.seen(*HERE), small, CAMERA, CAMERA)
    assert found.inliers > 0.8 * found.matches > 40
    assert found.direction is not None
    assert found.direction[0] > 0.98


@pytest.mark.parametrize("times", [1.0, 2.0, 10.0, 100.0])
def test_a_long_lens_does_not_make_unrelated_pictures_agree(times: float) -> None:
    tele = replace(CAMERA, fx=400.0 * times, fy=400.0 * times)
    for seed in range(4):
        scene, shuffled = Scene(seed), Scene(seed)
        rng = np.random.default_rng(seed)
        seen, other = scene.seen(*HERE), shuffled.seen(*HERE)
        moved = other._replace(points=rng.permutation(other.points))
        for cameras in ((CAMERA, tele), (tele, CAMERA)):
            found = compare(seen, moved, *cameras)
            assert found.model == ("essential" if times < 2.5 else "fundamental")
            assert found.inliers < 20


@pytest.mark.parametrize("focal", [200.0, 264.0])
@pytest.mark.parametrize("k", [0.0, -0.25])
def test_where_a_lens_sees_nothing_unrelated_pictures_do_not_agree(focal: float, k: float) -> None:
    """OpenCV takes all that cannot be undone for one far point."""
    camera = replace(CAMERA, fx=focal, fy=focal, distortion=(k, 0.0, 0.0, 0.0), model="equidistant")
    for seed in range(4):
        scene, rng = Scene(seed), np.random.default_rng(seed)
        first, second = (
            Features(rng.uniform((0, 0), SIZE, (150, 2)).astype(np.float32), scene.looks, SIZE)
            for _ in range(2)
        )
        found = compare(first, second, camera, camera)
        assert found.model == "essential"
        assert found.matches > 100
        assert found.inliers < 20


def test_with_next_to_no_rays_nothing_agrees() -> None:
    camera = replace(CAMERA, fx=100.0, fy=100.0, distortion=(0.01, 0, 0, 0), model="equidistant")
    scene = Scene(11)
    corner = np.random.default_rng(0).uniform((0, 0), (60, 60), (150, 2)).astype(np.float32)
    far = Features(corner, scene.looks, SIZE)
    found = compare(far, far, camera, camera)
    assert (found.matches, found.inliers, found.coverage) == (150, 0, 0.0)


def test_a_turn_on_the_spot_has_no_direction() -> None:
    scene = Scene(5)
    found = compare(scene.seen(*HERE), scene.seen(turned(0.3), np.zeros(3)), CAMERA, CAMERA)
    assert found.inliers > 40
    assert found.direction is None
    assert found.rotation is not None
    assert 2 * math.acos(found.rotation[3]) == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("position", [(1.5, 0.0, 0.0), (1.0, 0.0, 1.0)])
def test_of_one_wall_no_more_is_stated_than_it_tells(position: tuple[float, float, float]) -> None:
    for seed in range(8):
        scene = Scene(seed)
        scene.points[:, 2] = 10.0
        there = turned(0.2), np.array(position)
        found = compare(scene.seen(*HERE), scene.seen(*there), CAMERA, CAMERA)
        if found.rotation is not None and found.rotation_sigma is not None:
            # The rotation is about y alone.
            off = np.linalg.norm(np.array(found.rotation[:3]) - [0, math.sin(-0.1), 0])
            assert 2 * off < 3 * found.rotation_sigma
        if found.direction is not None and found.direction_sigma is not None:
            cosine = np.dot(found.direction, position) / np.linalg.norm(position)
            assert math.acos(min(cosine, 1)) < 3 * found.direction_sigma


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_a_picture_with_little_to_see_matches_nothing(count: int) -> None:
    scene = Scene(6)
    few = Features(*(part[:count] for part in scene.seen(*HERE)[:2]), SIZE)
    for first, second in ((few, scene.seen(*HERE)), (scene.seen(*HERE), few), (few, few)):
        assert compare(first, second, CAMERA, CAMERA).inliers == 0
        assert compare(first, second).inliers == 0


def test_equal_points_are_survived() -> None:
    """Estimators of some OpenCV versions raise where no model fits."""
    scene = Scene(7)
    seen = scene.seen(*HERE)
    heap = seen._replace(points=np.full_like(seen.points, 50.0))
    for cameras in ((None, None), (CAMERA, CAMERA)):
        assert compare(seen, heap, *cameras).coverage <= 1 / 64
        assert compare(heap, heap, *cameras).coverage <= 1 / 64


def test_estimators_that_raise_find_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise cv2.error("Assertion failed !model.empty()")

    monkeypatch.setattr(geometry.cv2, "findFundamentalMat", stumble)
    scene = Scene(8)
    assert compare(scene.seen(*HERE), scene.seen(*HERE)).inliers == 0


def test_the_same_pair_gives_the_same_figures() -> None:
    scene = Scene(9)
    pair = scene.seen(*HERE, strangers=60), scene.seen(turned(0.1), np.ones(3), strangers=60)
    assert compare(*pair, CAMERA, CAMERA) == compare(*pair, CAMERA, CAMERA)


def test_figures_are_json() -> None:
    scene = Scene(10)
    there = turned(0.2), np.array([1.0, 0.0, 0.0])
    for cameras in ((None, None), (CAMERA, CAMERA)):
        figures = compare(scene.seen(*HERE), scene.seen(*there), *cameras).to_json()
        assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def textured(seed: int, width: int = 512, height: int = 384) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_features_are_of_length_one_and_inside_of_the_picture() -> None:
    features = extract(textured(1, 1024, 512))
    assert features.size == (512, 256)
    assert 100 < len(features.points) <= geometry.MAX_FEATURES + 100  # ties at the limit
    np.testing.assert_allclose(np.linalg.norm(features.descriptors, axis=1), 1, atol=1e-5)
    assert (features.points >= 0).all()
    assert (features.points <= features.size).all()


def test_small_pictures_keep_their_size() -> None:
    assert extract(textured(1, 200, 100)).size == (200, 100)


@pytest.mark.parametrize("shape", [(384, 512, 3), (1, 1, 3), (3, 900, 3), (384, 512)])
def test_a_blank_picture_has_no_features(shape: tuple[int, ...]) -> None:
    features = extract(np.full(shape, 127, np.uint8))
    assert features.points.shape == (0, 2)
    assert features.descriptors.shape == (0, 128)
    scale = min(1.0, 512 / max(shape[:2]))
    assert features.size == tuple(max(1, round(side * scale)) for side in shape[1::-1])


def test_a_jpeg_is_read_and_a_broken_one_is_not() -> None:
    _, jpeg = cv2.imencode(".jpg", textured(2))
    read = extract_jpeg(jpeg.tobytes())
    assert read is not None
    assert compare(read, extract(textured(2))).inliers > 50
    assert extract_jpeg(b"not a JPEG") is None
    assert extract_jpeg(b"") is None
