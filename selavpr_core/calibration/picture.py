"""The picture of a calibration: precision against recall, and how alike right and wrong look."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from selavpr_core.calibration.answers import Answers
from selavpr_core.calibration.thresholds import Choice, Curve, curve

_WIDTH, _HEIGHT = 1040, 550
_BINS = 50
_INK, _FAINT, _GRID = "#26292f", "#7a818b", "#e3e5e8"
_CURVE, _CHOSEN = "#28467a", "#c8302a"
_RIGHT, _WRONG, _OUTSIDE = "#00825f", "#f0a420", "#8a8f98"


class _Panel(NamedTuple):
    """A plot: its box in pixels, and the values at its edges."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixel of a value."""
        (low_x, high_x), (low_y, high_y) = self.x, self.y
        return (
            self.left + self.width * (x - low_x) / (high_x - low_x),
            self.top + self.height * (1 - (y - low_y) / (high_y - low_y)),
        )


def draw(answers: Answers, choice: Choice, wanted: float, title: str, subtitle: str) -> str:
    """Return the picture as SVG.

    On the left precision over recall at the chosen margin, with the bound below it, the wanted
    precision and the chosen point; on the right the similarities of the best matches, of right and
    wrong ones and of queries from outside, with the threshold.

    Args:
        answers: what the thresholds were chosen by.
        choice: the thresholds.
        wanted: precision that was asked for, 0 to 1.
        title, subtitle: a line of text each.
    """
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        f' width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(title, 32, 36, _INK, size=19, weight="bold"),
        _text(subtitle, 32, 60, _FAINT),
        *_precision_panel(answers, choice, wanted),
        *_similarity_panel(answers, choice),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _precision_panel(answers: Answers, choice: Choice, wanted: float) -> list[str]:
    swept = curve(answers, choice.margin)
    plain = curve(answers)
    # As far down as there is something to see.
    floor = min(wanted, choice.bound, plain.precisions[-1]) - 0.02
    floor = max(0.0, math.floor(10 * floor) / 10)
    panel = _Panel(76, 100, 410, 300, (0, 1), (floor, 1))
    lines = _axes(panel, "recall: right answers / queries from inside", "precision", _percent)
    bound = [panel.at(r, max(b, floor)) for r, b in zip(swept.recalls, swept.bounds, strict=True)]
    top = _path(panel, swept, floor)
    lines.append(
        f'<polygon points="{_points([*top, *reversed(bound)])}" fill="{_CURVE}" opacity="0.13"/>'
    )
    if choice.margin > 0:
        lines.append(_line(_path(panel, plain, floor), _FAINT, 1.2, dashed="2 3"))
    lines.append(_line(top, _CURVE, 2))
    lines.append(_line([panel.at(0, wanted), panel.at(1, wanted)], _CHOSEN, 1, dashed="6 4"))
    x, y = panel.at(choice.recall, max(choice.precision, floor))
    lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{_CHOSEN}"/>')
    entries = [
        (_CURVE, f"margin at least {choice.margin:g}; shaded down to the 95 % bound"),
        *([(_FAINT, "whatever the margin")] if choice.margin > 0 else []),
        (_CHOSEN, f"wanted {_percent(wanted)}, and what was chosen"),
    ]
    return [*lines, *_legend(panel, entries)]


def _similarity_panel(answers: Answers, choice: Choice) -> list[str]:
    similarities = answers.similarities
    low = math.floor(10 * min(choice.similarity, float(similarities.min()))) / 10
    high = max(math.ceil(10 * float(similarities.max())) / 10, low + 0.1)
    edges = np.linspace(low, high, _BINS + 1)
    groups = [
        (_OUTSIDE, "from outside", ~answers.inside),
        (_WRONG, "from inside, wrong", answers.inside & ~answers.right),
        (_RIGHT, "from inside, right", answers.right),
    ]
    counts = [np.histogram(similarities[which], edges)[0] for _, _, which in groups]
    most = max(1, *(int(count.max()) for count in counts))
    panel = _Panel(588, 100, 410, 300, (low, high), (0, 1.08 * most))
    lines = _axes(panel, "similarity of the best match", "queries", "{:.0f}".format)
    for (colour, _, _), count in zip(groups, counts, strict=True):
        steps = _steps(panel, edges, count)
        lines.append(f'<polygon points="{_points(steps)}" fill="{colour}" opacity="0.25"/>')
        lines.append(_line(steps, colour, 1.5))
    at = choice.similarity
    lines.append(_line([panel.at(at, 0), panel.at(at, panel.y[1])], _CHOSEN, 1.5, dashed="6 4"))
    entries = [(colour, f"{name} ({int(which.sum())})") for colour, name, which in reversed(groups)]
    return [*lines, *_legend(panel, [*entries, (_CHOSEN, f"threshold {at:.3f}")])]


def _path(panel: _Panel, swept: Curve, floor: float) -> list[tuple[float, float]]:
    return [
        panel.at(recall, max(precision, floor))
        for recall, precision in zip(swept.recalls, swept.precisions, strict=True)
    ]


def _steps(
    panel: _Panel, edges: NDArray[np.float64], counts: NDArray[np.int64]
) -> list[tuple[float, float]]:
    xs = np.repeat(edges, 2)
    ys = np.concatenate([[0], np.repeat(counts, 2), [0]])
    return [panel.at(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]


def _axes(panel: _Panel, across: str, up: str, written: Callable[[float], str]) -> list[str]:
    lines = [_text(up, panel.left - 44, panel.top - 12, _INK)]
    bottom = panel.top + panel.height
    for value in _ticks(*panel.y):
        x, y = panel.at(panel.x[0], value)
        lines.append(_line([(x, y), (x + panel.width, y)], _GRID, 1))
        lines.append(_text(written(value), x - 8, y + 4, _FAINT, anchor="end"))
    for value in _ticks(*panel.x):
        x, _ = panel.at(value, panel.y[0])
        lines.append(_line([(x, bottom), (x, bottom + 5)], _FAINT, 1))
        label = _percent(value) if panel.x == (0, 1) else f"{value:.2f}"
        lines.append(_text(label, x, bottom + 20, _FAINT, anchor="middle"))
    lines.append(_line([(panel.left, bottom), (panel.left + panel.width, bottom)], _FAINT, 1))
    middle = panel.left + panel.width / 2
    return [*lines, _text(across, middle, bottom + 40, _INK, anchor="middle")]


def _ticks(low: float, high: float) -> list[float]:
    """Return about five round values from low to high."""
    rough = (high - low) / 5
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= 0.999 * rough)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _legend(panel: _Panel, entries: Sequence[tuple[str, str]]) -> list[str]:
    lines = []
    top = panel.top + panel.height + 50  # below the labels of the axis
    for row, (colour, meaning) in enumerate(entries, start=1):
        y = top + 20 * row
        lines.append(f'<rect x="{panel.left}" y="{y - 9}" width="16" height="9" fill="{colour}"/>')
        lines.append(_text(meaning, panel.left + 24, y, _INK))
    return lines


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _text(
    text: str, x: float, y: float, colour: str, size: int = 13, anchor: str = "start",
    weight: str = "normal",
) -> str:  # fmt: skip
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}"'
        f' text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
    )


def _line(
    points: Sequence[tuple[float, float]], colour: str, width: float, dashed: str = ""
) -> str:
    dash = f' stroke-dasharray="{dashed}"' if dashed else ""
    return (
        f'<polyline points="{_points(points)}" fill="none" stroke="{colour}"'
        f' stroke-width="{width}"{dash}/>'
    )


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
