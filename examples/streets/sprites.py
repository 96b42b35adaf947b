"""Trees and street furniture as pictures with an alpha channel, to be turned towards the camera."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.streets.materials import Colour, Image, mix, noise, shade

Season = Literal["spring", "summer", "autumn", "winter"]
Species = Literal[
    "lime", "maple", "birch", "poplar", "cherry", "plane", "willow", "bush",
    "spruce", "pine", "thuja",
]  # fmt: skip

TREE_PIXELS = 320  # height of a tree's picture
FURNITURE_PIXELS_PER_METRE = 96

FOLIAGE: dict[Species, dict[Season, tuple[Colour, ...]]] = {
    "lime": {
        "spring": ((150, 188, 88), (170, 204, 108)),
        "summer": ((74, 112, 48), (92, 130, 58)),
        "autumn": ((206, 160, 54), (186, 132, 46)),
        "winter": (),
    },
    "maple": {
        "spring": ((156, 180, 96), (190, 196, 116)),
        "summer": ((58, 98, 46), (72, 116, 52)),
        "autumn": ((190, 84, 40), (206, 120, 44)),
        "winter": (),
    },
    "birch": {
        "spring": ((168, 200, 110), (186, 214, 130)),
        "summer": ((110, 142, 66), (128, 158, 80)),
        "autumn": ((220, 184, 70), (206, 166, 60)),
        "winter": (),
    },
    "poplar": {
        "spring": ((140, 178, 86), (160, 192, 104)),
        "summer": ((66, 104, 56), (82, 120, 62)),
        "autumn": ((196, 170, 64), (170, 142, 54)),
        "winter": (),
    },
    "cherry": {
        "spring": ((236, 190, 206), (246, 214, 222)),
        "summer": ((84, 104, 54), (100, 118, 62)),
        "autumn": ((200, 110, 56), (178, 84, 48)),
        "winter": (),
    },
    "plane": {
        "spring": ((156, 186, 102), (176, 200, 120)),
        "summer": ((88, 118, 62), (104, 132, 72)),
        "autumn": ((176, 138, 62), (156, 116, 52)),
        "winter": (),
    },
    "willow": {
        "spring": ((170, 196, 104), (188, 208, 124)),
        "summer": ((116, 138, 82), (132, 152, 96)),
        "autumn": ((196, 180, 84), (178, 160, 74)),
        "winter": (),
    },
    "bush": {
        "spring": ((140, 176, 88), (196, 190, 96)),
        "summer": ((70, 100, 50), (92, 118, 58)),
        "autumn": ((150, 104, 50), (120, 118, 56)),
        "winter": (),
    },
}
BARK: dict[Species, Colour] = {
    "lime": (86, 72, 60), "maple": (78, 64, 54), "birch": (206, 202, 196), "poplar": (104, 94, 80),
    "cherry": (92, 62, 54), "plane": (150, 146, 124), "willow": (96, 86, 68), "bush": (84, 68, 54),
}  # fmt: skip
EVERGREENS: dict[Species, Colour] = {
    "spruce": (46, 74, 52), "pine": (66, 88, 58), "thuja": (62, 92, 54),
}  # fmt: skip
SPECIES: tuple[Species, ...] = (*BARK, *EVERGREENS)
# Width of a tree's picture as a share of its height.
WIDTHS: dict[Species, float] = {
    "poplar": 0.42, "birch": 0.7, "plane": 0.95, "willow": 0.95, "bush": 1.25,
    "spruce": 0.5, "pine": 0.62, "thuja": 0.34,
}  # fmt: skip
_USUAL_WIDTH = 0.84


def width_share(species: Species) -> float:
    """Width of a tree's picture as a share of its height."""
    return WIDTHS.get(species, _USUAL_WIDTH)


