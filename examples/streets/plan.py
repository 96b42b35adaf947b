"""The street plan: crossings, carriageways, blocks and the lots along their edges.

A plan is a grid of crossings pushed out of line, so that streets meet at odd angles and no two
blocks are alike; the kind of town says how far, how wide its streets are and how its houses stand.
Everything is in metres in the map frame: x east, y north.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]
Span = tuple[float, float]  # drawn evenly from the first to the second
Kind = Literal[
    "quarter", "grid", "oldtown", "suburb", "rows", "industry", "campus", "business"
]  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How a kind of town is laid out. Lengths in metres, chances 0..1.

    detached: houses stand free behind the building line, else wall to wall along it. setback: how
    far behind it; step: how far single houses of a row stand back from the others. gap: between
    detached houses. cuts: lengths by which the blocks' corners may be cut.
    """

    pitch: float
    jitter: float
    carriageway: Span
    pavement: Span
    cobbled: float
    trees: float
    parking: float
    width: Span
    depth: Span
    detached: bool = False
    setback: Span = (0.0, 0.0)
    step: float = 0.0
    gap: Span = (0.0, 0.0)
    cuts: tuple[float, ...] = (0.0,)
    park: float = 0.0


LAYOUTS: dict[Kind, Layout] = {
    "quarter": Layout(
        78.0, 9.0, (8.8, 10.6), (2.6, 3.8), 0.3, 0.45, 0.7, (8.5, 10.5), (9.0, 11.0),
        cuts=(0.0, 2.4, 3.4), park=0.12,
    ),
    "grid": Layout(
        84.0, 1.0, (9.4, 13.0), (3.0, 5.0), 0.0, 0.55, 0.85, (13.0, 22.0), (12.0, 15.0),
        cuts=(0.0, 0.0, 4.5), park=0.08,
    ),
    "oldtown": Layout(
        58.0, 9.0, (4.8, 6.4), (1.3, 2.2), 0.85, 0.06, 0.0, (5.2, 8.0), (7.5, 9.0),
        step=1.3, cuts=(0.0, 0.0, 1.8), park=0.1,
    ),
    "suburb": Layout(
        74.0, 10.0, (5.6, 8.6), (1.4, 2.2), 0.05, 0.3, 0.5, (8.0, 13.0), (8.0, 10.5),
        detached=True, setback=(3.5, 8.0), gap=(3.5, 8.0), park=0.05,
    ),
    "rows": Layout(
        72.0, 4.0, (8.4, 9.4), (1.8, 2.6), 0.1, 0.35, 0.8, (5.0, 6.6), (8.0, 9.0),
        setback=(1.6, 4.0), park=0.06,
    ),
    "industry": Layout(
        96.0, 3.0, (8.6, 11.5), (1.5, 2.4), 0.1, 0.15, 0.5, (20.0, 38.0), (16.0, 24.0),
        detached=True, setback=(2.5, 9.0), gap=(5.0, 14.0),
    ),
    "campus": Layout(
        92.0, 7.0, (6.0, 8.6), (2.0, 3.2), 0.15, 0.7, 0.35, (16.0, 30.0), (10.0, 14.0),
        detached=True, setback=(6.0, 12.0), gap=(8.0, 16.0), park=0.2,
    ),
    "business": Layout(
        88.0, 2.0, (10.5, 14.0), (3.6, 6.0), 0.0, 0.5, 0.6, (16.0, 28.0), (14.0, 20.0),
        detached=True, setback=(0.5, 5.0), gap=(3.0, 10.0), park=0.1,
    ),
}  # fmt: skip
KINDS: tuple[Kind, ...] = tuple(LAYOUTS)


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
    detached: bool = False  # nothing is built against its sides
    setback: float = 0.0  # from the building line to the front

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
    kind: Kind = "quarter"
    outskirts: tuple[Block, ...] = ()  # across the outermost streets, with one row of lots each

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


def kind_of(seed: int) -> Kind:
    """The kind of town that a seed makes where none is asked for: each in turn."""
    return KINDS[(seed + 1) % len(KINDS)]


def make_plan(seed: int, rows: int = 5, columns: int = 5, kind: Kind = "quarter") -> Plan:
    """Draw a plan of rows x columns crossings of a kind of town from a seed."""
    layout = LAYOUTS[kind]
    rng = np.random.default_rng([seed, 10])
    even = 0.18 if layout.jitter > 2 else 0.1
    x = np.cumsum(rng.uniform(1 - even, 1 + even, columns)) * layout.pitch
    y = np.cumsum(rng.uniform(1 - even, 1 + even, rows)) * layout.pitch
    crossings = np.stack(np.meshgrid(x - x.mean(), y - y.mean()), axis=-1)
    crossings += rng.uniform(-layout.jitter, layout.jitter, crossings.shape)

    by_row = [_drawn_street(rng, layout) for _ in range(rows)]
    by_column = [_drawn_street(rng, layout) for _ in range(columns)]
    streets = []
    for row in range(rows):
        for column in range(columns):
            for end, made in (
                ((row, column + 1), by_row[row]),
                ((row + 1, column), by_column[column]),
            ):
                if end[0] < rows and end[1] < columns:
                    # Cars at a kerb leave room for both lanes, or there are none.
                    chance = layout.parking if made[0] > _ROOM_TO_PARK else 0.0
                    parking = (bool(rng.random() < chance), bool(rng.random() < chance))
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
            blocks.append(_block(rng, layout, polygon, around))
    outskirts = _outskirts(rng, layout, crossings, by_row, by_column)
    return Plan(crossings, tuple(streets), tuple(blocks), kind, outskirts)


