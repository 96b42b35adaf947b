"""The picture of a demo: both tracks from above, the matches between them, a few of the pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from examples.demo.report import RADIUS, Report, Row
from examples.sheet import Sheet
from examples.streets.materials import Colour, Image

WIDTH, HEIGHT = 1760, 1000
_PLAN = (40, 130, 1040, 950)  # left, top, right, bottom of the view from above
_PAPER: Colour = (252, 251, 248)
_INK: Colour = (38, 42, 48)
_FAINT: Colour = (128, 134, 142)
_MAP: Colour = (156, 172, 190)
_QUERY: Colour = (40, 70, 120)
# Errors from none to far off; told apart with any colour vision, by lightness as well.
_SCALE: tuple[tuple[float, Colour, str], ...] = (
    (5.0, (0, 130, 96), "up to 5 m"),
    (RADIUS, (96, 178, 60), f"5 to {RADIUS:.0f} m"),
    (25.0, (240, 164, 32), f"{RADIUS:.0f} to 25 m"),
    (np.inf, (200, 48, 40), "more than 25 m"),
)


def draw(
    report: Report,
    places: ArrayLike,
    query_line: ArrayLike,
    pairs: Sequence[tuple[Row, Image, Image | None]],
    title: str,
    subtitle: str,
    north_up: bool,
) -> Image:
    """Draw the picture, RGB uint8 [HEIGHT, WIDTH, 3].

    places: [N, 2 | 3] metres, the map's. query_line: [K, 2] metres, the query drive.
    pairs: rows with the query's picture and that of the place found (None: no thumbnail).
    north_up: whether y is north, or only the odometry's own axis.
    """
    sheet = Sheet(WIDTH, HEIGHT, _PAPER)
    sheet.text(title, 40, 58, 30, _INK, bold=True)
    sheet.text(subtitle, 40, 94, 19, _FAINT)
    _plan(sheet, report, np.asarray(places, float)[:, :2], np.asarray(query_line, float))
    if north_up:
        _north(sheet)
    _pairs(sheet, pairs)
    return sheet.finished()


def colour_of(error: float) -> Colour:
    """The colour of a pose that is this many metres off."""
    return next(colour for limit, colour, _ in _SCALE if error <= limit)


def _plan(
    sheet: Sheet, report: Report, places: NDArray[np.float64], line: NDArray[np.float64]
) -> None:
    """Both tracks from above, north up."""
    left, top, right, bottom = _PLAN
    poses = [np.asarray(row.answer.position[:2]) for row in report.rows if row.answer.position]
    everything = np.vstack([places, line, *(pose[None] for pose in poses)])
    low, high = everything.min(axis=0), everything.max(axis=0)
    span = np.maximum(high - low, 1.0)
    scale = min((right - left - 60) / span[0], (bottom - top - 110) / span[1])
    middle = np.array([(left + right) / 2, (top + bottom - 50) / 2])

    def at(points: ArrayLike) -> NDArray[np.float64]:
        offset = (np.asarray(points, float) - (low + high) / 2) * scale
        return np.asarray(middle + offset * [1, -1])

    sheet.line([(left, top), (right, top), (right, bottom), (left, bottom)], (222, 224, 226), 1,
               closed=True)  # fmt: skip
    # Poses on the right place are short lines: draw the far ones first, under them.
    drawn = [row for row in report.rows if row.error is not None]
    for row in sorted(drawn, key=lambda row: -(row.error or 0.0)):
        assert row.truth is not None
        assert row.answer.position is not None
        assert row.error is not None
        ends = np.array([row.truth, row.answer.position[:2]], float)
        sheet.line(at(ends), colour_of(row.error), 1.6)
    for place in at(places):
        sheet.dot(place, 3.6, _MAP)
    sheet.line(at(line), _QUERY, 1.2)
    for row in report.rows:
        if row.truth is None:
            continue
        point = at(row.truth)
        if row.error is None:
            sheet.dot(point, 5, _PAPER)
            sheet.dot(point, 5, _QUERY, filled=False)
        else:
            sheet.dot(point, 5.5, _PAPER)
            sheet.dot(point, 4.6, colour_of(row.error))
    if len(line) > 1:
        _arrow(sheet, at(line))
    _scale_bar(sheet, scale)
    _legend(sheet, report)


def _arrow(sheet: Sheet, line: NDArray[np.float64]) -> None:
    """Show the direction of the drive at its end."""
    end = line[-1]
    far = line[np.linalg.norm(line - end, axis=1) > 12]
    if not len(far):
        return
    ahead = (end - far[-1]) / np.linalg.norm(end - far[-1])
    side = np.array([-ahead[1], ahead[0]])
    tip = end + 22 * ahead
    sheet.polygon([tip, tip - 14 * ahead + 7 * side, tip - 14 * ahead - 7 * side], _QUERY)


def _scale_bar(sheet: Sheet, scale: float) -> None:
    left, _, _, bottom = _PLAN
    length = next(m for m in (500, 200, 100, 50, 20, 10, 5, 2, 1) if m * scale <= 220 or m == 1)
    x, y = left + 24, bottom - 62
    sheet.line(
        [(x, y - 6), (x, y), (x + length * scale, y), (x + length * scale, y - 6)], _INK, 1.5
    )
    sheet.text(f"{length} m", x + length * scale + 10, y + 4, 17, _INK)


def _north(sheet: Sheet) -> None:
    _, _, right, bottom = _PLAN
    x, y = right - 34, bottom - 84
    sheet.polygon([(x, y - 34), (x + 8, y), (x, y - 7), (x - 8, y)], _INK)
    sheet.text("N", x - 6, y + 20, 17, _INK)


def _legend(sheet: Sheet, report: Report) -> None:
    left, _, _, bottom = _PLAN
    y, x = bottom - 22, left + 24.0
    sheet.dot((x, y - 5), 3.6, _MAP)
    sheet.text("place of the map", x + 10, y, 16, _INK)
    x += 156
    sheet.line([(x, y - 5), (x + 26, y - 5)], _QUERY, 1.4)
    sheet.text("query drive", x + 34, y, 16, _INK)
    x += 138
    sheet.text("pose off by", x, y, 16, _FAINT)
    x += 96
    silent = sum(row.truth is not None and row.error is None for row in report.rows)
    if silent:
        sheet.dot((x, y - 41), 5, _QUERY, filled=False)
        sheet.text(f"no pose ({silent})", x + 11, y - 36, 16, _INK)
    lower = 0.0
    for limit, colour, words in _SCALE:
        count = sum(row.error is not None and lower <= row.error <= limit for row in report.rows)
        lower = float(np.nextafter(limit, np.inf))
        sheet.dot((x, y - 5), 5, colour)
        label = f"{words} ({count})"
        sheet.text(label, x + 11, y, 16, _INK)
        x += 26 + 8.4 * len(label)


def _pairs(sheet: Sheet, pairs: Sequence[tuple[Row, Image, Image | None]]) -> None:
    """Pictures of some queries, each beside the place that was found for it."""
    left, top, width, height = 1080.0, 160.0, 312.0, 234.0
    which = ": the best, the middle and the worst" if len(pairs) == 3 else ""
    sheet.text(f"query{which}", left, top - 14, 18, _FAINT)
    sheet.text("the place found for it", left + width + 16, top - 14, 18, _FAINT)
    step = 270.0
    for index, (row, query, place) in enumerate(pairs[:3]):
        y = top + index * step
        sheet.picture(query, left, y, width, height)
        if place is not None:
            sheet.picture(place, left + width + 16, y, width, height)
        if row.error is None:
            words, colour = row.answer.outcome, _FAINT
        else:
            words, colour = f"{row.error:.1f} m off", colour_of(row.error)
        sheet.dot((left + 6, y + height + 15), 6, colour)
        similarity = f", similarity {row.answer.similarities[0]:.4f}"
        sheet.text(words + similarity, left + 20, y + height + 20, 17, _INK)
