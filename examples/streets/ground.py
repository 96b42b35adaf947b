"""What lies on the ground of a town: carriageways, pavements, lawns, paths, rails and markings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from examples.streets import materials
from examples.streets.materials import Colour
from examples.streets.plan import Kind, Plan, Street, inset

Points = NDArray[np.float64]
Material = Literal["asphalt", "paving", "cobbles", "grass", "bricks", "gravel"]


@dataclass(frozen=True)
class Patch:
    """A piece of ground: polygon [K, 2], what it is made of and its mean colour."""

    polygon: Points
    material: Material
    colour: Colour


ASPHALT: Colour = (92, 93, 96)
COBBLES: Colour = (128, 120, 112)
PAVING: Colour = (158, 154, 146)
KERB: Colour = (182, 180, 174)
GUTTER: Colour = (78, 78, 80)
LAWN: Colour = (92, 126, 62)
PAINT: Colour = (222, 222, 216)
RAIL: Colour = (148, 146, 142)
_PAVEMENTS: tuple[tuple[Material, Colour], ...] = (
    ("paving", PAVING), ("paving", (140, 138, 136)), ("bricks", (148, 112, 98)),
    ("bricks", (140, 134, 126)), ("asphalt", (112, 112, 114)), ("cobbles", (136, 130, 122)),
)  # fmt: skip
_NARROW = 7.0  # metres between the kerbs below which no line divides the lanes
_TRAMS: tuple[Kind, ...] = ("quarter", "grid", "business")


def yard(kind: Kind) -> tuple[Material, Colour]:
    """What lies behind the building line, around the houses, in a kind of town."""
    yards: dict[Kind, tuple[Material, Colour]] = {
        "suburb": ("grass", LAWN), "rows": ("grass", LAWN), "campus": ("grass", LAWN),
        "industry": ("asphalt", (118, 116, 112)), "business": ("paving", (150, 148, 144)),
    }  # fmt: skip
    return yards.get(kind, ("paving", (112, 110, 104)))


def strip(
    start: Points, along: Points, begin: float, end: float, centre: float, width: float
) -> Points:
    """A rectangle [4, 2] along a street: from `begin` to `end`, its middle `centre` to the left."""
    left = np.array([-along[1], along[0]])
    a, b = start + begin * along + centre * left, start + end * along + centre * left
    half = 0.5 * width * left
    return np.array([a - half, b - half, b + half, a + half])


def patches(rng: np.random.Generator, plan: Plan) -> Iterator[Patch]:
    """All of a town's ground but gardens, in the order in which it is laid."""
    spans = []
    for street in plan.streets:
        start, end = plan.ends(street)
        length = float(np.linalg.norm(end - start))
        spans.append((street, start, (end - start) / length, length))
    road = materials.shade(ASPHALT, float(rng.uniform(0.78, 1.22)))
    for street, start, along, length in spans:
        if street.cobbled:
            area = strip(start, along, 4.0, length - 4.0, 0.0, street.carriageway + 2)
            yield Patch(area, "cobbles", materials.shade(COBBLES, float(rng.uniform(0.8, 1.15))))
        else:
            own = materials.shade(road, float(rng.uniform(0.88, 1.12)))
            area = strip(start, along, 0.0, length, 0.0, street.carriageway + 2)
            yield Patch(area, "asphalt", own)
            yield from _mended(rng, own, start, along, length, street.carriageway)
        yield from _covers(rng, start, along, length)
    usual = _PAVEMENTS[int(rng.integers(len(_PAVEMENTS)))]
    material, colour = yard(plan.kind)
    for block in (*plan.blocks, *plan.outskirts):
        count = len(block.kerb)
        pavement = usual if rng.random() < 0.7 else _PAVEMENTS[int(rng.integers(3))]
        tone = materials.shade(pavement[1], float(rng.uniform(0.85, 1.1)))
        yield Patch(inset(block.kerb, [-0.35] * count), "asphalt", GUTTER)
        yield Patch(block.kerb, "asphalt", materials.shade(KERB, float(rng.uniform(0.8, 1.05))))
        yield Patch(inset(block.kerb, [0.2] * count), pavement[0], tone)
        inner = materials.shade(colour, float(rng.uniform(0.85, 1.12)))
        if block.park:
            yield Patch(block.front, "grass", materials.shade(LAWN, float(rng.uniform(0.85, 1.1))))
            yield from _walks(rng, block.front)
        else:
            yield Patch(block.front, material, inner)
    for street, start, along, length in spans:
        if not street.cobbled:
            yield from _markings(rng, plan.kind, street, start, along, length)
    yield from _rails(rng, plan)


def _mended(
    rng: np.random.Generator, own: Colour, start: Points, along: Points, length: float,
    carriageway: float,
) -> Iterator[Patch]:  # fmt: skip
    """Patches, trenches, tarred cracks and stains."""
    reach = 0.5 * carriageway - 0.8
    for _ in range(int(rng.integers(2, 7))):
        at = float(rng.uniform(8, length - 14))
        area = strip(
            start, along, at, at + float(rng.uniform(1.0, 9)), float(rng.uniform(-reach, reach)),
            float(rng.uniform(0.6, 2.2)),
        )  # fmt: skip
        yield Patch(area, "asphalt", materials.shade(own, float(rng.uniform(0.7, 1.2))))
    for _ in range(int(rng.integers(0, 5))):
        at, side = float(rng.uniform(6, length - 12)), float(rng.uniform(-reach, reach))
        long = float(rng.uniform(1.5, 6))
        turned = along + float(rng.normal(0, 0.5)) * np.array([-along[1], along[0]])
        turned /= np.linalg.norm(turned)
        foot = strip(start, along, at, at, side, 0.0)[0]
        area = strip(foot, turned, 0.0, min(long, reach), 0.0, 0.06)
        yield Patch(area, "asphalt", materials.shade(own, 0.55))
    for _ in range(int(rng.integers(1, 6))):
        at, side = float(rng.uniform(6, length - 6)), float(rng.uniform(-reach, reach))
        turn = np.linspace(0, 2 * np.pi, 10, endpoint=False)
        size = rng.uniform(0.2, 1.1) * rng.uniform(0.6, 1.2, 10)
        ring = strip(start, along, at, at, side, 0.0)[0] + size[:, None] * np.stack(
            [np.cos(turn), np.sin(turn)], axis=1
        )
        yield Patch(ring, "asphalt", materials.shade(own, float(rng.uniform(0.8, 0.95))))


