"""The street plan: crossings, carriageways, blocks and the lots along their edges.

A plan is a grid of crossings pushed out of line, so that streets meet at odd angles and no two
blocks are alike. Everything is in metres in the map frame: x east, y north.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Street:
    """A straight piece of street between two neighbouring crossings."""

    start: tuple[int, int]  # row and column of the crossing it leaves
    end: tuple[int, int]
    carriageway: float  # width between the kerbs
    pavement: float  # width of each pavement
    cobbled: bool
    trees: bool
    parking: tuple[bool, bool]  # cars may stand at the left, the right kerb


@dataclass(frozen=True)
class Lot:
    """A piece of a block's edge: from `start` to `end`, the block on the left."""

    start: Points  # [2]
    end: Points  # [2]
    depth: float
    back: Points  # [2, 2], what lies behind start and end; mitred where the block turns
    corner: int | None  # number of the block's corner that the lot touches
    chamfer: bool  # the lot is the cut corner itself
    open_start: bool  # a house of the same row stands at `start`, not the block's corner
    open_end: bool

    @property
    def width(self) -> float:
        """Length of the front."""
        return float(np.linalg.norm(self.end - self.start))

    @property
    def along(self) -> Points:
        """Unit vector along the front [2]."""
        return (self.end - self.start) / self.width

    @property
    def inward(self) -> Points:
        """Unit vector from the front into the block [2]."""
        along = self.along
        return np.array([-along[1], along[0]])


@dataclass(frozen=True)
class Block:
    """What four streets enclose, as convex polygons that turn counter-clockwise."""

    kerb: Points  # [K, 2], corners rounded
    front: Points  # [F, 2], the building line, corners cut
    lots: tuple[Lot, ...]
    park: bool


@dataclass(frozen=True)
class Plan:
    """Crossings [rows, columns, 2], the streets between them and the blocks they enclose."""

    crossings: Points
    streets: tuple[Street, ...]
    blocks: tuple[Block, ...]

    def street(self, first: tuple[int, int], second: tuple[int, int]) -> Street:
        """The street between two crossings, in either direction; KeyError where there is none."""
        for street in self.streets:
            if {street.start, street.end} == {first, second}:
                return street
        raise KeyError(f"no street between the crossings {first} and {second}")

    def ends(self, street: Street) -> tuple[Points, Points]:
        """Where a street begins and ends, both [2]."""
        return self.crossings[street.start], self.crossings[street.end]


def inset(polygon: ArrayLike, distances: Sequence[float]) -> Points:
    """Move each edge of a convex counter-clockwise polygon inwards by its own distance.

    Edge i runs from corner i to corner i + 1. Returns as many corners [N, 2] as were given.
    """
    corners = np.asarray(polygon, float)
    along = np.roll(corners, -1, axis=0) - corners
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    inward = np.stack([-along[:, 1], along[:, 0]], axis=1)
    points = corners + inward * np.asarray(distances, float)[:, None]
    moved = []
    for this in range(len(corners)):
        before = this - 1
        # point + s * along meets the line of the edge before
        system = np.stack([along[this], -along[before]], axis=1)
        s, _ = np.linalg.solve(system, points[before] - points[this])
        moved.append(points[this] + s * along[this])
    return np.array(moved)


def rounded(polygon: Points, radius: float, steps: int = 6) -> Points:
    """Replace each corner of a convex polygon by an arc that leaves the edges at `radius`."""
    out = []
    for before, corner, after in zip(
        np.roll(polygon, 1, axis=0), polygon, np.roll(polygon, -1, axis=0), strict=True
    ):
        first = corner + radius * (before - corner) / np.linalg.norm(before - corner)
        last = corner + radius * (after - corner) / np.linalg.norm(after - corner)
        t = np.linspace(0, 1, steps)[:, None]  # quadratic Bezier curve
        out.append((1 - t) ** 2 * first + 2 * t * (1 - t) * corner + t**2 * last)
    return np.concatenate(out)


def cut(polygon: Points, lengths: Sequence[float]) -> tuple[Points, list[bool]]:
    """Cut each corner off by its length along both edges (0 keeps it).

    Returns the corners [N, 2] and, for each edge that starts at one of them, whether it is a cut.
    """
    out: list[Points] = []
    cuts: list[bool] = []
    for before, corner, after, length in zip(
        np.roll(polygon, 1, axis=0), polygon, np.roll(polygon, -1, axis=0), lengths, strict=True
    ):
        if length <= 0:
            out.append(corner)
            cuts.append(False)
            continue
        out.append(corner + length * (before - corner) / np.linalg.norm(before - corner))
        out.append(corner + length * (after - corner) / np.linalg.norm(after - corner))
        cuts += [True, False]
    return np.array(out), cuts


