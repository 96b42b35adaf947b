"""Houses as surfaces: front, party walls, roof, balconies, awnings, signs, chimneys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.streets import facades, materials, wear
from examples.streets.facades import Facade
from examples.streets.materials import PIXELS_PER_METRE, Colour, Image, mix, shade
from examples.streets.plan import Lot
from examples.streets.surfaces import Surface, Texture, plain, quad

Points = NDArray[np.float64]
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class House:
    """A front on a lot, with what stands behind it."""

    lot: Lot
    facade: Facade
    tower: bool = False

    @property
    def eaves(self) -> float:
        """Height of the walls."""
        return self.facade.style.eaves

    @property
    def _along(self) -> Points:
        return np.append(self.lot.along, 0.0)

    @property
    def _inward(self) -> Points:
        return np.append(self.lot.inward, 0.0)

    def point(self, along: float, inward: float, height: float) -> Points:
        """A point [3] by metres from the front's lower left corner."""
        return np.asarray(
            np.append(self.lot.start, 0.0)
            + along * self._along
            + inward * self._inward
            + height * UP
        )

    def walls(self) -> Points:
        """Front, sides and back as rectangles [W, 4, 3]: what casts the house's shadow."""
        h = self.eaves
        if self.facade.style.roof not in ("flat", "mansard"):
            h += 0.25 * (self.facade.height - self.eaves) + 0.8
        start, end = self.lot.start, self.lot.end
        behind_start, behind_end = self.lot.back
        edges = [(start, end)]
        if self.lot.open_end:
            edges.append((end, behind_end))
        if not self.lot.chamfer:
            edges.append((behind_end, behind_start))
        if self.lot.open_start:
            edges.append((behind_start, start))
        return np.array([[[*a, 0.0], [*b, 0.0], [*b, h], [*a, h]] for a, b in edges])


def surfaces(house: House) -> Iterator[Surface]:
    """Everything of a house that can be seen from a street."""
    facade, style = house.facade, house.facade.style
    w = house.lot.width
    rng = np.random.default_rng([facade.seed, 30])

    def painted_front() -> tuple[Image, Image | None]:
        return facades.paint(facade)

    shape = facades.outline(facade)
    yield Surface(
        Texture(painted_front),
        house.point(0, 0, facade.height),
        house.point(w, 0, 0) - house.point(0, 0, 0),
        -facade.height * UP,
        outline=None
        if shape is None
        else [(x / facade.width, 1 - z / facade.height) for x, z in shape],
        takes_shadows=True,
    )
    if house.lot.chamfer:
        return
    rise, setback = _roof_shape(house)
    yield from _sides(house, rise, setback, rng)
    yield from _roof(house, rise, setback, rng)
    yield from _balconies(house)
    if style.oriel and style.floors and not house.tower:
        yield from _oriel(house)
    if style.roof == "flat" and not house.tower:
        yield from _on_the_roof(house)
    if style.ground in ("shop", "arcade"):
        yield from _shop_fittings(house, rng)


def _roof_shape(house: House) -> tuple[float, float]:
    """How far the roof rises, and how far behind the front it is at its highest."""
    depth = house.lot.depth
    roof = house.facade.style.roof
    if roof == "tiles":
        return 0.42 * depth, depth / 2
    if roof == "mansard":
        return 2.7, 0.9
    return 0.0, depth / 2


