"""What years and people leave on a wall: grime, streaks, damp, ivy, graffiti, bills, cables."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.streets.materials import Image, metres, noise

Gain = NDArray[np.float32]


def weather(rng: np.random.Generator, image: Image, age: float) -> None:
    """Roughen a wall's picture in place: clouds of tone and colour at all sizes, and fine grain.

    Amplitude falls with the size of features as it does in photographs; `age` 0..1 scales it.
    """
    height, width = image.shape[:2]
    clouds = noise(rng, height, width, max(height, width) / 2, 7)
    cast = noise(rng, height, width, 120, 3)
    grain = rng.standard_normal((height, width)).astype(np.float32)
    gain = 1 + (0.035 + 0.06 * age) * clouds + 0.028 * grain
    fade = np.linspace(1 + float(rng.uniform(-0.02, 0.07)), 1 - 0.06 * age, height)
    gain *= fade[:, None].astype(np.float32)
    cast *= np.float32(0.012 + 0.02 * age)
    tints = np.stack([gain * (1 + cast), gain, gain * (1 - cast)], axis=-1)
    image[:] = np.clip(image * tints, 0, 255).astype(np.uint8)


def streaks(
    rng: np.random.Generator, image: Image, at: list[tuple[int, int, int]], age: float
) -> None:
    """Dirt that rain has washed down from ledges: each from column x0 to x1 below row y."""
    height = image.shape[0]
    for x0, x1, y in at:
        if x1 - x0 < 3 or y >= height - 4 or y < 0 or rng.random() > 0.3 + 0.7 * age:
            continue
        x0 = max(0, x0)
        long = min(height - y, metres(float(rng.uniform(0.4, 1.8))))
        wide = min(x1, image.shape[1]) - x0
        if wide < 2:
            continue
        columns = np.maximum(noise(rng, 1, wide, 6, 2), 0)
        ends = np.abs(np.linspace(-1, 1, wide, dtype=np.float32)) ** 3
        fall = np.linspace(1, 0, long, dtype=np.float32)[:, None] ** 1.5
        loss = np.clip((0.08 + 0.22 * age) * (0.5 * columns + ends) * fall, 0, 0.6)
        region = image[y : y + long, x0 : x0 + wide]
        region[:] = (region * (1 - loss[..., None])).astype(np.uint8)


def damp(rng: np.random.Generator, image: Image, age: float) -> None:
    """Splashes and moss at a wall's foot, and the dark below its top."""
    height, width = image.shape[:2]
    from_bottom = (height - np.arange(height, dtype=np.float32))[:, None] / metres(1.0)
    uneven = 0.35 * np.exp(0.5 * noise(rng, 1, width, 60, 4))
    loss = (0.16 + 0.16 * age) * np.exp(-from_bottom / uneven)
    tone = np.asarray((1.0, 0.94 if rng.random() < 0.3 * age else 1.0, 1.05), np.float32)
    gain = np.clip(1 - loss[..., None] * tone, 0, 1)
    image[:] = (image * gain).astype(np.uint8)


def ivy(rng: np.random.Generator, image: Image) -> None:
    """A climber that spreads upwards from a root at the pavement, leaf by leaf."""
    height, width = image.shape[:2]
    root = float(rng.uniform(0.0, 1.0)) * width
    reach = float(rng.uniform(0.35, 0.95)) * height
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    up = (height - y) / reach
    spread = metres(0.6) + up * metres(float(rng.uniform(0.8, 3.0)))
    edge = np.abs(x - root) / spread + 0.8 * up**3
    cover = edge + 0.35 * noise(rng, height, width, 60, 5) < 0.8
    _, grown = cv2.connectedComponents(cover.astype(np.uint8))
    cover = (grown > 0) & np.isin(grown, np.unique(grown[-metres(0.3) :]))
    leaves = 0.9 + 0.22 * noise(rng, height, width, 9, 3)
    base = np.asarray((58, 88, 44), np.float32) * rng.uniform(0.75, 1.3, 3).astype(np.float32)
    green = np.clip(base * leaves[..., None], 0, 255)
    image[cover] = green[cover].astype(np.uint8)


