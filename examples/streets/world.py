"""A town quarter from a seed: its geometry and its colours, without light, season or traffic.

Metres in the map frame (x east, y north, z up); the ground is z = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from examples.streets import buildings, facades, materials, sprites, styles
from examples.streets.buildings import House
from examples.streets.cars import COLOURS, PARKED, Car
from examples.streets.materials import Colour, Image
from examples.streets.plan import Block, Kind, Plan, Street, inset, kind_of, make_plan
from examples.streets.sprites import Species
from examples.streets.surfaces import Surface, Texture, quad

Points = NDArray[np.float64]
Material = Literal["asphalt", "paving", "cobbles", "grass"]


@dataclass(frozen=True)
class Patch:
    """A piece of ground: polygon [K, 2], what it is made of and its mean colour."""

    polygon: Points
    material: Material
    colour: Colour


@dataclass(frozen=True)
class Tree:
    """A tree: where it stands, how high it is and what it looks like."""

    x: float
    y: float
    height: float
    species: Species
    variant: int


@dataclass(frozen=True)
class Thing:
    """Street furniture: a picture that always turns towards the camera."""

    x: float
    y: float
    width: float
    height: float
    texture: Texture


@dataclass(frozen=True)
class World:
    """What stands in the quarter; light and parked cars are added when it is rendered."""

    seed: int
    plan: Plan
    houses: tuple[House, ...]
    surfaces: tuple[Surface, ...]
    walls: Points  # [W, 4, 3], rectangles that cast shadows
    trees: tuple[Tree, ...]
    things: tuple[Thing, ...]
    ground: tuple[Patch, ...]  # later ones lie over earlier ones


def build_world(seed: int, rows: int = 5, columns: int = 5, kind: Kind | None = None) -> World:
    """Build a town of rows x columns crossings; the same seed and kind give the same town.

    The kinds are those of plan.LAYOUTS; where none is given the seed chooses.
    """
    plan = make_plan(seed, rows, columns, kind or kind_of(seed))
    palette = styles.make_palette(seed, plan.kind)
    rng = np.random.default_rng([seed, 40])
    names = list(rng.permutation(styles.SHOP_NAMES))
    houses: list[House] = []
    surfaces: list[Surface] = []
    trees: list[Tree] = []
    for number, block in enumerate(plan.blocks):
        if block.park:
            surfaces += _park_edge(block)
            trees += _park_trees(rng, block)
            continue
        built, gaps = _houses(rng, block, palette, seed * 10_000 + number * 100, names)
        houses += built
        for lot_surfaces, lot_trees in gaps:
            surfaces += lot_surfaces
            trees += lot_trees
    for house in houses:
        surfaces += buildings.surfaces(house)
    street_trees, things = _furniture(rng, plan)
    return World(
        seed=seed,
        plan=plan,
        houses=tuple(houses),
        surfaces=tuple(surfaces),
        walls=np.concatenate([house.walls() for house in houses])
        if houses
        else np.zeros((0, 4, 3)),
        trees=tuple(trees + street_trees),
        things=tuple(things),
        ground=tuple(_ground(rng, plan)),
    )


def park_cars(world: World, seed: int, share: float = 0.55) -> tuple[Car, ...]:
    """Fill this share of the places at the kerbs with cars; another seed, other cars."""
    rng = np.random.default_rng([seed, 41])
    cars = []
    for street in world.plan.streets:
        start, end = world.plan.ends(street)
        length = float(np.linalg.norm(end - start))
        along = (end - start) / length
        left = np.array([-along[1], along[0]])
        for side, allowed in zip((1, -1), street.parking, strict=True):
            if not allowed:
                continue
            at = 14.0
            while at < length - 14.0:
                if rng.random() < share:
                    offset = side * (0.5 * street.carriageway - 1.1 + float(rng.normal(0, 0.05)))
                    x, y = start + at * along + offset * left
                    ahead = -side * along  # right-hand traffic
                    heading = float(np.arctan2(ahead[1], ahead[0]) + rng.normal(0, 0.02))
                    kind = PARKED[int(rng.integers(len(PARKED)))]
                    colour = int(rng.integers(len(COLOURS)))
                    cars.append(Car(float(x), float(y), heading, kind, colour))
                at += float(rng.uniform(5.8, 7.0))
    return tuple(cars)


def _houses(
    rng: np.random.Generator, block: Block, palette: styles.Palette, first_seed: int,
    names: list[str],
) -> tuple[list[House], list[tuple[list[Surface], list[Tree]]]]:  # fmt: skip
    corner_styles: dict[int, styles.FacadeStyle] = {}
    houses: list[House] = []
    gaps: list[tuple[list[Surface], list[Tree]]] = []
    row_style: tuple[Points, styles.FacadeStyle] | None = None
    for index, lot in enumerate(block.lots):
        style = styles.random_style(rng, palette)
        seed = first_seed + index
        tower = False
        if palette.kind == "rows":  # built as one, painted by those who live there
            if row_style is None or float(row_style[0] @ lot.along) < 0.9:
                row_style = (lot.along, style)
            built = row_style[1]
            colour = style.wall_colour if built.wall == "plaster" else built.wall_colour
            style = replace(
                built, paint=style.paint, shutters=style.shutters, age=style.age,
                wall_colour=colour, shop_name=style.shop_name,
            )  # fmt: skip
        if lot.corner is not None:
            style = corner_styles.setdefault(lot.corner, style)
            roof = "flat" if style.roof in ("gable", "stepped", "tiles") else style.roof
            style = replace(style, roof="flat" if lot.chamfer else roof, balconies=0.0)
        elif not lot.detached and rng.random() < 0.07:
            gaps.append(_garden(rng, lot.start, lot.end, lot.inward))
            continue
        elif palette.kind in ("quarter", "oldtown") and rng.random() < 0.02:
            tower = True
            style = replace(
                style, wall="ashlar", wall_colour=(190, 180, 160), window="arched", floors=6,
                ground="flat", roof="flat", balconies=0.0, floor_height=3.5,
            )  # fmt: skip
        style = replace(style, shop_name=names[(first_seed + index) % len(names)])
        if tower:
            lot = replace(lot, depth=lot.width)
        houses.append(House(lot, facades.lay_out(style, lot.width, seed), tower))
    return houses, gaps


def _garden(
    rng: np.random.Generator, start: Points, end: Points, inward: Points
) -> tuple[list[Surface], list[Tree]]:
    """A wall or hedge between two houses, with trees behind it."""
    hedge = bool(rng.random() < 0.5)
    high = float(rng.uniform(1.4, 2.3))
    texture = _HEDGE if hedge else _GARDEN_WALL
    front = quad(
        texture,
        [*start, high],
        [*end, high],
        [*start, 0.0],
        takes_shadows=True,
    )
    trees = []
    for share in rng.uniform(0.2, 0.8, 2):
        x, y = start + share * (end - start) + float(rng.uniform(2.5, 8)) * inward
        trees.append(_tree(rng, float(x), float(y), 7.0, 11.0))
    return [front], trees


def _tree(
    rng: np.random.Generator, x: float, y: float, low: float, high: float,
    species: Species | None = None,
) -> Tree:  # fmt: skip
    kinds: list[Species] = sorted(sprites.BARK)
    kind = species or kinds[int(rng.integers(len(kinds)))]
    return Tree(x, y, float(rng.uniform(low, high)), kind, int(rng.integers(4)))


def _park_edge(block: Block) -> Iterator[Surface]:
    """A hedge around a park, 1 m high, open in the middle of each side."""
    for start, end in zip(block.front, np.roll(block.front, -1, axis=0), strict=True):
        along = end - start
        for first, last in ((0.0, 0.44), (0.56, 1.0)):
            a, b = start + first * along, start + last * along
            yield quad(_HEDGE, [*a, 1.0], [*b, 1.0], [*a, 0.0], two_sided=True)


def _park_trees(rng: np.random.Generator, block: Block) -> Iterator[Tree]:
    middle = block.front.mean(axis=0)
    for _ in range(26):
        corner = block.front[int(rng.integers(len(block.front)))]
        x, y = middle + float(rng.uniform(0.1, 0.92)) * (corner - middle) + rng.normal(0, 3, 2)
        yield _tree(rng, float(x), float(y), 8.0, 14.0)


def _furniture(rng: np.random.Generator, plan: Plan) -> tuple[list[Tree], list[Thing]]:
    trees: list[Tree] = []
    things: list[Thing] = []
    kinds: list[Species] = sorted(sprites.BARK)
    for street in plan.streets:
        start, end = plan.ends(street)
        length = float(np.linalg.norm(end - start))
        along = (end - start) / length
        left = np.array([-along[1], along[0]])
        species = kinds[int(rng.integers(len(kinds)))]
        spacing = float(rng.uniform(9.0, 14.0))
        lamps = float(rng.uniform(20.0, 28.0))
        for side in (1, -1):
            kerb = side * (0.5 * street.carriageway + 0.6)

            def place(at: float, out: float = 0.0, kerb: float = kerb) -> tuple[float, float]:
                offset = kerb + np.sign(kerb) * out
                x, y = start + at * along + offset * left  # noqa: B023
                return float(x), float(y)

            at = 13.0 + float(rng.uniform(0, 4))
            while street.trees and at < length - 13.0:
                if rng.random() < 0.9:
                    trees.append(_tree(rng, *place(at, 0.2), 6.5, 9.0, species))
                at += spacing
            at = 11.0 + (0.5 * lamps if side < 0 else 0.0)
            while at < length - 8.0:
                things.append(_thing("lamp", *place(at)))
                at += lamps
            for face in rng.integers(0, 8, 2):
                at = float(rng.uniform(10, length - 10))
                things.append(_thing(f"sign{face}", *place(at)))
            if not street.cobbled and rng.random() < 0.35:
                things.append(_thing("traffic_light", *place(9.0 if side > 0 else length - 9.0)))
            for name, chance, count in (
                ("bin", 0.7, 2), ("post_box", 0.2, 1), ("planter", 0.35, 4), ("column", 0.18, 1),
                ("bicycle", 0.6, 3), ("bollard", 0.4, 6),
            ):  # fmt: skip
                if rng.random() > chance:
                    continue
                first = float(rng.uniform(12, length - 14))
                for index in range(count):
                    variant = int(rng.integers(3)) if name in ("column", "bicycle") else None
                    label = name if variant is None else f"{name}{variant}"
                    out = 1.2 if name == "column" else 0.1
                    at = first + index * (2.0 if name != "bollard" else 1.5)
                    things.append(_thing(label, *place(min(at, length - 9), out)))
    return trees, things


def _picture(paint: Callable[[], Image], lit: Callable[[Image], Image] | None = None) -> Texture:
    def painter() -> tuple[Image, Image | None]:
        image = paint()
        return image, lit(image) if lit else None

    return Texture(painter)


def _lantern_glow(image: Image) -> Image:
    glow = np.zeros_like(image[..., :3])
    top = image.shape[0] // 10
    glow[:top] = np.where(image[:top, :, :1] > 200, (255, 226, 170), 0)
    return glow


_FURNITURE: dict[str, tuple[float, float, Texture]] = {
    "lamp": (1.2, 6.0, _picture(sprites.lamp, _lantern_glow)),
    "traffic_light": (0.6, 3.4, _picture(sprites.traffic_light)),
    "bin": (0.6, 1.0, _picture(sprites.bin_)),
    "bollard": (0.3, 1.0, _picture(sprites.bollard)),
    "post_box": (0.6, 1.4, _picture(sprites.post_box)),
    "planter": (1.2, 1.4, _picture(sprites.planter)),
    **{
        f"sign{face}": (0.8, 2.9, _picture(lambda face=face: sprites.sign(face)))  # type: ignore[misc]
        for face in range(8)
    },
    **{
        f"column{variant}": (
            1.5, 3.6, _picture(lambda variant=variant: sprites.advertising_column(variant)),  # type: ignore[misc]
        )
        for variant in range(3)
    },
    **{
        f"bicycle{variant}": (
            1.8, 1.1, _picture(lambda variant=variant: sprites.bicycle(variant)),  # type: ignore[misc]
        )
        for variant in range(3)
    },
}  # fmt: skip


def _thing(name: str, x: float, y: float) -> Thing:
    width, height, texture = _FURNITURE[name]
    return Thing(x, y, width, height, texture)


def _hedge_picture() -> Image:
    rng = np.random.default_rng(42)
    gain = 1 + 0.2 * materials.noise(rng, 64, 512, 5, 2) + 0.1 * materials.noise(rng, 64, 512, 40)
    image = materials.tinted((66, 96, 48), gain * np.linspace(1.15, 0.7, 64)[:, None])
    return image


_HEDGE = _picture(_hedge_picture)
_GARDEN_WALL = _picture(lambda: materials.brick(np.random.default_rng(43), 64, 320, (150, 108, 88)))

ASPHALT: Colour = (92, 93, 96)
COBBLES: Colour = (128, 120, 112)
PAVING: Colour = (158, 154, 146)
KERB: Colour = (182, 180, 174)
GUTTER: Colour = (78, 78, 80)
LAWN: Colour = (92, 126, 62)
PAINT: Colour = (222, 222, 216)


def _strip(start: Points, along: Points, begin: float, end: float, centre: float,
           width: float) -> Points:  # fmt: skip
    """A rectangle [4, 2] along a street: from `begin` to `end`, its middle `centre` to the left."""
    left = np.array([-along[1], along[0]])
    a, b = start + begin * along + centre * left, start + end * along + centre * left
    half = 0.5 * width * left
    return np.array([a - half, b - half, b + half, a + half])


def _ground(rng: np.random.Generator, plan: Plan) -> Iterator[Patch]:
    spans = []
    for street in plan.streets:
        start, end = plan.ends(street)
        length = float(np.linalg.norm(end - start))
        spans.append((street, start, (end - start) / length, length))
    for street, start, along, length in spans:
        if street.cobbled:
            road = _strip(start, along, 4.0, length - 4.0, 0.0, street.carriageway + 2)
            yield Patch(road, "cobbles", COBBLES)
        else:
            for _ in range(int(rng.integers(2, 6))):  # mended road
                at = float(rng.uniform(8, length - 14))
                patch = _strip(
                    start, along, at, at + float(rng.uniform(1.5, 8)),
                    float(rng.uniform(-3, 3)), float(rng.uniform(0.8, 2.2)),
                )  # fmt: skip
                tone = materials.shade(ASPHALT, float(rng.choice([0.78, 0.86, 1.14])))
                yield Patch(patch, "asphalt", tone)
            for _ in range(3):  # manhole covers
                at, side = float(rng.uniform(8, length - 8)), float(rng.uniform(-2.5, 2.5))
                turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
                centre = _strip(start, along, at, at, side, 0.0)[0]
                ring = centre + 0.34 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
                yield Patch(ring, "asphalt", (58, 58, 60))
    for block in plan.blocks:
        count = len(block.kerb)
        yield Patch(inset(block.kerb, [-0.35] * count), "asphalt", GUTTER)
        yield Patch(block.kerb, "asphalt", KERB)
        yield Patch(inset(block.kerb, [0.2] * count), "paving", PAVING)
        yield Patch(block.front, "grass" if block.park else "paving",
                    LAWN if block.park else (112, 110, 104))  # fmt: skip
    for street, start, along, length in spans:
        if not street.cobbled:
            yield from _markings(rng, street, start, along, length)


def _markings(
    rng: np.random.Generator, street: Street, start: Points, along: Points, length: float
) -> Iterator[Patch]:
    at = 12.0
    while at < length - 14.0:
        yield Patch(_strip(start, along, at, at + 2.2, 0.0, 0.14), "asphalt", PAINT)
        at += 5.0
    if rng.random() < 0.6:
        for near in (8.0, length - 11.0):
            across = -0.5 * street.carriageway + 0.5
            while across < 0.5 * street.carriageway - 0.2:
                yield Patch(_strip(start, along, near, near + 3.0, across, 0.5), "asphalt", PAINT)
                across += 1.0
    else:
        quarter = 0.25 * street.carriageway
        for begin, lane in ((length - 8.6, -quarter), (8.0, quarter)):
            yield Patch(
                _strip(start, along, begin, begin + 0.5, lane, 2 * quarter - 0.5), "asphalt", PAINT
            )
    for side, parking in zip((1, -1), street.parking, strict=True):
        at = 12.0
        while parking and at < length - 12.0:
            middle = side * (0.5 * street.carriageway - 1.05)
            yield Patch(_strip(start, along, at, at + 0.1, middle, 2.1), "asphalt", PAINT)
            at += 6.2
