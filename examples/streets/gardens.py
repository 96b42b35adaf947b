"""What stands between a house and the pavement: paths, drives, hedges, fences, bushes, trees."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.streets import materials
from examples.streets.buildings import House
from examples.streets.furniture import Tree, make_tree
from examples.streets.ground import Material, Patch
from examples.streets.materials import Colour, Image
from examples.streets.plan import Block, Kind, Lot
from examples.streets.surfaces import Surface, Texture, quad

Points = NDArray[np.float64]
_VARIANTS = 5
_FENCES: dict[Kind, tuple[str, ...]] = {
    "suburb": ("hedge", "hedge", "picket", "wall", "rail", "none"),
    "rows": ("wall", "hedge", "rail", "picket"),
    "industry": ("mesh", "mesh", "wall", "none"),
    "campus": ("none", "none", "none", "hedge"),
    "business": ("none", "none", "hedge"),
}
_PATHS: tuple[tuple[Material, Colour], ...] = (
    ("paving", (168, 164, 156)), ("bricks", (150, 112, 96)), ("gravel", (172, 158, 134)),
    ("asphalt", (108, 108, 110)),
)  # fmt: skip


def gap_between_houses(rng: np.random.Generator, lot: Lot) -> tuple[list[Surface], list[Tree]]:
    """A wall, hedge or fence where a house is missing in a row, with trees behind it."""
    kind = str(rng.choice(["hedge", "wall", "mesh", "picket"]))
    front = list(barrier(kind, lot.start, lot.end, float(rng.uniform(1.4, 2.3)), rng))
    trees = []
    for share in rng.uniform(0.2, 0.8, 2):
        x, y = lot.start + share * (lot.end - lot.start) + float(rng.uniform(2.5, 8)) * lot.inward
        trees.append(make_tree(rng, float(x), float(y), 7.0, 11.0))
    return front, trees


def park(rng: np.random.Generator, block: Block) -> tuple[list[Surface], list[Tree]]:
    """A park's edge, open in the middle of each side, and its trees."""
    kind = str(rng.choice(["hedge", "hedge", "rail", "wall"]))
    high = float(rng.uniform(0.6, 1.3))
    surfaces: list[Surface] = []
    for start, end in zip(block.front, np.roll(block.front, -1, axis=0), strict=True):
        for first, last in ((0.0, 0.44), (0.56, 1.0)):
            a, b = start + first * (end - start), start + last * (end - start)
            surfaces += barrier(kind, a, b, high, rng)
    trees = []
    middle = block.front.mean(axis=0)
    for _ in range(26):
        corner = block.front[int(rng.integers(len(block.front)))]
        x, y = middle + float(rng.uniform(0.1, 0.92)) * (corner - middle) + rng.normal(0, 3, 2)
        if cv2.pointPolygonTest(block.front.astype(np.float32), (float(x), float(y)), True) > 0.5:
            bush = rng.random() < 0.3
            low, top = (1.0, 2.5) if bush else (8.0, 15.0)
            made = make_tree(rng, float(x), float(y), low, top, "bush" if bush else None)
            trees.append(made)
    return surfaces, trees


def ground(rng: np.random.Generator, houses: list[House]) -> Iterator[Patch]:
    """Paths to the doors and drives to the gates of houses that stand back from the pavement."""
    material, colour = _PATHS[int(rng.integers(len(_PATHS)))]
    for house in houses:
        lot = house.lot
        if lot.setback <= 0.3:
            continue
        if rng.random() < 0.3:
            material, colour = _PATHS[int(rng.integers(len(_PATHS)))]
        for left, right in _ways(house):
            a, b = lot.start + left * lot.along, lot.start + right * lot.along
            out = -(lot.setback + 0.1) * lot.inward
            yield Patch(np.array([a + out, b + out, b, a]), material, colour)
        if house.facade.seed % 4 == 0 and lot.setback > 2:  # a bed of flowers by the wall
            a, b = lot.start, lot.end
            out = -0.8 * lot.inward
            yield Patch(np.array([a + out, b + out, b, a]), "gravel", (96, 74, 60))


def _ways(house: House) -> list[tuple[float, float]]:
    """Where paths and drives meet the front, metres from its left end."""
    ways = []
    for opening in house.facade.openings:
        if opening.kind == "door":
            middle = 0.5 * (opening.left + opening.right)
            ways.append((middle - 0.65, middle + 0.65))
        elif opening.kind == "gate":
            ways.append((opening.left - 0.1, opening.right + 0.1))
    return ways