def graffiti(rng: np.random.Generator, image: Image) -> None:
    """Sprayed names within reach of a hand."""
    height, width = image.shape[:2]
    high = min(height, metres(2.1))
    for _ in range(int(rng.integers(1, 4))):
        tint = tuple(int(c) for c in rng.integers(0, 256, 3))
        edge = tuple(int(c) for c in rng.integers(0, 90, 3))
        size = metres(float(rng.uniform(0.25, 0.7)))
        x, y = float(rng.uniform(0, width)), height - float(rng.uniform(0.35, 0.8)) * high
        points = []
        for _ in range(int(rng.integers(5, 14))):
            x += float(rng.uniform(0.1, 0.6)) * size
            points.append((x, y + float(rng.normal(0, 0.5)) * size))
        line = _smooth(np.array(points))
        thick = max(2, round(0.14 * size))
        cv2.polylines(image, [line], False, edge, thick + 3, cv2.LINE_AA)
        cv2.polylines(image, [line], False, tint, thick, cv2.LINE_AA)


def bills(rng: np.random.Generator, image: Image) -> None:
    """Posters and notices, some of them torn."""
    height, width = image.shape[:2]
    x = int(rng.uniform(0.0, 0.8) * width)
    for _ in range(int(rng.integers(1, 6))):
        wide, high = metres(float(rng.uniform(0.4, 0.9))), metres(float(rng.uniform(0.5, 1.2)))
        y = height - metres(float(rng.uniform(0.7, 1.2))) - high
        region = image[max(0, y) : y + high, x : x + wide]
        if region.size:
            region[:] = poster(rng, *region.shape[:2])
        x += wide + int(rng.integers(0, 8))


def poster(rng: np.random.Generator, height: int, width: int) -> Image:
    """A printed bill: two colours that run into each other, a shape and lines of type."""
    top, low = rng.uniform(20, 245, 3), rng.uniform(20, 245, 3)
    share = np.linspace(0, 1, height)[:, None, None]
    image = np.broadcast_to(top * (1 - share) + low * share, (height, width, 3)).astype(np.uint8)
    image = np.ascontiguousarray(image)
    tint = tuple(int(c) for c in rng.integers(0, 256, 3))
    at = (int(rng.uniform(0.3, 0.7) * width), int(rng.uniform(0.3, 0.6) * height))
    cv2.circle(image, at, max(1, int(rng.uniform(0.15, 0.4) * width)), tint, -1)
    ink = (240, 238, 230) if rng.random() < 0.5 else (24, 22, 26)
    for row in range(int(0.7 * height), height - 2, max(3, height // 9)):
        end = int(rng.uniform(0.5, 0.9) * width)
        cv2.line(image, (max(1, width // 10), row), (end, row), ink, max(1, height // 24))
    return image


def cables(rng: np.random.Generator, image: Image) -> None:
    """A cable along the wall, boxes and vents that it leads to."""
    height, width = image.shape[:2]
    row = height - metres(float(rng.uniform(2.4, 3.2)))
    x = int(rng.uniform(0.1, 0.9) * width)
    if 0 < row < height:
        cv2.line(image, (0, row), (x, row + int(rng.integers(-3, 4))), (52, 52, 54), 1)
        cv2.line(image, (x, row), (x, height - metres(1.2)), (52, 52, 54), 1)
    for _ in range(int(rng.integers(1, 4))):
        wide, high = metres(float(rng.uniform(0.2, 0.8))), metres(float(rng.uniform(0.25, 0.6)))
        at = int(rng.uniform(0, max(1, width - wide))), int(rng.uniform(0.2, 0.9) * height)
        tone = int(rng.integers(90, 220))
        cv2.rectangle(image, at, (at[0] + wide, at[1] + high), (tone, tone, tone - 6), -1)
        for y in range(at[1] + 2, at[1] + high, 3):
            shade = int(0.7 * tone)
            cv2.line(image, (at[0] + 1, y), (at[0] + wide - 1, y), (shade, shade, shade), 1)


def _smooth(points: NDArray[Any]) -> NDArray[np.int32]:
    """A curve through points [K, 2], in whole pixels."""
    at = np.linspace(0, len(points) - 1, 6 * len(points))
    whole = np.clip(at.astype(int), 0, len(points) - 2)
    t = (at - whole)[:, None]
    t = t * t * (3 - 2 * t)
    return np.round(points[whole] * (1 - t) + points[whole + 1] * t).astype(np.int32)
