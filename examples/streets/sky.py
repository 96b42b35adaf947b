"""The sky and what stands below it on the horizon, as a panorama around the camera."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.streets.camera import Camera
from examples.streets.light import Light
from examples.streets.materials import Image, noise

_WIDTH, _HEIGHT = 2048, 512  # all around; from the lowest elevation shown to the zenith
_LOWEST = np.radians(-3.0)
_PER_RADIAN = _WIDTH / (2 * np.pi)


def panorama(light: Light, world_seed: int) -> Image:
    """The sky [512, 2048 + 1024, 3]: columns clockwise from north-west, repeated past the seam.

    Hills on the horizon belong to the world and stay; clouds belong to the light.
    """
    elevation = np.linspace(np.pi / 2, _LOWEST, _HEIGHT, dtype=np.float32)[:, None]
    azimuth = (np.pi - (np.arange(_WIDTH, dtype=np.float32) + 0.5) / _PER_RADIAN)[None, :]
    height = np.clip(np.sin(elevation), 0, 1)[..., None] ** 0.55
    zenith, horizon = np.asarray(light.zenith, np.float32), np.asarray(light.horizon, np.float32)
    sky = np.zeros((_HEIGHT, _WIDTH, 3), np.float32)
    sky += horizon + (zenith - horizon) * height

    # Clouds lie on a ceiling: they crowd together towards the horizon.
    rng = np.random.default_rng([50, light.seed])
    ceiling = noise(rng, 1024, 1024, 130, 6)
    away = 1 / np.tan(np.clip(elevation, 0.09, 1.55)) + 0 * azimuth
    ahead = np.cos(azimuth) * away * 48 + 512
    left = np.sin(azimuth) * away * 48 + 512
    field = cv2.remap(
        ceiling, ahead.astype(np.float32), left.astype(np.float32), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    cover = np.clip((field - (1.5 - 3.2 * light.clouds)) * 0.9, 0, 1)[..., None]
    white = 255 * np.asarray(light.sky_light, np.float32) / max(light.sky_light)
    thick = 1.02 - 0.13 * np.clip(field[..., None], -1.5, 2) * (0.5 + 0.5 * light.clouds)
    cloud = np.clip(
        (0.6 * white + 0.4 * horizon)
        * thick
        * min(1.0, 1.3 * max(light.sky_light) + 0.5 * max(light.sun_light)),
        0,
        255,
    )
    sky += cover * (cloud - sky) * 0.92

    if light.casts_shadows:
        turn = np.angle(np.exp(1j * (azimuth - light.sun_azimuth)))
        apart = np.hypot(turn * np.cos(light.sun_elevation), elevation - light.sun_elevation)
        sun = np.asarray(light.sun_light, np.float32) / max(light.sun_light) * 255
        glare = (0.75 * np.exp(-apart / 0.16) + 1.2 * np.exp(-((apart / 0.03) ** 2)))[..., None]
        sky += np.clip(glare, 0, 1) * (sun - sky) * (1 - 0.6 * cover)
    _hills(sky, light, world_seed)
    shown = np.clip(sky, 0, 255).astype(np.uint8)
    return np.concatenate([shown, shown[:, : _WIDTH // 2]], axis=1)


def _hills(sky: NDArray[np.float32], light: Light, seed: int) -> None:
    """Two ranges of wooded hills, paler the farther they are."""
    rng = np.random.default_rng([51, seed])
    around = np.linspace(0, 2 * np.pi, _WIDTH, endpoint=False)
    rows = np.arange(_HEIGHT)[:, None]
    haze = np.asarray(light.horizon, np.float32)
    green = np.asarray((84, 100, 84), np.float32) * np.asarray(light.sky_light, np.float32) * 1.3
    clear = float(
        np.clip((light.haze_range - 40) / 160, 0, 1)
    )  # of what hills show in fair weather
    for base, rough, paleness in ((4.2, 1.6, 0.72), (2.4, 1.2, 0.5)):
        share = 1 - (1 - paleness) * clear
        ridge = np.full(_WIDTH, base)
        for wave in range(1, 24):
            phase, size = rng.uniform(0, 2 * np.pi), rng.normal(0, rough / wave**0.9)
            ridge += size * np.sin(wave * around + phase)
        top = np.radians(np.maximum(ridge, 0.4))
        row = (np.pi / 2 - top) / (np.pi / 2 - _LOWEST) * (_HEIGHT - 1)
        inside = rows > row[None, :]
        sky[inside] = haze * share + green * (1 - share)


def view(sky: Image, camera: Camera) -> Image:
    """What the camera sees of the panorama, [H, W, 3], as if nothing stood in the way."""
    step = 8
    columns = np.arange(0, camera.width + step, step)
    rows = np.arange(0, camera.height + step, step)
    pixels = np.stack(np.meshgrid(columns, rows), axis=-1).astype(float)
    rays = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], axis=-1)
    rays = rays @ (np.linalg.inv(camera.intrinsics).T @ camera.rotation)
    # Azimuth from the camera's own direction: the seam is never inside the picture.
    cy, sy = np.cos(camera.yaw), np.sin(camera.yaw)
    ahead, left = rays[..., 0] * cy + rays[..., 1] * sy, rays[..., 1] * cy - rays[..., 0] * sy
    azimuth = camera.yaw + np.arctan2(left, ahead)
    elevation = np.arctan2(rays[..., 2], np.hypot(ahead, left))
    middle = np.mod((np.pi - camera.yaw) * _PER_RADIAN, _WIDTH)
    start = middle - _WIDTH // 4
    offset = np.mod(start, _WIDTH)  # the strip of half the panorama around the camera's direction
    x = offset + _WIDTH // 4 - (azimuth - camera.yaw) * _PER_RADIAN - 0.5
    y = (np.pi / 2 - elevation) / (np.pi / 2 - _LOWEST) * (_HEIGHT - 1)
    size = (len(columns) * step, len(rows) * step)
    fine = [
        _grown(grid.astype(np.float32), step, size)[: camera.height, : camera.width]
        for grid in (x, y)
    ]
    seen = cv2.remap(
        sky, np.ascontiguousarray(fine[0]), np.ascontiguousarray(fine[1]),
        cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(seen, np.uint8)


def _grown(grid: NDArray[np.float32], step: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """A grid of samples every `step` pixels, filled in linearly: sample i lies at pixel i step."""
    matrix = np.array([[1 / step, 0, 0], [0, 1 / step, 0]], np.float64)
    grown = cv2.warpAffine(
        grid, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(grown, np.float32)
