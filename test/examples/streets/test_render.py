from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from examples.streets import LIGHTS, Camera, Renderer, build_world, park_cars
from examples.streets.plan import Plan
from examples.streets.sky import panorama, view
from examples.streets.surfaces import Surface, Texture, plain, quad
from examples.streets.world import World

RED, GREEN, BLUE, WHITE = (200, 20, 20), (20, 170, 20), (20, 20, 200), (220, 220, 220)
LEVEL = Camera(0.0, 0.0, 1.6, 0.0)


def world_of(*surfaces: Surface) -> World:
    return World(
        seed=1,
        plan=Plan(np.zeros((0, 0, 2)), (), ()),
        houses=(),
        surfaces=surfaces,
        walls=np.zeros((0, 4, 3)),
        trees=(),
        things=(),
        ground=(),
    )


def panel(colour, x=10.0, left=1.0, bottom=1.0, width=2.0, height=1.5) -> Surface:
    """A panel that faces a camera which looks along x; `left` is y of its left edge."""
    return quad(
        plain(colour),
        [x, left, bottom + height],
        [x, left - width, bottom + height],
        [x, left, bottom],
    )


def drawn(*surfaces: Surface, camera: Camera = LEVEL):
    return Renderer(world_of(*surfaces), LIGHTS["overcast"]).draw(camera)


def mask_of(colour: np.ndarray, wanted) -> np.ndarray:
    """Pixels whose strongest channel is that of `wanted`, by far."""
    channel = int(np.argmax(wanted))
    others = np.delete(colour.astype(int), channel, axis=2).max(axis=2)
    return colour[..., channel].astype(int) > others + 60


@pytest.mark.parametrize(
    "camera",
    [
        LEVEL,
        Camera(2.0, -3.0, 2.5, np.radians(35)),
        Camera(-4.0, 2.0, 1.0, np.radians(-20), pitch=0.15, roll=0.2),
        Camera(9.0, 0.4, 1.6, np.radians(5), width=320, height=200),
    ],
)
def test_a_known_point_is_where_the_picture_shows_it(camera):
    surface = panel(RED)
    colour, _ = drawn(surface, camera=camera)
    shown = mask_of(colour, RED)
    expected = np.zeros(shown.shape, np.uint8)
    # The oracle: each pixel's ray against the panel's plane and edges.
    rows, columns = np.mgrid[0 : camera.height, 0 : camera.width]
    pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1).astype(float)
    rays = pixels @ np.linalg.inv(camera.intrinsics).T @ camera.rotation
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (10.0 - camera.x) / rays[..., 0]
        y, z = camera.y + distance * rays[..., 1], camera.z + distance * rays[..., 2]
    expected[(distance > 0) & (y < 1) & (y > -1) & (z > 1) & (z < 2.5)] = 1
    assert expected.any()
    edge = cv2.dilate(expected, np.ones((3, 3))) - cv2.erode(expected, np.ones((3, 3)))
    assert (shown == expected.astype(bool))[edge == 0].all()


def test_a_texture_is_seen_the_right_way_round_and_only_from_its_front():
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:20, :30], picture[:20, 30:] = RED, GREEN
    picture[20:, :30], picture[20:, 30:] = BLUE, WHITE
    surface = panel(RED)
    painted = Surface(Texture(lambda: (picture, None)), surface.origin, surface.u, surface.v)
    colour, _ = drawn(painted)
    centres = {
        name: np.argwhere(mask_of(colour, wanted)).mean(axis=0)
        for name, wanted in (("red", RED), ("green", GREEN), ("blue", BLUE))
    }
    assert centres["red"][1] < centres["green"][1] - 20
    assert centres["red"][0] < centres["blue"][0] - 20
    behind, _ = drawn(painted, camera=Camera(20.0, 0.0, 1.6, np.pi))
    assert not mask_of(behind, RED).any()


def test_holes_show_what_is_behind():
    picture = np.zeros((32, 32, 4), np.uint8)
    picture[..., :3] = RED
    picture[:, :16, 3] = 255
    half = panel(RED)
    holed = Surface(Texture(lambda: (picture, None)), half.origin, half.u, half.v)
    colour, _ = drawn(holed, panel(BLUE, x=14.0, left=4.0, bottom=0.0, width=8.0, height=6.0))
    left = LEVEL.project([10.0, 0.5, 1.75]).round().astype(int)
    right = LEVEL.project([10.0, -0.5, 1.75]).round().astype(int)
    assert mask_of(colour, RED)[left[1], left[0]]
    assert mask_of(colour, BLUE)[right[1], right[0]]


