from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.report.svg import (
    Axis,
    dots,
    drawing,
    element,
    marker,
    markup,
    number,
    path,
    round_step,
)


def test_texts_and_attributes_are_escaped() -> None:
    root = drawing(10, 10, 'a "b" <c> & d')
    element(root, "title", "<script>&")
    element(root, "circle", class_="x", cx=1.0, stroke_width=2)
    text = str(markup(root))
    assert 'aria-label="a &quot;b&quot; &lt;c&gt; &amp; d"' in text
    assert "<title>&lt;script&gt;&amp;</title>" in text
    assert '<circle class="x" cx="1" stroke-width="2" />' in text


def test_numbers_are_short() -> None:
    assert [number(v) for v in (1.0, -0.001, 0.126, 100.0, -2.5)] == [
        "1", "0", "0.13", "100", "-2.5",
    ]  # fmt: skip
    assert path([(0, 1), (2.5, -3)]) == "M0 1L2.5 -3"
    assert dots(np.array([(1, 2), (3, 4)])) == "M1 2h0M3 4h0"


def test_every_style_has_a_marker_of_its_own() -> None:
    shapes = {marker(drawing(1, 1, ""), series, 0, 0).get("d") for series in range(6)}
    assert len(shapes) == 6


def test_axes_map_their_ends() -> None:
    linear = Axis(10, 20, 0, 100, (), "")
    assert linear([10, 15, 20]).tolist() == [0, 50, 100]
    logarithmic = Axis(1, 100, 300, 100, (), "", log=True)
    assert logarithmic([1, 10, 100]).tolist() == pytest.approx([300, 200, 100])


@given(st.floats(1e-6, 1e9), st.integers(1, 12))
def test_a_round_step_fits_and_is_not_much_too_small(span: float, steps: int) -> None:
    step = round_step(span, steps)
    assert step * steps <= span * 1.00001
    assert step * steps >= span / 2.6
    assert f"{step:e}"[0] in "125"
