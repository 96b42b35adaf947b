from __future__ import annotations

import cv2
import numpy as np
import pytest

from examples.streets.plan import cut, inset, make_plan, rounded


@pytest.fixture(scope="module")
def plan():
    return make_plan(3, rows=4, columns=4)


def distance_to_line(point, start, end):
    along = (end - start) / np.linalg.norm(end - start)
    return float(-along[1] * (point - start)[0] + along[0] * (point - start)[1])


def test_inset_moves_each_edge_by_its_own_distance():
    square = np.array([[0.0, 0.0], [40.0, 3.0], [37.0, 50.0], [-4.0, 46.0]])
    distances = [1.0, 2.0, 3.0, 4.0]
    moved = inset(square, distances)
    for edge, distance in enumerate(distances):
        start, end = square[edge], square[(edge + 1) % 4]
        for corner in (moved[edge], moved[(edge + 1) % 4]):
            assert distance_to_line(corner, start, end) == pytest.approx(distance)


def test_cut_corners_leave_the_rest_of_each_edge():
    square = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
    corners, is_cut = cut(square, [0.0, 2.0, 0.0, 3.0])
    expected = [[0, 0], [8, 0], [10, 2], [10, 10], [3, 10], [0, 7]]
    assert corners == pytest.approx(np.array(expected, float))
    assert is_cut == [False, True, False, False, True, False]


def test_rounded_corners_stay_inside():
    square = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
    arc = rounded(square, 2.0)
    assert arc.min() >= 0
    assert arc.max() <= 10
    assert np.linalg.norm(arc - square[0], axis=1).min() > 0.5


def test_lots_cover_the_building_line_without_gap(plan):
    for block in plan.blocks:
        for lot, following in zip(block.lots, block.lots[1:] + block.lots[:1], strict=True):
            assert lot.end == pytest.approx(following.start)
            assert lot.width > 2
        line = np.linalg.norm(block.front - np.roll(block.front, -1, axis=0), axis=1).sum()
        assert sum(lot.width for lot in block.lots) == pytest.approx(line)


def test_lots_at_a_corner_share_its_number(plan):
    for block in plan.blocks:
        for lot, following in zip(block.lots, block.lots[1:] + block.lots[:1], strict=True):
            if not lot.open_end:
                assert lot.corner is not None
                assert lot.corner == following.corner


def test_houses_stay_off_the_street(plan):
    for block in plan.blocks:
        kerb = block.kerb.astype(np.float32)
        for lot in block.lots:
            for corner in (lot.start, lot.end, *lot.back):
                inside = cv2.pointPolygonTest(kerb, tuple(map(float, corner)), True)
                assert inside > 1.0  # a pavement's width


def test_each_crossing_is_joined_to_its_neighbours(plan):
    rows, columns = plan.crossings.shape[:2]
    assert len(plan.streets) == rows * (columns - 1) + columns * (rows - 1)
    street = plan.street((1, 2), (1, 1))
    assert {street.start, street.end} == {(1, 1), (1, 2)}
    with pytest.raises(KeyError, match="no street"):
        plan.street((0, 0), (1, 1))


def test_the_seed_decides():
    assert np.array_equal(make_plan(5).crossings, make_plan(5).crossings)
    assert not np.array_equal(make_plan(5).crossings, make_plan(6).crossings)
