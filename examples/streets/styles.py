"""What a front looks like: materials, windows, roofs and colours that go together, by town."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from examples.streets.materials import Colour, shade
from examples.streets.plan import Kind, Span

Wall = Literal[
    "brick", "plaster", "ashlar", "panels", "boards",
    "rubble", "timber", "concrete", "sheet", "curtain",
]  # fmt: skip
Window = Literal[
    "cross", "sash", "arched", "tall", "ribbon", "shuttered", "square", "small", "wide", "grid"
]
Ground = Literal["shop", "arcade", "flat", "garage"]
Roof = Literal["flat", "tiles", "mansard", "gable", "stepped"]

WALL_COLOURS: dict[Wall, tuple[Colour, ...]] = {
    "brick": ((150, 78, 60), (122, 62, 52), (176, 112, 78), (196, 158, 112), (98, 66, 60)),
    "plaster": (
        (226, 208, 160), (214, 172, 120), (230, 224, 210), (188, 202, 190), (206, 160, 148),
        (168, 186, 204), (220, 190, 100), (196, 132, 104), (236, 214, 196), (150, 168, 140),
        (238, 236, 230), (226, 222, 214), (178, 172, 162), (142, 136, 132),
    ),
    "ashlar": ((196, 184, 160), (172, 166, 156), (208, 198, 180), (160, 146, 128)),
    "panels": ((190, 192, 194), (112, 118, 126), (214, 208, 200), (92, 104, 112), (150, 112, 88)),
    "boards": ((142, 48, 42), (72, 92, 80), (206, 178, 96), (90, 78, 70), (66, 88, 118)),
    "rubble": ((150, 142, 128), (176, 160, 132), (128, 122, 118), (166, 140, 112)),
    "timber": ((228, 216, 190), (236, 228, 212), (216, 186, 140), (206, 176, 150)),
    "concrete": ((152, 150, 146), (172, 168, 160), (132, 132, 132), (186, 180, 168)),
    "sheet": ((176, 182, 186), (120, 134, 146), (206, 204, 196), (96, 112, 100), (64, 92, 132)),
    "curtain": ((70, 96, 112), (58, 84, 88), (88, 98, 108), (104, 92, 76), (52, 62, 78)),
}  # fmt: skip
TRIM_COLOURS: tuple[Colour, ...] = (
    (240, 236, 226), (226, 214, 190), (120, 112, 104), (66, 70, 74), (206, 196, 176),
)  # fmt: skip
PAINT_COLOURS: tuple[Colour, ...] = (
    (52, 84, 62), (38, 66, 104), (122, 40, 36), (70, 52, 40), (30, 34, 38), (150, 110, 50),
    (48, 104, 108), (98, 58, 92), (200, 198, 190),
)  # fmt: skip
ROOF_COLOURS: tuple[Colour, ...] = (
    (158, 82, 58), (132, 70, 54), (84, 86, 94), (68, 72, 78), (116, 84, 66),
)  # fmt: skip
SHOP_NAMES: tuple[str, ...] = (
    "BAKERY", "CAFE NORD", "BOOKS", "OPTIK", "HOTEL", "PHARMACY", "FLORIST", "BARBER", "PIZZERIA",
    "MUSIC", "TAILOR", "LIBRARY", "BICYCLES", "ANTIQUES", "TEA HOUSE", "GALLERY", "SHOES", "DELI",
    "KIOSK", "CINEMA", "BANK", "TOYS", "RECORDS", "MARKET", "BISTRO", "CLOCKS", "LAMPS", "WINE",
    "PRINTS", "TATTOO", "NOODLES", "HATS",
)  # fmt: skip


@dataclass(frozen=True)
class FacadeStyle:
    """Everything about a front but its width. Lengths in metres."""

    wall: Wall
    wall_colour: Colour
    trim_colour: Colour
    paint: Colour  # doors, shop fronts
    shutters: Colour
    window: Window
    ground: Ground
    ground_height: float
    floors: int  # above the ground floor
    floor_height: float
    bay: float  # from one window's middle to the next
    courses: bool  # a moulding under each floor
    quoins: bool  # dressed corner stones
    balconies: float  # share of windows with a balcony
    roof: Roof
    roof_colour: Colour
    shop_name: str
    oriel: bool = False  # a bay that stands out of the front
    age: float = 0.5  # 0 new and clean to 1 stained and worn

    @property
    def eaves(self) -> float:
        """Height of the wall's top above the pavement."""
        return self.ground_height + self.floors * self.floor_height + 0.6