def _sides(
    house: House, rise: float, setback: float, rng: np.random.Generator
) -> Iterator[Surface]:
    w, d = house.lot.width, house.lot.depth
    top = house.eaves + rise
    colour = mix(house.facade.style.wall_colour, (178, 170, 160), 0.45)
    seed = house.facade.seed

    def painter() -> tuple[Image, None]:
        wall_rng = np.random.default_rng([seed, 31])
        size = materials.metres(top), materials.metres(d)
        return materials.party_wall(wall_rng, *size, colour), None

    wall = Texture(painter)
    # Seen from the left neighbour the back is on the left; from the right one on the right.
    below = rise / top
    s = setback / d
    profile: list[tuple[float, float]] = [(0, 1), (0, below), (1 - s, 0), (1, below), (1, 1)]
    if house.facade.style.roof == "mansard":
        profile = [(0, 1), (0, below), (s, 0), (1 - s, 0), (1, below), (1, 1)]
    mirrored = [(1 - x, z) for x, z in reversed(profile)]
    back = house.point(0, d, 0) - house.point(0, 0, 0)
    if house.lot.detached:
        yield from _free_sides(house, top, profile, mirrored)
        return
    if house.tower:
        front = Texture(lambda: facades.paint(house.facade))
        for origin, u in (
            (house.point(0, d, top), -back),
            (house.point(w, 0, top), back),
        ):
            yield Surface(front, origin, u, -top * UP, takes_shadows=True)
    else:
        for shown, origin, u, shape in (
            (house.lot.open_start, house.point(0, d, top), -back, profile),
            (house.lot.open_end, house.point(w, 0, top), back, mirrored),
        ):
            if shown:
                yield Surface(wall, origin, u, -top * UP, shape, takes_shadows=True)
    # The back, with its gable where the roof has one there.
    behind_start, behind_end = house.lot.back
    gable = facades.outline(house.facade)
    height = house.eaves if gable is None else house.facade.height
    yield Surface(
        wall,
        [*behind_end, height],
        np.append(behind_start - behind_end, 0.0),
        -height * UP,
        None if gable is None else [(1 - x / w, 1 - z / height) for x, z in gable],
    )


def _free_sides(
    house: House, top: float, profile: list[tuple[float, float]],
    mirrored: list[tuple[float, float]],
) -> Iterator[Surface]:  # fmt: skip
    """Sides and back of a house that stands alone: fronts of their own, without door or shop."""
    style, w, d = house.facade.style, house.lot.width, house.lot.depth
    plain_style = replace(style, ground="flat", balconies=0.0, oriel=False, roof="flat")
    for side, (x, inward, wide, shape) in enumerate(
        ((0.0, d, d, profile), (w, 0.0, d, mirrored), (w, d, w, None))
    ):
        facade = facades.lay_out(plain_style, wide, house.facade.seed + 5_000_000 * (side + 1))
        facade = replace(
            facade, height=top if side < 2 else house.eaves,
            openings=tuple(opening for opening in facade.openings if opening.kind == "window"),
        )  # fmt: skip

        def painter(facade: Facade = facade) -> tuple[Image, Image | None]:
            return facades.paint(facade)

        ends = ((0.0, d), (0.0, 0.0)), ((w, 0.0), (w, d)), ((w, d), (0.0, d))
        (x, inward), (x1, inward1) = ends[side]
        high = facade.height
        outline = shape
        if side == 2 and (gable := facades.outline(house.facade)) is not None:
            high = house.facade.height
            facade = replace(facade, height=high)
            outline = [(1 - a / w, 1 - z / high) for a, z in gable]

            def painter(facade: Facade = facade) -> tuple[Image, Image | None]:
                return facades.paint(facade)

        origin = house.point(x, inward, high)
        yield Surface(
            Texture(painter), origin, house.point(x1, inward1, high) - origin, -high * UP,
            outline, takes_shadows=True,
        )  # fmt: skip


