"""The picture of a closed track: before, after and the truth, and the error along the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from examples.sheet import Sheet
from examples.slam.accuracy import Accuracy, aligned
from examples.slam.pose_graph import LoopEdge
from examples.slam.track import Poses
from examples.streets.materials import Colour, Image

WIDTH, HEIGHT = 1760, 1060
_PAPER: Colour = (252, 251, 248)
_INK: Colour = (38, 42, 48)
_FAINT: Colour = (112, 118, 126)
_GRID: Colour = (226, 228, 230)
# Told apart with any colour vision, by lightness as well.
_TRUTH: Colour = (176, 182, 190)
_BEFORE: Colour = (213, 94, 0)
_AFTER: Colour = (0, 90, 160)
_CLOSURE: Colour = (0, 150, 110)
_REFUSED: Colour = (190, 50, 130)
_PLANS = ((40, 140, 870, 760), (890, 140, 1720, 760))  # left, top, right, bottom
_STRIP = (110, 850, 1720, 1010)


class Comparison(NamedTuple):
    """Two tracks of the same N keyframes and the true one, all [N, 3].

    edges, kept: the closures, and which of them the graph kept.
    """

    truth: Poses
    before: Poses
    after: Poses
    errors: tuple[Accuracy, Accuracy]
    edges: Sequence[LoopEdge]
    kept: NDArray[np.bool_]


def draw(comparison: Comparison, title: str, subtitle: str) -> Image:
    """Draw the picture, RGB uint8 [HEIGHT, WIDTH, 3]."""
    sheet = Sheet(WIDTH, HEIGHT, _PAPER)
    sheet.text(title, 40, 56, 30, _INK, bold=True)
    sheet.text(subtitle, 40, 94, 19, _FAINT)
    tracks = [aligned(t, comparison.truth) for t in (comparison.before, comparison.after)]
    every = np.vstack([comparison.truth, *tracks])[:, :2]
    for box, track, error, words, colour in zip(
        _PLANS, tracks, comparison.errors, ("odometry", "closed"), (_BEFORE, _AFTER), strict=True
    ):
        label = f"{words}: {error.rms:.2f} m off (rms), at most {error.largest:.2f} m"
        _plan(sheet, box, every, comparison, track, colour, label)
    _strip(sheet, comparison)
    return sheet.finished()


def _plan(
    sheet: Sheet,
    box: tuple[int, int, int, int],
    every: NDArray[np.float64],
    comparison: Comparison,
    track: Poses,
    colour: Colour,
    label: str,
) -> None:
    """One track from above, over the true one. every: [K, 2], all that must fit into the box."""
    left, top, right, bottom = box
    low, high = every.min(axis=0), every.max(axis=0)
    span = np.maximum(high - low, 1.0)
    scale = min((right - left - 60) / span[0], (bottom - top - 130) / span[1])
    middle = np.array([(left + right) / 2, (top + bottom - 10) / 2])

    def at(points: ArrayLike) -> NDArray[np.float64]:
        offset = (np.asarray(points, float)[..., :2] - (low + high) / 2) * scale
        return np.asarray(middle + offset * [1, -1])

    sheet.line([(left, top), (right, top), (right, bottom), (left, bottom)], _GRID, 1, closed=True)
    sheet.text(label, left + 24, top + 34, 20, colour, bold=True)
    sheet.line(at(comparison.truth), _TRUTH, 5)
    for edge, kept in zip(comparison.edges, comparison.kept, strict=True):
        ends = at(track[[edge.match, edge.query]])
        sheet.line(ends, _CLOSURE if kept else _REFUSED, 1.4)
    sheet.line(at(track), colour, 2.2)
    for number, end in ((0, "start"), (-1, "end")):
        sheet.dot(at(track[number]), 6, colour)
        sheet.dot(at(track[number]), 3.4, _PAPER if number else colour)
        x, y = at(track[number]).tolist()
        sheet.text(end, x + 10, y - 9, 16, _INK)
    _scale_bar(sheet, left + 24, bottom - 24, scale)
    _legend(sheet, right - 24, bottom - 20, comparison)


def _scale_bar(sheet: Sheet, x: float, y: float, scale: float) -> None:
    length = next(m for m in (500, 200, 100, 50, 20, 10, 5, 2, 1) if m * scale <= 180 or m == 1)
    end = x + length * scale
    sheet.line([(x, y - 6), (x, y), (end, y), (end, y - 6)], _INK, 1.5)
    sheet.text(f"{length} m", end + 10, y + 4, 17, _INK)


def _legend(sheet: Sheet, right: float, y: float, comparison: Comparison) -> None:
    """What the lines are, ending at `right`."""
    refused = int((~comparison.kept).sum())
    entries = [("truth", _TRUTH, 5.0), (f"{comparison.kept.sum()} closures", _CLOSURE, 1.6)]
    if refused:
        entries.append((f"{refused} thrown out", _REFUSED, 1.6))
    x = right
    for words, colour, width in reversed(entries):
        x -= 8.6 * len(words)
        sheet.text(words, x, y, 16, _INK)
        x -= 38
        sheet.line([(x, y - 5), (x + 30, y - 5)], colour, width)
        x -= 24


def _strip(sheet: Sheet, comparison: Comparison) -> None:
    """The error of both tracks along the way."""
    left, top, right, bottom = _STRIP
    steps = np.hypot(*np.diff(comparison.truth[:, :2], axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    most = max(float(error.errors.max()) for error in comparison.errors)
    unit = next(m for m in (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if 4 * m >= most or m == 500)

    def at(metres: ArrayLike, errors: ArrayLike) -> NDArray[np.float64]:
        x = left + (right - left) * np.asarray(metres, float) / max(along[-1], 1.0)
        y = bottom - (bottom - top) * np.asarray(errors, float) / max(most, unit)
        return np.stack(np.broadcast_arrays(x, y), axis=-1)

    sheet.text("metres off, along the way", left, top - 18, 18, _FAINT)
    for mark in np.arange(0, max(most, unit) + 1e-9, unit):
        sheet.line(at([0, along[-1]], mark), _GRID, 1)
        x, y = at(0, mark).tolist()
        sheet.text(f"{mark:g} m", x - 62, y + 5, 16, _FAINT)
    distance = next(m for m in (10, 20, 50, 100, 200, 500, 1000, 5000) if 9 * m >= along[-1])
    for mark in np.arange(0, along[-1], distance):
        x, y = at(mark, 0).tolist()
        sheet.text(f"{mark:g} m", x - 10, y + 26, 16, _FAINT)
    for error, colour in zip(comparison.errors, (_BEFORE, _AFTER), strict=True):
        sheet.line(at(along, error.errors), colour, 2.2)