@dataclass(frozen=True)
class Character:
    """What the houses of a kind of town have in common. Weights need not sum to 1."""

    walls: dict[Wall, float]
    floors: tuple[int, int]  # above the ground floor, from and up to
    grounds: dict[Ground, float]
    ground_height: Span = (3.5, 4.3)
    floor_height: Span = (2.9, 3.5)
    balconies: tuple[float, ...] = (0.0, 0.0, 0.3, 0.8)
    roofs: tuple[Roof, ...] | None = None  # None: what goes with the wall
    age: Span = (0.1, 0.9)
    windows: dict[Wall, tuple[Window, ...]] = field(default_factory=dict)


CHARACTERS: dict[Kind, Character] = {
    "quarter": Character(
        {"brick": 0.24, "plaster": 0.42, "ashlar": 0.12, "panels": 0.07, "boards": 0.04,
         "rubble": 0.03, "timber": 0.04, "concrete": 0.04},
        (1, 4), {"shop": 0.5, "flat": 0.3, "arcade": 0.1, "garage": 0.1},
    ),
    "grid": Character(
        {"brick": 0.4, "ashlar": 0.15, "plaster": 0.2, "concrete": 0.12, "panels": 0.13},
        (2, 6), {"shop": 0.45, "flat": 0.45, "garage": 0.1}, (3.6, 4.8), (3.0, 3.7),
        roofs=("flat", "flat", "flat", "mansard"),
    ),
    "oldtown": Character(
        {"plaster": 0.45, "rubble": 0.22, "timber": 0.2, "ashlar": 0.08, "brick": 0.05},
        (1, 3), {"shop": 0.3, "flat": 0.45, "arcade": 0.2, "garage": 0.05}, (2.8, 3.6), (2.4, 3.0),
        (0.0, 0.0, 0.0, 0.4), ("tiles", "tiles", "gable", "stepped"), (0.4, 1.0),
    ),
    "suburb": Character(
        {"plaster": 0.5, "brick": 0.25, "boards": 0.2, "rubble": 0.05},
        (0, 1), {"flat": 0.5, "garage": 0.5}, (2.7, 3.1), (2.6, 2.9), (0.0, 0.0, 0.5),
        ("tiles", "tiles", "gable"), (0.0, 0.7),
    ),
    "rows": Character(
        {"brick": 0.65, "plaster": 0.25, "rubble": 0.1},
        (1, 2), {"flat": 1.0}, (2.8, 3.3), (2.6, 3.0), (0.0,), ("tiles", "tiles", "flat"),
    ),
    "industry": Character(
        {"sheet": 0.42, "brick": 0.26, "concrete": 0.32},
        (0, 2), {"garage": 0.8, "flat": 0.2}, (4.2, 6.5), (3.0, 4.5), (0.0,),
        ("flat", "flat", "gable"), (0.3, 1.0),
    ),
    "campus": Character(
        {"brick": 0.3, "concrete": 0.28, "panels": 0.2, "curtain": 0.12, "ashlar": 0.1},
        (1, 4), {"flat": 0.8, "arcade": 0.2}, (3.4, 4.6), (3.1, 3.8), (0.0, 0.0, 0.2),
        ("flat", "flat", "flat", "tiles"), (0.1, 0.8),
    ),
    "business": Character(
        {"curtain": 0.45, "concrete": 0.2, "panels": 0.2, "ashlar": 0.08, "brick": 0.07},
        (3, 13), {"shop": 0.4, "arcade": 0.3, "flat": 0.3}, (4.2, 5.6), (3.3, 3.9), (0.0,),
        ("flat",), (0.0, 0.5),
    ),
}  # fmt: skip

_WINDOWS: dict[Wall, tuple[Window, ...]] = {
    "brick": ("sash", "arched", "cross", "grid", "wide"),
    "plaster": ("cross", "shuttered", "tall", "sash", "square", "wide", "small"),
    "ashlar": ("arched", "tall", "sash"),
    "panels": ("ribbon", "tall", "wide"),
    "boards": ("cross", "shuttered", "wide"),
    "rubble": ("small", "cross", "arched", "shuttered"),
    "timber": ("small", "cross", "shuttered"),
    "concrete": ("ribbon", "wide", "square", "tall"),
    "sheet": ("ribbon", "grid", "wide"),
    "curtain": ("ribbon",),
}
_ROOFS: dict[Wall, tuple[Roof, ...]] = {
    "brick": ("tiles", "stepped", "gable", "flat"),
    "plaster": ("tiles", "tiles", "mansard", "gable"),
    "ashlar": ("mansard", "flat", "tiles"),
    "panels": ("flat",),
    "boards": ("gable", "tiles"),
    "rubble": ("tiles", "gable"),
    "timber": ("gable", "tiles"),
    "concrete": ("flat",),
    "sheet": ("flat", "gable"),
    "curtain": ("flat",),
}


