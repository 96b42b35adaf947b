"""How a camera is mounted and what it makes of the light: lens, sensor, compression."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.streets.camera import Camera
from examples.streets.materials import Image


@dataclass(frozen=True)
class Sensor:
    """Lens and sensor behind the pinhole.

    distortion: shift of the picture's corners towards its middle as a share of their distance
    (negative: outwards). vignette: light that the corners lack, 0..1. blur: standard deviation of
    the sharpness lost, in thousandths of the width. grain: in grey levels. exposure: error in
    stops. warmth: red's gain over blue's, in stops. contrast, saturation: 1 leaves them; 0 is a
    greyscale camera. quality: of JPEG, 1..100.
    """

    distortion: float = 0.0
    vignette: float = 0.0
    blur: float = 0.0
    grain: float = 0.0
    exposure: float = 0.0
    warmth: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    quality: int = 92

    def take(self, picture: Image, seed: int = 0) -> Image:
        """What the sensor makes of a pinhole's picture [H, W, 3]; grain is of the seed."""
        if self.distortion:
            grid = _distortion(picture.shape[0], picture.shape[1], self.distortion)
            picture = np.asarray(
                cv2.remap(picture, *grid, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101),
                np.uint8,
            )
        if self.blur > 0.3:
            sigma = self.blur * picture.shape[1] / 1000
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
        shown = picture.astype(np.float32)
        if self.saturation != 1:
            grey = shown @ np.array([0.299, 0.587, 0.114], np.float32)
            shown = grey[..., None] + np.float32(self.saturation) * (shown - grey[..., None])
        gain = 2.0 ** (self.exposure + 0.5 * self.warmth * np.array([1.0, 0.0, -1.0]))
        if self.saturation == 0:
            gain = np.full(3, 2.0**self.exposure)
        shown = (shown - 110) * np.float32(self.contrast) + 110
        shown *= gain.astype(np.float32)
        if self.vignette > 0:
            y = np.linspace(-1, 1, shown.shape[0], dtype=np.float32)[:, None]
            x = np.linspace(-1, 1, shown.shape[1], dtype=np.float32)[None, :]
            shown *= (1 - 0.5 * np.float32(self.vignette) * (x * x + y * y))[..., None]
        if self.grain > 0:
            rng = np.random.default_rng([seed, 95])
            channels = 1 if self.saturation == 0 else 3
            noise = rng.standard_normal((*shown.shape[:2], channels), np.float32)
            shown += np.float32(self.grain) * noise
        return np.clip(shown, 0, 255).astype(np.uint8)

    def jpeg(self, picture: Image) -> bytes:
        """The picture as this camera writes it."""
        quality = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        _, encoded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
        return encoded.tobytes()


@dataclass(frozen=True)
class Rig:
    """A camera on a vehicle: height above the ground (metres), offsets from straight ahead.

    yaw to the left, pitch upwards, roll clockwise, field_of_view horizontal; all radians. With
    `sway` each picture differs by as much: standard deviation of the angles, radians.
    """

    height: float = 1.6
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    field_of_view: float = np.radians(74.0)
    sway: float = np.radians(0.6)
    sensor: Sensor = field(default_factory=Sensor)

    def camera(
        self, x: float, y: float, heading: float, size: tuple[int, int],
        rng: np.random.Generator,
    ) -> Camera:  # fmt: skip
        """The camera where the vehicle is at (x, y) and heads so; `size` is (width, height)."""
        yaw, pitch, roll = np.array([self.yaw, self.pitch, self.roll]) + rng.normal(0, self.sway, 3)
        height = self.height + float(rng.normal(0, 0.015))
        width, rows = size
        return Camera(x, y, height, heading + float(yaw), float(pitch), float(roll),
                      self.field_of_view, width, rows)  # fmt: skip


def random_rig(seed: int) -> Rig:
    """A mounting, lens and sensor drawn from a seed: from a mower's to a lorry's, 55 to 110 deg."""
    rng = np.random.default_rng([seed, 96])
    # Most cameras are on cars and robots of a person's height, some very low or high.
    height = float(rng.choice([rng.uniform(0.4, 1.0), rng.uniform(1.1, 1.9), rng.uniform(1.9, 2.5)],
                              p=[0.25, 0.55, 0.2]))  # fmt: skip
    wide = rng.random() < 0.25
    view = float(rng.uniform(90, 110) if wide else rng.uniform(55, 90))
    return Rig(
        height=height,
        yaw=float(np.radians(rng.normal(0, 4))),
        pitch=float(np.radians(np.clip(rng.normal(1, 3.5) + (2.5 if height < 1 else 0), -8, 10))),
        roll=float(np.radians(np.clip(rng.normal(0, 1.0), -3, 3))),
        field_of_view=float(np.radians(view)),
        sway=float(np.radians(rng.uniform(0.3, 1.2))),
        sensor=_random_sensor(rng, wide),
    )


def _random_sensor(rng: np.random.Generator, wide: bool) -> Sensor:
    return Sensor(
        distortion=float(rng.uniform(0.02, 0.13) if wide else max(0.0, rng.normal(0.0, 0.02))),
        vignette=float(rng.uniform(0.0, 0.35)),
        blur=float(rng.choice([0.0, rng.uniform(0.8, 3.0)], p=[0.55, 0.45])),
        grain=float(abs(rng.normal(0, 3.0))),
        exposure=float(np.clip(rng.normal(0, 0.3), -0.8, 0.8)),
        warmth=float(np.clip(rng.normal(0, 0.22), -0.6, 0.6)),
        contrast=float(rng.uniform(0.8, 1.2)),
        saturation=0.0 if rng.random() < 0.1 else float(rng.uniform(0.6, 1.25)),
        quality=int(rng.integers(55, 96)),
    )


@lru_cache(maxsize=16)
def _distortion(
    height: int, width: int, share: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where in the pinhole's picture each pixel comes from; the picture's corners stay corners."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = (x - 0.5 * (width - 1)) / (0.5 * width), (y - 0.5 * (height - 1)) / (0.5 * height)
    r2 = 0.5 * (u * u + v * v)  # 1 in the corners
    gain = (1 - share * (1 - r2)).astype(np.float32)
    return (
        np.asarray(0.5 * (width - 1) + gain * (x - 0.5 * (width - 1)), np.float32),
        np.asarray(0.5 * (height - 1) + gain * (y - 0.5 * (height - 1)), np.float32),
    )