def planted(
    rng: np.random.Generator, kind: Kind, block: Block, houses: list[House]
) -> tuple[list[Surface], list[Tree]]:
    """Fences along the building line and what grows behind them, around a block's houses."""
    surfaces: list[Surface] = []
    trees: list[Tree] = []
    styles = _FENCES.get(kind)
    if styles is None:
        return surfaces, trees
    usual = str(rng.choice(styles))
    for start, end in zip(block.front, np.roll(block.front, -1, axis=0), strict=True):
        length = float(np.linalg.norm(end - start))
        along = (end - start) / length
        inward = np.array([-along[1], along[0]])
        row = [house for house in houses if float(house.lot.along @ along) > 0.999]
        row = [house for house in row if abs(_behind(house, start, inward)) < 0.2]
        marks = (
            sorted((float((house.lot.start - start) @ along), house) for house in row)
            if row
            else []
        )
        edges = [0.4]
        for (at, house), (following, _) in itertools.pairwise(marks):
            edges.append(0.5 * (at + house.lot.width + following))
        edges.append(length - 0.4)
        for number, (at, house) in enumerate(marks):
            style = usual if rng.random() < 0.4 else str(rng.choice(styles))
            high = float(rng.uniform(0.7, 1.7)) if kind != "industry" else 2.2
            ways = sorted((at + left, at + right) for left, right in _ways(house))
            for a, b in _between(edges[number], edges[number + 1], ways):
                if b - a > 0.8:
                    foot = start + 0.15 * inward
                    surfaces += barrier(style, foot + a * along, foot + b * along, high, rng)
            trees += _garden_plants(rng, kind, house, ways, at)
    return surfaces, trees


def _behind(house: House, start: Points, inward: Points) -> float:
    """How far the front is from where its setback from this edge would put it."""
    return float((house.lot.start - start) @ inward) - house.lot.setback


def _between(low: float, high: float, ways: list[tuple[float, float]]) -> Iterator[
    tuple[float, float]
]:  # fmt: skip
    """What is left of low..high without the ways."""
    at = low
    for left, right in ways:
        if left > at:
            yield at, min(left, high)
        at = max(at, right)
    if at < high:
        yield at, high


def _garden_plants(
    rng: np.random.Generator, kind: Kind, house: House, ways: list[tuple[float, float]], at: float
) -> Iterator[Tree]:
    lot = house.lot
    count = {"suburb": 6, "rows": 2, "campus": 5, "industry": 1, "business": 1}[kind]
    for _ in range(int(rng.integers(0, count + 1))):
        along = float(rng.uniform(-1.5 if lot.detached else 0.4, lot.width + 1.0))
        if any(left - 0.4 < at + along < right + 0.4 for left, right in ways):
            continue
        if lot.setback < 1.2:
            continue
        out = float(rng.uniform(0.6, lot.setback - 0.5))
        x, y = lot.start + along * lot.along - out * lot.inward
        if lot.setback > 3.5 and rng.random() < (0.6 if kind == "campus" else 0.3):
            yield make_tree(rng, float(x), float(y), 4.0, 11.0)
        else:
            yield make_tree(rng, float(x), float(y), 0.7, 2.2, "bush")
    if lot.detached and rng.random() < 0.7:  # something behind the house looks over the roof
        x, y = (
            lot.start
            + float(rng.uniform(-2, lot.width)) * lot.along
            + (lot.depth + float(rng.uniform(2.0, 5.0))) * lot.inward
        )
        yield make_tree(rng, float(x), float(y), 6.0, 13.0)


def barrier(
    kind: str, start: Points, end: Points, high: float, rng: np.random.Generator
) -> Iterator[Surface]:
    """A hedge or wall as a long box, a fence as a picture with holes; "none" is nothing."""
    long = float(np.linalg.norm(end - start))
    variant = int(rng.integers(_VARIANTS))
    if kind == "none" or long < 0.3:
        return
    texture = _barrier(kind, variant, max(1, round(long / 3)) * 3)
    if kind in ("picket", "rail", "mesh"):
        yield quad(texture, [*start, high], [*end, high], [*start, 0.0], two_sided=True)
        return
    along = (end - start) / long
    deep = (0.7 if kind == "hedge" else 0.3) * np.array([-along[1], along[0]])
    corners = [start, end, end + deep, start + deep]
    for first, last in ((0, 1), (1, 2), (2, 3), (3, 0)):
        a, b = corners[first], corners[last]
        yield quad(
            texture if first % 2 == 0 else _barrier(kind, variant, 3),
            [*a, high], [*b, high], [*a, 0.0], takes_shadows=first == 0,
        )  # fmt: skip
    cap = _barrier(kind, variant, 3)
    yield quad(cap, [*corners[3], high], [*corners[2], high], [*corners[0], high])