@dataclass(frozen=True)
class Palette:
    """What tells one town from another of its kind: favourite walls, and a cast of its colours."""

    kind: Kind
    walls: tuple[Wall, ...]
    shares: NDArray[np.float64]
    warmth: float
    roofs: tuple[Colour, ...]


def make_palette(seed: int, kind: Kind) -> Palette:
    """The palette of the town that a seed makes."""
    rng = np.random.default_rng([seed, 45])
    character = CHARACTERS[kind]
    walls = tuple(character.walls)
    weights = np.array([character.walls[wall] for wall in walls])
    shares = rng.dirichlet(6.0 * weights / weights.sum() + 0.15)
    some = rng.permutation(len(ROOF_COLOURS))[:3]
    return Palette(
        kind, walls, shares, float(rng.normal(0, 0.04)), tuple(ROOF_COLOURS[i] for i in some)
    )


def _varied(rng: np.random.Generator, colours: tuple[Colour, ...], warmth: float) -> Colour:
    """One of the colours, a little off in hue, strength and lightness."""
    red, green, blue = colours[int(rng.integers(len(colours)))]
    hue, light, strength = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
    hue = (hue + float(rng.normal(0, 0.025))) % 1.0
    light = float(np.clip(light * rng.uniform(0.85, 1.1), 0.05, 0.95))
    strength = float(np.clip(strength * rng.uniform(0.6, 1.25), 0, 1))
    r, g, b = colorsys.hls_to_rgb(hue, light, strength)
    cast = (1 + warmth, 1.0, 1 - warmth)
    red, green, blue = (round(255 * min(1.0, x * c)) for x, c in zip((r, g, b), cast, strict=True))
    return red, green, blue


def random_style(rng: np.random.Generator, palette: Palette | None = None) -> FacadeStyle:
    """A style whose parts go together, drawn from `rng`; None: of any quarter."""
    palette = palette or make_palette(0, "quarter")
    character = CHARACTERS[palette.kind]
    wall = palette.walls[int(rng.choice(len(palette.walls), p=palette.shares))]
    windows, roofs = _WINDOWS[wall], character.roofs or _ROOFS[wall]
    window = windows[int(rng.integers(len(windows)))]
    warmth = palette.warmth
    low, high = character.floors
    if wall in ("boards", "timber"):
        high = min(high, 2)
    grounds: list[Ground] = list(character.grounds)
    weights = np.array([character.grounds[ground] for ground in grounds])
    bay = {"ribbon": (3.0, 4.2), "wide": (2.8, 3.8), "small": (1.9, 2.6), "grid": (2.8, 4.0)}
    return FacadeStyle(
        wall=wall,
        wall_colour=_varied(rng, WALL_COLOURS[wall], warmth),
        trim_colour=_varied(rng, TRIM_COLOURS, warmth),
        paint=_varied(rng, PAINT_COLOURS, 0.0),
        shutters=_varied(rng, PAINT_COLOURS, 0.0),
        window=window,
        ground=grounds[int(rng.choice(len(grounds), p=weights / weights.sum()))],
        ground_height=float(rng.uniform(*character.ground_height)),
        floors=int(rng.integers(min(low, high), high + 1)),
        floor_height=float(rng.uniform(*character.floor_height)),
        bay=float(rng.uniform(*bay.get(window, (2.1, 3.0)))),
        courses=bool(rng.random() < 0.45) and wall not in ("sheet", "curtain", "timber"),
        quoins=bool(rng.random() < 0.25) and wall in ("brick", "plaster", "rubble"),
        balconies=float(rng.choice(character.balconies)) if wall != "boards" else 0.0,
        roof=roofs[int(rng.integers(len(roofs)))],
        roof_colour=shade(
            palette.roofs[int(rng.integers(len(palette.roofs)))], float(rng.uniform(0.85, 1.1))
        ),
        shop_name=SHOP_NAMES[int(rng.integers(len(SHOP_NAMES)))],
        oriel=bool(rng.random() < 0.18),
        age=float(rng.uniform(*character.age)),
    )
