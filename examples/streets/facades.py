"""Fronts of houses: how one is laid out (floors, windows, doors, shops) and how it is painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from examples.streets import materials, wear
from examples.streets.materials import PIXELS_PER_METRE, Colour, Image, mix, shade
from examples.streets.styles import FacadeStyle


@dataclass(frozen=True)
class Opening:
    """A window, door, shop window or gate: left, right, bottom and top in metres on the front."""

    left: float
    right: float
    bottom: float
    top: float
    kind: Literal["window", "door", "shop", "gate"]


@dataclass(frozen=True)
class Facade:
    """A laid-out front; `height` includes a gable where the roof has one on this side."""

    style: FacadeStyle
    width: float
    height: float
    openings: tuple[Opening, ...]
    balconies: tuple[tuple[float, float, float], ...]  # left, right, height of the slab
    seed: int


def lay_out(style: FacadeStyle, width: float, seed: int) -> Facade:
    """Place the openings of a front of this width; `seed` decides what the style leaves open."""
    rng = np.random.default_rng([seed, 1])
    bays = max(1, round((width - 0.6) / style.bay))
    pitch = width / bays
    openings: list[Opening] = []
    balconies: list[tuple[float, float, float]] = []

    half = {
        "ribbon": 0.44 * pitch, "tall": 0.48, "shuttered": 0.46, "small": 0.36, "square": 0.62,
        "wide": 0.34 * pitch, "grid": 0.38 * pitch,
    }.get(style.window, 0.56)  # fmt: skip
    half = min(half, 0.42 * pitch if style.window != "ribbon" else half)
    sill = {"tall": 0.35, "ribbon": 0.9, "small": 1.0, "grid": 0.7}.get(style.window, 0.85)
    for floor in range(style.floors):
        bottom = style.ground_height + floor * style.floor_height
        for bay in range(bays):
            middle = (bay + 0.5) * pitch
            top = bottom + style.floor_height - 0.45
            if style.window in ("small", "square"):
                top = min(top, bottom + sill + 2.2 * half)
            balcony = rng.random() < style.balconies and half < 0.36 * pitch
            low = bottom + (0.15 if balcony else sill)
            openings.append(Opening(middle - half, middle + half, low, top, "window"))
            if balcony:
                balconies.append((middle - half - 0.35, middle + half + 0.35, bottom + 0.1))

    door = int(rng.integers(bays))
    for bay in range(bays):
        left, right = bay * pitch, (bay + 1) * pitch
        middle = (left + right) / 2
        if bay == door and bays > 1:
            openings.append(
                Opening(
                    middle - 0.6, middle + 0.6, 0.0, min(2.7, style.ground_height - 0.4), "door"
                )
            )
        elif style.ground in ("shop", "arcade"):
            top = style.ground_height - 0.95
            openings.append(Opening(left + 0.25, right - 0.25, 0.45, top, "shop"))
        elif style.ground == "garage" and bay == (door + 1) % bays:
            openings.append(
                Opening(
                    max(left, middle - 1.4) + 0.1,
                    min(right, middle + 1.4) - 0.1,
                    0,
                    min(2.9, style.ground_height - 0.35),
                    "gate",
                )
            )
        else:
            top = min(2.75, style.ground_height - 0.35)
            openings.append(Opening(middle - half, middle + half, 1.0, top, "window"))

    gable = {"gable": 0.42 * width, "stepped": 0.5 * width}.get(style.roof, 0.0)
    return Facade(style, width, style.eaves + gable, tuple(openings), tuple(balconies), seed)


class _Canvas:
    """A picture of a front, addressed in metres from its lower left corner."""

    def __init__(self, image: Image) -> None:
        self.image = image

    def box(self, left: float, bottom: float, right: float, top: float) -> tuple[int, ...]:
        """The pixel rectangle (x0, y0, x1, y1), cut to the picture."""
        rows, columns = self.image.shape[:2]
        scale = PIXELS_PER_METRE
        x0, x1 = (min(columns, max(0, round(x * scale))) for x in (left, right))
        y0, y1 = (min(rows, max(0, rows - round(z * scale))) for z in (top, bottom))
        return x0, y0, x1, y1

    def fill(self, left: float, bottom: float, right: float, top: float, colour: Colour) -> None:
        """Fill a rectangle."""
        x0, y0, x1, y1 = self.box(left, bottom, right, top)
        self.image[y0:y1, x0:x1] = colour

    def scale(self, left: float, bottom: float, right: float, top: float, gain: float) -> None:
        """Darken or lighten a rectangle."""
        x0, y0, x1, y1 = self.box(left, bottom, right, top)
        region = self.image[y0:y1, x0:x1].astype(np.float32) * gain
        self.image[y0:y1, x0:x1] = np.clip(region, 0, 255).astype(np.uint8)

    def paste(self, left: float, bottom: float, right: float, top: float, patch: Image) -> None:
        """Put a picture into a rectangle, resized to it."""
        x0, y0, x1, y1 = self.box(left, bottom, right, top)
        if x1 > x0 and y1 > y0:
            self.image[y0:y1, x0:x1] = cv2.resize(
                patch, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA
            )

    def ellipse(
        self, middle: float, height: float, wide: float, high: float, colour: Colour
    ) -> None:
        """Fill the upper half of an ellipse that stands on `height`."""
        rows = self.image.shape[0]
        scale = PIXELS_PER_METRE
        cv2.ellipse(
            self.image,
            (round(middle * scale), rows - round(height * scale)),
            (round(wide * scale), round(high * scale)),
            0, 180, 360, colour, -1, cv2.LINE_AA,
        )  # fmt: skip


def paint(facade: Facade) -> tuple[Image, Image]:
    """Paint a front by daylight, and what shines in it at night.

    Returns two RGB images [H, W, 3] at materials.PIXELS_PER_METRE: the colours, and the light that
    lit windows and shop fronts give off (black elsewhere).
    """
    style = facade.style
    rng = np.random.default_rng([facade.seed, 2])
    height, width = materials.metres(facade.height), materials.metres(facade.width)
    wall = {
        "brick": materials.brick,
        "plaster": materials.plaster,
        "ashlar": materials.ashlar,
        "panels": materials.panels,
        "boards": materials.boards,
        "rubble": materials.rubble,
        "timber": materials.plaster,
        "concrete": materials.concrete,
        "sheet": materials.sheet,
        "curtain": materials.glass_wall,
    }[style.wall](rng, height, width, style.wall_colour)
    canvas, glow = _Canvas(wall), _Canvas(np.zeros_like(wall))
    _upper_wall(canvas, facade, rng)
    wear.weather(rng, canvas.image, style.age)
    if rng.random() < 0.2 * style.age:
        wear.cables(rng, canvas.image)

    base = shade(style.wall_colour, 0.62)
    if style.ground != "shop":
        canvas.paste(
            0, 0, facade.width, 0.55,
            materials.ashlar(rng, materials.metres(0.55), width, mix(base, (120, 116, 110), 0.5)),
        )  # fmt: skip
    if style.quoins:
        _quoins(canvas, facade)
    if style.courses:
        for floor in range(style.floors + 1):
            at = style.ground_height + floor * style.floor_height - 0.12
            canvas.fill(0, at, facade.width, at + 0.2, style.trim_colour)
            canvas.scale(0, at - 0.1, facade.width, at, 0.7)
    if style.ground in ("shop", "arcade"):
        _shop_front(canvas, glow, facade, rng)
    for opening in facade.openings:
        if opening.kind == "window":
            _window(canvas, glow, facade, opening, rng)
        elif opening.kind == "shop":
            _shop_window(canvas, glow, facade, opening, rng)
        elif opening.kind == "door":
            _door(canvas, glow, facade, opening)
        else:
            _gate(canvas, facade, opening)
    _cornice(canvas, facade)
    if rng.random() < 0.5:  # a drainpipe where two houses meet
        pipe = 0.12 if rng.random() < 0.5 else facade.width - 0.22
        canvas.fill(pipe, 0, pipe + 0.11, style.eaves - 0.4, (110, 112, 110))
        canvas.fill(pipe + 0.07, 0, pipe + 0.11, style.eaves - 0.4, (72, 74, 72))
    wear.streaks(rng, canvas.image, _ledges(canvas, facade), style.age)
    if rng.random() < 0.25 * style.age and style.ground != "shop":
        wear.graffiti(rng, canvas.image)
    if rng.random() < 0.12:
        wear.bills(rng, canvas.image)
    if style.wall not in ("curtain", "sheet") and rng.random() < 0.12:
        wear.ivy(rng, canvas.image)
        glow.image[(canvas.image[..., 1] > canvas.image[..., 0] + 20)] //= 3
    wear.damp(rng, canvas.image, style.age)
    return canvas.image, glow.image


def _ledges(canvas: _Canvas, facade: Facade) -> list[tuple[int, int, int]]:
    """Where rain drips from: sills and the eaves, as columns from and to, and the row below."""
    out = []
    for opening in facade.openings:
        if opening.kind == "window":
            x0, _, x1, y1 = canvas.box(
                opening.left - 0.2, opening.bottom - 0.14, opening.right + 0.2, opening.top
            )
            out.append((x0, x1, y1))
    x0, _, x1, y1 = canvas.box(0, facade.style.eaves - 0.6, facade.width, facade.style.eaves)
    return [*out, (x0, x1, y1)]


def _upper_wall(canvas: _Canvas, facade: Facade, rng: np.random.Generator) -> None:
    """What sets the wall above the ground floor off: beams, pilasters, panels, another colour."""
    style = facade.style
    low, eaves, width = style.ground_height, style.eaves, facade.width
    bays = max(1, round((width - 0.6) / style.bay))
    pitch = width / bays
    floors = [low + floor * style.floor_height for floor in range(style.floors + 1)]
    if style.wall == "timber":
        _beams(canvas, facade, floors, pitch, bays, rng)
        return
    if style.wall == "curtain":
        return
    accent = mix(style.wall_colour, style.shutters, 0.35)
    choice = rng.random()
    if choice < 0.14 and style.floors:  # the ground floor in another colour
        canvas.scale(0, 0, width, low - 0.12, float(rng.choice([0.72, 0.82, 1.18])))
    elif choice < 0.26 and style.floors:  # pilasters between the bays
        for bay in range(bays + 1):
            at = min(max(bay * pitch, 0.16), width - 0.16)
            canvas.scale(at - 0.16, low, at + 0.16, eaves - 0.5, 1.12)
            canvas.scale(at + 0.13, low, at + 0.18, eaves - 0.5, 0.75)
    elif choice < 0.4 and style.floors:  # panels below the windows
        for floor in floors[:-1]:
            for bay in range(bays):
                middle, half = (bay + 0.5) * pitch, 0.34 * pitch
                canvas.fill(middle - half, floor + 0.12, middle + half, floor + 0.7, accent)
    elif choice < 0.5:  # bands
        step, at = float(rng.uniform(0.5, 1.3)), low
        while at < eaves - 0.7:
            canvas.scale(0, at, width, at + 0.16, float(rng.choice([0.82, 1.14])))
            at += step
    elif choice < 0.58 and style.floors:  # one bay of another make, from top to bottom
        bay = int(rng.integers(bays))
        canvas.fill(bay * pitch, low, (bay + 1) * pitch, eaves - 0.4, accent)
    if style.wall == "brick" and rng.random() < 0.2:  # washed over, and worn again
        rows, columns = canvas.image.shape[:2]
        bare = materials.noise(rng, rows, columns, 90, 5)[..., None] > 1.0 - 0.6 * style.age
        washed = 0.35 * canvas.image + 0.62 * np.asarray((226, 222, 212))
        canvas.image[:] = np.where(bare, canvas.image, washed).astype(np.uint8)


def _beams(
    canvas: _Canvas, facade: Facade, floors: list[float], pitch: float, bays: int,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """A timber frame: sills and plates, posts between the bays, braces."""
    rows = canvas.image.shape[0]
    wood = mix((74, 52, 40), facade.style.paint, float(rng.uniform(0, 0.35)))
    thick = max(3, materials.metres(float(rng.uniform(0.13, 0.2))))
    tops = [*floors[1:], facade.style.eaves] if len(floors) > 1 else [facade.style.eaves]
    kind = int(rng.integers(3))

    def line(x0: float, z0: float, x1: float, z1: float) -> None:
        a = (materials.metres(x0) if x0 > 0 else 0, rows - materials.metres(z0))
        b = (materials.metres(x1) if x1 > 0 else 0, rows - materials.metres(z1))
        tone = shade(wood, float(rng.uniform(0.85, 1.15)))
        cv2.line(canvas.image, a, b, tone, thick, cv2.LINE_AA)

    for low, high in zip(floors, tops, strict=False):
        line(0, low, facade.width, low)
        line(0, low + 0.75, facade.width, low + 0.75)
        for post in range(2 * bays + 1):
            x = 0.5 * post * pitch
            line(x, low, x, high if post % 2 == 0 else low + 0.75)
        for bay in range(bays):
            if kind == 0 or (kind == 1 and bay % 2 == 0):
                line(bay * pitch, low, (bay + 0.5) * pitch, low + 0.75)
                line((bay + 1) * pitch, low, (bay + 0.5) * pitch, low + 0.75)
        for x, lean in ((0.0, 0.5), (facade.width, -0.5)):
            line(x, high, x + lean * pitch, low)
    if facade.height > facade.style.eaves + 1:  # the gable
        step, at = 0.9, facade.style.eaves + 0.1
        while at < facade.height:
            line(0, at, facade.width, at)
            at += step
        for post in range(1, 2 * bays):
            line(0.5 * post * pitch, facade.style.eaves, 0.5 * post * pitch, facade.height)


def _quoins(canvas: _Canvas, facade: Facade) -> None:
    step, at, index = 0.42, 0.0, 0
    while at < facade.style.eaves - 0.4:
        long = 0.7 if index % 2 else 0.42
        colour = shade(facade.style.trim_colour, 0.94 + 0.05 * (index % 3))
        canvas.fill(0, at, long, at + step - 0.04, colour)
        canvas.fill(facade.width - long, at, facade.width, at + step - 0.04, colour)
        at, index = at + step, index + 1


def _glass(rng: np.random.Generator, lit: bool) -> tuple[Image, Image]:
    """A pane and its light: what it mirrors above, the dark room below, perhaps curtains."""
    high, wide = 48, 32
    fall = np.linspace(0, 1, high, dtype=np.float32)[:, None, None] ** float(rng.uniform(0.5, 2))
    sky = np.asarray((118, 140, 162), np.float32) * float(rng.uniform(0.45, 1.15))
    room = np.asarray((38, 42, 48), np.float32) * float(rng.uniform(0.5, 1.5))
    pane = np.broadcast_to(sky * (1 - fall) + room * fall, (high, wide, 3)).copy()
    if rng.random() < 0.5:  # roofs or trees across the street, mirrored
        line = high * (0.35 + 0.12 * materials.noise(rng, 1, wide, 14, 3)[0])
        across = np.arange(high)[:, None] > line[None, :]
        pane[across] *= np.float32(rng.uniform(0.45, 0.8))
    slant = int(rng.integers(-8, 24))
    bright = np.array([[slant, high], [slant + 14, 0], [slant + 22, 0], [slant + 8, high]])
    layer = pane.copy()
    cv2.fillConvexPoly(layer, bright.astype(np.int32), (176, 194, 208))
    pane = 0.85 * pane + 0.15 * layer
    pane *= (1 + 0.07 * materials.noise(rng, high, wide, 16, 4))[..., None]
    kind = rng.random()
    tone = rng.uniform(0.6, 1.0) * rng.uniform(0.86, 1.0, 3)
    cloth = np.asarray((222, 216, 204), np.float32) * tone.astype(np.float32)
    if kind < 0.3:  # curtains on both sides
        part = int(rng.integers(5, 14))
        fold = 1 + 0.12 * np.sin(np.arange(part) * 1.9)[None, :, None]
        pane[:, :part], pane[:, -part:] = cloth * fold, cloth * fold
    elif kind < 0.42:  # a net all over
        fold = 1 + 0.06 * np.sin(np.arange(wide) * 1.3)[None, :, None]
        pane = 0.4 * pane + 0.6 * cloth * fold
    elif kind < 0.62:  # a blind, partly down
        down = int(rng.integers(6, 46))
        slats = 1 - 0.15 * (np.arange(down) % 3 == 0)[:, None, None]
        pane[:down] = cloth * slats
    elif kind < 0.7:  # flowers
        pane[-9:] = (70, 92, 56)
        pane[-11:-6, ::5] = (196, 80, 90) if rng.random() < 0.5 else (220, 190, 80)
    light = np.zeros((high, wide, 3), np.float32)
    if lit:
        warmth = np.asarray((255, 206, 130), np.float32) * float(rng.uniform(0.55, 1.0))
        light[:] = warmth * (0.55 + 0.45 * pane.mean(axis=2, keepdims=True) / 255)
    return np.clip(pane, 0, 255).astype(np.uint8), np.clip(light, 0, 255).astype(np.uint8)


def _window(
    canvas: _Canvas, glow: _Canvas, facade: Facade, at: Opening, rng: np.random.Generator
) -> None:
    style = facade.style
    frames: tuple[Colour, ...] = (
        style.trim_colour, (236, 234, 228), (52, 56, 60), (96, 66, 46), style.paint
    )  # fmt: skip
    frame = frames[2 if style.wall == "panels" else facade.seed % 5]
    pane, light = _glass(rng, rng.random() < 0.4)
    if style.wall == "curtain":  # the wall is the window
        if rng.random() < 0.25:
            canvas.paste(at.left, at.bottom, at.right, at.top, pane)
        glow.paste(at.left + 0.1, at.bottom, at.right - 0.1, at.top, light)
        return
    arched = style.window == "arched"
    middle, half = (at.left + at.right) / 2, (at.right - at.left) / 2
    surround = 0.14
    if arched:
        canvas.ellipse(middle, at.top - 0.35, half + surround, 0.35 + surround, style.trim_colour)
    if style.window == "ribbon":
        surround = 0.06
    canvas.fill(
        at.left - surround, at.bottom - 0.05, at.right + surround,
        at.top - (0.35 if arched else -surround), style.trim_colour,
    )  # fmt: skip
    canvas.scale(at.left - 0.03, at.bottom, at.right + 0.03, at.top, 0.55)
    if arched:
        canvas.ellipse(middle, at.top - 0.35, half, 0.35, (96, 112, 126))
    top = at.top - 0.35 if arched else at.top
    canvas.paste(at.left, at.bottom, at.right, top, pane)
    glow.paste(at.left + 0.05, at.bottom + 0.05, at.right - 0.05, top - 0.05, light)
    bar = 0.055
    canvas.fill(at.left, at.bottom, at.left + bar, top, frame)
    canvas.fill(at.right - bar, at.bottom, at.right, top, frame)
    canvas.fill(at.left, at.bottom, at.right, at.bottom + bar, frame)
    canvas.fill(at.left, top - bar, at.right, top, frame)
    if style.window in ("cross", "shuttered", "arched", "tall"):
        canvas.fill(middle - bar / 2, at.bottom, middle + bar / 2, top, frame)
        cross = at.bottom + 0.66 * (top - at.bottom)
        canvas.fill(at.left, cross, at.right, cross + bar, frame)
    elif style.window == "grid":
        for share in (0.2, 0.4, 0.6, 0.8):
            x = at.left + share * (at.right - at.left)
            canvas.fill(x - 0.025, at.bottom, x + 0.025, top, frame)
        z = at.bottom + 0.45
        while z < top - 0.2:
            canvas.fill(at.left, z, at.right, z + 0.05, frame)
            z += 0.45
    elif style.window in ("square", "wide"):
        x = at.left + (0.32 if facade.seed % 2 else 0.68) * (at.right - at.left)
        canvas.fill(x - bar / 2, at.bottom, x + bar / 2, top, frame)
    elif style.window == "small":
        canvas.fill(middle - bar / 2, at.bottom, middle + bar / 2, top, frame)
    elif style.window == "sash":
        cross = at.bottom + 0.5 * (top - at.bottom)
        canvas.fill(at.left, cross, at.right, cross + 1.4 * bar, frame)
    elif style.window == "ribbon":
        for share in (1 / 3, 2 / 3):
            x = at.left + share * (at.right - at.left)
            canvas.fill(x - bar / 2, at.bottom, x + bar / 2, top, frame)
    canvas.scale(at.left, top - 0.22, at.right, top, 0.72)  # the lintel's shadow
    if style.window != "ribbon":
        canvas.fill(at.left - 0.22, at.bottom - 0.13, at.right + 0.22, at.bottom, style.trim_colour)
        canvas.scale(at.left - 0.22, at.bottom - 0.22, at.right + 0.22, at.bottom - 0.13, 0.68)
    if style.window == "tall" and style.wall != "panels":  # a flat hood
        canvas.fill(at.left - 0.25, at.top + 0.16, at.right + 0.25, at.top + 0.3, style.trim_colour)
        canvas.scale(at.left - 0.25, at.top + 0.09, at.right + 0.25, at.top + 0.16, 0.7)
    if style.window == "shuttered":
        wide = min(0.45, 0.9 * half)
        for left in (at.left - wide - 0.05, at.right + 0.05):
            canvas.fill(left, at.bottom, left + wide, at.top, style.shutters)
            slat = at.bottom + 0.1
            while slat < at.top - 0.1:
                canvas.scale(left + 0.05, slat, left + wide - 0.05, slat + 0.05, 0.7)
                slat += 0.13


def _shop_front(canvas: _Canvas, glow: _Canvas, facade: Facade, rng: np.random.Generator) -> None:
    style = facade.style
    top = style.ground_height
    if style.ground == "shop":
        canvas.fill(0.08, 0, facade.width - 0.08, top - 0.15, style.paint)
        canvas.scale(0.08, 0, facade.width - 0.08, 0.4, 0.8)
    else:
        stone = materials.ashlar(
            rng, materials.metres(top), canvas.image.shape[1], shade(style.trim_colour, 0.85)
        )
        canvas.paste(0, 0, facade.width, top - 0.15, stone)
    board = mix(style.paint, (255, 255, 255), 0.0 if rng.random() < 0.6 else 0.75)
    left, right = 0.2, facade.width - 0.2
    canvas.fill(left, top - 0.85, right, top - 0.2, board)
    canvas.scale(left, top - 0.92, right, top - 0.85, 0.6)
    lettering = (236, 226, 196) if sum(board) < 380 else (52, 40, 40)
    x0, y0, x1, y1 = canvas.box(left, top - 0.8, right, top - 0.25)
    size = (y1 - y0) / 24
    (wide, high), _ = cv2.getTextSize(style.shop_name, cv2.FONT_HERSHEY_DUPLEX, size, 2)
    size *= min(1.0, 0.92 * (x1 - x0) / max(wide, 1))
    (wide, high), _ = cv2.getTextSize(style.shop_name, cv2.FONT_HERSHEY_DUPLEX, size, 2)
    place = ((x0 + x1 - wide) // 2, (y0 + y1 + high) // 2)
    for picture in (canvas.image, glow.image):
        cv2.putText(
            picture,
            style.shop_name,
            place,
            cv2.FONT_HERSHEY_DUPLEX,
            size,
            lettering,
            2,
            cv2.LINE_AA,
        )


def _shop_window(
    canvas: _Canvas, glow: _Canvas, facade: Facade, at: Opening, rng: np.random.Generator
) -> None:
    frame = shade(facade.style.paint, 0.7)
    canvas.fill(at.left, at.bottom, at.right, at.top, frame)
    pane, _ = _glass(rng, lit=False)
    pane = (pane * np.float32(0.75)).astype(np.uint8)
    _display(pane, rng)
    canvas.paste(at.left + 0.08, at.bottom + 0.08, at.right - 0.08, at.top - 0.08, pane)
    shine = np.clip(pane.astype(np.float32) * 0.7 + np.asarray((110, 92, 62)), 0, 255)
    glow.paste(
        at.left + 0.08, at.bottom + 0.08, at.right - 0.08, at.top - 0.08, shine.astype(np.uint8)
    )
    if at.right - at.left > 2.2:
        middle = (at.left + at.right) / 2
        canvas.fill(middle - 0.04, at.bottom, middle + 0.04, at.top, frame)
    canvas.scale(at.left, at.top - 0.3, at.right, at.top, 0.7)


def _display(pane: Image, rng: np.random.Generator) -> None:
    """What a shop shows: goods on shelves, figures, bills on the pane or nothing but shade."""
    high, wide = pane.shape[:2]
    kind = int(rng.integers(5))
    mood = rng.uniform(60, 200, 3)

    def tint() -> tuple[int, ...]:
        return tuple(int(c) for c in np.clip(mood + rng.normal(0, 40, 3), 15, 245))

    if kind == 0:
        for _ in range(int(rng.integers(4, 10))):
            x, y = int(rng.integers(0, 28)), int(rng.integers(22, 44))
            cv2.rectangle(pane, (x, y), (x + int(rng.integers(2, 8)), high - 1), tint(), -1)
    elif kind == 1:
        for shelf in range(14, high, 9):
            for x in range(1, wide - 3, 4):
                top = shelf + int(rng.integers(1, 6))
                cv2.rectangle(pane, (x, top), (x + 2, shelf + 7), tint(), -1)
            pane[min(shelf + 8, high - 1)] = (150, 140, 124)
    elif kind == 2:
        for x in range(5, wide - 4, 9):
            cv2.rectangle(pane, (x - 2, 18), (x + 2, 44), tint(), -1)
            cv2.circle(pane, (x, 14), 2, (196, 170, 150), -1)
    elif kind == 3:
        x, y = int(rng.integers(1, 14)), int(rng.integers(4, 20))
        pane[y : y + 22, x : x + 16] = wear.poster(rng, min(22, high - y), 16)
    else:
        pane[int(rng.integers(8, 34)) :] = np.asarray(tint(), np.uint8)


def _door(canvas: _Canvas, glow: _Canvas, facade: Facade, at: Opening) -> None:
    style = facade.style
    canvas.fill(at.left - 0.18, 0, at.right + 0.18, at.top + 0.18, style.trim_colour)
    canvas.fill(at.left, 0, at.right, at.top, shade(style.paint, 0.8))
    canvas.fill(at.left + 0.06, at.top - 0.5, at.right - 0.06, at.top - 0.06, (92, 108, 120))
    glow.fill(at.left + 0.06, at.top - 0.5, at.right - 0.06, at.top - 0.06, (200, 160, 100))
    middle = (at.left + at.right) / 2
    for left, right in ((at.left + 0.1, middle - 0.05), (middle + 0.05, at.right - 0.1)):
        for bottom, top in ((0.25, 0.95), (1.05, at.top - 0.62)):
            canvas.fill(left, bottom, right, top, shade(style.paint, 0.6))
            canvas.fill(left + 0.04, bottom + 0.04, right, top, shade(style.paint, 1.05))
    canvas.fill(middle + 0.06, 1.0, middle + 0.12, 1.14, (214, 190, 110))
    canvas.fill(at.left - 0.25, 0, at.right + 0.25, 0.14, (150, 146, 140))


def _gate(canvas: _Canvas, facade: Facade, at: Opening) -> None:
    colour = mix(facade.style.paint, (120, 116, 108), 0.3)
    canvas.fill(at.left - 0.12, 0, at.right + 0.12, at.top + 0.12, facade.style.trim_colour)
    canvas.fill(at.left, 0, at.right, at.top, colour)
    height = 0.0
    while height < at.top:
        canvas.scale(at.left, height, at.right, height + 0.05, 0.7)
        height += 0.36


def _cornice(canvas: _Canvas, facade: Facade) -> None:
    style = facade.style
    if style.roof in ("gable", "stepped"):
        round_window = facade.height - style.eaves > 2.5
        if round_window:
            half, bottom = 0.4, style.eaves + 0.15
            canvas.fill(
                facade.width / 2 - half - 0.12, bottom - 0.1,
                facade.width / 2 + half + 0.12, bottom + 1.22, style.trim_colour,
            )  # fmt: skip
            canvas.fill(
                facade.width / 2 - half, bottom, facade.width / 2 + half, bottom + 1.1, (70, 84, 98)
            )
        return
    top = style.eaves
    canvas.fill(0, top - 0.42, facade.width, top, style.trim_colour)
    canvas.scale(0, top - 0.42, facade.width, top - 0.28, 0.82)
    canvas.scale(0, top - 0.62, facade.width, top - 0.42, 0.7)
    if style.wall in ("ashlar", "brick"):
        x = 0.1
        while x < facade.width:
            canvas.scale(x, top - 0.32, x + 0.14, top - 0.18, 0.7)
            x += 0.3


def outline(facade: Facade) -> list[tuple[float, float]] | None:
    """The front's shape where it is no rectangle: corners (x, z) in metres, else None."""
    style = facade.style
    eaves, top, width = style.eaves, facade.height, facade.width
    if style.roof == "gable":
        return [(0, 0), (width, 0), (width, eaves), (width / 2, top), (0, eaves)]
    if style.roof == "stepped":
        steps = 4
        right = [(width, 0.0), (width, eaves + 0.1)]
        for step in range(steps):
            x = width - (step + 1) * width / (2 * steps + 1)
            z = eaves + (top - eaves) * (step + 0.6) / steps
            right += [(x, right[-1][1]), (x, min(z + 0.3, top))]
        return [(0.0, 0.0), *right, *[(width - x, z) for x, z in reversed(right[1:])]]
    return None
