"""People on foot and on bicycles, as pictures with an alpha channel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np

from examples.streets.materials import Colour, Image, shade
from examples.streets.surfaces import Texture

Side = Literal["front", "back", "left", "right"]
Clothes = Literal["light", "warm", "rain"]

LOOKS = 24  # that people may have
_PIXELS_PER_METRE = 96
_HIGH, _WIDE = 1.85, 1.1  # metres of a picture
_SKIN: tuple[Colour, ...] = ((226, 184, 156), (198, 150, 118), (140, 98, 72), (96, 66, 50))
_HAIR: tuple[Colour, ...] = ((46, 36, 30), (92, 64, 42), (168, 130, 80), (150, 148, 146))
_TROUSERS: tuple[Colour, ...] = ((46, 56, 82), (38, 38, 42), (104, 96, 84), (70, 82, 98))
_COATS: tuple[Colour, ...] = (
    (36, 38, 46), (70, 44, 40), (62, 72, 58), (120, 100, 78), (150, 40, 44), (44, 62, 96),
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Somebody on the ground at (x, y), walking or riding towards `heading` (radians).

    look: what they look like, below LOOKS. step: where in a step they are, 0..1. Heights and widths
    are of the picture, metres.
    """

    x: float
    y: float
    heading: float
    look: int
    step: float = 0.0
    cycling: bool = False

    @property
    def height(self) -> float:
        """Metres from the ground to the head's top."""
        tall = 1.55 + 0.35 * ((self.look * 7) % LOOKS) / LOOKS
        if self.look % 8 == 7:
            tall *= 0.72  # a child
        return tall + (0.12 if self.cycling else 0.0)

    @property
    def width(self) -> float:
        """Metres that the picture of this height takes."""
        return self.height * (1.8 if self.cycling else _WIDE) / _HIGH

    def side_towards(self, x: float, y: float) -> Side:
        """Which side of them somebody at (x, y) sees."""
        towards = np.arctan2(y - self.y, x - self.x) - self.heading
        turn = float(np.angle(np.exp(1j * towards)))
        if abs(turn) < np.radians(40):
            return "front"
        if abs(turn) > np.radians(140):
            return "back"
        # Seen from their left, they go to the left.
        return "left" if turn > 0 else "right"

    def texture(self, side: Side, clothes: Clothes) -> Texture:
        """Their picture from this side."""
        phase = int(self.step * 4) % 4
        return _texture(self.look, side, clothes, phase, self.cycling)


@cache
def _texture(look: int, side: Side, clothes: Clothes, phase: int, cycling: bool) -> Texture:
    def painter() -> tuple[Image, None]:
        return (_cyclist if cycling else _walker)(look, side, clothes, phase), None

    return Texture(painter)


