from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from examples.streets import build_world, park_cars
from examples.streets.facades import lay_out, outline, paint
from examples.streets.materials import PIXELS_PER_METRE
from examples.streets.sprites import BARK, tree
from examples.streets.styles import random_style


@pytest.fixture(scope="module")
def styles():
    rng = np.random.default_rng(5)
    return [random_style(rng) for _ in range(25)]


def test_openings_lie_on_the_front_and_do_not_overlap(styles):
    for number, style in enumerate(styles):
        facade = lay_out(style, 7.0 + 0.25 * number, number)
        for opening in facade.openings:
            assert 0 <= opening.left < opening.right <= facade.width
            assert 0 <= opening.bottom < opening.top <= style.eaves
        for index, a in enumerate(facade.openings):
            for b in facade.openings[index + 1 :]:
                apart = a.right <= b.left or b.right <= a.left
                assert apart or a.top <= b.bottom or b.top <= a.bottom


def test_a_front_is_painted_at_its_size_and_glows_only_where_something_is_lit(styles):
    for number, style in enumerate(styles[:8]):
        facade = lay_out(style, 9.0, number)
        picture, glow = paint(facade)
        size = (round(facade.height * PIXELS_PER_METRE), round(9.0 * PIXELS_PER_METRE))
        assert picture.shape == glow.shape == (*size, 3)
        assert picture.std() > 10
        assert (glow.max(axis=2) == 0).mean() > 0.5
        again, _ = paint(facade)
        assert np.array_equal(picture, again)


def test_outlines_are_closed_over_the_eaves(styles):
    for style in styles:
        facade = lay_out(style, 9.0, 0)
        shape = outline(facade)
        if shape is None:
            assert facade.height == style.eaves
        else:
            xs, zs = zip(*shape, strict=True)
            assert (min(xs), max(xs), min(zs)) == (0, 9.0, 0)
            assert style.eaves < max(zs) <= facade.height
            area = cv2.contourArea(np.array(shape, np.float32))
            assert 9.0 * style.eaves < area < 9.0 * facade.height


def test_houses_differ_along_a_street(quarter):
    looks = [(h.facade.style.wall_colour, h.facade.style.floors) for h in quarter.houses]
    names = [h.facade.style.shop_name for h in quarter.houses if not h.lot.chamfer]
    assert len(set(looks)) > 0.5 * len(looks)
    assert all(a != b for a, b in pairwise(names))


def test_surfaces_face_the_street(quarter):
    fronts = {id(s) for s in quarter.surfaces if s.takes_shadows and abs(s.normal[2]) < 1e-6}
    assert fronts
    for house in quarter.houses:
        outward = -house.lot.inward
        at = 0.5 * (house.lot.start + house.lot.end)
        facing = [
            s
            for s in quarter.surfaces
            if id(s) in fronts
            and np.linalg.norm((s.origin + 0.5 * s.u)[:2] - at) < 1e-6
            and s.normal[:2] @ outward > 0.999
        ]
        assert len(facing) == 1


def test_parked_cars_stand_on_the_road_clear_of_each_other_and_of_the_lane(quarter):
    cars = park_cars(quarter, 3, share=1.0)
    assert len(cars) > 20
    kerbs = [block.kerb.astype(np.float32) for block in quarter.plan.blocks]
    for car in cars:
        for x, y in car.footprint:
            assert all(cv2.pointPolygonTest(kerb, (x, y), True) < 0.3 for kerb in kerbs)
        near = [o for o in cars if o is not car and np.hypot(o.x - car.x, o.y - car.y) < 7]
        for other in near:
            overlap, _ = cv2.intersectConvexConvex(
                car.footprint.astype(np.float32), other.footprint.astype(np.float32)
            )
            assert overlap < 0.05
    assert len(park_cars(quarter, 3, share=0.3)) < len(cars)
    assert park_cars(quarter, 3) == park_cars(quarter, 3)
    assert park_cars(quarter, 3) != park_cars(quarter, 4)


@pytest.mark.parametrize("species", sorted(set(BARK) - {"bush"}))  # its leaves hide its stems
def test_a_tree_keeps_its_branches_over_the_year(species):
    summer, autumn, winter = (tree(species, season, 1) for season in ("summer", "autumn", "winter"))
    bare, leafy, brown = (picture[..., 3] > 0 for picture in (winter, summer, autumn))
    assert np.array_equal(leafy, brown)
    assert bare.sum() < 0.5 * leafy.sum()
    trunk = slice(round(0.85 * len(bare)), None)
    assert np.array_equal(bare[trunk], leafy[trunk])
    assert not np.array_equal(tree(species, "summer", 1), tree(species, "summer", 2))
    assert leafy[-1, leafy.shape[1] // 2]  # it stands on the ground


def test_the_world_is_the_same_for_the_same_seed(quarter):
    again = build_world(7, rows=3, columns=3)
    assert [s.origin.tolist() for s in again.surfaces] == [
        s.origin.tolist() for s in quarter.surfaces
    ]
    assert again.trees == quarter.trees
    assert np.array_equal(again.walls, quarter.walls)
