from __future__ import annotations

import numpy as np
import pytest

from examples.sheet import Sheet
from examples.streets.materials import Image

PAPER, INK = (250, 250, 245), (10, 20, 200)


def drawn(image: Image) -> np.ndarray:
    """Rows and columns [N, 2] of the pixels that are no paper."""
    return np.argwhere((image != PAPER).any(axis=2))


def test_an_empty_sheet_is_paper() -> None:
    image = Sheet(30, 20, PAPER).finished()
    assert image.shape == (20, 30, 3)
    assert image.dtype == np.uint8
    assert not len(drawn(image))


def test_x_is_to_the_right_and_y_down() -> None:
    sheet = Sheet(60, 40, PAPER)
    sheet.dot((45, 10), 4, INK)
    row, column = drawn(sheet.finished()).mean(axis=0)
    assert (row, column) == pytest.approx((10, 45), abs=0.6)


@pytest.mark.parametrize("filled", [True, False])
def test_a_disc_is_filled_and_a_circle_is_not(filled: bool) -> None:
    sheet = Sheet(40, 40, PAPER)
    sheet.dot((20, 20), 10, INK, filled)
    image = sheet.finished()
    assert (image[20, 20] == (INK if filled else PAPER)).all()
    distances = np.linalg.norm(drawn(image) - 20, axis=1)
    assert distances.max() == pytest.approx(10, abs=2.5)
    assert (distances.min() < 1) == filled


def test_lines_end_where_they_are_told_to_and_are_closed_on_request() -> None:
    corners = [(10, 10), (50, 10), (50, 30)]
    for closed in (False, True):
        sheet = Sheet(60, 40, PAPER)
        sheet.line(corners, INK, 2, closed=closed)
        image = sheet.finished()
        assert (image[10, 30] != PAPER).any()
        assert (image[20, 50] != PAPER).any()
        assert bool((image[20, 30] != PAPER).any()) == closed  # the middle of the third side
        found = drawn(image)
        assert found.min(axis=0) == pytest.approx((10, 10), abs=2.5)
        assert found.max(axis=0) == pytest.approx((30, 50), abs=2.5)


def test_a_polygon_is_filled_inside_its_corners() -> None:
    sheet = Sheet(40, 40, PAPER)
    sheet.polygon([(10, 10), (30, 10), (30, 30), (10, 30)], INK)
    image = sheet.finished()
    assert (image[11:29, 11:29] == INK).all()
    assert len(drawn(image)) == pytest.approx(20 * 20, abs=100)  # a pixel all around


def test_text_stands_on_its_baseline_and_is_about_as_high_as_asked_for() -> None:
    for size in (16, 32):
        sheet = Sheet(200, 80, PAPER)
        sheet.text("HHH", 20, 60, size, INK)
        found = drawn(sheet.finished())
        assert found[:, 0].max() == pytest.approx(60, abs=2)
        assert np.ptp(found[:, 0]) + 1 == pytest.approx(0.7 * size, rel=0.25)
        assert found[:, 1].min() == pytest.approx(20, abs=4)


@pytest.mark.parametrize("shape", [(30, 60), (60, 30), (300, 600), (7, 7)])
def test_a_picture_is_whole_centred_and_keeps_its_proportions(shape: tuple[int, int]) -> None:
    sheet = Sheet(100, 80, PAPER)
    left, top, width, height = 20, 10, 60, 50
    sheet.picture(np.full((*shape, 3), INK, np.uint8), left, top, width, height)
    found = drawn(sheet.finished())
    low, high = found.min(axis=0), found.max(axis=0) + 1
    assert (low >= (top, left)).all()
    assert (high <= (top + height, left + width)).all()
    middle = (top + height / 2, left + width / 2)
    assert (low + high) / 2 == pytest.approx(middle, abs=1)
    rows, columns = high - low
    assert rows / columns == pytest.approx(shape[0] / shape[1], rel=0.05)
    assert rows == pytest.approx(height, abs=1) or columns == pytest.approx(width, abs=1)