def test_an_outline_cuts_the_surface():
    whole = panel(RED)
    gable = Surface(whole.texture, whole.origin, whole.u, whole.v, [(0.5, 0), (1, 1), (0, 1)])
    full, cut_out = (mask_of(drawn(surface)[0], RED).sum() for surface in (whole, gable))
    assert cut_out == pytest.approx(0.5 * full, rel=0.05)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_surface_hides_the_farther(order):
    surfaces = [panel(RED, x=10.0), panel(GREEN, x=12.0, left=4.0, bottom=0.0, width=8, height=5)]
    colour, _ = drawn(*(surfaces[index] for index in order))
    column, row = LEVEL.project([10.0, 0.0, 1.75]).round().astype(int)
    assert mask_of(colour, RED)[row, column]
    assert mask_of(colour, GREEN).sum() > mask_of(colour, RED).sum()


def test_surfaces_that_pass_through_each_other_meet_at_the_right_line():
    slanted = quad(plain(GREEN), [8.0, 2.0, 4.0], [12.0, -2.0, 4.0], [8.0, 2.0, 0.0])
    colour, _ = drawn(panel(RED, x=10.0, left=2.0, bottom=0.0, width=4.0, height=4.0), slanted)
    for y, wanted in ((0.8, GREEN), (-0.8, RED)):  # left of the crossing the slanted one is nearer
        column, row = LEVEL.project([10.0, y, 1.8]).round().astype(int)
        assert mask_of(colour, wanted)[row, column]


def test_depth_is_that_of_the_ground_of_surfaces_and_of_nothing():
    _, inverse_depth = drawn(panel(RED))
    column, row = LEVEL.project([10.0, 0.0, 1.75]).round().astype(int)
    assert inverse_depth[row, column] == pytest.approx(1 / 10.0, rel=1e-4)
    below = LEVEL.height - 1
    ground = LEVEL.z * LEVEL.focal / (below - 239.5)
    assert 1 / inverse_depth[below, 320] == pytest.approx(ground, rel=1e-4)
    assert inverse_depth[0, 0] == 0


def test_what_reaches_behind_the_camera_is_clipped():
    wall = quad(plain(RED), [-30.0, 3.0, 8.0], [60.0, 3.0, 8.0], [-30.0, 3.0, 0.0])
    colour, inverse_depth = drawn(wall)
    shown = mask_of(colour, RED)
    assert shown[239, :200].all()
    assert not shown[:, 330:].any()
    # At the left edge the ray leaves at half the field of view.
    depth = 3.0 / np.tan(0.5 * LEVEL.field_of_view)
    assert 1 / inverse_depth[239, 0] == pytest.approx(depth, rel=0.01)


def test_the_sky_is_continuous_all_around():
    sky = panorama(LIGHTS["summer-noon"], world_seed=1)
    focal = LEVEL.focal
    last = None
    for degrees in range(-184, 185, 4):
        row = view(sky, Camera(0, 0, 1.6, np.radians(degrees)))[60:180]
        if last is not None:
            # What was in the middle is now on the right, four degrees off.
            shift = round(focal * np.tan(np.radians(4)))
            step = row[:, 320 + shift].astype(int) - last[:, 320]
            assert np.abs(step).mean() < 6
        last = row


def test_sprites_stand_on_their_feet(quarter):
    tree = quarter.trees[0]
    alone = replace(world_of(), trees=(tree,))
    camera = Camera(tree.x - 12.0, tree.y, 1.6, 0.0)
    with_tree = Renderer(alone, LIGHTS["overcast"]).draw(camera)[0].astype(int)
    without = Renderer(world_of(), LIGHTS["overcast"]).draw(camera)[0].astype(int)
    rows, columns = np.nonzero(np.abs(with_tree - without).sum(axis=2) > 30)
    foot = camera.project([tree.x, tree.y, 0.0])
    top = camera.project([tree.x, tree.y, tree.height])
    assert rows.max() == pytest.approx(foot[1], abs=4)
    assert rows.min() == pytest.approx(max(top[1], 0), abs=0.12 * (foot[1] - top[1]))
    assert columns.mean() == pytest.approx(foot[0], abs=25)


