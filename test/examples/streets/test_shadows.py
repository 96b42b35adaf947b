from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from examples.streets import LIGHTS, shadows
from examples.streets.cars import Car
from examples.streets.surfaces import plain, quad

LIGHT = replace(LIGHTS["summer-noon"], sun_azimuth=np.radians(-70), sun_elevation=np.radians(38))
# A house's four walls, 8 x 6 m, 7 m high, and a free-standing one.
CORNERS = np.array([[0.0, 0.0], [8.0, 1.0], [7.0, 7.0], [-1.0, 6.0]])
WALLS = np.array(
    [
        [[*a, 0.0], [*b, 0.0], [*b, 7.0], [*a, 7.0]]
        for a, b in zip(CORNERS, np.roll(CORNERS, -1, axis=0), strict=True)
    ]
    + [[[15.0, -3.0, 0.0], [15.0, 4.0, 0.0], [15.0, 4.0, 3.0], [15.0, -3.0, 3.0]]]
)


def hit_by_ray(point, wall, towards) -> bool:
    """Whether the way from a point to the sun passes through a rectangle, by its two triangles."""
    for a, b, c in ((wall[0], wall[1], wall[2]), (wall[0], wall[2], wall[3])):
        system = np.stack([b - a, c - a, -towards], axis=1)
        if abs(np.linalg.det(system)) < 1e-9:
            continue
        s, t, distance = np.linalg.solve(system, point - a)
        if s >= 0 and t >= 0 and s + t <= 1 and distance > 0.05:
            return True
    return False


def test_sunlit_equals_ray_by_ray():
    points = np.random.default_rng(1).uniform([-8, -6, 0], [20, 18, 5], (300, 3))
    expected = [
        not any(hit_by_ray(point, wall, LIGHT.to_sun) for wall in WALLS) for point in points
    ]
    assert 0.1 < np.mean(expected) < 0.9
    assert np.array_equal(shadows.sunlit(points, WALLS, LIGHT), expected)


def test_without_sun_nothing_is_sunlit():
    assert not shadows.sunlit(np.zeros((3, 3)), WALLS, LIGHTS["overcast"]).any()


def test_polygons_on_the_ground_equal_rays():
    polygons = [p.astype(np.float32).reshape(-1, 1, 2) for p in shadows.on_ground(WALLS, (), LIGHT)]
    rng = np.random.default_rng(2)
    for x, y in rng.uniform([-12, -8], [24, 24], (400, 2)):
        depths = [cv2.pointPolygonTest(polygon, (x, y), True) for polygon in polygons]
        if min(abs(depth) for depth in depths) < 0.05:
            continue  # on an edge
        inside_house = cv2.pointPolygonTest(CORNERS.astype(np.float32), (x, y), False) > 0
        if not inside_house:
            shaded = any(hit_by_ray(np.array([x, y, 0.0]), w, LIGHT.to_sun) for w in WALLS)
            assert (max(depths) > 0) == shaded


def test_shade_on_a_front_equals_rays():
    # North of the house, facing south and the sun.
    front = quad(
        plain((200, 200, 200)), [-6.0, 11.0, 8.0], [8.0, 11.0, 8.0], [-6.0, 11.0, 0.0],
        takes_shadows=True,
    )  # fmt: skip
    assert front.normal @ LIGHT.to_sun > 0.3
    shade = shadows.on_surface(front, WALLS, LIGHT, (80, 120))
    assert 0.02 < shade.mean() < 0.9
    wrong = 0
    for row in range(2, 80, 6):
        for column in range(2, 120, 6):
            at = front.origin + (column + 0.5) / 120 * front.u + (row + 0.5) / 80 * front.v
            shaded = any(hit_by_ray(at, wall, LIGHT.to_sun) for wall in WALLS)
            soft = 0.05 < shade[row, column] < 0.95  # the edge is blurred
            wrong += not soft and (shade[row, column] > 0.5) != shaded
    assert wrong == 0


def test_a_cars_shadow_holds_its_footprint_and_points_away_from_the_sun():
    car = Car(3.0, 2.0, 0.4, "van", 0)
    (polygon,) = shadows.on_ground(np.zeros((0, 4, 3)), [car], LIGHT)
    outline = polygon.astype(np.float32)
    for x, y in 0.999 * (car.footprint - [3.0, 2.0]) + [3.0, 2.0]:
        assert cv2.pointPolygonTest(outline, (x, y), True) > -1e-3
    away = polygon.mean(axis=0) - [3.0, 2.0]
    assert away @ LIGHT.to_sun[:2] < 0
    behind = -LIGHT.to_sun[:2] / np.linalg.norm(LIGHT.to_sun[:2])
    reach = ((polygon - [3.0, 2.0]) @ behind).max()
    half = ((car.footprint - [3.0, 2.0]) @ behind).max()  # of the car, seen by the sun
    length = car.height / np.tan(LIGHT.sun_elevation)
    assert length < reach < length + half
