"""Pairs of views whose relative pose is known: of rendered streets, and of made-up points."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.keeping import keep_columns
from benchmarks.recall.rendered import renderer_version
from examples.streets import Camera, Renderer, World, build_world, condition, park_cars
from examples.streets.conditions import Time, Weather
from examples.streets.sprites import Season
from selavpr_ros.loop_closure import CameraModel
from selavpr_ros.loop_closure.geometry import Features, extract_jpeg

Array = NDArray[np.float64]

WIDTHS = (256, 512)  # of the map's pictures
FAR = 8.0  # metres
TURNED = np.radians(60.0)
STREET, FRONT = "street", "house fronts"
"""Where the camera looks: along the street, or across it."""

_STREETS = 3  # of a town
_SPACING = 3.0  # metres
_PAIRS = 3  # of a view, with each drive before


class Ride(NamedTuple):
    """A drive: its light, its lane (metres to the left of the street's middle) and its camera."""

    season: Season
    time: Time
    weather: Weather
    lane: float
    view: float  # horizontal field, radians
    size: tuple[int, int]  # width and height


RIDES = (
    Ride("summer", "noon", "broken", 0.0, float(np.radians(74)), (512, 384)),
    Ride("autumn", "morning", "broken", 1.0, float(np.radians(74)), (512, 384)),
    Ride("summer", "afternoon", "overcast", -1.2, float(np.radians(90)), (512, 320)),
)


class View(NamedTuple):
    """What a camera sees, and how it stands.

    rotation: [3, 3] from the scene's to the optical frame (x right, y down, z forward). position:
    [3] metres in the scene's frame.
    """

    features: Features
    camera: CameraModel
    rotation: Array
    position: Array


class Pair(NamedTuple):
    """Two views of one place; `kind` says of what."""

    kind: str
    match: View
    query: View


class Pictures(NamedTuple):
    """A town's pictures, all drives one after another.

    jpegs: files. poses: [N, 6] x, y, z (metres), yaw, pitch, roll (radians). rides: [N] numbers.
    across: [N] whether the camera looks across the street.
    """

    jpegs: list[bytes]
    poses: Array
    rides: NDArray[np.int64]
    across: NDArray[np.bool_]

    def camera(self, number: int) -> Camera:
        """The camera that took a picture, where it stood."""
        return _camera(RIDES[self.rides[number]], self.poses[number])


def town_pictures(seed: int, keep: Path | None, progress: Callable[[], object]) -> Pictures:
    """Render a town's drives, or take them from the folder `keep`; `progress` is called for each.

    The town is without trees and street furniture: these are flat pictures that turn towards the
    camera, as no real scene does, and nearby ones gave motions that were off by ten degrees.

    Raises EvaluationError where the folder cannot be written.
    """
    if keep is None:
        return _rendered(seed, progress)
    kept = keep / f"motions-{seed}-{_version()}.npz"
    if kept.is_file():
        for _ in RIDES:
            progress()
        with np.load(kept) as file:
            jpegs = [part.tobytes() for part in np.split(file["jpegs"], file["ends"][:-1])]
            return Pictures(jpegs, file["poses"], file["rides"], file["across"])
    pictures = _rendered(seed, progress)
    columns = {
        "jpegs": np.frombuffer(b"".join(pictures.jpegs), np.uint8),
        "ends": np.cumsum([len(jpeg) for jpeg in pictures.jpegs]),
        **{name: getattr(pictures, name) for name in ("poses", "rides", "across")},
    }
    keep_columns(kept, columns)
    return pictures


def _version() -> str:
    """Return 16 hexadecimal digits that change whenever what is rendered may."""
    source = Path(__file__).read_bytes()
    return hashlib.sha256(renderer_version().encode() + source).hexdigest()[:16]


def _rendered(seed: int, progress: Callable[[], object]) -> Pictures:
    world = replace(build_world(seed), trees=(), things=())
    jpegs, poses, rides, across = [], [], [], []
    for number, ride in enumerate(RIDES):
        light = condition(ride.season, ride.time, ride.weather, seed=10 * seed + number)
        renderer = Renderer(world, light, park_cars(world, 10 * seed + number))
        for pose, sideways in _poses(world, seed, number):
            picture = renderer.image(_camera(ride, pose))
            jpegs.append(_jpeg(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)))
            poses.append(pose)
            rides.append(number)
            across.append(sideways)
        progress()
    return Pictures(jpegs, np.array(poses), np.array(rides), np.array(across))