def street_cameras(world: World, lateral: float = 0.0) -> list[Camera]:
    """Cameras along the street from the crossing (1, 0) to (1, 2)."""
    cameras = []
    for first, shares in (((1, 0), (0.2, 0.5, 0.8)), ((1, 1), (0.2, 0.5))):
        start, end = world.plan.crossings[first], world.plan.crossings[1, first[1] + 1]
        along = (end - start) / np.linalg.norm(end - start)
        left = np.array([-along[1], along[0]])
        for share in shares:
            x, y = start + share * (end - start) + (lateral - 1.2) * left
            yaw = float(np.arctan2(along[1], along[0]))
            cameras.append(Camera(float(x), float(y), 1.6, yaw, width=320, height=240))
    return cameras


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(quarter):
    camera = street_cameras(quarter)[1]
    light = LIGHTS["summer-noon"]
    first = Renderer(quarter, light, park_cars(quarter, 3)).image(camera)
    again = build_world(7, rows=3, columns=3)
    assert np.array_equal(first, Renderer(again, light, park_cars(again, 3)).image(camera))
    other_cars = Renderer(quarter, light, park_cars(quarter, 4)).image(camera)
    assert not np.array_equal(first, other_cars)
    other = build_world(8, rows=2, columns=2)
    assert [h.facade for h in other.houses[:4]] != [h.facade for h in quarter.houses[:4]]


def test_a_renderer_has_no_memory(quarter):
    """Textures and their small versions are kept; pictures must not depend on what was seen."""
    cameras = street_cameras(quarter)[:2]
    renderer = Renderer(quarter, LIGHTS["overcast"])
    first = [renderer.image(camera) for camera in cameras]
    for camera, picture in zip(reversed(cameras), reversed(first), strict=True):
        assert np.array_equal(renderer.image(camera), picture)


def structure(picture: np.ndarray) -> np.ndarray:
    """What there is to see above the road, whatever the light: edges by direction, 20 x 15."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (0, 0), 1.0)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength, direction = np.log1p(np.hypot(across, down)), np.arctan2(down, across)
    strength[round(0.6 * len(strength)) :] = 0
    parts = []
    for sector in range(4):
        apart = np.abs(np.angle(np.exp(2j * (direction - sector * np.pi / 4)))) / (np.pi / 2)
        part = strength * np.clip(1 - apart, 0, 1)
        parts.append(cv2.resize(part, (20, 15), interpolation=cv2.INTER_AREA))
    cells = np.array(parts).ravel()
    cells -= cells.mean()
    return np.asarray(cells / np.linalg.norm(cells))


@pytest.fixture(scope="module")
def places(quarter):
    """What there is to see from five places at noon."""
    noon = Renderer(quarter, LIGHTS["summer-noon"], park_cars(quarter, 1))
    return np.array([structure(noon.image(camera)) for camera in street_cameras(quarter)])


@pytest.mark.parametrize("light", ["summer-afternoon", "autumn-afternoon"])
def test_a_place_in_other_light_is_more_like_itself_than_like_other_places(quarter, places, light):
    later = Renderer(quarter, LIGHTS[light], park_cars(quarter, 2))
    queries = np.array([structure(later.image(c)) for c in street_cameras(quarter, 1.0)])
    alike = queries @ places.T
    right = np.argmax(alike, axis=1) == np.arange(len(places))
    assert right.mean() >= 0.8  # by chance: 0.2
    assert np.diag(alike).mean() > alike[~np.eye(len(places), dtype=bool)].mean() + 0.05


def test_lights_look_different_and_none_is_blank(quarter):
    camera = street_cameras(quarter)[1]
    pictures = {name: Renderer(quarter, LIGHTS[name]).image(camera) for name in LIGHTS}
    for name, picture in pictures.items():
        assert picture.std() > 25, name
        for other, theirs in pictures.items():
            if other != name:
                assert np.abs(picture.astype(int) - theirs).mean() > 5, (name, other)


def test_windows_are_lit_at_dusk(quarter):
    camera = street_cameras(quarter)[1]
    dusk = LIGHTS["winter-dusk"]
    lit = Renderer(quarter, dusk).draw(camera)[0].astype(int)
    dark = Renderer(quarter, replace(dusk, lamps=0.0)).draw(camera)[0].astype(int)
    assert (lit >= dark).all()
    assert (lit - dark).max() > 100