def _covers(
    rng: np.random.Generator, start: Points, along: Points, length: float
) -> Iterator[Patch]:
    """Manhole covers."""
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    for _ in range(3):
        at, side = float(rng.uniform(8, length - 8)), float(rng.uniform(-2.0, 2.0))
        centre = strip(start, along, at, at, side, 0.0)[0]
        ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        yield Patch(centre + 0.34 * ring, "asphalt", (58, 58, 60))
        yield Patch(centre + 0.26 * ring, "bricks", (82, 80, 78))


def _walks(rng: np.random.Generator, front: Points) -> Iterator[Patch]:
    """Gravel walks through a park, from the middle of each side to its centre."""
    middle = front.mean(axis=0)
    for start, end in zip(front, np.roll(front, -1, axis=0), strict=True):
        gate = 0.5 * (start + end)
        away = middle - gate
        long = float(np.linalg.norm(away))
        if np.linalg.norm(end - start) > 10:
            area = strip(gate, away / long, 0.0, long, 0.0, float(rng.uniform(1.8, 3.2)))
            yield Patch(area, "gravel", (178, 160, 130))
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    yield Patch(middle + float(rng.uniform(3, 6)) * ring, "gravel", (178, 160, 130))


def _markings(
    rng: np.random.Generator, kind: Kind, street: Street, start: Points, along: Points,
    length: float,
) -> Iterator[Patch]:  # fmt: skip
    paint = materials.shade(PAINT, float(rng.uniform(0.7, 1.0)))
    if street.carriageway > _NARROW:
        dash, gap = float(rng.uniform(1.5, 3.2)), float(rng.uniform(2.0, 4.5))
        middle = (0.0,) if rng.random() < 0.8 else (-0.12, 0.12)
        whole = rng.random() < 0.2
        at = 12.0
        while at < length - 14.0:
            for centre in middle:
                upto = length - 13.0 if whole else at + dash
                yield Patch(strip(start, along, at, upto, centre, 0.13), "asphalt", paint)
            at = length if whole else at + dash + gap
    quiet = kind in ("suburb", "oldtown")
    if rng.random() < (0.15 if quiet else 0.6):
        tint = (210, 176, 60) if rng.random() < 0.12 else paint
        for near in (8.0, length - 11.0):
            across = -0.5 * street.carriageway + 0.5
            while across < 0.5 * street.carriageway - 0.2:
                yield Patch(strip(start, along, near, near + 3.0, across, 0.5), "asphalt", tint)
                across += 1.0
    elif not quiet:
        quarter = 0.25 * street.carriageway
        for begin, lane in ((length - 8.6, -quarter), (8.0, quarter)):
            area = strip(start, along, begin, begin + 0.5, lane, 2 * quarter - 0.5)
            yield Patch(area, "asphalt", paint)
    for side, parking in zip((1, -1), street.parking, strict=True):
        if not parking and street.carriageway > 9.5 and rng.random() < 0.5:  # a lane for bicycles
            edge = side * (0.5 * street.carriageway - 0.95)
            if rng.random() < 0.6:
                area = strip(start, along, 12.0, length - 12.0, edge, 1.5)
                yield Patch(area, "asphalt", (132, 78, 70))
            line = edge - side * 0.8
            yield Patch(strip(start, along, 12.0, length - 12.0, line, 0.12), "asphalt", paint)
        at = 12.0
        while parking and at < length - 12.0:
            middle_of_bay = side * (0.5 * street.carriageway - 1.05)
            yield Patch(strip(start, along, at, at + 0.1, middle_of_bay, 2.1), "asphalt", paint)
            at += 6.2


def _rails(rng: np.random.Generator, plan: Plan) -> Iterator[Patch]:
    """Two tracks of a tramway along some of the wide streets, over their whole length."""
    rows, columns = plan.crossings.shape[:2]
    if plan.kind not in _TRAMS or rng.random() < 0.4:
        return
    by_row = bool(rng.random() < 0.5)
    line = int(rng.integers(1, max(2, (rows if by_row else columns) - 1)))
    for street in plan.streets:
        fixed = 0 if by_row else 1
        if not street.start[fixed] == street.end[fixed] == line:
            continue
        start, end = plan.ends(street)
        length = float(np.linalg.norm(end - start))
        along = (end - start) / length
        for track in (-1.55, 1.55):
            if not street.cobbled:
                bed = strip(start, along, -0.5, length + 0.5, track, 2.1)
                yield Patch(bed, "paving", (112, 110, 108))
            for rail in (-0.72, 0.72):
                groove = strip(start, along, -0.5, length + 0.5, track + rail, 0.16)
                yield Patch(groove, "asphalt", (60, 58, 56))
                yield Patch(
                    strip(start, along, -0.5, length + 0.5, track + rail, 0.07), "asphalt", RAIL
                )
