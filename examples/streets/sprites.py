"""Trees and street furniture as pictures with an alpha channel, to be turned towards the camera."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np

from examples.streets.materials import Colour, Image, shade

Season = Literal["spring", "summer", "autumn", "winter"]
Species = Literal["lime", "maple", "birch", "poplar"]

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
}
BARK: dict[Species, Colour] = {
    "lime": (86, 72, 60), "maple": (78, 64, 54), "birch": (206, 202, 196), "poplar": (104, 94, 80),
}  # fmt: skip


def tree(species: Species, season: Season, variant: int) -> Image:
    """A tree's picture RGBA [TREE_PIXELS, W, 4], foot in the middle of the lower edge.

    Branches depend on species and variant only, so that a tree keeps its shape over the year.
    """
    slim = species == "poplar"
    high = TREE_PIXELS
    wide = round((0.42 if slim else 0.84) * high)
    number = sorted(BARK).index(species)
    segments, tips = _branches(np.random.default_rng([20, number, variant]), slim)
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
        _leaves(colour, alpha, [pixel(tip) for tip in tips], FOLIAGE[species][season], leaves)
    return np.dstack([colour, alpha])


_Segment = tuple[tuple[float, float], tuple[float, float], float]


def _branches(
    rng: np.random.Generator, slim: bool
) -> tuple[list[_Segment], list[tuple[float, float]]]:
    """Segments (start, end, thickness) of a tree that stands on (0, 0), and where leaves grow."""
    segments: list[_Segment] = []
    tips: list[tuple[float, float]] = []

    def grow(at: tuple[float, float], angle: float, length: float, thick: float, left: int) -> None:
        end = (at[0] + length * float(np.sin(angle)), at[1] + length * float(np.cos(angle)))
        segments.append((at, end, thick))
        if left <= 3:
            tips.append(end)
        if left == 0:
            return
        spread = 0.22 if slim else 0.5
        turns = [-spread, spread] if left < 3 else [-1.25 * spread, 0.05, 1.25 * spread]
        for turn in turns:
            new = 0.86 * angle + turn + float(rng.normal(0, 0.14))
            grow(end, new, length * float(rng.uniform(0.62, 0.82)), 0.62 * thick, left - 1)

    grow((0.0, 0.0), float(rng.normal(0, 0.03)), 1.0, 0.1, 5)
    return segments, tips


def _leaves(
    colour: Image,
    alpha: Image,
    tips: list[tuple[int, int]],
    palette: tuple[Colour, ...],
    rng: np.random.Generator,
) -> None:
    """Hang leaves around the tips of the branches: dark ones below first, light ones above."""
    high, wide = alpha.shape
    for x, y in sorted(tips, key=lambda tip: -tip[1]):
        # Lighter above and on the left, darker inside and below: a crown, not a cloud.
        lift = 0.72 + 0.55 * (0.6 - y / high) + 0.3 * (0.5 - x / wide)
        for layer, size in ((0.7, 0.042), (1.0, 0.03), (1.22, 0.02)):
            base = palette[int(rng.integers(len(palette)))]
            tone = shade(base, float(np.clip(layer * (lift + rng.normal(0.25, 0.1)), 0.35, 1.5)))
            radius = max(2, round(size * high * float(rng.uniform(0.7, 1.2))))
            at = (
                round(x + rng.normal(0, 0.016) * high),
                round(y + rng.normal(0, 0.016) * high - 0.3 * (layer - 0.7) * 0.05 * high),
            )
            cv2.circle(colour, at, radius, tone, -1)
            cv2.circle(alpha, at, radius, 255, -1)
    # Single leaves roughen surface and edges.
    ys, xs = np.nonzero(alpha[: round(0.7 * high)])
    for index in rng.integers(0, len(xs), 1600):
        x, y = int(xs[index]), int(ys[index])
        shown = colour[y, x].astype(float).mean() / max(1.0, float(np.mean(palette[0])))
        tone = shade(
            palette[int(rng.integers(len(palette)))], shown * float(rng.uniform(0.7, 1.35))
        )
        at = (x + int(rng.integers(-4, 5)), y + int(rng.integers(-4, 5)))
        cv2.circle(colour, at, 1, tone, -1)
        cv2.circle(alpha, at, 1, 255, -1)
    coarse = rng.random((high // 5, wide // 5)).astype(np.float32)
    holes = cv2.resize(coarse, (wide, high), interpolation=cv2.INTER_CUBIC) > 0.96
    alpha[holes & (np.arange(high)[:, None] < 0.6 * high)] = 0


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


def lamp() -> Image:
    """A street lamp, 1.2 x 6 m."""
    image, fill = _board(1.2, 6.0)
    iron = (52, 58, 58)
    fill(0.55, 0, 0.65, 5.3, iron)
    fill(0.5, 0, 0.7, 0.8, iron)
    fill(0.52, 3.4, 0.68, 3.5, iron)
    fill(0.36, 5.25, 0.84, 5.33, iron)
    fill(0.42, 5.33, 0.78, 5.75, (232, 226, 200))
    fill(0.36, 5.75, 0.84, 5.85, iron)
    fill(0.54, 5.85, 0.66, 6.0, iron)
    return image


def sign(face: int) -> Image:
    """A traffic sign on a post, 0.8 x 2.9 m; `face` chooses among eight."""
    image, fill = _board(0.8, 2.9)
    fill(0.37, 0, 0.43, 2.2, (150, 152, 154))
    scale, rows = FURNITURE_PIXELS_PER_METRE, image.shape[0]
    centre = (round(0.4 * scale), rows - round(2.45 * scale))
    radius = round(0.34 * scale)
    red, blue, white, yellow = (190, 36, 40), (34, 76, 150), (238, 238, 236), (236, 190, 50)
    kind = face % 8
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


def bin_() -> Image:
    """A litter bin, 0.6 x 1 m."""
    image, fill = _board(0.6, 1.0)
    fill(0.08, 0.0, 0.52, 0.85, (58, 92, 70))
    fill(0.04, 0.82, 0.56, 0.96, (40, 62, 50))
    fill(0.18, 0.62, 0.42, 0.76, (18, 22, 20))
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


def planter() -> Image:
    """A tub with a bush, 1.2 x 1.4 m."""
    image, fill = _board(1.2, 1.4)
    rng = np.random.default_rng(23)
    fill(0.2, 0, 1.0, 0.5, (150, 118, 96))
    fill(0.15, 0.44, 1.05, 0.54, (128, 98, 80))
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
