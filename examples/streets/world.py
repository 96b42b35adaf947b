"""A town quarter from a seed: its geometry and its colours, without light, season or traffic.

Metres in the map frame (x east, y north, z up); the ground is z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from examples.streets import buildings, facades, furniture, gardens, ground, styles
from examples.streets.buildings import House
from examples.streets.cars import COLOURS, PARKED, Car
from examples.streets.furniture import Thing, Tree
from examples.streets.ground import Patch
from examples.streets.plan import Block, Kind, Plan, kind_of, make_plan
from examples.streets.surfaces import Surface

Points = NDArray[np.float64]


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
    paths: list[Patch] = []
    for number, block in enumerate((*plan.blocks, *plan.outskirts)):
        if block.park:
            built_here, grown = gardens.park(rng, block)
            surfaces += built_here
            trees += grown
            continue
        built, gaps = _houses(rng, block, palette, seed * 10_000 + number * 100, names)
        houses += built
        gaps.append(gardens.planted(rng, plan.kind, block, built))
        paths += gardens.ground(rng, built)
        for lot_surfaces, lot_trees in gaps:
            surfaces += lot_surfaces
            trees += lot_trees
    for house in houses:
        surfaces += buildings.surfaces(house)
    street_trees, things, solid = furniture.place(rng, plan)
    return World(
        seed=seed,
        plan=plan,
        houses=tuple(houses),
        surfaces=(*surfaces, *solid),
        walls=np.concatenate([house.walls() for house in houses])
        if houses
        else np.zeros((0, 4, 3)),
        trees=tuple(trees + street_trees),
        things=tuple(things),
        ground=(*ground.patches(rng, plan), *paths),
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
            gaps.append(gardens.gap_between_houses(rng, lot))
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