def _roof(house: House, rise: float, setback: float, rng: np.random.Generator) -> Iterator[Surface]:
    style, w, d, eaves = house.facade.style, house.lot.width, house.lot.depth, house.eaves
    covering = _covering(style.roof, style.roof_colour, house.facade.seed % 4)
    if house.tower:
        apex = house.point(w / 2, d / 2, eaves + 1.5 * w)
        corners = [house.point(x, y, eaves) for x, y in ((0, 0), (w, 0), (w, d), (0, d))]
        for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
            left = a + apex - (a + b) / 2  # the triangle as part of a parallelogram
            yield Surface(covering, left, b - a, a - left, [(0.5, 0), (1, 1), (0, 1)])
    elif style.roof == "tiles":
        overhang = 0.35
        fall = overhang * rise / setback
        yield quad(
            covering,
            house.point(0, setback, eaves + rise),
            house.point(w, setback, eaves + rise),
            house.point(0, -overhang, eaves - fall),
            takes_shadows=True,
        )
        yield quad(
            covering,
            house.point(w, setback, eaves + rise),
            house.point(0, setback, eaves + rise),
            house.point(w, d, eaves),
        )
        yield from _chimney(house, eaves + rise, rng)
    elif style.roof == "mansard":
        yield quad(
            _mansard(style.roof_colour, round(w * 2), style.trim_colour),
            house.point(0, setback, eaves + rise),
            house.point(w, setback, eaves + rise),
            house.point(0, 0, eaves),
            takes_shadows=True,
        )
        yield from _chimney(house, eaves + rise - 0.3, rng)
    elif style.roof in ("gable", "stepped"):
        ridge = house.facade.height - (0.0 if style.roof == "gable" else 0.6)
        first = 0.15 if style.roof == "stepped" else -0.3
        yield quad(
            covering,
            house.point(w / 2, d, ridge),
            house.point(w / 2, first, ridge),
            house.point(-0.1, d, eaves - 0.1),
        )
        yield quad(
            covering,
            house.point(w / 2, first, ridge),
            house.point(w / 2, d, ridge),
            house.point(w + 0.1, first, eaves - 0.1),
        )
    elif rng.random() < 0.3:  # a lift house on a flat roof
        yield from _box(
            house, w * 0.3, 2.5, min(3.0, 0.4 * w), 3.0, eaves, 2.2, plain((150, 150, 150))
        )


def _chimney(house: House, top: float, rng: np.random.Generator) -> Iterator[Surface]:
    if rng.random() < 0.35:
        return
    bricks = _chimney_bricks(int(rng.integers(3)))
    at = float(rng.uniform(0.5, max(0.6, house.lot.width - 1.6)))
    yield from _box(house, at, house.lot.depth / 2 - 0.4, 0.9, 0.7, top - 0.8, 2.1, bricks)


def _box(
    house: House,
    left: float,
    inward: float,
    wide: float,
    deep: float,
    bottom: float,
    height: float,
    texture: Texture,
) -> Iterator[Surface]:
    """Front and sides of a box that stands on the house or hangs on its front."""
    corners = [
        (left, inward), (left + wide, inward), (left + wide, inward + deep), (left, inward + deep)
    ]  # fmt: skip
    for a, b in ((3, 0), (0, 1), (1, 2)):
        yield quad(
            texture,
            house.point(*corners[a], bottom + height),
            house.point(*corners[b], bottom + height),
            house.point(*corners[a], bottom),
        )


def _balconies(house: House) -> Iterator[Surface]:
    deep, high = 0.95, 1.0
    kind = house.facade.seed % 3
    for left, right, floor in house.facade.balconies:
        railing = _railing(kind, house.facade.style.paint)
        under = plain(shade(house.facade.style.trim_colour, 0.7))
        yield quad(
            railing,
            house.point(left, -deep, floor + high),
            house.point(right, -deep, floor + high),
            house.point(left, -deep, floor - 0.12),
            two_sided=True,
        )
        for x in (left, right):
            yield quad(
                railing,
                house.point(x, 0, floor + high),
                house.point(x, -deep, floor + high),
                house.point(x, 0, floor - 0.12),
                two_sided=True,
            )
        yield quad(
            under,
            house.point(left, -deep, floor - 0.1),
            house.point(right, -deep, floor - 0.1),
            house.point(left, 0, floor - 0.1),
            two_sided=True,
        )


