"""Places and queries on one straight line: where the match lies over where the query lies."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import ModeResult
from training.report.matches import count_words, draw_query, spread_matches
from training.report.svg import Axis, axes, drawing, element, markup, path, round_step

_SIDE, _LEFT, _RIGHT, _BOTTOM, _TOP = 560.0, 66.0, 536.0, 500.0, 30.0
_FLAT = 0.005  # spread across the line, as a share of that along it
_LONG = 100.0  # metres of a line that is worth it


def draw_alignment(
    mode: ModeResult,
    evaluation_set: EvaluationSet,
    positions: NDArray[np.float64],
    queries: NDArray[np.int64],
) -> tuple[Markup, str] | None:
    """Draw each query's best match along the line over the query's own place on it.

    On a map of such a set (a railway, or positions made up from frame numbers) all lies on top of
    each other; here right matches are on the diagonal. positions: [N, 2] metres, all of the
    region. queries: numbers of those in it. Returns the drawing and a caption; None where the
    positions are not on one line.
    """
    if len(positions) < 2:  # a query far from everything: no line leads through it
        return None
    middle = positions.mean(axis=0)
    _, spread, axis = np.linalg.svd(np.cov((positions - middle).T))
    direction = axis[0] * np.sign(axis[0][np.abs(axis[0]).argmax()])
    along = (positions - middle) @ direction
    low, high = float(along.min()), float(along.max())
    if high - low < _LONG or spread[1] > _FLAT**2 * spread[0]:
        return None
    assert evaluation_set.query_positions is not None
    assert evaluation_set.database_positions is not None
    matches, step = spread_matches(mode, evaluation_set, queries)
    root = drawing(_SIDE, _SIDE, "Where the best match lies on the line, over where the query lies")
    root.set("class", "tracks")
    root.set("style", f"max-width: {_SIDE:g}px")
    length = high - low
    tick = round_step(length, 5)
    ticks = np.arange(0, length + 1e-6, tick).tolist()
    unit, scale = ("km", 1e-3) if length >= 2000 else ("m", 1.0)

    def write(metres: float) -> str:
        return f"{round(metres * scale, 6):g}"

    x = Axis(0, length, _LEFT, _RIGHT, ticks, f"query, {unit} along the line", write)
    y = Axis(0, length, _BOTTOM, _TOP, ticks, f"best match, {unit} along the line", write)
    axes(root, x, y)
    element(root, "path", class_="axis", d=path([(_LEFT, _BOTTOM), (_RIGHT, _TOP)]))
    outside = 0
    for match in matches:
        asked = float((evaluation_set.query_positions[match.query, :2] - middle) @ direction) - low
        found = asked
        if match.place >= 0:
            place = evaluation_set.database_positions[match.place, :2]
            found = float((place - middle) @ direction) - low
            if not -1 <= found <= length + 1:  # another region, or no position at all
                outside += 1
                continue
        words = f"{abs(found - asked):.0f} m away"
        draw_query(root, match, x.at(asked), y.at(found), evaluation_set, words)
    caption = (
        "All positions of this region lie on one straight line: right matches are on the diagonal. "
        + count_words(len(queries), matches, step)
    )
    if outside:
        caption += f"; {outside} matches that lie outside of the line are not drawn"
    return markup(root), caption + "."
