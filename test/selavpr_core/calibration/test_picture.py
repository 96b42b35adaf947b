from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from selavpr_core.calibration import choose_thresholds, curve
from selavpr_core.calibration.picture import draw

from .test_thresholds import answers, drawn

SVG = "{http://www.w3.org/2000/svg}"


def drawing(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    return root


def points(line: ElementTree.Element) -> np.ndarray:
    pairs = [pair.split(",") for pair in line.attrib["points"].split()]
    return np.array(pairs, float).reshape(-1, 2)


def test_the_curve_and_the_choice_are_where_they_belong() -> None:
    asked = drawn(np.random.default_rng(0), 80)
    choice = choose_thresholds(asked, 0.9)
    root = drawing(draw(asked, choice, 0.9, "a <map> & more", "of the drive"))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "a <map> & more" in texts
    assert any(text and text.startswith("wanted 90 %") for text in texts)
    swept = curve(asked, choice.margin)
    lines = [line for line in root.iter(f"{SVG}polyline") if line.attrib["stroke-width"] == "2"]
    (line,) = lines
    drawn_points = points(line)
    assert len(drawn_points) == len(swept.thresholds)
    # Recall runs from left to right over 410 pixels, precision upwards.
    np.testing.assert_allclose(drawn_points[:, 0], 76 + 410 * swept.recalls, atol=0.06)
    assert (np.diff(drawn_points[:, 1]) * np.diff(swept.precisions) <= 1e-9).all()
    (dot,) = root.iter(f"{SVG}circle")
    assert float(dot.attrib["cx"]) == pytest.approx(76 + 410 * choice.recall, abs=0.06)
    for shape in (*root.iter(f"{SVG}polyline"), *root.iter(f"{SVG}polygon")):
        inside = points(shape)
        assert (inside >= 0).all()
        assert (inside <= [1040, 550]).all()


@pytest.mark.parametrize(
    "rows",
    [
        [(0.5, 0.1, True, True, 0)],
        [(0.5, 0.1, False, True, 0), (0.5, 0.1, False, False, 1)],
        [(1.0, 2.0, True, True, 0), (-1.0, 0.0, False, False, 0)],
    ],
)
def test_the_least_can_be_drawn(rows) -> None:
    asked = answers(rows)
    text = draw(asked, choose_thresholds(asked, 0.99), 0.99, "t", "s")
    assert "nan" not in text
    drawing(text)