@cache
def tree(species: Species, season: Season, variant: int) -> Image:
    """A tree's picture RGBA [TREE_PIXELS, W, 4], foot in the middle of the lower edge.

    Branches depend on species and variant only, so that a tree keeps its shape over the year. It
    is painted once and kept: its thousands of leaves take as long as several whole pictures.
    """
    if species in EVERGREENS:
        return _evergreen(species, variant)
    high = TREE_PIXELS
    wide = round(width_share(species) * high)
    number = sorted(BARK).index(species)
    segments, tips = _branches(np.random.default_rng([20, number, variant]), species)
    # Fit the crown into the picture, the foot in the middle of the lower edge.
    margin = 0.05 * high
    reach = np.array(tips)
    scale = (high - 2 * margin) / float(reach[:, 1].max())
    across = (wide / 2 - margin) / float(np.abs(reach[:, 0]).max())

    def pixel(point: tuple[float, float]) -> tuple[int, int]:
        return round(wide / 2 + across * point[0]), round(high - 1 - scale * point[1])

    colour = np.zeros((high, wide, 3), np.uint8)
    alpha = np.zeros((high, wide), np.uint8)
    bark = np.random.default_rng([22, number, variant])
    for start, end, thick in segments:
        width = max(1, round(thick * scale))
        tone = shade(BARK[species], float(bark.uniform(0.8, 1.1)))
        cv2.line(colour, pixel(start), pixel(end), tone, width)
        cv2.line(alpha, pixel(start), pixel(end), 255, width)
    if FOLIAGE[species][season]:
        leaves = np.random.default_rng([21, number, variant])
        bare = alpha > 0
        size = 1.4 if species == "bush" else 1.0
        _leaves(colour, alpha, [pixel(tip) for tip in tips], FOLIAGE[species][season], leaves, size)
        _roughen(colour, alpha, bare, leaves)
    return np.dstack([colour, alpha])


_Segment = tuple[tuple[float, float], tuple[float, float], float]


def _branches(
    rng: np.random.Generator, species: Species
) -> tuple[list[_Segment], list[tuple[float, float]]]:
    """Segments (start, end, thickness) of a tree that stands on (0, 0), and where leaves grow."""
    segments: list[_Segment] = []
    tips: list[tuple[float, float]] = []
    spread = {"poplar": 0.22, "birch": 0.38, "plane": 0.58}.get(species, 0.5)
    spread *= float(rng.uniform(0.85, 1.15))
    bend = 1.0 if species == "willow" else float(rng.uniform(0.8, 0.92))

    def grow(at: tuple[float, float], angle: float, length: float, thick: float, left: int) -> None:
        end = (at[0] + length * float(np.sin(angle)), at[1] + length * float(np.cos(angle)))
        segments.append((at, end, thick))
        if left <= 3:
            tips.append(end)
        if left == 0:
            return
        turns = [-spread, spread] if left < 3 else [-1.25 * spread, 0.05, 1.25 * spread]
        for turn in turns:
            new = bend * angle + turn + float(rng.normal(0, 0.14))
            grow(end, new, length * float(rng.uniform(0.62, 0.82)), 0.62 * thick, left - 1)

    trunk = float(rng.uniform(0.75, 1.25))
    if species == "bush":  # stems from the ground on
        for lean in (-0.8, -0.3, 0.25, 0.75):
            grow((0.1 * lean, 0.0), lean, 0.5, 0.03, 3)
    else:
        grow((0.0, 0.0), float(rng.normal(0, 0.04)), trunk, 0.1, 5)
    return segments, tips