def _oriel(house: House) -> Iterator[Surface]:
    """A bay that stands out of the upper floors where the front has room beside its balconies."""
    facade, style, w = house.facade, house.facade.style, house.lot.width
    rng = np.random.default_rng([facade.seed, 35])
    wide = float(np.clip(rng.uniform(1.6, 2.8), 0.0, 0.5 * w))
    left = float(rng.uniform(0.1, max(0.2, w - wide - 0.1)))
    if any(a < left + wide and b > left for a, b, _ in facade.balconies):
        return
    deep = float(rng.uniform(0.5, 0.9))
    low = style.ground_height + 0.1
    upper = replace(
        style, ground="flat", ground_height=0.0, balconies=0.0, roof="flat", quoins=False,
        floors=style.floors, bay=max(1.2, 0.9 * wide), shop_name="",
    )  # fmt: skip
    high = upper.eaves - 0.5

    def painter() -> tuple[Image, Image | None]:
        made = facades.lay_out(upper, wide, facade.seed + 9_000_000)
        kept = tuple(
            o for o in made.openings if o.kind == "window" and o.bottom > 0.2 and o.top < high
        )
        return facades.paint(replace(made, height=high, openings=kept))

    side = _rough(shade(style.wall_colour, 0.86), facade.seed % 3)
    front = Texture(painter)
    corners = [(left, 0.0), (left, -deep), (left + wide, -deep), (left + wide, 0.0)]
    for number in range(3):
        a, b = corners[number], corners[number + 1]
        origin = house.point(*a, low + high)
        yield Surface(
            front if number == 1 else side, origin, house.point(*b, low + high) - origin,
            -high * UP,
        )  # fmt: skip
    roof = _covering("tiles", style.roof_colour, facade.seed % 4)
    yield quad(
        roof,
        house.point(left, 0.0, low + high + 0.5),
        house.point(left + wide, 0.0, low + high + 0.5),
        house.point(left, -deep, low + high),
    )
    yield quad(
        plain(shade(style.trim_colour, 0.7)),
        house.point(left, -deep, low),
        house.point(left + wide, -deep, low),
        house.point(left, 0.0, low),
    )


def _on_the_roof(house: House) -> Iterator[Surface]:
    """What a flat roof carries: a set-back storey, plant, tanks, a lift house."""
    rng = np.random.default_rng([house.facade.seed, 36])
    w, d, top = house.lot.width, house.lot.depth, house.eaves
    choice = rng.random()
    tone = int(rng.integers(90, 190))
    if choice < 0.25:
        yield from _box(
            house,
            0.12 * w,
            1.5,
            0.76 * w,
            max(1.0, d - 3.0),
            top,
            2.6,
            _rough((tone, tone, tone), 0),
        )
    elif choice < 0.6:
        for _ in range(int(rng.integers(1, 4))):
            wide = float(rng.uniform(0.8, min(3.0, 0.4 * w)))
            left = float(rng.uniform(0.2, max(0.3, w - wide - 0.2)))
            yield from _box(
                house, left, float(rng.uniform(1.2, 3.0)), wide, 1.5, top,
                float(rng.uniform(0.8, 2.2)), _rough((tone, tone, tone - 6), 1),
            )  # fmt: skip


def _shop_fittings(house: House, rng: np.random.Generator) -> Iterator[Surface]:
    style, w = house.facade.style, house.lot.width
    if rng.random() < 0.45:
        top = style.ground_height - 0.95
        stripes = _stripes(int(rng.integers(6)), round(w))
        yield quad(
            stripes,
            house.point(0.3, 0, top),
            house.point(w - 0.3, 0, top),
            house.point(0.3, -1.2, top - 0.55),
            two_sided=True,
        )
        yield quad(
            stripes,
            house.point(0.3, -1.2, top - 0.55),
            house.point(w - 0.3, -1.2, top - 0.55),
            house.point(0.3, -1.2, top - 0.8),
            two_sided=True,
        )
    if rng.random() < 0.6:
        board = _hanging_sign(style.shop_name, style.paint)
        at = 0.25 if rng.random() < 0.5 else w - 0.25
        top = style.ground_height + 0.9
        near, far = (house.point(at, -0.1, top), house.point(at, -1.0, top))
        for a, b in ((near, far), (far, near)):  # legible from both sides
            yield Surface(board, a, b - a, -0.9 * UP)


@lru_cache(maxsize=64)
def _covering(roof: str, colour: Colour, variant: int) -> Texture:
    def painter() -> tuple[Image, None]:
        rng = np.random.default_rng([32, variant])
        cover = materials.slates if sum(colour) < 270 else materials.roof_tiles
        return cover(rng, 220, 320, colour), None

    return Texture(painter)


@lru_cache(maxsize=256)
def _rough(colour: Colour, variant: int) -> Texture:
    """A piece of wall without windows, 2 x 3 m of it."""

    def painter() -> tuple[Image, None]:
        rng = np.random.default_rng([37, variant])
        image = materials.plaster(rng, 96, 64, colour)
        wear.weather(rng, image, 0.6)
        return image, None

    return Texture(painter)


