"""The division of a city into classes and groups (section III-E of the paper).

A class is a square cell of M metres seen under one of 360 / alpha headings. A group holds the
classes whose cell and heading numbers are congruent modulo N, N and L, so that two of its classes
are at least (N - 1) M metres or L - 1 heading steps apart.

Without positions, time stands for way: a class is a stretch of frames of one clip, and a group
holds stretches that are congruent modulo N by their number in the clip plus the clip's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.errors import ConfigError

DEFAULT_MIN_IMAGES = 4
MIN_CELL = 0.01
"""Smallest M, metres: below it a cell's number no longer fits its four bytes."""


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ConfigError(problem)


@dataclass(frozen=True)
class Division:
    """How places are made from positions and headings.

    Attributes:
        M: side of a cell, metres.
        alpha: width of a heading class, degrees; with 360 headings do not matter.
        N: cells after which a group repeats, in both directions.
        L: heading classes after which a group repeats.
        min_images: places with fewer images are dropped.
        groups: how many groups of a city are used; those without a place do not count.
    """

    M: float = 15.0
    alpha: float = 60.0
    N: int = 3
    L: int = 2
    min_images: int = DEFAULT_MIN_IMAGES
    groups: int = 18

    def __post_init__(self) -> None:
        """Raise ConfigError where the values make no division."""
        _require(MIN_CELL <= self.M < math.inf, f"M={self.M:g} is below {MIN_CELL:g} metres")
        _require(0.01 <= self.alpha <= 360, f"alpha={self.alpha:g} is not from 0.01 to 360 degrees")
        for name in ("N", "L", "min_images", "groups"):
            _require(getattr(self, name) >= 1, f"{name}={getattr(self, name)} is below 1")
        _require(self.N < 1 << 16, f"N={self.N} is above 65535")
        classes = 360 / self.alpha
        _require(
            abs(classes - round(classes)) < 1e-9,
            f"alpha={self.alpha:g} does not divide the circle: 360/alpha must be a whole number",
        )
        _require(
            round(classes) % self.L == 0,
            f"L={self.L} does not divide the {round(classes)} headings of alpha={self.alpha:g}:"
            " the last and the first of them, which are neighbours, would share a group",
        )

    @property
    def headings(self) -> int:
        """Number of heading classes."""
        return round(360 / self.alpha)

    @property
    def needs_heading(self) -> bool:
        """Whether an image without a heading belongs nowhere."""
        return self.headings > 1


@dataclass(frozen=True)
class OwnPlaces:
    """A dataset that says itself which images show the same place; its cities are its groups.

    min_images: places with fewer images are dropped.
    """

    min_images: int = DEFAULT_MIN_IMAGES

    def __post_init__(self) -> None:
        """Raise ConfigError for less than one image."""
        _require(self.min_images >= 1, f"min_images={self.min_images} is below 1")

    @property
    def groups(self) -> int:
        """Number of groups of a city."""
        return 1


@dataclass(frozen=True)
class Stretches:
    """How places are made of clips without positions.

    Two places of one group and clip have at least N - 1 places between them, so that neighbours,
    which may show the same, are never told apart. What two clips show counts as different.

    Attributes:
        length: consecutive frames of a clip that make a place; fewer at its end join the last one.
        N: places of a clip after which a group repeats.
        min_images: places with fewer images are dropped.
    """

    length: int = 8
    N: int = 2
    min_images: int = DEFAULT_MIN_IMAGES

    def __post_init__(self) -> None:
        """Raise ConfigError where the values make no division."""
        for name in ("length", "min_images"):
            _require(getattr(self, name) >= 1, f"{name}={getattr(self, name)} is below 1")
        _require(self.N >= 2, f"N={self.N} is below 2: neighbouring places would share a group")
        _require(self.N < 1 << 16, f"N={self.N} is above 65535")

    @property
    def groups(self) -> int:
        """Number of groups of a city."""
        return self.N


AnyDivision: TypeAlias = Division | OwnPlaces | Stretches


PUBLISHED: Mapping[str, AnyDivision] = {
    "gsv-cities": OwnPlaces(),
    "sf-xl": Division(M=10.0, alpha=60.0, N=5, L=2, groups=1),
    "pitts30k": Division(M=15.0, alpha=60.0, N=3, L=2, groups=18),
    "msls": Division(M=15.0, alpha=60.0, N=3, L=2, groups=18),
}


def with_settings(division: AnyDivision, values: Mapping[str, str]) -> AnyDivision:
    """Return the division with some settings changed; values as the user wrote them.

    Raises:
        ConfigError: no such setting, no number, or settings that make no division together.
    """
    kinds = {field.name: type(getattr(division, field.name)) for field in fields(division)}
    numbers: dict[str, float] = {}
    for key, value in values.items():
        if key not in kinds:
            raise ConfigError(f"there is no setting {key!r}; there is {', '.join(kinds)}")
        try:
            numbers[key] = kinds[key](value)
        except ValueError:
            kind = "whole number" if kinds[key] is int else "number"
            raise ConfigError(f"{key}={value} is not a {kind}") from None
    return replace(division, **numbers)  # type: ignore[arg-type]


def cells(coordinates: NDArray[np.float64], side: float) -> NDArray[np.int64]:
    """Return the number of the cell that each coordinate (metres) lies in: floor, also below 0."""
    return np.floor_divide(coordinates, side).astype(np.int64)


def stretches(
    positions: NDArray[np.int64], frames: NDArray[np.int64], length: int
) -> NDArray[np.int64]:
    """Return the number of the stretch that each frame lies in.

    positions: of the frames in their clips, from 0. frames: of each one's clip, as many.
    """
    last = np.maximum(frames // length, 1) - 1
    return np.minimum(positions // length, last)


def heading_classes(headings: NDArray[np.float64], division: Division) -> NDArray[np.int64]:
    """Return the heading class of each heading, degrees of any sign and turn; 360 belongs to 0.

    NaN, where headings do not matter, belongs to class 0.
    """
    if not division.needs_heading:
        return np.zeros(headings.shape, dtype=np.int64)
    # The remainder of a tiny negative angle rounds to 360 itself.
    turned = np.mod(headings, 360.0)
    turned[turned == 360.0] = 0.0
    numbers = np.floor_divide(turned, division.alpha).astype(np.int64)
    return np.minimum(numbers, division.headings - 1)  # alpha such as 7.2 is no exact float
