from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from selavpr_core.evaluation import precision_recall, recall_at
from training.report.curves import draw_precision_recalls, draw_recalls, recall_values


def points(svg: Markup | None, series: int) -> np.ndarray:
    """The points of a series' line, in units of the drawing."""
    assert svg is not None
    lines = [e for e in ElementTree.fromstring(svg).iter("path")
             if e.get("class") == f"line series-{series}"]  # fmt: skip
    assert len(lines) == 1
    numbers = re.findall(r"-?[\d.]+", lines[0].get("d", ""))
    return np.array(numbers, float).reshape(-1, 2)


def texts(svg: Markup | None, tag: str) -> list[str]:
    assert svg is not None
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(tag)]


def test_recall_values_are_those_of_the_library_at_every_n_of_a_short_ranking() -> None:
    rng = np.random.default_rng(0)
    rankings = rng.permuted(np.tile(np.arange(9), (20, 1)), axis=1)
    positives = [np.arange(query % 3) for query in range(20)]
    for counted in (True, False):
        found = recall_values(rankings, positives, counted)
        assert found == recall_at(list(rankings), positives, range(1, 10), counted)


def test_a_long_ranking_is_sampled_from_first_to_last() -> None:
    found = recall_values(np.zeros((1, 1000), np.int64), [np.array([0])], True)
    assert len(found) <= 48
    assert (min(found), max(found)) == (1, 1000)


def test_a_recall_curve_rises_on_a_logarithmic_axis() -> None:
    curve = {1: 0.2, 10: 0.6, 100: 1.0}
    svg = draw_recalls({"mode": curve}, {"mode": curve})
    line = points(svg, 0)
    assert line[1, 0] - line[0, 0] == pytest.approx(line[2, 0] - line[1, 0], abs=0.02)
    assert line[0, 1] - line[1, 1] == pytest.approx(line[1, 1] - line[2, 1], abs=0.02)
    assert "mode: R@10 60.00 %" in texts(svg, "title")


def test_an_axis_that_does_not_begin_at_zero_says_so() -> None:
    high = draw_recalls({"mode": {1: 0.93, 5: 0.99}}, {"mode": {1: 0.93}})
    assert "Recall@N (axis begins at 90 %)" in texts(high, "text")
    low = draw_recalls({"mode": {1: 0.3, 5: 0.99}}, {"mode": {1: 0.3}})
    assert "Recall@N" in texts(low, "text")


def test_everything_is_drawn_within_the_axes() -> None:
    for first in (0.0, 0.499, 0.5, 0.7000001, 0.89, 0.95, 1.0):
        line = points(draw_recalls({"m": {1: first, 9: 1.0}}, {"m": {}}), 0)
        assert line[:, 1].min() >= 13.9
        assert line[:, 1].max() <= 334.1


def test_unknown_recalls_are_not_drawn() -> None:
    assert draw_recalls({"m": {1: math.nan}}, {"m": {1: math.nan}}) is None
    nothing = precision_recall([1, 2], [0.5, 0.4], [np.array([]), np.array([])], False)
    assert draw_precision_recalls({"m": nothing}) is None


def test_a_precision_recall_curve_passes_through_its_points() -> None:
    positives = [np.array([0])] * 4
    curve = precision_recall([0, 0, 5, 0], [0.9, 0.8, 0.7, 0.6], positives, True)
    line = points(draw_precision_recalls({"m": curve}), 0)
    # From (0, 1) along full precision to recall 0.5, down to 2 / 3, up to (0.75, 0.75).
    left, right, bottom, top, low = 58.0, 456.0, 334.0, 14.0, 0.6
    expected = [(0, 1), (0.5, 1), (0.5, 2 / 3), (0.75, 0.75)]
    assert line == pytest.approx(
        np.array([
            (left + r * (right - left), bottom + (p - low) / (1 - low) * (top - bottom))
            for r, p in expected
        ]),
        abs=0.02,
    )  # fmt: skip


def test_a_marker_stands_at_the_recall_at_full_precision() -> None:
    positives = [np.array([0])] * 5
    curve = precision_recall([0, 5, 0, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.5], positives, True)
    svg = draw_precision_recalls({"m": curve})
    assert svg is not None
    (marker,) = [e for e in ElementTree.fromstring(svg).iter("path")
                 if e.get("class") == "marker series-0"]  # fmt: skip
    x, y = map(float, re.findall(r"[\d.]+", marker.get("transform", "")))
    assert (x, y) == pytest.approx((58 + 0.2 * (456 - 58), 14), abs=0.02)
    assert "similarity at least 0.9000" in texts(svg, "title")[0]


def test_a_curve_of_many_points_is_simplified_within_a_quarter_of_a_unit() -> None:
    rng = np.random.default_rng(2)
    right = rng.random(20_000) < np.linspace(1.0, 0.6, 20_000)
    positives = [np.array([0])] * 20_000
    curve = precision_recall(np.where(right, 0, 1), np.linspace(1, 0, 20_000), positives, True)
    svg = draw_precision_recalls({"m": curve})
    assert svg is not None
    assert len(svg) < 30_000
    line = points(svg, 0)
    x = 58 + curve.recalls * (456 - 58)
    low = 0.7
    y = 334 + (curve.precisions - low) / (1 - low) * (14 - 334)
    ahead = np.argsort(line[:, 0], kind="stable")
    away = np.abs(np.interp(x, line[ahead, 0], line[ahead, 1]) - y)
    assert np.percentile(away, 99) < 1.0


def test_more_modes_than_styles_are_drawn_all_the_same() -> None:
    curves = {f"mode {number}": {1: 0.1 * number, 5: 1.0} for number in range(8)}
    svg = draw_recalls(curves, {name: {} for name in curves})
    assert svg is not None
    lines = [e for e in ElementTree.fromstring(svg).iter("path")
             if (e.get("class") or "").startswith("line")]  # fmt: skip
    assert len(lines) == 8