@lru_cache(maxsize=64)
def _mansard(colour: Colour, half_metres: int, trim: Colour) -> Texture:
    """A steep slate roof with dormer windows."""

    def painter() -> tuple[Image, None]:
        rng = np.random.default_rng([33, half_metres])
        wide, high = half_metres * PIXELS_PER_METRE // 2, materials.metres(2.85)
        image = materials.slates(rng, high, wide, mix(colour, (70, 74, 82), 0.6))
        count = max(1, round(half_metres / 2 / 2.9))
        for dormer in range(count):
            x = round((dormer + 0.5) * wide / count)
            half = materials.metres(0.62)
            y0, y1 = materials.metres(0.75), high - materials.metres(0.3)
            gable = np.array(
                [[x - half - 6, y0], [x, y0 - materials.metres(0.5)], [x + half + 6, y0]]
            )
            cv2.fillConvexPoly(image, gable.astype(np.int32), shade(trim, 0.9))
            image[y0:y1, x - half : x + half] = trim
            inner = materials.metres(0.12)
            image[y0 + inner : y1 - inner, x - half + inner : x + half - inner] = (66, 80, 94)
            image[y0 + inner : y1 - inner, x - 1 : x + 2] = trim
            image[(y0 + y1) // 2 - 1 : (y0 + y1) // 2 + 2, x - half : x + half] = trim
        image[-materials.metres(0.15) :] = shade(trim, 0.8)
        return image, None

    return Texture(painter)


@lru_cache(maxsize=8)
def _chimney_bricks(variant: int) -> Texture:
    colours: tuple[Colour, ...] = ((146, 84, 64), (120, 74, 60), (176, 160, 140))

    def painter() -> tuple[Image, None]:
        image = materials.brick(np.random.default_rng([34, variant]), 68, 30, colours[variant])
        image[:6] = shade(colours[variant], 0.7)
        return image, None

    return Texture(painter)


@lru_cache(maxsize=64)
def _railing(kind: int, paint: Colour) -> Texture:
    def painter() -> tuple[Image, None]:
        image = np.zeros((36, 72, 4), np.uint8)
        iron = mix(paint, (40, 42, 44), 0.6)
        if kind == 0:
            image[:, ::5] = image[:, 1::5] = (*iron, 255)
        elif kind == 1:
            image[4:-4] = (*mix(paint, (190, 200, 206), 0.7), 255)
        else:
            y, x = np.mgrid[0:36, 0:72]
            lattice = ((x + y) % 9 < 2) | ((x - y) % 9 < 2)
            image[lattice] = (*iron, 255)
        image[:3] = (*iron, 255)
        image[-5:] = (168, 164, 158, 255)
        return image, None

    return Texture(painter)


@lru_cache(maxsize=64)
def _stripes(kind: int, count: int) -> Texture:
    colours: tuple[Colour, ...] = (
        (176, 44, 44), (40, 96, 66), (44, 74, 140), (206, 140, 50), (90, 62, 96), (70, 70, 74),
    )  # fmt: skip

    def painter() -> tuple[Image, None]:
        bands = 2 * max(4, count)
        columns = np.arange(bands * 10) // 10 % 2
        image = np.where(columns[None, :, None] == 0, colours[kind], (238, 232, 220))
        return np.broadcast_to(image, (24, bands * 10, 3)).astype(np.uint8).copy(), None

    return Texture(painter)


@lru_cache(maxsize=128)
def _hanging_sign(name: str, paint: Colour) -> Texture:
    def painter() -> tuple[Image, Image]:
        image = np.full((64, 64, 3), mix(paint, (250, 240, 214), 0.12), np.uint8)
        cv2.rectangle(image, (1, 1), (62, 62), (236, 224, 190), 2)
        initial = name[0]
        (wide, high), _ = cv2.getTextSize(initial, cv2.FONT_HERSHEY_DUPLEX, 1.5, 3)
        place = (32 - wide // 2, 32 + high // 2)
        cv2.putText(image, initial, place, cv2.FONT_HERSHEY_DUPLEX, 1.5, (240, 230, 200), 3)
        return image, image // 2

    return Texture(painter)