_ROOM_TO_PARK = 8.2  # metres between the kerbs
_Made = tuple[float, float, bool, bool]  # carriageway, pavement, cobbled, trees


def _drawn_street(rng: np.random.Generator, layout: Layout) -> _Made:
    cobbled = bool(rng.random() < layout.cobbled)
    low, high = layout.carriageway
    carriageway = float(rng.uniform(low, 0.5 * (low + high) if cobbled else high))
    trees = bool(rng.random() < layout.trees)
    return carriageway, float(rng.uniform(*layout.pavement)), cobbled, trees


def _block(rng: np.random.Generator, layout: Layout, polygon: Points, around: list[_Made]) -> Block:
    kerb = inset(polygon, [made[0] / 2 for made in around])
    line = inset(polygon, [made[0] / 2 + made[1] for made in around])
    cuts = [float(rng.choice(layout.cuts)) for _ in line]
    front, is_cut = cut(line, cuts)
    park = bool(rng.random() < layout.park)
    if layout.detached:
        lots = _detached_lots(rng, layout, front)
    else:
        setback = float(rng.uniform(*layout.setback))
        row = inset(front, [setback] * len(front)) if setback else front
        lots = [replace(lot, setback=setback) for lot in _lots(rng, layout, row, is_cut)]
    return Block(rounded(kerb, min(3.2, 0.5 * layout.carriageway[0])), front, tuple(lots), park)


def _outskirts(
    rng: np.random.Generator, layout: Layout, crossings: Points,
    by_row: list[_Made], by_column: list[_Made],
) -> tuple[Block, ...]:  # fmt: skip
    """What closes the view at the town's edge: blocks across the outermost streets."""
    rows, columns = crossings.shape[:2]
    ring = [
        *((crossings[0, c + 1], crossings[0, c], by_row[0]) for c in range(columns - 1)),
        *((crossings[rows - 1, c], crossings[rows - 1, c + 1], by_row[-1])
          for c in range(columns - 1)),
        *((crossings[r, 0], crossings[r + 1, 0], by_column[0]) for r in range(rows - 1)),
        *((crossings[r + 1, columns - 1], crossings[r, columns - 1], by_column[-1])
          for r in range(rows - 1)),
    ]  # fmt: skip
    blocks = []
    for start, end, made in ring:
        along = (end - start) / np.linalg.norm(end - start)
        out = 0.9 * layout.pitch * np.array([-along[1], along[0]])
        polygon = np.array([start, end, end + out, start + out])
        nothing = (0.02, 0.02, False, False)
        block = _block(rng, replace(layout, cuts=(0.0,)), polygon, [made, *[nothing] * 3])
        lots = tuple(
            replace(lot, corner=None) for lot in block.lots if float(lot.along @ along) > 0.99
        )
        blocks.append(replace(block, lots=lots))
    return tuple(blocks)


def _detached_lots(rng: np.random.Generator, layout: Layout, front: Points) -> list[Lot]:
    """Ground for houses along every edge that stand clear of each other and of the streets."""
    lots: list[Lot] = []
    taken: list[NDArray[np.float32]] = []
    least = 0.8 * layout.setback[0]
    inside = inset(front, [least] * len(front)).astype(np.float32)
    usual = float(rng.uniform(*layout.setback))
    for start, end in zip(front, np.roll(front, -1, axis=0), strict=True):
        length = float(np.linalg.norm(end - start))
        along = (end - start) / length
        inward = np.array([-along[1], along[0]])
        at = float(rng.uniform(*layout.gap))
        while at < length:
            width = float(rng.uniform(*layout.width))
            depth = float(rng.uniform(*layout.depth))
            setback = float(np.clip(usual + rng.normal(0, 1.2), *layout.setback))
            a = start + at * along + setback * inward
            b = a + width * along
            back = np.array([a + depth * inward, b + depth * inward])
            shape = np.array([a, b, back[1], back[0]], np.float32)
            grown = shape + 1.2 * np.sign(shape - shape.mean(axis=0))
            if all(
                cv2.pointPolygonTest(inside, (float(x), float(y)), True) >= 0 for x, y in shape
            ) and not any(cv2.intersectConvexConvex(grown, other)[0] > 0 for other in taken):
                lots.append(
                    Lot(a, b, depth, back, None, False, True, True, detached=True, setback=setback)
                )
                taken.append(shape)
                at += width + float(rng.uniform(*layout.gap))
            else:
                at += 2.5
    return lots


def _within(front: Points, point: Points) -> Points:
    """The point, or where it was outside the building line, one on the way to the middle."""
    line, middle = front.astype(np.float32), front.mean(axis=0)
    while cv2.pointPolygonTest(line, (float(point[0]), float(point[1])), True) < 0:
        point = point + 0.1 * (middle - point)
    return point


def _lots(rng: np.random.Generator, layout: Layout, front: Points, is_cut: list[bool]) -> list[Lot]:
    lots: list[Lot] = []
    depth = float(rng.uniform(*layout.depth))
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
        count = max(2, round(length / float(rng.uniform(*layout.width))))
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
            back = np.array([_within(front, point) for point in back])
            if touched is None and layout.step:
                behind = float(rng.uniform(0.0, layout.step)) * inward
                a, b, back = a + behind, b + behind, back + behind
            lots.append(Lot(a, b, depth, back, touched, False, not first, not last))
        corner += 1
    return lots