def _poses(world: World, seed: int, number: int) -> Iterator[tuple[Array, bool]]:
    """Yield where the camera of a ride stands, and whether it looks across the street."""
    streets = [s for s in world.plan.streets if np.ptp(world.plan.ends(s), axis=0).max() > 40]
    chosen = np.random.default_rng([seed, 81]).permutation(len(streets))[:_STREETS]
    rng = np.random.default_rng([seed, 82, number])
    for street in (streets[index] for index in chosen.tolist()):
        start, end = world.plan.ends(street)
        length = float(np.linalg.norm(end - start))
        along = (end - start) / length
        left = np.array([-along[1], along[0]])
        heading = float(np.arctan2(along[1], along[0]))
        for at in np.arange(10.0, length - 10.0, _SPACING):
            lane = RIDES[number].lane + rng.normal(0, 0.4)
            x, y = start + (at + rng.uniform(-1, 1)) * along + lane * left
            z, pitch, roll = 1.6 + rng.normal(0, 0.05), *np.radians(rng.normal(0, 1, 2))
            yaws = [heading + rng.uniform(-0.5, 0.5) * TURNED]
            if rng.random() < 0.5:
                yaws.append(heading + np.radians(90) + rng.uniform(-0.2, 0.2) * TURNED)
            for yaw in yaws:
                yield np.array([x, y, z, yaw, pitch, roll]), yaw is not yaws[0]


def _camera(ride: Ride, pose: Array) -> Camera:
    x, y, z, yaw, pitch, roll = pose.tolist()
    return Camera(x, y, z, yaw, pitch, roll, ride.view, *ride.size)


def _jpeg(picture: Any) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def street_pairs(
    pictures: Pictures, seed: int, progress: Callable[[], object] = lambda: None
) -> Iterator[Pair]:
    """Yield pairs of two drives each, up to FAR and TURNED apart, the match's of one of WIDTHS.

    `progress` is called for each picture.
    """
    rng = np.random.default_rng([seed, 83])
    matches: dict[tuple[int, int], View] = {}
    for query in range(len(pictures.jpegs)):
        progress()
        places = [
            rng.permutation(_near(pictures, query, ride))[:_PAIRS]
            for ride in range(int(pictures.rides[query]))
        ]
        numbers = [int(number) for some in places for number in some]
        if not numbers:
            continue
        seen = _view(pictures, query, pictures.jpegs[query])
        for number in numbers:
            key = number, int(rng.choice(WIDTHS))
            if key not in matches:
                matches[key] = _view(pictures, number, _narrowed(pictures.jpegs[number], key[1]))
            yield Pair(FRONT if pictures.across[query] else STREET, matches[key], seen)


def _near(pictures: Pictures, query: int, ride: int) -> NDArray[np.int64]:
    """Return the numbers of the pictures of a ride that one is paired with."""
    apart = np.linalg.norm(pictures.poses[:, :3] - pictures.poses[query, :3], axis=1)
    turned = np.angle(np.exp(1j * (pictures.poses[:, 3] - pictures.poses[query, 3])))
    alike = (pictures.rides == ride) & (pictures.across == pictures.across[query])
    return np.flatnonzero(alike & (apart <= FAR) & (np.abs(turned) <= TURNED))


