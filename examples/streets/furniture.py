"""What stands along a street: trees, lamps, signs, benches, kiosks, shelters, poles with wires."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.streets import materials, sprites, wear
from examples.streets.materials import Image
from examples.streets.plan import Kind, Plan, Street
from examples.streets.sprites import Species
from examples.streets.surfaces import Surface, Texture, quad

Points = NDArray[np.float64]
VARIANTS = 8  # pictures of each species


@dataclass(frozen=True)
class Tree:
    """A tree or bush: where it stands, how high it is and what it looks like."""

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


def make_tree(
    rng: np.random.Generator, x: float, y: float, low: float, high: float,
    species: Species | None = None,
) -> Tree:  # fmt: skip
    """A tree of a height from `low` to `high` metres; of any species but a bush if none is said."""
    kinds = [kind for kind in sorted(sprites.SPECIES) if kind != "bush"]
    kind = species or kinds[int(rng.integers(len(kinds)))]
    return Tree(x, y, float(rng.uniform(low, high)), kind, int(rng.integers(VARIANTS)))


# Chance at each side of a street, and how many: what is usual, and what a kind of town adds.
_USUAL: dict[str, tuple[float, int]] = {
    "bin": (0.5, 2), "post_box": (0.12, 1), "bicycle": (0.3, 3), "cabinet": (0.3, 1),
    "hydrant": (0.15, 1),
}  # fmt: skip
_MORE: dict[Kind, dict[str, tuple[float, int]]] = {
    "quarter": {"planter": (0.35, 4), "column": (0.18, 1), "bicycle": (0.6, 4), "bench": (0.3, 2),
                "bollard": (0.4, 6), "board": (0.3, 2), "flowers": (0.25, 3)},
    "oldtown": {"planter": (0.5, 4), "bollard": (0.5, 5), "board": (0.4, 2), "flowers": (0.4, 3)},
    "grid": {"column": (0.2, 1), "bench": (0.35, 2), "bollard": (0.3, 6), "bin": (0.8, 3),
             "hydrant": (0.6, 2), "board": (0.3, 2)},
    "suburb": {"bin": (0.6, 3), "flowers": (0.3, 2)},
    "rows": {"bin": (0.8, 5), "planter": (0.2, 3)},
    "industry": {"bin": (0.4, 2), "cabinet": (0.6, 2), "cone": (0.4, 4)},
    "campus": {"bench": (0.8, 3), "bicycle": (0.9, 6), "flowers": (0.4, 4), "bollard": (0.5, 5)},
    "business": {"bench": (0.5, 3), "planter": (0.6, 5), "bollard": (0.7, 8), "column": (0.2, 1),
                 "bicycle": (0.5, 5)},
}  # fmt: skip
_WIRED: dict[Kind, float] = {"suburb": 0.6, "rows": 0.4, "industry": 0.5, "quarter": 0.1}
_LAMPS: dict[Kind, tuple[int, ...]] = {
    "oldtown": (0, 0, 3), "quarter": (0, 1, 3), "campus": (2, 1), "business": (1, 2),
    "industry": (1,), "suburb": (1, 2), "grid": (0, 1), "rows": (0, 1),
}  # fmt: skip


def place(rng: np.random.Generator, plan: Plan) -> tuple[list[Tree], list[Thing], list[Surface]]:
    """Trees, pictures and solid things along all streets of a town."""
    trees: list[Tree] = []
    things: list[Thing] = []
    surfaces: list[Surface] = []
    kinds = [kind for kind in sorted(sprites.SPECIES) if kind not in ("bush", "spruce", "pine")]
    usual = kinds[int(rng.integers(len(kinds)))]
    lamps = _LAMPS[plan.kind]
    lamp = f"lamp{lamps[int(rng.integers(len(lamps)))]}"
    for street in plan.streets:
        length = float(np.linalg.norm(np.subtract(*plan.ends(street))))
        species = usual if rng.random() < 0.4 else kinds[int(rng.integers(len(kinds)))]
        young = bool(rng.random() < 0.25)
        spacing, between = float(rng.uniform(7.0, 14.0)), float(rng.uniform(20.0, 28.0))
        wired = rng.random() < _WIRED.get(plan.kind, 0.0)
        for side in (1, -1):
            kerb = _Kerb(plan, street, side)
            narrow = street.pavement < 1.8
            at = 13.0 + float(rng.uniform(0, 4))
            while street.trees and at < length - 13.0:
                if rng.random() < 0.85:
                    low, high = (3.5, 5.0) if young else (6.0, 10.5)
                    trees.append(make_tree(rng, *kerb.point(at, 0.2), low, high, species))
                at += spacing
            at = 11.0 + (0.5 * between if side < 0 else 0.0)
            while at < length - 8.0:
                things.append(_thing(lamp, *kerb.point(at)))
                at += between
            for face in rng.integers(0, sprites.SIGNS, 2):
                at = float(rng.uniform(10, length - 10))
                things.append(_thing(f"sign{face}", *kerb.point(at)))
            if not street.cobbled and rng.random() < (0.1 if plan.kind == "suburb" else 0.35):
                at = 9.0 if side > 0 else length - 9.0
                things.append(_thing("traffic_light", *kerb.point(at)))
            for name, (chance, count) in {**_USUAL, **_MORE[plan.kind]}.items():
                if rng.random() > chance or (narrow and name in ("bench", "column")):
                    continue
                first = float(rng.uniform(12, length - 14))
                count = int(rng.integers(1, count + 1))
                for index in range(count):
                    at = min(first + index * float(rng.uniform(1.2, 2.4)), length - 9)
                    label = f"{name}{int(rng.integers(_PICTURES))}" if name in _VARIED else name
                    out = 1.2 if name == "column" else 0.1
                    things.append(_thing(label, *kerb.point(at, out)))
            if street.pavement > 2.5 and rng.random() < 0.22:
                at = float(rng.uniform(15, max(16, length - 18)))
                built = _shelter if rng.random() < 0.65 else _kiosk
                surfaces += built(kerb, at, int(rng.integers(1_000_000)))
            if wired and side > 0:
                surfaces += _wires(kerb, length, things, rng)
    return trees, things, surfaces


class _Kerb:
    """One side of a street: points by metres along it and behind the line of the furniture."""

    def __init__(self, plan: Plan, street: Street, side: int) -> None:
        start, end = plan.ends(street)
        self.start = start
        self.along = (end - start) / float(np.linalg.norm(end - start))
        self.out = side * np.array([-self.along[1], self.along[0]])
        line = 0.6 if street.pavement > 1.8 else 0.35
        self.distance = 0.5 * street.carriageway + line
        self.pavement = street.pavement - line

    def point(self, at: float, out: float = 0.0) -> tuple[float, float]:
        x, y = self.start + at * self.along + (self.distance + out) * self.out
        return float(x), float(y)


def _box(
    kerb: _Kerb, at: float, out: float, wide: float, deep: float, low: float, high: float,
    textures: tuple[Texture, Texture, Texture],
) -> Iterator[Surface]:  # fmt: skip
    """A box on the pavement: textures of its long sides, its short sides and its top."""
    corners = [
        kerb.point(at, out), kerb.point(at + wide, out),
        kerb.point(at + wide, out + deep), kerb.point(at, out + deep),
    ]  # fmt: skip
    (ax, ay), (bx, by), (cx, cy) = corners[:3]
    if (bx - ax) * (cy - ay) < (by - ay) * (
        cx - ax
    ):  # counter-clockwise, so that the sides face outwards
        corners = [corners[1], corners[0], corners[3], corners[2]]
    for side in range(4):
        a, b = corners[side], corners[(side + 1) % 4]
        yield quad(textures[side % 2], [*a, high], [*b, high], [*a, low])
    yield quad(textures[2], [*corners[3], high], [*corners[2], high], [*corners[0], high])


def _kiosk(kerb: _Kerb, at: float, seed: int) -> Iterator[Surface]:
    rng = np.random.default_rng([seed, 46])
    deep = min(1.8, kerb.pavement - 1.0)
    wide, high = float(rng.uniform(1.8, 3.2)), float(rng.uniform(2.3, 2.8))
    front, side = (_painted(lambda s=s: _kiosk_picture(seed, s)) for s in (0, 1))  # type: ignore[misc]
    roof = _painted(lambda: np.full((8, 8, 3), (96, 100, 98), np.uint8))
    yield from _box(kerb, at, 0.0, wide, deep, 0.0, high, (front, side, roof))
    yield from _box(
        kerb, at - 0.25, -0.25, wide + 0.5, deep + 0.5, high, high + 0.22, (side, side, roof)
    )


def _kiosk_picture(seed: int, side: int) -> Image:
    rng = np.random.default_rng([seed, 47])
    tint = tuple(int(c) for c in rng.integers(40, 220, 3))
    image = materials.tinted(
        (tint[0], tint[1], tint[2]), 1 + 0.06 * materials.noise(rng, 80, 90, 40, 5)
    )
    if side == 0:
        cv2.rectangle(image, (8, 22), (82, 52), (40, 46, 52), -1)
        for x in range(10, 80, 9):
            goods = tuple(int(c) for c in rng.integers(30, 240, 3))
            cv2.rectangle(image, (x, int(rng.integers(30, 46))), (x + 6, 51), goods, -1)
        for x in range(6, 84, 16):
            image[56:76, x : x + 12] = wear.poster(rng, 20, 12)
        cv2.putText(image, "KIOSK", (14, 17), cv2.FONT_HERSHEY_DUPLEX, 0.55, (240, 236, 220), 1)
    else:
        image[20:70, 20:70] = wear.poster(rng, 50, 50)
    return image


def _shelter(kerb: _Kerb, at: float, seed: int) -> Iterator[Surface]:
    """A bus shelter: glass back in a frame, one side a poster, a roof."""
    rng = np.random.default_rng([seed, 48])
    deep = min(1.4, kerb.pavement - 0.6)
    wide, high = float(rng.choice([3.0, 4.2])), 2.45

    def glass() -> Image:
        image = np.zeros((76, 128, 4), np.uint8)
        frame = (70, 76, 80, 255)
        image[:3], image[-9:-6], image[:, :2], image[:, -2:] = frame, frame, frame, frame
        image[:, ::42] = image[:, 1::42] = frame
        image[48:53, 6:-6] = (122, 96, 70, 255)  # the bench
        image[30:36, 4:-4] = (208, 214, 216, 255)
        return image

    bill = _painted(lambda: wear.poster(np.random.default_rng([seed, 49]), 72, 44))
    tone = int(rng.integers(70, 170))
    roof = _painted(lambda: np.full((8, 8, 3), tone, np.uint8))
    a, b = kerb.point(at, deep), kerb.point(at + wide, deep)
    yield quad(_painted(glass), [*a, high], [*b, high], [*a, 0.0], two_sided=True)
    c = kerb.point(at, 0.15)
    yield quad(bill, [*a, high - 0.3], [*c, high - 0.3], [*a, 0.35], two_sided=True)
    yield from _box(
        kerb, at - 0.1, -0.2, wide + 0.2, deep + 0.3, high, high + 0.14, (roof, roof, roof)
    )


def _wires(
    kerb: _Kerb, length: float, things: list[Thing], rng: np.random.Generator
) -> Iterator[Surface]:
    """Poles along the kerb and the wires that sag between them."""
    step, high = float(rng.uniform(24, 34)), 7.5
    at = 10.0
    posts = []
    while at < length - 8.0:
        x, y = kerb.point(at)
        things.append(_thing("pole", x, y))
        posts.append((x, y))
        at += step
    for a, b in itertools.pairwise(posts):
        yield quad(_wire_texture(), [*a, high], [*b, high], [*a, high - 1.2], two_sided=True)


@lru_cache(maxsize=1)
def _wire_texture() -> Texture:
    def paint() -> Image:
        image = np.zeros((64, 512, 4), np.uint8)
        at = np.linspace(-1, 1, 512)
        for top in (4, 14, 22):
            rows = top + 30 * (1 - at**2)
            line = np.stack([np.arange(512), rows], axis=1).astype(np.int32)
            cv2.polylines(image, [line], False, (34, 34, 36, 255), 2)
        return image

    return _painted(paint)


def _painted(paint: Callable[[], Image], lit: Callable[[Image], Image] | None = None) -> Texture:
    def painter() -> tuple[Image, Image | None]:
        image = paint()
        return image, lit(image) if lit else None

    return Texture(painter)


def _lantern_glow(image: Image) -> Image:
    glow = np.zeros_like(image[..., :3])
    top = image.shape[0] // 10
    glow[:top] = np.where(image[:top, :, :1] > 200, (255, 226, 170), 0)
    return glow


_PICTURES = 6  # of each thing that comes in several
_VARIED: dict[str, tuple[float, float, Callable[[int], Image]]] = {
    "column": (1.5, 3.6, sprites.advertising_column),
    "bicycle": (1.8, 1.1, sprites.bicycle),
    "planter": (1.2, 1.4, sprites.planter),
    "bench": (1.8, 0.9, sprites.bench),
    "board": (0.7, 1.1, sprites.board),
    "flowers": (1.6, 0.6, sprites.flowers),
    "cabinet": (0.9, 1.2, sprites.cabinet),
    "bin": (0.6, 1.0, sprites.bin_),
}
_FURNITURE: dict[str, tuple[float, float, Texture]] = {
    "traffic_light": (0.6, 3.4, _painted(sprites.traffic_light)),
    "bollard": (0.3, 1.0, _painted(sprites.bollard)),
    "post_box": (0.6, 1.4, _painted(sprites.post_box)),
    "hydrant": (0.5, 0.9, _painted(sprites.hydrant)),
    "cone": (0.5, 0.8, _painted(sprites.cone)),
    "pole": (1.8, 8.0, _painted(sprites.pole)),
    **{
        f"lamp{kind}": (1.8 if kind == 1 else 1.2, sprites.LAMP_HEIGHTS[kind],
                        _painted(lambda kind=kind: sprites.lamp(kind), _lantern_glow))  # type: ignore[misc]
        for kind in range(4)
    },
    **{
        f"sign{face}": (0.8, 2.9, _painted(lambda face=face: sprites.sign(face)))  # type: ignore[misc]
        for face in range(sprites.SIGNS)
    },
    **{
        f"{name}{variant}": (wide, high, _painted(lambda paint=paint, v=variant: paint(v)))  # type: ignore[misc]
        for name, (wide, high, paint) in _VARIED.items()
        for variant in range(_PICTURES)
    },
}  # fmt: skip


def _thing(name: str, x: float, y: float) -> Thing:
    width, height, texture = _FURNITURE[name]
    return Thing(x, y, width, height, texture)
