"""Traffic: of its seed, on its side of the road, and never on top of the camera."""

from __future__ import annotations

import numpy as np
import pytest

from examples.streets import LIGHTS, Camera, Passing, Renderer, Traffic, World
from examples.streets.cars import Car
from examples.streets.people import LOOKS, Clothes, Person, Side
from examples.streets.plan import Street
from test.examples.streets.test_render import world_of

# Cameras in each direction of a street.
Pose = tuple[float, float, float]


@pytest.fixture(scope="module")
def poses(quarter: World) -> list[Pose]:
    found = []
    for street in quarter.plan.streets:
        ends = quarter.plan.ends(street)
        for start, end in (ends, ends[::-1]):
            along = (end - start) / np.linalg.norm(end - start)
            x, y = 0.5 * (start + end) + 1.2 * np.array([along[1], -along[0]])
            found.append((float(x), float(y), float(np.arctan2(along[1], along[0]))))
    return found


@pytest.fixture(scope="module")
def moments(quarter: World, poses: list[Pose]) -> list[tuple[Pose, Passing]]:
    traffic = Traffic(quarter, 4, busy=2.0)
    return [(pose, traffic.at(13.0 * second, *pose)) for second in range(8) for pose in poses]


def nearest(world: World, x: float, y: float) -> tuple[Street, float, np.ndarray]:
    """The street that a point is nearest to, its distance from the middle, the way to the right."""
    best: tuple[float, Street, np.ndarray] | None = None
    for street in world.plan.streets:
        start, end = world.plan.ends(street)
        length = float(np.linalg.norm(end - start))
        along = (end - start) / length
        right = np.array([along[1], -along[0]])
        share = float((np.array([x, y]) - start) @ along) / length
        if 0 <= share <= 1:
            out = float((np.array([x, y]) - start) @ right)
            if best is None or abs(out) < abs(best[0]):
                best = (out, street, along)
    assert best is not None
    return best[1], best[0], best[2]


def test_traffic_is_that_of_its_seed_and_moment(quarter: World, poses: list[Pose]) -> None:
    same = [Traffic(quarter, seed).at(second, *poses[0]) for seed, second in ((1, 5), (1, 5))]
    assert same[0] == same[1]
    assert Traffic(quarter, 2).at(5, *poses[0]) != same[0]
    assert Traffic(quarter, 1).at(25, *poses[0]) != same[0]
    assert Traffic(quarter, 1, busy=0.0).at(5, *poses[0]) == Passing()


def test_a_second_later_everybody_has_gone_a_seconds_way(quarter: World, poses: list[Pose]) -> None:
    traffic = Traffic(quarter, 3)
    before, after = (traffic.at(second, *poses[0]).people for second in (7.0, 7.5))
    moved = 0
    for person in before:
        reach = [
            np.hypot(person.x - other.x, person.y - other.y)
            for other in after
            if other.look == person.look and other.heading == person.heading
        ]
        moved += any(0.4 < distance < 3.1 for distance in reach)
    assert moved >= 0.8 * len(before) > 2


def test_nothing_stands_on_top_of_the_camera_or_in_its_way(
    moments: list[tuple[Pose, Passing]],
) -> None:
    cars = people = 0
    for (x, y, heading), passing in moments:
        ahead = np.array([np.cos(heading), np.sin(heading)])
        aside = np.array([-ahead[1], ahead[0]])
        for car in passing.cars:
            offset = car.footprint - [x, y]
            before, beside = offset @ ahead, offset @ aside
            clear_along = before.min() > 7.9 or before.max() < -7.9
            assert clear_along or beside.min() > 1.1 or beside.max() < -1.1
        for person in passing.people:
            assert np.hypot(person.x - x, person.y - y) > 1.5
        cars, people = cars + len(passing.cars), people + len(passing.people)
    assert cars > len(moments)
    assert people > 5 * len(moments)


def test_cars_keep_to_the_right_and_people_to_the_pavement(
    quarter: World, moments: list[tuple[Pose, Passing]]
) -> None:
    walkers = on_pavement = drivers = on_right = 0
    for _, passing in moments[::3]:
        for person in passing.people:
            street, out, _ = nearest(quarter, person.x, person.y)
            if not person.cycling:
                walkers += 1
                half = 0.5 * street.carriageway
                on_pavement += half < abs(out) < half + street.pavement
        for car in passing.cars:
            street, out, along = nearest(quarter, car.x, car.y)
            facing = np.cos(car.heading) * along[0] + np.sin(car.heading) * along[1]
            if abs(facing) > 0.9:
                drivers += 1
                on_right += np.sign(out) == np.sign(facing) and abs(out) < 0.5 * street.carriageway
    # Where streets meet at odd angles the nearest street can be another one.
    assert on_pavement > 0.93 * walkers > 0
    assert on_right > 0.93 * drivers > 0


@pytest.mark.parametrize(
    ("heading", "side"),
    [(np.pi, "front"), (0.0, "back"), (np.pi / 2, "left"), (-np.pi / 2, "right")],
)
def test_people_are_seen_from_the_side_that_they_turn(heading: float, side: str) -> None:
    # The camera looks along x from the origin: who walks to the left there shows the left side.
    assert Person(10.0, 0.0, heading, 0).side_towards(0.0, 0.0) == side


@pytest.mark.parametrize("cycling", [False, True])
def test_every_look_has_a_picture_that_stands_on_its_feet(cycling: bool) -> None:
    sides: tuple[Side, ...] = ("front", "back", "left", "right")
    clothes: tuple[Clothes, ...] = ("light", "warm", "rain")
    pictures = []
    for look in range(LOOKS):
        person = Person(0.0, 0.0, 0.0, look, 0.3 * look % 1, cycling)
        image = person.texture(sides[look % 4], clothes[look % 3]).image
        alpha = image[..., 3] > 128
        assert alpha[-6:].any()
        assert 0.04 < alpha.mean() < 0.6
        assert 1.0 < person.height < 2.1
        assert image.shape[1] / image.shape[0] == pytest.approx(
            person.width / person.height, rel=0.02
        )
        pictures.append(image.tobytes())
    assert len(set(pictures)) == LOOKS


def test_what_passes_is_drawn_where_it_is_and_leaves_no_trace() -> None:
    renderer = Renderer(world_of(), LIGHTS["summer-noon"])
    camera = Camera(0.0, 0.0, 1.6, 0.0, width=160, height=120)
    empty = renderer.image(camera)
    passing = Passing((Car(20.0, 4.0, 0.0, "bus", 3),), (Person(8.0, -2.0, np.pi, 4),))
    seen = renderer.draw(camera, passing)[1]
    behind = renderer.draw(camera)[1]
    for x, y, z in ((14.7, 4.0, 1.5), (8.0, -2.0, 1.0)):
        column, row = camera.project([x, y, z]).round().astype(int)
        assert 1 / seen[row, column] == pytest.approx(x, rel=0.08)
        assert seen[row, column] > behind[row, column]
    assert not np.array_equal(renderer.image(camera, passing), empty)
    assert np.array_equal(renderer.image(camera), empty)