def _narrowed(jpeg: bytes, width: int) -> bytes:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    size = width, picture.shape[0] * width // picture.shape[1]
    if picture.shape[1] == width:
        return jpeg
    return _jpeg(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _view(pictures: Pictures, number: int, jpeg: bytes) -> View:
    camera = pictures.camera(number)
    (fx, _, cx), (_, fy, cy), _ = camera.intrinsics.tolist()
    model = CameraModel(camera.width, camera.height, fx, fy, cx, cy)
    features = extract_jpeg(jpeg)
    assert features is not None
    return View(features, model, camera.rotation, camera.position)


STEPS = {"sideways": (1.0, 0.0, 0.0), "both": (0.7, 0.0, 0.7), "ahead": (0.0, 0.0, 1.0)}
"""Ways that the second camera of made-up pairs went."""
SHAPES = ("wall ahead", "wall at an angle", "wall beside", "points in depth", "a third wrong")
"""Of made-up points; with "a third wrong", of points in depth, so many matches are."""

_SIZE, _FOCAL = (512, 384), 400.0
_POINTS, _NOISE = 150, 0.7  # pixels


def made_up_pairs(seed: int, count: int) -> Iterator[Pair]:
    """Yield `count` pairs of made-up points for each of SHAPES and STEPS.

    Steps are of 1 to 2 m, and the second camera is turned by up to 15 degrees.
    """
    for shape in SHAPES:
        for step, way in STEPS.items():
            for number in range(count):
                rng = np.random.default_rng([seed, 84, number])
                rotation = np.asarray(cv2.Rodrigues(np.radians(rng.uniform(-15, 15)) * _DOWN)[0])
                points = _shaped(rng, shape)
                looks = _looks(rng, len(points))
                position = rng.uniform(1, 2) * np.array(way)
                wrong = 1 / 3 if shape == "a third wrong" else 0.0
                yield Pair(
                    f"{shape}, {step}",
                    _seen(rng, points, looks, np.eye(3), np.zeros(3), 0.0),
                    _seen(rng, points, looks, rotation, position, wrong),
                )


_DOWN = np.array([0.0, 1.0, 0.0])


def _shaped(rng: np.random.Generator, shape: str) -> Array:
    """Return points [N, 3] of a shape in the first camera's frame, metres."""
    points = rng.uniform([-8, -5, 4], [8, 5, 25], (_POINTS, 3))
    if shape == "wall ahead":
        points[:, 2] = 10.0
    elif shape == "wall at an angle":
        points[:, 2] = 10 + rng.uniform(0.2, 0.7) * points[:, 0] + 0.1 * points[:, 1]
    elif shape == "wall beside":
        points[:, 0] = 6.0
    return points


def _looks(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    drawn = rng.uniform(0, 1, (count, 128)) ** 4  # far from each other
    return cast(
        "NDArray[np.float32]",
        (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32),
    )


def _seen(
    rng: np.random.Generator,
    points: Array,
    looks: NDArray[np.float32],
    rotation: Array,
    position: Array,
    wrong: float,
) -> View:
    """View points from a position, `rotation` from the scene's to the optical frame.

    wrong: share of the points that are seen anywhere.
    """
    middle = np.array(_SIZE) / 2 - 0.5
    optical = (points - position) @ rotation.T
    pixels = _FOCAL * optical[:, :2] / optical[:, 2:] + middle
    pixels += rng.normal(0, _NOISE, pixels.shape)
    astray = rng.random(len(points)) < wrong
    pixels[astray] = rng.uniform((0, 0), _SIZE, (int(astray.sum()), 2))
    inside = (optical[:, 2] > 0.5) & ((pixels >= 0) & (pixels < _SIZE)).all(axis=1)
    features = Features(pixels[inside].astype(np.float32), looks[inside], _SIZE)
    return View(features, CameraModel(*_SIZE, _FOCAL, _FOCAL, *middle), rotation, position)