class _Canvas:
    """An RGBA picture of so many metres, drawn twice as large; x from the middle, z upwards."""

    def __init__(self, width: float, height: float) -> None:
        self._scale = 2 * _PIXELS_PER_METRE
        shape = (round(height * self._scale), round(width * self._scale), 4)
        self._image: Image = np.zeros(shape, np.uint8)

    def _at(self, x: float, z: float) -> tuple[int, int]:
        rows, columns = self._image.shape[:2]
        return round(0.5 * columns + x * self._scale), round(rows - 1 - z * self._scale)

    def limb(self, colour: Colour, thick: float, *joints: tuple[float, float]) -> None:
        """A line of this thickness through the joints."""
        points = np.array([self._at(*joint) for joint in joints], np.int32)
        wide = max(1, round(thick * self._scale))
        cv2.polylines(self._image, [points], False, (*colour, 255), wide, cv2.LINE_8)

    def shape(self, colour: Colour, *corners: tuple[float, float]) -> None:
        """A filled polygon."""
        points = np.array([self._at(*corner) for corner in corners], np.int32)
        cv2.fillPoly(self._image, [points], (*colour, 255))

    def oval(self, colour: Colour, x: float, z: float, across: float, up: float) -> None:
        """A filled ellipse with these half axes."""
        axes = (max(1, round(across * self._scale)), max(1, round(up * self._scale)))
        cv2.ellipse(self._image, self._at(x, z), axes, 0, 0, 360, (*colour, 255), -1)

    def ring(self, colour: Colour, x: float, z: float, radius: float) -> None:
        """A circle's line."""
        cv2.circle(self._image, self._at(x, z), round(radius * self._scale), (*colour, 255), 7)

    def picture(self) -> Image:
        """The picture in its own size, lit from above on the left."""
        rows, columns = self._image.shape[:2]
        fall = np.linspace(1.1, 0.86, rows, dtype=np.float32)[:, None]
        across = np.linspace(1.06, 0.9, columns, dtype=np.float32)[None, :]
        colours = np.clip(self._image[..., :3] * (fall * across)[..., None], 0, 255)
        size = (columns // 2, rows // 2)
        half = cv2.resize(
            np.dstack([colours.astype(np.uint8), self._image[..., 3]]), size,
            interpolation=cv2.INTER_AREA,
        )  # fmt: skip
        # Averaged with the empty black around them, edges would be dark.
        alpha = half[..., 3:].astype(np.float32) / 255
        half[..., :3] = np.clip(half[..., :3] / np.maximum(alpha, 0.2), 0, 255).astype(np.uint8)
        return np.asarray(half, np.uint8)


@dataclass(frozen=True)
class _Look:
    skin: Colour
    hair: Colour
    top: Colour
    legs: Colour
    shoes: Colour
    long_hair: bool
    skirt: bool
    bag: Colour | None


def _look(look: int, clothes: Clothes) -> _Look:
    rng = np.random.default_rng([26, look])
    bright = tuple(int(c) for c in rng.integers(50, 230, 3))
    coat = _COATS[int(rng.integers(len(_COATS)))]
    red, green, blue = bright if clothes == "light" else coat
    return _Look(
        skin=_SKIN[int(rng.integers(len(_SKIN)))],
        hair=_HAIR[int(rng.integers(len(_HAIR)))],
        top=(red, green, blue),
        legs=_TROUSERS[int(rng.integers(len(_TROUSERS)))],
        shoes=(40, 36, 34),
        long_hair=bool(rng.random() < 0.5),
        skirt=bool(rng.random() < 0.25),
        bag=(60, 70, 66) if rng.random() < 0.4 else None,
    )


def _walker(number: int, side: Side, clothes: Clothes, phase: int) -> Image:
    look = _look(number, clothes)
    canvas = _Canvas(_WIDE, _HIGH)
    swing = (0.26, 0.12, -0.2, 0.05)[phase]
    profile = side in ("left", "right")
    ahead = -1.0 if side == "left" else 1.0
    bare = look.skirt and clothes == "light"
    leg = look.skin if bare else look.legs
    if profile:
        feet = (ahead * swing, -ahead * swing)
        hips, thick = (0.0, 0.0), 0.15
        lift = (0.0, 0.06 if phase % 2 else 0.0)
    else:
        feet = (-0.1, 0.1)
        hips, thick = (-0.08, 0.08), 0.14
        lift = (max(0.0, 0.5 * swing), max(0.0, -0.5 * swing))
    for hip, foot, up, tone in zip(hips, feet, lift, (0.85, 1.0), strict=True):
        knee = 0.5 * (hip + foot) + (0.04 * ahead if profile else 0.0)
        canvas.limb(shade(leg, tone), thick, (hip, 0.88), (knee, 0.48 + up), (foot, 0.1 + up))
        toe = foot + (0.12 * ahead if profile else 0.0)
        canvas.limb(look.shoes, 0.08, (foot, 0.05 + up), (toe, 0.04 + up))
    hem = 0.56 if clothes != "light" else 0.78
    half = 0.14 if profile else 0.21
    if look.skirt:
        canvas.shape(shade(look.top, 0.8), (-0.12, 0.95), (0.12, 0.95), (0.2, 0.52), (-0.2, 0.52))
    canvas.shape(
        look.top, (-0.8 * half, hem), (-0.85 * half, 1.05), (-half, 1.42), (-0.5 * half, 1.5),
        (0.5 * half, 1.5), (half, 1.42), (0.85 * half, 1.05), (0.8 * half, hem),
    )  # fmt: skip
    arm = shade(look.top, 0.86)
    if profile:
        hand = (-ahead * 0.8 * swing, 0.84)
        canvas.limb(arm, 0.1, (0.0, 1.4), (-ahead * 0.4 * swing, 1.1), hand)
        canvas.oval(look.skin, *hand, 0.05, 0.06)
    else:
        for x, up in ((-1.12 * half, 0.06 * swing), (1.12 * half, -0.06 * swing)):
            canvas.limb(arm, 0.1, (0.92 * x, 1.4), (1.12 * x, 1.1), (1.1 * x, 0.86 + up))
            canvas.oval(look.skin, 1.1 * x, 0.82 + up, 0.05, 0.06)
    if look.bag is not None and side != "front":
        back = -0.16 * ahead if profile else 0.0
        canvas.oval(look.bag, back, 1.22, 0.13 if profile else 0.17, 0.23)
    _head(canvas, look, side, 1.66)
    if clothes == "rain" and number % 2:
        canopy = _COATS[number // 2 % len(_COATS)]
        canvas.limb((70, 70, 72), 0.03, (0.18, 1.1), (0.12, 1.8))
        canvas.shape(canopy, (-0.5, 1.6), (-0.35, 1.76), (0.0, 1.84), (0.35, 1.78), (0.54, 1.6),
                     (0.3, 1.66), (0.0, 1.63), (-0.26, 1.66))  # fmt: skip
    return canvas.picture()


def _head(canvas: _Canvas, look: _Look, side: Side, z: float, x: float = 0.0) -> None:
    canvas.limb(look.skin, 0.1, (x, z - 0.18), (x, z - 0.08))
    if look.long_hair:
        canvas.oval(look.hair, x, z - 0.05, 0.12, 0.19)
    canvas.oval(look.skin, x, z, 0.095, 0.13)
    if side == "back":
        canvas.oval(look.hair, x, z + 0.01, 0.1, 0.135)
    elif side == "front":
        canvas.oval(look.hair, x, z + 0.085, 0.095, 0.055)
    else:
        away = 0.035 if side == "left" else -0.035
        canvas.oval(look.hair, x + away, z + 0.05, 0.085, 0.09)


def _cyclist(number: int, side: Side, clothes: Clothes, phase: int) -> Image:
    look = _look(number, clothes)
    canvas = _Canvas(1.8, _HIGH)
    rng = np.random.default_rng([28, number])
    red, green, blue = (int(c) for c in rng.integers(40, 210, 3))
    frame: Colour = (red, green, blue)
    pedal = (0.12, 0.05, -0.12, -0.05)[phase]
    if side in ("front", "back"):
        canvas.limb((28, 28, 30), 0.05, (0.0, 0.02), (0.0, 0.68))
        for x, up in ((-0.11, 0.2 + pedal), (0.11, 0.2 - pedal)):
            canvas.limb(look.legs, 0.14, (x, 0.95), (1.15 * x, 0.6 + 0.5 * pedal), (x, up + 0.06))
            canvas.oval(look.shoes, x, up, 0.05, 0.06)
        canvas.shape(look.top, (-0.17, 0.92), (-0.21, 1.38), (-0.1, 1.48), (0.1, 1.48),
                     (0.21, 1.38), (0.17, 0.92))  # fmt: skip
        for x in (-0.26, 0.26):
            canvas.limb(shade(look.top, 0.86), 0.09, (0.8 * x, 1.38), (1.1 * x, 1.12), (x, 1.0))
        canvas.limb((30, 30, 32), 0.04, (-0.3, 1.0), (0.3, 1.0))
        lamp: Colour = (200, 30, 30) if side == "back" else (240, 240, 220)
        canvas.limb(lamp, 0.06, (0, 0.72), (0, 0.75))
        _head(canvas, look, side, 1.64)
    else:
        f = -1.0 if side == "left" else 1.0
        for x in (-0.52, 0.52):
            canvas.ring((28, 28, 30), x, 0.34, 0.32)
        for a, b in (
            ((-0.52, 0.34), (-0.14, 0.86)), ((-0.14, 0.86), (0.4, 0.86)),
            ((0.4, 0.9), (0.52, 0.34)), ((-0.05, 0.34), (0.4, 0.84)),
            ((-0.52, 0.34), (-0.05, 0.34)),
        ):  # fmt: skip
            canvas.limb(frame, 0.04, (f * a[0], a[1]), (f * b[0], b[1]))
        for up, tone in ((pedal, 0.8), (-pedal, 1.0)):
            knee = (f * (0.18 + 0.4 * up), 0.68 + 0.3 * up)
            canvas.limb(shade(look.legs, tone), 0.13, (f * -0.16, 0.98), knee, (0.0, 0.28 + up))
            canvas.limb(look.shoes, 0.07, (0.0, 0.24 + up), (f * 0.12, 0.24 + up))
        canvas.limb(look.top, 0.24, (f * -0.14, 1.02), (f * 0.1, 1.38))
        sleeve = ((f * 0.12, 1.36), (f * 0.24, 1.12), (f * 0.4, 1.02))
        canvas.limb(shade(look.top, 0.85), 0.09, *sleeve)
        _head(canvas, look, side, 1.6, f * 0.2)
    return canvas.picture()
