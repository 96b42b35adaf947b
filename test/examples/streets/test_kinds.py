"""Towns of all kinds: what differs, what repeats, and what must stay off the road."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
import pytest

from examples.streets import LIGHTS, Camera, Renderer, build_world
from examples.streets.facades import paint
from examples.streets.plan import KINDS, LAYOUTS, kind_of, make_plan
from examples.streets.world import World

SEED = 31


@pytest.fixture(scope="module")
def towns() -> dict[str, World]:
    return {kind: build_world(SEED, 3, 3, kind=kind) for kind in KINDS}


def depth_in_carriageways(world: World, points) -> np.ndarray:
    """How far inside a carriageway each of the points [N, 2] is, metres; the oracle."""
    deepest = np.zeros(len(points))
    for street in world.plan.streets:
        start, end = world.plan.ends(street)
        length = np.linalg.norm(end - start)
        along = (end - start) / length
        at, off = (points - start) @ along, np.abs((points - start) @ [-along[1], along[0]])
        inside = np.where((at > 0) & (at < length), 0.5 * street.carriageway - off, 0.0)
        deepest = np.maximum(deepest, inside)
    return deepest


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_solid_stands_on_the_road(towns, kind):
    world = towns[kind]
    houses = [[h.lot.start, h.lot.end, *h.lot.back] for h in world.houses]
    standing = [[(thing.x, thing.y)] for thing in (*world.trees, *world.things)]
    # What hangs over the road higher up, as wires do, may.
    low = [surface.corners[surface.corners[:, 2] < 2.0][:, :2] for surface in world.surfaces]
    for what in (houses, standing, low):
        points = np.concatenate([np.asarray(some, float).reshape(-1, 2) for some in what])
        assert len(points) > 10
        assert depth_in_carriageways(world, points).max() == 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if LAYOUTS[kind].detached])
def test_detached_houses_stand_clear_of_each_other(towns, kind):
    for block in towns[kind].plan.blocks:
        assert block.lots or block.park
        shapes = [
            np.array([lot.start, lot.end, lot.back[1], lot.back[0]], np.float32)
            for lot in block.lots
        ]
        for one, other in combinations(shapes, 2):
            overlap, _ = cv2.intersectConvexConvex(one, other)
            assert overlap == 0
        for shape in shapes:
            for x, y in shape.tolist():
                assert cv2.pointPolygonTest(block.front.astype(np.float32), (x, y), True) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_and_kind_make_the_same_town(kind):
    world, again = (build_world(SEED, 2, 2, kind=kind) for _ in range(2))
    other = build_world(SEED + 1, 2, 2, kind=kind)
    assert world.trees == again.trees
    assert [h.facade for h in world.houses] == [h.facade for h in again.houses]
    for one, two in zip(world.surfaces, again.surfaces, strict=True):
        assert np.array_equal(one.corners, two.corners)
    for one, two in zip(world.ground, again.ground, strict=True):
        assert np.array_equal(one.polygon, two.polygon)
        assert (one.material, one.colour) == (two.material, two.colour)
    number = next(i for i, s in enumerate(world.surfaces) if s.takes_shadows)
    assert np.array_equal(
        world.surfaces[number].texture.image, again.surfaces[number].texture.image
    )
    assert other.trees != world.trees


def test_the_seed_chooses_the_kind_and_each_comes_in_turn():
    assert {kind_of(seed) for seed in range(len(KINDS))} == set(KINDS)
    assert kind_of(7) == "quarter"
    assert build_world(10, 2, 2).plan.kind == kind_of(10)


def test_kinds_of_town_differ_in_streets_houses_and_ground(towns):
    def mean_width(kind):
        return np.mean([street.carriageway for street in towns[kind].plan.streets])

    def height(kind):
        return np.mean([house.eaves for house in towns[kind].houses])

    def share(kind, material):
        area = {"grass": 0.0, "all": 0.0}
        for block in towns[kind].plan.blocks:
            patch = next(p for p in towns[kind].ground if p.polygon is block.front)
            size = cv2.contourArea(block.front.astype(np.float32))
            area["all"] += size
            area["grass"] += size * (patch.material == material)
        return area["grass"] / area["all"]

    assert mean_width("oldtown") + 2 < mean_width("quarter") < mean_width("business")
    assert height("business") > 2 * height("oldtown")
    assert height("oldtown") > 1.3 * height("suburb")
    assert share("suburb", "grass") == share("campus", "grass") == 1
    assert share("industry", "grass") == 0
    walls = {kind: {h.facade.style.wall for h in towns[kind].houses} for kind in KINDS}
    assert walls["industry"] <= {"sheet", "brick", "concrete"}
    assert "curtain" in walls["business"]
    assert walls["oldtown"].isdisjoint({"sheet", "curtain", "panels"})


@pytest.mark.parametrize("kind", KINDS)
def test_walls_are_nowhere_flat_and_their_contrast_falls_with_fineness(towns, kind):
    fronts = [s for s in towns[kind].surfaces if s.takes_shadows and abs(s.normal[2]) < 1e-6]
    for surface in fronts[:: max(1, len(fronts) // 3)][:3]:
        grey = surface.texture.image[..., :3].mean(axis=2).astype(np.float32)
        cells = cv2.resize(grey * grey, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
        means = cv2.resize(grey, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
        flat = np.maximum(cells - means**2, 0) < 0.25  # a quarter metre of one grey
        assert flat.mean() < 0.1
        # Broad features carry more than fine ones, as in photographs.
        fine = (grey - cv2.GaussianBlur(grey, (0, 0), 1.0)).std()
        assert means.std() > 0.5 * fine


def test_houses_of_a_town_are_told_apart_by_their_pictures(towns):
    houses = towns["rows"].houses[1:9]
    small = [
        cv2.resize(paint(house.facade)[0], (32, 32), interpolation=cv2.INTER_AREA).astype(float)
        for house in houses
    ]
    for one, other in combinations(small, 2):
        assert np.abs(one - other).mean() > 3


@pytest.mark.parametrize("kind", ["oldtown", "suburb", "business"])
def test_a_picture_shows_more_than_road_and_sky(towns, kind):
    world = towns[kind]
    street = world.plan.street((1, 0), (1, 1))
    start, end = world.plan.ends(street)
    along = (end - start) / np.linalg.norm(end - start)
    x, y = start + 16 * along
    yaw = float(np.arctan2(along[1], along[0])) + 0.5
    camera = Camera(float(x), float(y), 1.6, yaw, width=160, height=120)
    renderer = Renderer(world, LIGHTS["overcast"])
    picture = renderer.image(camera)
    assert picture.std() > 15
    _, inverse_depth = renderer.draw(camera)
    above = inverse_depth[:50]  # over the horizon
    assert (above > 0).mean() > 0.1


def test_lots_step_back_in_an_old_town_and_the_same_distance_in_rows():
    old = make_plan(SEED, 3, 3, "oldtown").blocks[0]
    ends = [np.linalg.norm(a.end - b.start) for a, b in zip(old.lots, old.lots[1:], strict=False)]
    assert max(ends) > 0.2
    for block in make_plan(SEED, 3, 3, "rows").blocks:
        assert len({lot.setback for lot in block.lots}) == 1
        assert block.lots[0].setback > 1