def make_plan(
    seed: int, rows: int = 5, columns: int = 5, pitch: float = 78.0, jitter: float = 9.0
) -> Plan:
    """Draw a plan of rows x columns crossings, `pitch` metres apart on average, from a seed."""
    rng = np.random.default_rng([seed, 10])
    x = np.cumsum(rng.uniform(0.82, 1.18, columns)) * pitch
    y = np.cumsum(rng.uniform(0.82, 1.18, rows)) * pitch
    crossings = np.stack(np.meshgrid(x - x.mean(), y - y.mean()), axis=-1)
    crossings += rng.uniform(-jitter, jitter, crossings.shape)

    def widths() -> tuple[float, float, bool, bool]:
        cobbled = bool(rng.random() < 0.3)
        # Room for cars at both kerbs and for two lanes between them.
        carriageway = float(rng.uniform(8.5, 9.2) if cobbled else rng.uniform(8.8, 10.6))
        return carriageway, float(rng.uniform(2.6, 3.8)), cobbled, bool(rng.random() < 0.45)

    by_row = [widths() for _ in range(rows)]
    by_column = [widths() for _ in range(columns)]
    streets = []
    for row in range(rows):
        for column in range(columns):
            for end, made in (
                ((row, column + 1), by_row[row]),
                ((row + 1, column), by_column[column]),
            ):
                if end[0] < rows and end[1] < columns:
                    parking = (bool(rng.random() < 0.7), bool(rng.random() < 0.7))
                    streets.append(Street((row, column), end, *made, parking))

    blocks = []
    for row in range(rows - 1):
        for column in range(columns - 1):
            polygon = np.array(
                [
                    crossings[row, column],
                    crossings[row, column + 1],
                    crossings[row + 1, column + 1],
                    crossings[row + 1, column],
                ]
            )
            around = [by_row[row], by_column[column + 1], by_row[row + 1], by_column[column]]
            blocks.append(_block(rng, polygon, around))
    return Plan(crossings, tuple(streets), tuple(blocks))


def _block(
    rng: np.random.Generator, polygon: Points, around: list[tuple[float, float, bool, bool]]
) -> Block:
    kerb = inset(polygon, [made[0] / 2 for made in around])
    line = inset(polygon, [made[0] / 2 + made[1] for made in around])
    cuts = [float(rng.choice([0.0, 2.4, 3.4])) for _ in line]
    front, is_cut = cut(line, cuts)
    park = bool(rng.random() < 0.12)
    return Block(rounded(kerb, 3.2), front, tuple(_lots(rng, front, is_cut)), park)


def _lots(rng: np.random.Generator, front: Points, is_cut: list[bool]) -> list[Lot]:
    lots: list[Lot] = []
    depth = float(rng.uniform(9.0, 11.0))
    corners = sum(not cut for cut in is_cut)
    # The number of a corner goes up after the cut (or at a sharp corner), so that the last lot of
    # one edge, the cut, and the first lot of the next edge share it.
    corner = 0
    for index, (start, end) in enumerate(zip(front, np.roll(front, -1, axis=0), strict=True)):
        length = float(np.linalg.norm(end - start))
        along = (end - start) / length
        inward = np.array([-along[1], along[0]])
        if is_cut[index]:
            back = np.array([start, end])
            lots.append(Lot(start, end, 0.0, back, corner, True, False, False))
            continue
        count = max(2, round(length / float(rng.uniform(8.5, 10.5))))
        shares = rng.uniform(0.7, 1.3, count)
        marks = np.concatenate([[0.0], np.cumsum(shares) / shares.sum()]) * length
        for piece in range(count):
            first, last = piece == 0, piece == count - 1
            a, b = start + marks[piece] * along, start + marks[piece + 1] * along
            touched = corner if first else (corner + 1) % corners if last else None
            # Drawn in at the block's corner, so that the side cannot stick out of the next front.
            drawn_in = 0.45 * min(depth, marks[piece + 1] - marks[piece])
            back = np.array(
                [
                    a + depth * inward + (drawn_in if first else 0.0) * along,
                    b + depth * inward - (drawn_in if last else 0.0) * along,
                ]
            )
            lots.append(Lot(a, b, depth, back, touched, False, not first, not last))
        corner += 1
    return lots