def _leaves(
    colour: Image,
    alpha: Image,
    tips: list[tuple[int, int]],
    palette: tuple[Colour, ...],
    rng: np.random.Generator,
    size: float,
) -> None:
    """Hang leaves around the tips of the branches: dark ones below first, light ones above."""
    high, wide = alpha.shape
    bare = alpha > 0
    for x, y in sorted(tips, key=lambda tip: -tip[1]):
        # Lighter above and on the left, darker inside and below: a crown, not a cloud.
        lift = 0.72 + 0.55 * (0.6 - y / high) + 0.3 * (0.5 - x / wide)
        for layer, share in ((0.7, 0.042), (1.0, 0.03), (1.22, 0.02)):
            base = palette[int(rng.integers(len(palette)))]
            tone = shade(base, float(np.clip(layer * (lift + rng.normal(0.25, 0.1)), 0.35, 1.5)))
            radius = max(2, round(size * share * high * float(rng.uniform(0.7, 1.2))))
            at = (
                round(x + rng.normal(0, 0.016) * high),
                round(y + rng.normal(0, 0.016) * high - 0.3 * (layer - 0.7) * 0.05 * high),
            )
            cv2.circle(colour, at, radius, tone, -1)
            cv2.circle(alpha, at, radius, 255, -1)
    # Single leaves roughen surface and edges.
    full = max(1.0, float(np.mean(palette[0])))
    ys, xs = np.nonzero(((alpha > 0) & ~bare)[: round(_TRUNK * high)])
    for index in rng.integers(0, len(xs), 4500):
        x, y = int(xs[index]), int(ys[index])
        shown = sum(colour[y, x].tolist()) / 3 / full
        tone = shade(
            palette[int(rng.integers(len(palette)))], shown * float(rng.uniform(0.7, 1.35))
        )
        at = (x + int(rng.integers(-4, 5)), y + int(rng.integers(-4, 5)))
        cv2.circle(colour, at, 1, tone, -1)
        cv2.circle(alpha, at, 1, 255, -1)
    coarse = rng.random((high // 5, wide // 5)).astype(np.float32)
    holes = cv2.resize(coarse, (wide, high), interpolation=cv2.INTER_CUBIC) > 0.96
    alpha[holes & (np.arange(high)[:, None] < 0.6 * high)] = 0


_TRUNK = 0.82  # share of the height, from the top, below which nothing is torn or strewn


def _roughen(
    colour: Image, alpha: Image, bare: NDArray[np.bool_], rng: np.random.Generator
) -> None:
    """Give a crown light and shade at all sizes and an edge of single leaves."""
    high, wide = alpha.shape
    light = noise(rng, high, wide, 70, 6)
    gain = 1 + 0.17 * light + 0.07 * rng.standard_normal((high, wide)).astype(np.float32)
    crown = (np.arange(high)[:, None] < 0.88 * high) & ~bare
    colour[:] = np.where(
        crown[..., None], np.clip(colour * gain[..., None], 0, 255), colour
    ).astype(np.uint8)
    inside = cv2.distanceTransform((alpha > 0).astype(np.uint8), cv2.DIST_L2, 3)
    torn = inside < 3.5 * (0.4 + noise(rng, high, wide, 9, 3))
    alpha[torn & ~bare & (np.arange(high)[:, None] < _TRUNK * high)] = 0


def _evergreen(species: Species, variant: int) -> Image:
    """A conifer: tiers of drooping boughs, an umbrella on a bare stem, or a dense column."""
    rng = np.random.default_rng([28, sorted(EVERGREENS).index(species), variant])
    high = TREE_PIXELS
    wide = round(width_share(species) * high)
    colour = np.zeros((high, wide, 3), np.uint8)
    alpha = np.zeros((high, wide), np.uint8)
    middle, base = wide / 2, EVERGREENS[species]
    stem = shade((82, 64, 50), float(rng.uniform(0.8, 1.2)))
    lowest = {"spruce": 0.96, "thuja": 0.985, "pine": float(rng.uniform(0.4, 0.6))}[species]
    for picture, tone in ((colour, stem), (alpha, (255,))):
        cv2.line(
            picture, (round(middle), high - 1), (round(middle), round(0.2 * high)), tone,
            5 if species == "pine" else 4,
        )  # fmt: skip
    count = {"spruce": 1500, "pine": 1100, "thuja": 1500}[species]
    downs = np.sort(rng.random(count)) ** (0.8 if species != "thuja" else 1.0)
    for down in downs:
        y = (0.02 + (lowest - 0.02) * down) * high
        if species == "spruce":
            tier = 0.55 + 0.45 * ((down * 11) % 1.0)
            reach = 0.47 * wide * down * tier
        elif species == "pine":
            reach = 0.46 * wide * np.sqrt(max(0.0, 1 - (2.0 * down - 1.1) ** 2))
        else:
            reach = 0.42 * wide * min(1.0, 3.2 * down, 4.0 * (1.06 - down)) ** 0.6
        out = float(rng.uniform(-1, 1))
        x = middle + out * reach
        lit = 0.75 + 0.35 * abs(out) - 0.2 * out + float(rng.normal(0, 0.16))
        tone = shade(base, float(np.clip(lit * (1.15 - 0.3 * down), 0.35, 1.7)))
        droop = 0.35 if species == "spruce" else (-0.3 if species == "thuja" else 0.0)
        long = float(rng.uniform(4, 11))
        end = (round(x + np.sign(out) * long * (0.3 if species == "thuja" else 1)),
               round(y + droop * long + float(rng.normal(0, 1.5))))  # fmt: skip
        thick = int(rng.integers(2, 6))
        cv2.line(colour, (round(x), round(y)), end, tone, thick)
        cv2.line(alpha, (round(x), round(y)), end, 255, thick)
    gain = 1 + 0.16 * noise(rng, high, wide, 50, 6)
    colour[:] = np.clip(colour * gain[..., None], 0, 255).astype(np.uint8)
    return np.dstack([colour, alpha])


def _board(width: float, height: float) -> tuple[Image, Callable[..., None]]:
    """An empty RGBA picture of so many metres, and a function that fills boxes in it (metres)."""
    scale = FURNITURE_PIXELS_PER_METRE
    image = np.zeros((round(height * scale), round(width * scale), 4), np.uint8)

    def fill(left: float, bottom: float, right: float, top: float, colour: Colour) -> None:
        rows = image.shape[0]
        y0, y1 = rows - round(top * scale), rows - round(bottom * scale)
        x0, x1 = round(left * scale), round(right * scale)
        wide = max(1, x1 - x0)
        # Round things: lighter left of the middle, darker at the right edge.
        across = np.linspace(-1, 1, wide)
        gain = (1.08 - 0.30 * (across + 0.3) ** 2)[None, :, None]
        image[y0:y1, x0 : x0 + wide, :3] = np.clip(np.asarray(colour) * gain, 0, 255)
        image[y0:y1, x0 : x0 + wide, 3] = 255

    return image, fill


LAMP_HEIGHTS = (6.0, 8.0, 4.4, 5.2)
SIGNS = 12  # faces that signs can have


def lamp(kind: int) -> Image:
    """A street lamp of one of four makes, LAMP_HEIGHTS[kind] m high, 1.2 m wide (1.8 m: kind 1)."""
    high = LAMP_HEIGHTS[kind]
    image, fill = _board(1.8 if kind == 1 else 1.2, high)
    iron, light = (52, 58, 58), (232, 226, 200)
    if kind == 1:  # an arm over the road
        steel = (138, 142, 144)
        fill(0.3, 0, 0.42, high - 0.1, steel)
        fill(0.28, 0, 0.44, 1.0, shade(steel, 0.8))
        fill(0.3, high - 0.2, 1.5, high - 0.12, steel)
        fill(1.05, high - 0.3, 1.7, high - 0.14, (226, 224, 214))
    elif kind == 2:  # a globe
        fill(0.56, 0, 0.64, high - 0.5, (96, 100, 104))
        centre = (round(0.6 * FURNITURE_PIXELS_PER_METRE), round(0.26 * FURNITURE_PIXELS_PER_METRE))
        cv2.circle(image, centre, round(0.24 * FURNITURE_PIXELS_PER_METRE), (*light, 255), -1)
    else:
        fill(0.55, 0, 0.65, high - 0.7, iron)
        fill(0.5, 0, 0.7, 0.8, iron)
        fill(0.52, 3.4, 0.68, 3.5, iron)
        fill(0.36, high - 0.75, 0.84, high - 0.67, iron)
        for left, right in ((0.42, 0.78),) if kind == 0 else ((0.1, 0.36), (0.84, 1.1)):
            fill(left, high - 0.67, right, high - 0.25, light)
            fill(left - 0.05, high - 0.25, right + 0.05, high - 0.15, iron)
        if kind == 3:
            fill(0.2, high - 0.8, 1.0, high - 0.72, iron)
        fill(0.54, high - 0.75, 0.66, high, iron)
    return image


def sign(face: int) -> Image:
    """A traffic sign on a post, 0.8 x 2.9 m; `face` chooses among SIGNS."""
    image, fill = _board(0.8, 2.9)
    fill(0.37, 0, 0.43, 2.2, (150, 152, 154))
    scale, rows = FURNITURE_PIXELS_PER_METRE, image.shape[0]
    centre = (round(0.4 * scale), rows - round(2.45 * scale))
    radius = round(0.34 * scale)
    red, blue, white, yellow = (190, 36, 40), (34, 76, 150), (238, 238, 236), (236, 190, 50)
    kind = face % SIGNS
    corners = np.array([[-1, 0.8], [1, 0.8], [0, -0.95]]) * radius
    triangle = (corners + centre).astype(np.int32)

    def disc(r: float, colour: Colour) -> None:
        cv2.circle(image, centre, round(r * radius), (*colour, 255), -1)

    def box(half_w: float, half_h: float, colour: Colour) -> None:
        cv2.rectangle(
            image,
            (round(centre[0] - half_w * radius), round(centre[1] - half_h * radius)),
            (round(centre[0] + half_w * radius), round(centre[1] + half_h * radius)),
            (*colour, 255), -1,
        )  # fmt: skip

    if kind == 0:  # no entry
        disc(1, red)
        box(0.65, 0.16, white)
    elif kind == 1:  # give way
        cv2.fillConvexPoly(image, (2 * np.array(centre) - triangle).astype(np.int32), (*red, 255))
        small = ((2 * np.array(centre) - triangle) * 0.55 + np.array(centre) * 0.45).astype(
            np.int32
        )
        cv2.fillConvexPoly(image, small, (*white, 255))
    elif kind == 2:  # parking
        box(0.95, 0.95, blue)
        _letter(image, "P", centre, white)
    elif kind == 3:  # speed limit
        disc(1, red)
        disc(0.75, white)
        _letter(image, "30", centre, (20, 20, 20), 0.55)
    elif kind == 4:  # priority road
        turned = np.array([[0, -1], [1, 0], [0, 1], [-1, 0]])
        for r, colour in ((1.0, white), (0.8, yellow)):
            cv2.fillConvexPoly(
                image, (turned * radius * r + centre).astype(np.int32), (*colour, 255)
            )
    elif kind == 5:  # danger
        cv2.fillConvexPoly(image, triangle, (*red, 255))
        cv2.fillConvexPoly(
            image, (triangle * 0.62 + np.array(centre) * 0.38).astype(np.int32), (*white, 255)
        )
        box(0.06, 0.3, (20, 20, 20))
    elif kind == 6:  # one way
        box(1.05, 0.42, blue)
        cv2.arrowedLine(
            image, (centre[0] - round(0.7 * radius), centre[1]),
            (centre[0] + round(0.7 * radius), centre[1]), (*white, 255), 5, tipLength=0.45,
        )  # fmt: skip
    elif kind == 8:  # crossing
        box(0.95, 0.95, blue)
        cv2.fillConvexPoly(image, (triangle * 0.8 + np.array(centre) * 0.2).astype(np.int32),
                           (*white, 255))  # fmt: skip
        box(0.08, 0.35, (20, 20, 20))
    elif kind == 9:  # a name plate
        box(1.1, 0.4, (30, 96, 70) if face % 2 == 0 else blue)
        box(0.85, 0.1, white)
    elif kind == 10:  # stop
        turn = np.radians(22.5 + 45 * np.arange(8))
        ring = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius + centre
        cv2.fillConvexPoly(image, ring.astype(np.int32), (*red, 255))
        _letter(image, "STOP", centre, white, 0.5)
    elif kind == 11:  # ways to places
        box(1.1, 0.75, yellow)
        for row in (-0.4, 0.0, 0.4):
            y = round(centre[1] + row * radius)
            cv2.line(image, (centre[0] - radius // 2, y), (centre[0] + radius // 2, y),
                     (30, 30, 30, 255), 4)  # fmt: skip
    else:  # no stopping
        disc(1, red)
        disc(0.8, blue)
        cv2.line(
            image, (centre[0] - radius // 2, centre[1] - radius // 2),
            (centre[0] + radius // 2, centre[1] + radius // 2), (*red, 255), 6,
        )  # fmt: skip
    return image


def _letter(
    image: Image, text: str, centre: tuple[int, int], colour: Colour, size: float = 1.2
) -> None:
    (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, size, 3)
    place = (centre[0] - wide // 2, centre[1] + high // 2)
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_DUPLEX, size, (*colour, 255), 3, cv2.LINE_AA)


def traffic_light() -> Image:
    """A traffic light on a post, 0.6 x 3.4 m, showing red."""
    image, fill = _board(0.6, 3.4)
    fill(0.26, 0, 0.34, 2.4, (86, 90, 92))
    fill(0.12, 2.35, 0.48, 3.4, (30, 34, 34))
    rows, scale = image.shape[0], FURNITURE_PIXELS_PER_METRE
    for height, colour in ((3.2, (226, 40, 36)), (2.88, (96, 74, 22)), (2.56, (24, 74, 44))):
        at = (round(0.3 * scale), rows - round(height * scale))
        cv2.circle(image, at, round(0.11 * scale), (*colour, 255), -1)
    return image


_TUBS: tuple[Colour, ...] = (
    (58, 92, 70), (52, 56, 60), (64, 84, 140), (150, 60, 50), (128, 128, 124), (176, 150, 60),
)  # fmt: skip


def bin_(variant: int) -> Image:
    """A litter bin, 0.6 x 1 m."""
    image, fill = _board(0.6, 1.0)
    tone = _TUBS[variant % len(_TUBS)]
    fill(0.08, 0.0, 0.52, 0.85, tone)
    fill(0.04, 0.82, 0.56, 0.96, shade(tone, 0.7))
    fill(0.18, 0.62, 0.42, 0.76, (18, 22, 20))
    return image


def hydrant() -> Image:
    """A hydrant, 0.5 x 0.9 m."""
    image, fill = _board(0.5, 0.9)
    for left, low, right, top in (
        (0.17, 0, 0.33, 0.75), (0.12, 0.0, 0.38, 0.1), (0.08, 0.45, 0.42, 0.58),
        (0.14, 0.7, 0.36, 0.86),
    ):  # fmt: skip
        fill(left, low, right, top, (176, 46, 40))
    return image


def cone() -> Image:
    """A traffic cone, 0.5 x 0.8 m."""
    image, fill = _board(0.5, 0.8)
    for step in range(12):
        low, half = 0.05 + step * 0.06, 0.17 - 0.0125 * step
        fill(0.25 - half, low, 0.25 + half, low + 0.065,
             (236, 232, 226) if step in (4, 5, 8) else (226, 92, 36))  # fmt: skip
    fill(0.04, 0, 0.46, 0.06, (50, 48, 46))
    return image


def pole(metres_high: float = 8.0) -> Image:
    """A wooden pole with a cross arm, 1.8 x 8 m."""
    image, fill = _board(1.8, metres_high)
    wood = (104, 86, 68)
    fill(0.81, 0, 0.99, metres_high, wood)
    fill(0.1, metres_high - 0.7, 1.7, metres_high - 0.56, shade(wood, 0.8))
    for x in (0.15, 0.5, 1.25, 1.6):
        fill(x, metres_high - 0.56, x + 0.07, metres_high - 0.4, (190, 196, 196))
    fill(0.65, metres_high - 2.2, 1.15, metres_high - 1.4, (128, 132, 132))
    return image


def bench(variant: int) -> Image:
    """A bench seen from its front, 1.8 x 0.9 m."""
    image, fill = _board(1.8, 0.9)
    woods: tuple[Colour, ...] = ((128, 92, 60), (92, 104, 78), (70, 72, 76))
    wood = woods[variant % 3]
    for x in (0.15, 1.55):
        fill(x, 0, x + 0.1, 0.85, (52, 54, 56))
    for low in (0.4, 0.58, 0.72):
        fill(0.05, low, 1.75, low + 0.09, shade(wood, 0.8 + 0.3 * low))
    return image


def board(variant: int) -> Image:
    """A shop's board on the pavement, 0.7 x 1.1 m."""
    image, fill = _board(0.7, 1.1)
    rng = np.random.default_rng([26, variant])
    fill(0.02, 0, 0.68, 1.08, (96, 66, 46))
    fill(0.07, 0.14, 0.63, 1.02, (38, 42, 40) if variant % 2 else (226, 220, 204))
    ink: Colour = (232, 230, 222) if variant % 2 else (60, 40, 44)
    for low in np.arange(0.25, 0.9, 0.13):
        left = float(rng.uniform(0.12, 0.22))
        fill(left, float(low), left + float(rng.uniform(0.15, 0.36)), float(low) + 0.05, ink)
    return image


def cabinet(variant: int) -> Image:
    """A grey box of the telephone or the power company, 0.9 x 1.2 m, perhaps sprayed at."""
    image, fill = _board(0.9, 1.2)
    rng = np.random.default_rng([27, variant])
    fill(0.04, 0, 0.86, 1.15, mix((150, 154, 150), (96, 116, 98), float(rng.random())))
    fill(0.02, 1.1, 0.88, 1.18, (110, 112, 110))
    if variant % 2:
        tint = tuple(int(c) for c in rng.integers(20, 230, 3))
        points = rng.uniform(0.15, 0.8, (7, 2)) * [image.shape[1], image.shape[0]]
        cv2.polylines(image, [points.astype(np.int32)], False, (*tint, 255), 5, cv2.LINE_AA)
    return image


def flowers(variant: int) -> Image:
    """A trough of flowers, 1.6 x 0.6 m."""
    image, fill = _board(1.6, 0.6)
    rng = np.random.default_rng([29, variant])
    fill(0.05, 0, 1.55, 0.28, _TUBS[(variant + 4) % len(_TUBS)])
    blooms = rng.integers(60, 256, (3, 3))
    rows, s = image.shape[0], FURNITURE_PIXELS_PER_METRE
    for index in range(170):
        x, z = rng.uniform(0.05, 1.55), 0.26 + abs(rng.normal(0, 0.12))
        tone = shade((72, 106, 54), float(rng.uniform(0.6, 1.4)))
        if index > 90:
            red, green, blue = (int(c) for c in blooms[index % 3])
            tone = (red, green, blue)
        at = (round(x * s), rows - round(min(z, 0.55) * s))
        cv2.circle(image, at, int(rng.integers(2, 5)), (*tone, 255), -1)
    return image


def bollard() -> Image:
    """A bollard, 0.3 x 1 m."""
    image, fill = _board(0.3, 1.0)
    fill(0.08, 0, 0.22, 0.95, (60, 62, 64))
    fill(0.08, 0.72, 0.22, 0.84, (226, 224, 216))
    return image


def post_box() -> Image:
    """A post box, 0.6 x 1.4 m."""
    image, fill = _board(0.6, 1.4)
    fill(0.24, 0, 0.36, 0.5, (70, 70, 72))
    fill(0.05, 0.45, 0.55, 1.38, (228, 186, 40))
    fill(0.13, 1.12, 0.47, 1.18, (30, 30, 30))
    fill(0.13, 0.6, 0.47, 0.9, (242, 240, 230))
    return image


def planter(variant: int) -> Image:
    """A tub with a bush, 1.2 x 1.4 m."""
    image, fill = _board(1.2, 1.4)
    rng = np.random.default_rng([23, variant])
    tub = mix((150, 118, 96), _TUBS[variant % len(_TUBS)], 0.6 if variant else 0.0)
    fill(0.2, 0, 1.0, 0.5, tub)
    fill(0.15, 0.44, 1.05, 0.54, shade(tub, 0.85))
    rows, scale = image.shape[0], FURNITURE_PIXELS_PER_METRE
    for _ in range(90):
        x, z = rng.normal(0.6, 0.2), 0.5 + abs(rng.normal(0.2, 0.22))
        tone = shade((70, 112, 56), float(rng.uniform(0.7, 1.4)))
        at = (round(np.clip(x, 0.1, 1.1) * scale), rows - round(min(z, 1.3) * scale))
        cv2.circle(image, at, int(rng.integers(4, 9)), (*tone, 255), -1)
    return image


def advertising_column(variant: int) -> Image:
    """A round column with bills on it, 1.5 x 3.6 m."""
    image, fill = _board(1.5, 3.6)
    rng = np.random.default_rng([24, variant])
    fill(0.15, 0, 1.35, 0.4, (90, 92, 90))
    fill(0.2, 0.4, 1.3, 3.0, (196, 190, 176))
    for bottom in (0.5, 1.75):
        left = 0.22
        while left < 1.1:
            wide = float(rng.uniform(0.3, 0.5))
            colour = tuple(int(c) for c in rng.integers(50, 235, 3))
            fill(left, bottom, min(left + wide, 1.28), bottom + 1.1, colour)
            fill(left + 0.06, bottom + 0.2, min(left + wide, 1.28) - 0.06, bottom + 0.34,
                 (240, 236, 226))  # fmt: skip
            left += wide + 0.04
    fill(0.05, 3.0, 1.45, 3.2, (60, 84, 70))
    fill(0.4, 3.2, 1.1, 3.45, (60, 84, 70))
    return image


def bicycle(variant: int) -> Image:
    """A bicycle seen from the side, 1.8 x 1.1 m."""
    image, _ = _board(1.8, 1.1)
    rng = np.random.default_rng([25, variant])
    paint = (*(int(c) for c in rng.integers(40, 220, 3)), 255)
    s, rows = FURNITURE_PIXELS_PER_METRE, image.shape[0]

    def at(x: float, z: float) -> tuple[int, int]:
        return round(x * s), rows - round(z * s)

    for x in (0.38, 1.4):
        cv2.circle(image, at(x, 0.35), round(0.33 * s), (26, 26, 28, 255), 4)
    for a, b in (
        ((0.38, 0.35), (0.72, 0.8)), ((0.72, 0.8), (1.28, 0.8)), ((1.28, 0.85), (1.4, 0.35)),
        ((0.85, 0.34), (1.26, 0.78)), ((0.85, 0.34), (0.7, 0.9)), ((0.38, 0.35), (0.85, 0.34)),
    ):  # fmt: skip
        cv2.line(image, at(*a), at(*b), paint, 4, cv2.LINE_AA)
    cv2.line(image, at(0.58, 0.92), at(0.82, 0.92), (30, 26, 24, 255), 6)
    cv2.line(image, at(1.26, 0.85), at(1.22, 1.04), (60, 60, 62, 255), 4)
    cv2.line(image, at(1.12, 1.04), at(1.3, 1.02), (30, 26, 24, 255), 5)
    return image
