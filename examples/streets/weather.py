"""What weather adds to a picture: wet ground, snow, leaves, rain in the air and on the lens."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.streets import materials
from examples.streets.light import Light
from examples.streets.materials import Colour, Image
from examples.streets.sprites import Season

Floats = NDArray[np.float32]

SNOW: Colour = (232, 236, 242)
_WIDTH, _HEIGHT = 320, 240  # pixels for which rain and flakes are drawn; others are scaled
_LEAVES: dict[Season, tuple[Colour, ...]] = {
    "spring": ((240, 216, 226), (246, 236, 240)),
    "summer": ((104, 122, 60),),
    "autumn": ((198, 140, 48), (170, 96, 40), (214, 176, 76), (128, 84, 48)),
    "winter": ((112, 88, 62),),
}


def snowed(image: Image, share: float, seed: int) -> Image:
    """A texture [H, W, 3 | 4] with snow lying on this share of it, 0..1."""
    rng = np.random.default_rng([62, seed])
    lie = materials.noise(rng, image.shape[0], image.shape[1], 40, 3)
    cover = np.clip(0.5 + 1.2 * (3 * (share - 0.4) + 0.5 * lie), 0, 0.96)[..., None]
    out = image.copy()
    white = np.asarray(SNOW) * (1 + 0.02 * lie[..., None])
    out[..., :3] = np.clip(image[..., :3] * (1 - cover) + white * cover, 0, 255)
    return out


def snow_on_branches(image: Image, share: float) -> Image:
    """A picture with alpha [H, W, 4] with snow on all that has nothing above it."""
    above = np.zeros_like(image[..., 3])
    above[3:] = image[:-3, :, 3]
    top = (image[..., 3] > 100) & (above < 100)
    out = image.copy()
    colours = out[..., :3].astype(np.float32)
    colours[top] += 0.9 * share * (np.asarray(SNOW, np.float32) - colours[top])
    out[..., :3] = colours.astype(np.uint8)
    return out


@cache
def leaf_tile(season: Season, size: int) -> tuple[Image, Floats]:
    """Fallen leaves [size, size, 3], seamless, and the cover [size, size] from which each lies."""
    rng = np.random.default_rng([63, sorted(_LEAVES).index(season)])
    colours: Image = np.zeros((size, size, 3), np.uint8)
    rank: Floats = np.full((size, size), 2.0, np.float32)
    for number in range(1800):
        palette = _LEAVES[season]
        tone = materials.shade(palette[int(rng.integers(len(palette)))], rng.uniform(0.7, 1.15))
        x, y, turn = (float(v) for v in rng.uniform([0, 0, 0], [size, size, 180]))
        axes = (3, 2) if season == "spring" else (int(rng.integers(4, 8)), int(rng.integers(2, 5)))
        for dx in (0, -size):
            for dy in (0, -size):
                at = (round(x) + dx, round(y) + dy)
                cv2.ellipse(colours, at, axes, turn, 0, 360, tone, -1)
                cv2.ellipse(rank, at, axes, turn, 0, 360, (1800 - number) / 1800, -1)
    return colours, rank


def mean_leaf(season: Season) -> Floats:
    """The mean colour of fallen leaves [3]."""
    return np.mean(_LEAVES[season], axis=0).astype(np.float32)


def reflected(colour: Image, ground: NDArray[np.bool_], share: Floats) -> Image:
    """The picture with what stands on the ground mirrored in it, by `share` [H, W] 0..1.

    Walls, cars and people stand upright: what a pixel of the ground mirrors is as far above the
    foot of what stands next above it in the picture as the pixel is below.
    """
    height, width = ground.shape
    rows = np.arange(height)[:, None]
    foot = np.maximum.accumulate(np.where(ground, -1, rows), axis=0)
    source = 2 * foot + 1 - rows
    inside = ground & (foot >= 0) & (source >= 0)
    mirrored = colour[np.where(inside, source, 0), np.arange(width)[None, :]]
    mirrored[~inside] = colour[0].mean(axis=0).astype(np.uint8)
    spread = max(1.0, 5.0 * width / _WIDTH)
    soft = cv2.GaussianBlur(mirrored, (0, 0), sigmaX=0.25 * spread, sigmaY=spread)
    weight = (share * ground)[..., None]
    return np.asarray(colour + (soft.astype(np.float32) - colour) * weight, np.float32).astype(
        np.uint8
    )


class Falling:
    """Rain and snow between the camera and the street, and drops on its lens."""

    def __init__(self, light: Light) -> None:
        self._light = light
        self._layer = np.zeros((512, 512), np.float32)
        rng = np.random.default_rng([64, light.seed])
        if light.rain:
            slant = float(rng.normal(0, 0.12))
            for _ in range(round(700 * light.rain)):
                x, y, long = (float(v) for v in rng.uniform([0, 0, 6], [512, 512, 22]))
                end = (round(16 * (x + slant * long)), round(16 * (y + long)))
                start = (round(16 * x), round(16 * y))
                cv2.line(self._layer, start, end, float(rng.uniform(0.1, 0.3)), 1, cv2.LINE_8, 4)
            self._layer = np.asarray(cv2.GaussianBlur(self._layer, (0, 0), 0.6), np.float32)
        if light.snowfall:
            for _ in range(round(2600 * light.snowfall)):
                x, y = (float(v) for v in rng.uniform(0, 512, 2))
                radius = float(min(0.35 + rng.exponential(0.5), 3.0))
                at = (round(16 * x), round(16 * y))
                strength = float(rng.uniform(0.5, 1.0)) / max(1.0, 0.8 * radius)
                cv2.circle(self._layer, at, round(16 * radius), strength, -1, cv2.LINE_8, 4)
            self._layer = np.asarray(cv2.GaussianBlur(self._layer, (0, 0), 0.7), np.float32)

    def over(self, picture: Floats, rng: np.random.Generator) -> Floats:
        """The picture [H, W, 3] seen through what falls at a moment that `rng` draws."""
        light = self._light
        if not (light.rain or light.snowfall):
            return picture
        height, width = picture.shape[:2]
        x, y = (int(v) for v in rng.integers([0, 0], [512 - _WIDTH, 512 - _HEIGHT]))
        part = self._layer[y : y + _HEIGHT, x : x + _WIDTH]
        veil = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
        tone = 255 * np.asarray(light.sky_light, np.float32) * (0.9 if light.rain else 1.05)
        seen = picture + veil * (tone - picture)
        if light.rain:
            for _ in range(rng.poisson(5 * light.rain)):
                _drop(seen, rng)
        return np.asarray(seen, np.float32)


def _drop(picture: Floats, rng: np.random.Generator) -> None:
    """Put a drop on the lens: it shows what is around it, upside down and out of focus."""
    height, width = picture.shape[:2]
    radius = round(float(rng.uniform(3, 9)) * width / _WIDTH)
    x = int(rng.integers(radius, width - radius))
    y = int(rng.integers(radius, height - radius))
    reach = 3 * radius
    around = picture[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
    size = 2 * radius + 1
    inside = cv2.GaussianBlur(cv2.resize(around, (size, size))[::-1], (0, 0), 0.2 * radius)
    v, u = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    alpha = np.clip(2.2 * (1 - np.hypot(u, v)), 0, 0.85).astype(np.float32)[..., None]
    shaded = inside * (0.9 + 0.2 * v[..., None].astype(np.float32))
    region = picture[y - radius : y + radius + 1, x - radius : x + radius + 1]
    region += alpha * (shaded - region)


def bloom(picture: Floats, lamps: float) -> Floats:
    """The glow around what is very bright, in the dark."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    bright = np.maximum(small - 105, 0)
    soft = cv2.GaussianBlur(bright, (0, 0), 4.0 * width / 4 / 80)
    grown = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(picture + 0.5 * lamps * grown, np.float32)
