"""Recall curves and precision-recall curves of all modes, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from selavpr_core.evaluation import PrecisionRecall, recall_at
from training.report.svg import (
    SERIES,
    Axis,
    Element,
    axes,
    drawing,
    element,
    marker,
    markup,
    path,
    round_step,
)

_WIDTH, _HEIGHT = 480.0, 380.0
_LEFT, _RIGHT, _BOTTOM, _TOP = 58.0, 456.0, 334.0, 14.0
_STEPS = 48  # values of N at which a recall curve is computed, at most
_TOOLTIPS = 24  # points of a precision-recall curve that say their threshold


def recall_values(
    rankings: NDArray[np.int64],
    positives: Sequence[NDArray[np.int64]],
    count_without_positives: bool,
) -> dict[int, float]:
    """Return Recall@N at every N up to the rankings' length, at most 48 evenly over its logarithm.

    rankings: [Q, n] database numbers, best first, padded with -1.
    """
    longest = rankings.shape[1]
    ns = np.unique(np.geomspace(1, max(longest, 1), _STEPS).round().astype(int)).tolist()
    return recall_at(list(rankings), positives, ns, count_without_positives)


def draw_recalls(
    curves: Mapping[str, Mapping[int, float]], marked: Mapping[str, Mapping[int, float]]
) -> Markup | None:
    """Draw Recall@N over N, on a logarithmic axis; None where no recall is known.

    curves: for each mode its recall, 0 to 1, by N. marked: those that stand in the table.
    """
    known = {mode: _finite({**curve, **marked[mode]}) for mode, curve in curves.items()}
    known = {mode: curve for mode, curve in known.items() if curve}
    if not known:
        return None
    longest = max(n for curve in known.values() for n in curve)
    lowest = min(value for curve in known.values() for value in curve.values())
    root = drawing(_WIDTH, _HEIGHT, "Recall at N over N, a curve for each mode; figures in table 1")
    x = Axis(1, max(longest, 2), _LEFT, _RIGHT, _log_ticks(max(longest, 2)), "N, number of matches",
             lambda n: f"{n:g}", log=True)  # fmt: skip
    y = _share_axis(_floor(lowest), "Recall@N")
    axes(root, x, y)
    for series, (mode, curve) in enumerate(known.items()):
        ns = sorted(curve)
        points = np.column_stack([x(ns), y([curve[n] for n in ns])])
        _line(root, series, points)
        for n, value in sorted(_finite(marked[mode]).items()):
            marker(root, series, x.at(n), y.at(value), f"{mode}: R@{n} {100 * value:.2f} %")
    return markup(root)


def draw_precision_recalls(curves: Mapping[str, PrecisionRecall]) -> Markup | None:
    """Draw precision over recall; None where no curve has a point with a recall.

    Lines are simplified to a quarter of a unit of the drawing. The marker of a mode stands at its
    recall at 100 % precision.
    """
    known = {mode: c for mode, c in curves.items() if len(c.recalls) and math.isfinite(c.area)}
    if not known:
        return None
    lowest = min(float(curve.precisions.min()) for curve in known.values())
    root = drawing(_WIDTH, _HEIGHT, "Precision over recall, a curve for each mode; table 1 has the "
                   "area under each")  # fmt: skip
    x = Axis(0, 1, _LEFT, _RIGHT, np.linspace(0, 1, 6).tolist(), "Recall", _percent)
    y = _share_axis(_floor(lowest), "Precision")
    axes(root, x, y)
    for series, (mode, curve) in enumerate(known.items()):
        # From recall 0 at the precision of the surest answers.
        points = np.column_stack([
            x(np.append(0.0, curve.recalls)), y(np.append(curve.precisions[0], curve.precisions))
        ])  # fmt: skip
        simple = cv2.approxPolyDP(points.astype(np.float32), 0.25, False)[:, 0]
        _line(root, series, np.asarray(simple, np.float64))
        full = curve.recall_at_full_precision
        if full > 0:
            marker(root, series, x.at(full), y.at(1.0),
                   f"{mode}: recall {100 * full:.2f} % at 100 % precision, similarity at least "
                   f"{curve.threshold_at_full_precision:.4f}")  # fmt: skip
        spread = np.unique(np.linspace(0, len(curve.recalls) - 1, _TOOLTIPS).round().astype(int))
        for point in spread:
            spot = element(root, "circle", class_="hover", r=7, cx=x.at(curve.recalls[point]),
                           cy=y.at(curve.precisions[point]))  # fmt: skip
            element(spot, "title", f"{mode}: recall {100 * curve.recalls[point]:.1f} %, precision "
                    f"{100 * curve.precisions[point]:.1f} % at similarity "
                    f"{curve.thresholds[point]:.4f} and above")  # fmt: skip
    return markup(root)


def legend_key(series: int) -> Markup:
    """Draw the piece of line with the marker that stands for a series in a legend."""
    root = drawing(34, 14, "")
    root.attrib.pop("aria-label")
    root.set("role", "presentation")
    root.set("class", "key")
    _line(root, series, np.array([(1, 7), (33, 7)], np.float64))
    marker(root, series, 17, 7)
    return markup(root)


def _line(root: Element, series: int, points: NDArray[np.float64]) -> None:
    element(root, "path", class_=f"line series-{series % SERIES}", d=path(points))


def _share_axis(low: float, label: str) -> Axis:
    step = round_step(1 - low, 5)
    ticks = [low + index * step for index in range(round((1 - low) / step) + 1)]
    if low > 0:
        label += f" (axis begins at {_percent(low)})"
    return Axis(low, 1, _BOTTOM, _TOP, ticks, label, _percent)


def _floor(lowest: float) -> float:
    """Return where an axis of shares begins: 0, unless everything lies in the upper half."""
    return math.floor(10 * min(lowest, 0.9) + 1e-9) / 10 if lowest >= 0.5 else 0.0


def _log_ticks(longest: int) -> list[float]:
    ticks = [f * 10**power for power in range(9) for f in (1, 2, 5) if f * 10**power <= longest]
    return [float(tick) for tick in ticks]


def _finite(curve: Mapping[int, float]) -> dict[int, float]:
    return {n: value for n, value in curve.items() if math.isfinite(value)}


def _percent(share: float) -> str:
    return f"{round(100 * share, 6):g} %"
