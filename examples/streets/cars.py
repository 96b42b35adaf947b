"""Cars, vans, lorries and buses: a painted side view, extruded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.streets.materials import Colour, Image, shade
from examples.streets.surfaces import Surface, Texture

Kind = Literal["hatchback", "saloon", "estate", "van", "mini", "bus", "lorry"]

# Side view from the rear bumper (x = 0) over the roof to the front: (x, z) in metres.
PROFILES: dict[Kind, tuple[tuple[float, float], ...]] = {
    "hatchback": ((0.0, 0.35), (0.02, 0.85), (0.5, 1.42), (2.2, 1.46), (2.95, 0.98), (3.95, 0.8),
                  (4.05, 0.35)),
    "saloon": ((0.0, 0.35), (0.02, 0.92), (0.75, 0.98), (1.35, 1.4), (2.6, 1.43), (3.35, 0.96),
               (4.5, 0.8), (4.6, 0.35)),
    "estate": ((0.0, 0.35), (0.02, 0.9), (0.35, 1.46), (2.7, 1.48), (3.45, 0.98), (4.5, 0.82),
               (4.6, 0.35)),
    "van": ((0.0, 0.4), (0.0, 1.95), (0.1, 2.02), (3.7, 2.02), (4.4, 1.15), (4.95, 1.0),
            (5.0, 0.4)),
    "mini": ((0.0, 0.33), (0.02, 0.9), (0.3, 1.5), (1.9, 1.54), (2.55, 1.0), (3.1, 0.85),
             (3.2, 0.33)),
    "bus": ((0.0, 0.4), (0.0, 2.85), (0.15, 3.02), (10.2, 3.02), (10.4, 2.85), (10.5, 0.4)),
    "lorry": ((0.0, 0.5), (0.0, 3.2), (0.08, 3.26), (5.5, 3.26), (5.56, 2.5), (6.5, 2.5),
              (7.0, 1.5), (7.1, 0.45)),
}  # fmt: skip
WIDTHS: dict[Kind, float] = {
    "hatchback": 1.74, "saloon": 1.8, "estate": 1.8, "van": 1.95, "mini": 1.6,
    "bus": 2.45, "lorry": 2.3,
}  # fmt: skip
PARKED: tuple[Kind, ...] = ("estate", "hatchback", "mini", "saloon", "van")
MOVING: tuple[Kind, ...] = (*PARKED, "estate", "hatchback", "saloon", "bus", "lorry")
COLOURS: tuple[Colour, ...] = (
    (196, 198, 200), (34, 36, 40), (232, 232, 230), (110, 114, 120), (150, 28, 32), (30, 62, 118),
    (60, 92, 68), (206, 172, 60), (96, 60, 44), (108, 160, 184),
)  # fmt: skip
_SCALE = 64  # pixels per metre
_PILLARS: dict[Kind, tuple[float, ...]] = {
    "van": (0.55,), "lorry": (0.8,), "bus": (0.1, 0.22, 0.34, 0.46, 0.58, 0.7, 0.82, 0.94),
}  # fmt: skip
_GLASS: Colour = (58, 68, 78)


@dataclass(frozen=True)
class Car:
    """A car on the ground: middle of its footprint (metres, map frame) and heading (radians)."""

    x: float
    y: float
    heading: float
    kind: Kind
    colour: int  # index into COLOURS

    @property
    def length(self) -> float:
        """Metres from bumper to bumper."""
        return PROFILES[self.kind][-1][0]

    @property
    def width(self) -> float:
        """Metres from side to side."""
        return WIDTHS[self.kind]

    @property
    def height(self) -> float:
        """Metres from the ground to the roof."""
        return max(z for _, z in PROFILES[self.kind])

    @property
    def footprint(self) -> NDArray[np.float64]:
        """Corners [4, 2] of the ground under the car, counter-clockwise from the rear right."""
        ahead = np.array([np.cos(self.heading), np.sin(self.heading)])
        left = np.array([-ahead[1], ahead[0]])
        half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.5
        return np.asarray(
            np.array([self.x, self.y])
            + half[:, :1] * self.length * ahead
            + half[:, 1:] * self.width * left
        )


def surfaces(car: Car, lights: bool = False) -> list[Surface]:
    """The car's sides, and the strips from the rear bumper over the roof to the front one.

    With `lights` its head and tail lamps are among those that shine when lamps are lit.
    """
    ahead = np.array([np.cos(car.heading), np.sin(car.heading), 0.0])
    left = np.array([-ahead[1], ahead[0], 0.0])
    up = np.array([0.0, 0.0, 1.0])
    rear = np.array([car.x, car.y, 0.0]) - 0.5 * car.length * ahead
    across = 0.5 * car.width * left
    height = car.height + 0.02
    side, far_side = _side(car.kind, car.colour, False), _side(car.kind, car.colour, True)
    profile = PROFILES[car.kind]
    shape = [(x / car.length, 1 - z / height) for x, z in profile]
    shape = [(0.0, 1.0), *shape, (1.0, 1.0)]
    mirrored = [(1 - x, z) for x, z in reversed(shape)]
    made = [
        # Seen from its right the car drives to the right, from its left to the left.
        Surface(side, rear - across + height * up, car.length * ahead, -height * up, shape),
        Surface(
            far_side,
            rear + car.length * ahead + across + height * up,
            -car.length * ahead,
            -height * up,
            mirrored,
        ),
    ]
    inner = 0.99 * across
    for strip, ((x0, z0), (x1, z1)) in enumerate(pairwise(profile)):
        low, high = rear + x0 * ahead + z0 * up, rear + x1 * ahead + z1 * up
        texture = _strip(car.kind, car.colour, strip, lights)
        if z1 >= z0:  # faces the rear: seen from behind, the left side is on the left
            made.append(Surface(texture, high + inner, -2 * inner, low - high))
        else:
            made.append(Surface(texture, low - inner, 2 * inner, high - low))
    return made


def _is_glass(kind: Kind, strip: int) -> bool:
    """Whether a strip of the profile is a window: steep, and above the waist line."""
    (x0, z0), (x1, z1) = PROFILES[kind][strip : strip + 2]
    return abs(z1 - z0) > 0.3 and min(z0, z1) > 0.8 and max(z0, z1) > 1.2 and abs(x1 - x0) > 0.2


@cache
def _strip(kind: Kind, colour: int, strip: int, lights: bool) -> Texture:
    profile = PROFILES[kind]
    (x0, z0), (x1, z1) = profile[strip : strip + 2]
    paint = COLOURS[colour]

    def painter() -> tuple[Image, Image | None]:
        glow = None
        wide = round(WIDTHS[kind] * _SCALE)
        high = max(8, round(float(np.hypot(x1 - x0, z1 - z0)) * _SCALE))
        image: NDArray[np.uint8] = np.full((high, wide, 3), paint, np.uint8)
        if _is_glass(kind, strip):
            image[:] = shade(paint, 0.85)
            edge = round(0.1 * _SCALE)
            fall = np.linspace(1.5, 0.8, high - 6)[:, None, None]
            glass = np.clip(np.asarray(_GLASS) * fall, 0, 255)
            image[3:-3, edge:-edge] = glass.astype(np.uint8)
        elif strip in (0, len(profile) - 2):
            lamps = _face(image, paint, rear=strip == 0, tall=high > 1.2 * _SCALE)
            glow = np.where(lamps[..., None], image, 0).astype(np.uint8) if lights else None
        else:
            gain = np.linspace(1.06, 0.94, high)[:, None, None]
            image = np.clip(image * gain, 0, 255).astype(np.uint8)
            image[:, ::1][0] = shade(paint, 0.7)
            image[-1] = shade(paint, 0.7)
        return image, glow

    return Texture(painter)


def _face(image: Image, paint: Colour, rear: bool, tall: bool) -> NDArray[np.bool_]:
    """Paint the front or the back of a car; returns where its lamps are [H, W].

    Bumper, lights, number plate, grille, and windows where there is room for them.
    """
    high, wide = image.shape[:2]
    image[-max(4, high // 5) :] = (46, 48, 50)
    top, bottom = (0.15, 0.5) if not tall else (0.55, 0.72)
    y0, y1 = round(top * high), round(bottom * high)
    lamp = (176, 26, 30) if rear else (234, 232, 214)
    third = round(0.2 * wide)
    image[y0:y1, 6 : 6 + third] = lamp
    image[y0:y1, -6 - third : -6] = lamp
    lamps: NDArray[np.bool_] = np.zeros((high, wide), bool)
    lamps[y0:y1, 6 : 6 + third] = lamps[y0:y1, -6 - third : -6] = True
    if not rear:
        image[y0:y1, wide // 3 : -wide // 3] = (34, 36, 38)
    plate = round(0.14 * wide)
    image[y1 : y1 + max(3, high // 6), wide // 2 - plate : wide // 2 + plate] = (236, 236, 226)
    if tall and rear:
        image[round(0.12 * high) : round(0.45 * high), 10 : wide // 2 - 3] = _GLASS
        image[round(0.12 * high) : round(0.45 * high), wide // 2 + 3 : -10] = _GLASS
        image[:, wide // 2 - 1 : wide // 2 + 1] = shade(paint, 0.5)
    elif tall:  # a bus
        image[round(0.08 * high) : round(0.5 * high), 8:-8] = _GLASS
        image[round(0.02 * high) : round(0.07 * high), wide // 4 : -wide // 4] = (226, 170, 50)
    return lamps


@cache
def _side(kind: Kind, colour: int, mirrored: bool) -> Texture:
    profile = np.array(PROFILES[kind])
    paint = COLOURS[colour]

    def painter() -> tuple[Image, None]:
        top = float(profile[:, 1].max()) + 0.02
        wide, high = round(float(profile[-1, 0]) * _SCALE), round(top * _SCALE)
        image: NDArray[np.uint8] = np.zeros((high, wide, 4), np.uint8)

        def pixels(points: NDArray[np.float64]) -> NDArray[np.int32]:
            scaled = np.stack([points[:, 0] * _SCALE, high - points[:, 1] * _SCALE], axis=1)
            return np.round(scaled).astype(np.int32)

        def at(x: float, z: float) -> tuple[int, int]:
            return round(x * _SCALE), round(high - z * _SCALE)

        length = float(profile[-1, 0])
        body = np.vstack([profile, [[length, 0.26], [0, 0.26]]])
        cv2.fillPoly(image, [pixels(body)], (*paint, 255))
        below = np.array([[0, 0.26], [length, 0.26], [length, 0.42], [0, 0.42]])
        cv2.fillPoly(image, [pixels(below)], (*shade(paint, 0.6), 255))
        large = kind in ("bus", "lorry")
        waist = 1.5 if large else 1.2 if kind == "van" else 0.92
        glass = _window_line(profile, waist, kind)
        cv2.fillPoly(image, [pixels(glass)], (*_GLASS, 255))
        shine = glass.copy()
        shine[:, 1] = np.maximum(shine[:, 1], waist + 0.6 * (glass[:, 1].max() - waist))
        cv2.fillPoly(image, [pixels(shine)], (104, 122, 138, 255))
        for share in _PILLARS.get(kind, (0.36, 0.62)):
            x = share * length
            cv2.line(image, at(x, waist), at(x, top - 0.08), (*shade(paint, 0.8), 255), 5)
            cv2.line(image, at(x, 0.3), at(x, waist), (*shade(paint, 0.65), 255), 1)
            cv2.line(image, at(x - 0.25, 0.82), at(x - 0.1, 0.82), (*shade(paint, 0.5), 255), 2)
        cv2.line(image, at(0, 0.62), at(length, 0.6), (*shade(paint, 0.82), 255), 2)
        cv2.rectangle(image, at(0.0, 0.88), at(0.14, 0.7), (170, 26, 30, 255), -1)
        cv2.rectangle(image, at(length - 0.22, 0.76), at(length - 0.02, 0.62),
                      (230, 228, 206, 255), -1)  # fmt: skip
        grown = 1.35 if large else 1.0
        for x in (0.19 * length, 0.81 * length):
            for radius, tone in ((0.36, 22), (0.3, 35), (0.18, 152), (0.06, 72)):
                size = round(grown * radius * _SCALE)
                cv2.circle(image, at(x, grown * 0.31), size, (tone, tone, tone + 2, 255), -1)
        if mirrored:
            image = np.ascontiguousarray(image[:, ::-1])
        return image, None

    return Texture(painter)


def _window_line(profile: NDArray[np.float64], waist: float, kind: Kind) -> NDArray[np.float64]:
    """The side windows: the part of the profile above the waist, drawn in by a frame's width."""
    xs = np.linspace(profile[0, 0], profile[-1, 0], 200)
    roof = np.interp(xs, np.maximum.accumulate(profile[:, 0]), profile[:, 1]) - 0.09
    inside = roof > waist + 0.02
    if kind in ("van", "lorry"):
        inside &= xs > (0.52 if kind == "van" else 0.79) * profile[-1, 0]
    xs, roof = xs[inside], roof[inside]
    trim = slice(6, -6)
    lower = np.stack([xs[trim], np.full_like(xs[trim], waist)], axis=1)
    return np.vstack([np.stack([xs[trim], roof[trim]], axis=1), lower[::-1]])
