"""Surfaces of walls, roofs and ground, painted with numpy: brick, stone, plaster, tiles, asphalt.

Every function takes a random generator and returns an image that depends on nothing else, so a
street looks the same each time it is built from the same seed. Colours are RGB.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

PIXELS_PER_METRE = 32


def metres(length: float) -> int:
    """Pixels of a texture that `length` metres take, at least 1."""
    return max(1, round(length * PIXELS_PER_METRE))


def noise(
    rng: np.random.Generator, height: int, width: int, scale: float, octaves: int = 3
) -> NDArray[np.float32]:
    """Smooth noise [height, width], zero mean, standard deviation about 1.

    `scale` is the size of the largest features in pixels; each octave halves size and amplitude.
    """
    total = np.zeros((height, width), np.float32)
    amplitude = 1.0
    for _ in range(octaves):
        rows, columns = int(height / scale) + 3, int(width / scale) + 3
        coarse = rng.standard_normal((rows, columns)).astype(np.float32)
        grown = cv2.resize(
            coarse, (round(columns * scale), round(rows * scale)), interpolation=cv2.INTER_CUBIC
        )
        total += amplitude * grown[:height, :width]
        amplitude *= 0.5
        scale = max(1.0, scale / 2)
    return np.asarray(total / max(float(total.std()), 1e-6), np.float32)


def tileable_noise(rng: np.random.Generator, size: int, sigma: float) -> NDArray[np.float32]:
    """Noise [size, size] blurred by `sigma` pixels that repeats without a seam; unit deviation."""
    pad = min(size, int(4 * sigma) + 1)
    field = np.pad(rng.standard_normal((size, size)).astype(np.float32), pad, mode="wrap")
    blurred = cv2.GaussianBlur(field, (0, 0), sigma)[pad:-pad, pad:-pad]
    return np.asarray(blurred / max(float(blurred.std()), 1e-6), np.float32)


def shade(colour: Colour, gain: float) -> Colour:
    """The colour multiplied by `gain`, each channel kept within 0..255."""
    red, green, blue = (int(min(255.0, max(0.0, channel * gain))) for channel in colour)
    return red, green, blue


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour at `share` (0..1) of the way from the first to the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def tinted(colour: Colour, gain: NDArray[Any]) -> Image:
    """An image [H, W, 3] of one colour under a gain [H, W] (1 leaves it as it is)."""
    image = np.asarray(colour, np.float32) * np.asarray(gain, np.float32)[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def plaster(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Image:
    """Painted render: broad stains, trowel marks, patches of repair, streaks from the top."""
    gain = 1 + 0.03 * noise(rng, height, width, 60, 5) + 0.02 * noise(rng, height, width, 3, 2)
    streaks = noise(rng, 1, width, 10, 2)
    fall = np.linspace(1, 0.2, height, dtype=np.float32)[:, None]
    gain -= 0.03 * np.maximum(streaks, 0) * fall
    if rng.random() < 0.35:
        mended = noise(rng, height, width, 110, 4) > 1.5
        gain[mended] *= np.float32(rng.choice([0.84, 0.92, 1.08]))
    return tinted(colour, gain)


def courses(
    rng: np.random.Generator,
    height: int,
    width: int,
    block: tuple[float, float],
    spread: float,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Gain of each block and where the joints are, for blocks of (width, height) pixels.

    Every second course is shifted by half a block. Returns gain [H, W] and joints [H, W].
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    row = np.floor(y / block[1]).astype(int)
    along = x / block[0] + 0.5 * (row % 2)
    column = np.floor(along).astype(int)
    table = rng.normal(1.0, spread, (row.max() + 1, column.max() + 1)).astype(np.float32)
    joints = (np.mod(y, block[1]) < 1.0) | (np.mod(along, 1.0) * block[0] < 1.0)
    return table[row, column], joints


def brick(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Image:
    """Brickwork in running bond, each brick of its own firing, mortar light or dark."""
    size = (metres(float(rng.uniform(0.24, 0.34))), metres(float(rng.choice([0.09, 0.12]))))
    spread = float(rng.uniform(0.06, 0.16))
    gain, joints = courses(rng, height, width, size, spread)
    other, _ = courses(rng, height, width, size, 0.5 * spread)
    gain = gain + 0.05 * noise(rng, height, width, 70, 5)
    tints = np.stack([gain, gain * other, gain * (2 - other)], axis=-1)
    image = np.clip(np.asarray(colour, np.float32) * tints, 0, 255).astype(np.uint8)
    lime: Colour = (205, 200, 190) if rng.random() < 0.7 else (84, 78, 74)
    image[joints] = mix(colour, lime, float(rng.uniform(0.25, 0.6)))
    return image


def glass_wall(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Image:
    """A curtain wall: panes that mirror the sky unevenly, opaque bands at the floors, mullions."""
    wide, high = metres(float(rng.uniform(1.1, 1.9))), metres(float(rng.uniform(3.2, 3.9)))
    y, x = np.mgrid[0:height, 0:width]
    row, column = y // high, x // wide
    table = rng.normal(1.0, 0.1, (int(row.max()) + 1, int(column.max()) + 1)).astype(np.float32)
    # The panes are never quite flat: what they mirror is bent from one to the next.
    bend = noise(rng, height, width, 160, 6) + 2.5 * (table[row, column] - 1)
    up = 1 - y.astype(np.float32) / height
    sky = np.clip(0.25 + 0.6 * up + 0.28 * bend, 0, 1)[..., None]
    mirrored = np.asarray((196, 208, 220), np.float32)
    dark = np.asarray(colour, np.float32) * 0.7
    image = dark * (1 - sky) + (0.45 * np.asarray(colour, np.float32) + 0.5 * mirrored) * sky
    band = y % high > high - metres(float(rng.uniform(0.4, 1.3)))
    image[band] = 0.55 * image[band] + 0.3 * np.asarray(colour, np.float32)
    frame = np.asarray((58, 62, 66) if rng.random() < 0.6 else (190, 192, 194), np.float32)
    half = bool(rng.random() < 0.4)
    bars = (x % wide < 2) | (y % high < 3) | (half & (y % (high // 2) < 2))
    image[bars] = frame
    return np.clip(image, 0, 255).astype(np.uint8)


def ashlar(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Image:
    """Dressed stone in large blocks with dark joints."""
    gain, joints = courses(rng, height, width, (metres(0.95), metres(0.45)), 0.045)
    gain = gain + 0.045 * noise(rng, height, width, 60, 5)
    gain[joints] *= 0.78
    return tinted(colour, gain)


def panels(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Image:
    """Smooth cladding in tall panels."""
    gain, joints = courses(rng, height, width, (metres(1.5), metres(1.55)), 0.02)
    gain = gain + 0.025 * noise(rng, height, width, 120, 5)
    gain[joints] *= 0.7
    return tinted(colour, gain)


def boards(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Image:
    """Upright wooden boards."""
    pitch = metres(0.18)
    columns = np.arange(width) // pitch
    table = rng.normal(1.0, 0.06, columns.max() + 1).astype(np.float32)
    gain = np.broadcast_to(table[columns], (height, width)).copy()
    gain += 0.03 * noise(rng, height, width, 8)
    gain[:, np.arange(width) % pitch == 0] *= 0.72
    return tinted(colour, gain)


def roof_tiles(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Image:
    """Clay tiles: rounded columns, dark lower edges, single tiles of other age."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = metres(0.3), metres(0.38)
    row, column = (y // down).astype(int), (x // across).astype(int)
    table = rng.normal(1.0, 0.09, (row.max() + 1, column.max() + 1)).astype(np.float32)
    gain = table[row, column] * (0.84 + 0.22 * np.sin(np.pi * np.mod(x, across) / across))
    gain *= 1 - 0.35 * (np.mod(y, down) > down - 2)
    gain = gain + 0.09 * noise(rng, height, width, 120, 6)
    moss = np.clip(noise(rng, height, width, 80, 5) - 1.1, 0, 0.6)[..., None]
    image = tinted(colour, gain) * (1 - moss) + np.asarray((84, 92, 62), np.float32) * moss
    return image.astype(np.uint8)


def slates(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Image:
    """Roofing slates."""
    gain, joints = courses(rng, height, width, (metres(0.35), metres(0.3)), 0.08)
    gain[joints] *= 0.75
    return tinted(colour, gain + 0.08 * noise(rng, height, width, 120, 6))


def rubble(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Image:
    """Field stones in mortar: cells of uneven size, each of its own tone."""
    step = metres(0.34)
    rows, columns = height // step + 3, width // step + 3
    shift = rng.uniform(0.0, 0.9, (rows, columns, 2))
    at_y = (np.arange(rows)[:, None] - 1 + shift[..., 0]) * step
    at_x = (np.arange(columns)[None, :] - 1 + shift[..., 1]) * step
    seeds = np.full((height, width), 255, np.uint8)
    y, x = np.round(at_y).astype(int).ravel(), np.round(at_x).astype(int).ravel()
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    seeds[y[inside], x[inside]] = 0
    away, cell = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    cell = cell.astype(np.int32)
    table = rng.normal(1.0, 0.13, int(cell.max()) + 1).astype(np.float32)
    hues = 1 + 0.05 * rng.standard_normal((int(cell.max()) + 1, 3)).astype(np.float32)
    edge = cv2.morphologyEx(cell.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((2, 2))) > 0
    gain = table[cell] * (1.08 - 0.010 * away) + 0.05 * noise(rng, height, width, 6, 2)
    image = np.clip(np.asarray(colour, np.float32) * hues[cell] * gain[..., None], 0, 255)
    image[edge] = np.asarray(mix(colour, (196, 190, 178), 0.5))
    return image.astype(np.uint8)


def concrete(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Image:
    """Cast concrete: clouds, the formwork's seams, tie holes and dark streaks under them."""
    gain = 1 + 0.05 * noise(rng, height, width, 110, 5) + 0.02 * noise(rng, height, width, 2, 1)
    wide, high = metres(float(rng.uniform(1.2, 2.6))), metres(float(rng.uniform(0.9, 2.7)))
    y, x = np.mgrid[0:height, 0:width]
    gain[(y % high == 0) | (x % wide == 0)] *= 0.8
    holes = (np.abs(y % high - high // 2) < 2) & (np.abs(x % (wide // 2) - wide // 4) < 2)
    gain[holes] *= 0.6
    streaks = np.maximum(noise(rng, 1, width, 7, 2), 0) ** 2
    return tinted(colour, gain - 0.05 * streaks * noise(rng, height, 1, 90, 2).clip(0, 2))


def sheet(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Image:
    """Corrugated or ribbed metal in sheets, upright or lying, with rust below the fixings."""
    lying = bool(rng.random() < 0.35)
    long, across = (width, height) if lying else (height, width)
    pitch = metres(float(rng.choice([0.12, 0.25, 0.4])))
    at = np.arange(across, dtype=np.float32)
    wave = 1 + 0.13 * np.sin(2 * np.pi * at / pitch) + 0.05 * (at % pitch < 1.5)
    gain = np.broadcast_to(wave.astype(np.float32), (long, across)).copy()
    gain = gain.T if lying else gain
    gain = gain * (1 + 0.03 * noise(rng, height, width, 90, 4))
    step = metres(float(rng.uniform(2.0, 4.0)))
    gain[np.arange(height) % step < 2] *= 0.82
    image = tinted(colour, gain).astype(np.float32)
    rust = np.clip(noise(rng, height, width, 40, 4) - 1.6, 0, 1)[..., None]
    return (image * (1 - rust) + np.asarray((120, 74, 48), np.float32) * rust).astype(np.uint8)


def party_wall(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Image:
    """The bare side of a house: stained render with a few patches of brick."""
    image = plaster(rng, height, width, colour)
    bricks = brick(rng, height, width, mix(colour, (140, 90, 70), 0.7))
    bare = noise(rng, height, width, 70, 3) > 1.5
    image[bare] = bricks[bare]
    return image


def asphalt(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Detail of a road [size, size] as a gain that repeats without a seam."""
    return np.asarray(
        1
        + 0.075 * tileable_noise(rng, size, 0.7)
        + 0.015 * tileable_noise(rng, size, 5.0)
        + 0.02 * tileable_noise(rng, size, 60.0),
        np.float32,
    )


def paving(rng: np.random.Generator, size: int, slabs: int) -> NDArray[np.float32]:
    """Detail of a pavement of `slabs` x `slabs` square slabs as a seamless gain [size, size]."""
    pitch = size / slabs
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    row, column = (y // pitch).astype(int) % slabs, (x // pitch).astype(int) % slabs
    table = rng.normal(1.0, 0.06, (slabs, slabs)).astype(np.float32)
    gain = table[row, column] + 0.03 * tileable_noise(rng, size, 1.5)
    joint = (np.mod(y, pitch) < 2) | (np.mod(x, pitch) < 2)
    gain[joint] *= 0.72
    return np.asarray(gain, np.float32)


def cobbles(rng: np.random.Generator, size: int, stones: int) -> NDArray[np.float32]:
    """Detail of a cobbled street, `stones` to a side, as a seamless gain [size, size]."""
    pitch = size / stones
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    row = (y // pitch).astype(int) % stones
    along = np.mod(x + 0.5 * pitch * (row % 2), size)
    column = (along // pitch).astype(int) % stones
    table = rng.normal(1.0, 0.10, (stones, stones)).astype(np.float32)
    from_centre = np.hypot(np.mod(y, pitch) - pitch / 2, np.mod(along, pitch) - pitch / 2)
    dome = 1.08 - 0.45 * np.clip(from_centre / pitch - 0.25, 0, None)
    return np.asarray(table[row, column] * dome, np.float32)


def clinker(rng: np.random.Generator, size: int, stones: int) -> NDArray[np.float32]:
    """Detail of ground paved with bricks, `stones` rows to a side, as a seamless gain."""
    pitch = size / stones
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    row = (y // pitch).astype(int) % stones
    along = np.mod(x + pitch * (row % 2), size)
    column = (along // (2 * pitch)).astype(int) % (stones // 2)
    table = rng.normal(1.0, 0.12, (stones, stones // 2)).astype(np.float32)
    gain = table[row, column] + 0.03 * tileable_noise(rng, size, 1.0)
    gain[(np.mod(y, pitch) < 1) | (np.mod(along, 2 * pitch) < 1)] *= 0.7
    return np.asarray(gain, np.float32)


def gravel(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Detail of loose stones as a seamless gain [size, size]."""
    return np.asarray(
        1
        + 0.10 * tileable_noise(rng, size, 0.8)
        + 0.07 * tileable_noise(rng, size, 2.2)
        + 0.05 * tileable_noise(rng, size, 18.0),
        np.float32,
    )


def grass(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Detail of a lawn as a seamless gain [size, size]."""
    return np.asarray(
        1
        + 0.12 * tileable_noise(rng, size, 1.0)
        + 0.07 * tileable_noise(rng, size, 4.0)
        + 0.08 * tileable_noise(rng, size, 20.0),
        np.float32,
    )
