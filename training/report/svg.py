"""Small parts of inline SVG: elements, axes and their ticks.

Colours come from the page's style sheet by class, so that a drawing follows light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

Element = ElementTree.Element
SERIES = 6  # line styles that the style sheet tells apart, by colour, dashes and marker


def element(
    parent: Element | None, tag: str, text: str | None = None, **attributes: object
) -> Element:
    """Make an element, below a parent if there is one.

    attributes: `class_` and names with underscores become `class` and names with hyphens; floats
    are cut to two decimals.
    """
    named = {
        name.rstrip("_").replace("_", "-"): number(value)
        if isinstance(value, float)
        else str(value)
        for name, value in attributes.items()
    }
    made = Element(tag, named) if parent is None else ElementTree.SubElement(parent, tag, named)
    made.text = text
    return made


def number(value: float) -> str:
    """Write a coordinate: two decimals at most, no trailing zeros."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def drawing(width: float, height: float, title: str) -> Element:
    """Begin a drawing of this size, with the title that a screen reader says."""
    root = element(
        None, "svg", viewBox=f"0 0 {number(width)} {number(height)}", role="img", aria_label=title
    )
    root.set("preserveAspectRatio", "xMidYMid meet")
    return root


def markup(root: Element) -> Markup:
    """Return a finished drawing, every text in it escaped, for an HTML page."""
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def path(points: ArrayLike) -> str:
    """Return the `d` of a line through points [K, 2]."""
    pairs = np.asarray(points, np.float64)
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in pairs)


def dots(points: ArrayLike) -> str:
    """Return the `d` of a dot at each of the points [K, 2], for a stroke with round caps."""
    pairs = np.asarray(points, np.float64)
    return "".join(f"M{number(x)} {number(y)}h0" for x, y in pairs)


def marker(parent: Element, series: int, x: float, y: float, title: str | None = None) -> Element:
    """Draw the marker of a series: a circle, square, diamond, triangle, cross or plus."""
    shapes = (
        "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
        "M-3.6-3.6h7.2v7.2h-7.2z",
        "M0-5L5 0L0 5L-5 0z",
        "M0-5L4.6 3.4H-4.6z",
        "M-3.6-3.6L3.6 3.6M3.6-3.6L-3.6 3.6",
        "M-4.6 0H4.6M0-4.6V4.6",
    )
    made = element(
        parent, "path", class_=f"marker series-{series % SERIES}", d=shapes[series % SERIES],
        transform=f"translate({number(x)} {number(y)})",
    )  # fmt: skip
    if title is not None:
        element(made, "title", title)
    return made


@dataclass(frozen=True)
class Axis:
    """One axis of a plot.

    low, high: the values at its ends. start, end: their places in the drawing. ticks: the values
    that are labelled. label: what it shows. log: whether it is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[float]
    label: str
    write: Callable[[float], str] = number
    log: bool = False

    def __call__(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the places of values [K] in the drawing."""
        low, high = self.low, self.high
        at = np.asarray(values, np.float64)
        if self.log:
            low, high, at = math.log(low), math.log(high), np.log(at)
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def at(self, value: float) -> float:
        """Return the place of one value in the drawing."""
        return float(self(value))


def axes(root: Element, x: Axis, y: Axis) -> None:
    """Draw both axes with their grid, ticks and labels."""
    left, right, bottom, top = x.start, x.end, y.start, y.end
    for tick in x.ticks:
        at = x.at(tick)
        element(root, "line", class_="grid", x1=at, x2=at, y1=bottom, y2=top)
        element(root, "text", x.write(tick), class_="tick", x=at, y=bottom + 17,
                text_anchor="middle")  # fmt: skip
    for tick in y.ticks:
        at = y.at(tick)
        element(root, "line", class_="grid", x1=left, x2=right, y1=at, y2=at)
        element(root, "text", y.write(tick), class_="tick", x=left - 7, y=at + 4,
                text_anchor="end")  # fmt: skip
    element(root, "path", class_="axis", d=path([(left, top), (left, bottom), (right, bottom)]))
    element(root, "text", x.label, class_="label", x=(left + right) / 2, y=bottom + 35,
            text_anchor="middle")  # fmt: skip
    middle = (top + bottom) / 2
    element(root, "text", y.label, class_="label", text_anchor="middle",
            transform=f"translate(13 {number(middle)}) rotate(-90)")  # fmt: skip


def round_step(span: float, steps: int) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that fits `steps` times into a span."""
    rough = span / steps
    power = 10.0 ** math.floor(math.log10(rough))
    return max(factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= rough * 1.000001)