@lru_cache(maxsize=256)
def _barrier(kind: str, variant: int, long: int) -> Texture:
    """A picture of `long` metres of a hedge, wall or fence."""
    paint: Callable[[np.random.Generator, int], Image] = {
        "hedge": _hedge, "wall": _wall, "picket": _picket, "rail": _rail, "mesh": _mesh
    }[kind]  # fmt: skip
    return Texture(lambda: (paint(np.random.default_rng([42, variant, len(kind)]), long), None))


def _hedge(rng: np.random.Generator, long: int) -> Image:
    high, wide = 48, min(1024, 32 * long)
    tones: tuple[Colour, ...] = ((66, 96, 48), (50, 78, 44), (88, 108, 56), (96, 84, 52))
    gain = (
        1
        + 0.2 * materials.noise(rng, high, wide, 5, 2)
        + 0.14 * materials.noise(rng, high, wide, 60, 4)
    )
    image = materials.tinted(
        tones[int(rng.integers(len(tones)))], gain * np.linspace(1.2, 0.62, high)[:, None]
    )
    if rng.random() < 0.3:  # in bloom
        tint = rng.uniform(120, 245, 3)
        image[rng.random((high, wide)) < 0.02] = tint.astype(np.uint8)
    return image


def _wall(rng: np.random.Generator, long: int) -> Image:
    high, wide = 48, min(1024, 32 * long)
    make = (materials.brick, materials.rubble, materials.plaster, materials.concrete)
    colours: tuple[Colour, ...] = ((150, 92, 74), (152, 144, 130), (206, 196, 176), (158, 156, 152))
    which = int(rng.integers(4))
    image = make[which](rng, high, wide, colours[which])
    gain = np.linspace(1.05, 0.75, high)[:, None, None] * (
        1 + 0.08 * materials.noise(rng, high, wide, 80, 5)[..., None]
    )
    image = np.clip(image * gain, 0, 255).astype(np.uint8)
    image[:5] = materials.shade(colours[which], 1.1)
    return image


def _picket(rng: np.random.Generator, long: int) -> Image:
    wide = min(1536, 32 * long)
    image = np.zeros((40, wide, 4), np.uint8)
    wood = np.asarray(((232, 230, 222), (122, 92, 66), (96, 100, 96))[int(rng.integers(3))])
    pitch = int(rng.integers(5, 9))
    for x in range(0, wide, pitch):
        tone = np.clip(wood * rng.uniform(0.8, 1.1), 0, 255)
        image[int(rng.integers(0, 3)) :, x : x + pitch - 2] = (*tone, 255)
    image[8:12], image[28:32] = (*(0.9 * wood), 255), (*(0.9 * wood), 255)
    return image


def _rail(rng: np.random.Generator, long: int) -> Image:
    wide = min(1536, 32 * long)
    image = np.zeros((40, wide, 4), np.uint8)
    iron = ((40, 42, 44), (60, 76, 66), (120, 122, 124))[int(rng.integers(3))]
    image[:, :: int(rng.integers(5, 8))] = (*iron, 255)
    image[3:6], image[34:37] = (*iron, 255), (*iron, 255)
    image[:, ::64] = image[:, 1::64] = image[:, 2::64] = (*iron, 255)
    return image


def _mesh(rng: np.random.Generator, long: int) -> Image:
    wide = min(1536, 32 * long)
    image = np.zeros((64, wide, 4), np.uint8)
    wire = ((140, 146, 148), (70, 96, 78))[int(rng.integers(2))]
    y, x = np.mgrid[0:64, 0:wide]
    image[((x + y) % 8 < 1) | ((x - y) % 8 < 1)] = (*wire, 255)
    image[:2] = image[-2:] = (*wire, 255)
    image[:, ::80] = image[:, 1::80] = image[:, 2::80] = (*wire, 255)
    return image
