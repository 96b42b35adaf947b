"""The same picture in other light: shadows and lamps, exposure, colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# At strength 1, natural logarithms of gains; of light falling on the scene ...
_PATCHES = 0.35  # standard deviation from patch to patch
_SHADOW = 1.2  # of what lies in the shadow, at most
_TINT = 0.05  # of a colour of it
# ... and of what the camera makes of it.
_EXPOSURE = 0.6
_WARMTH = 0.35  # red against blue
_GREEN = 0.1
_GAMMA = 0.5
_CONTRAST = 0.4
_VIVID = 0.6  # largest change of the saturation; 1 doubles it

_GREY = 0.15  # chance of no colour at all
_FIELD = 28  # nodes a side that light is computed at; linear between them
_LUMA = np.array([0.299, 0.587, 0.114])


def relit(
    rgb: NDArray[np.uint8], strength: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Return an image uint8 [H, W, 3] in other light; strength 0 (as it is) to 1."""
    height, width = rgb.shape[:2]
    field = cv2.resize(_illumination(strength, random), (width, height))
    lit = cv2.multiply(rgb, field, dtype=cv2.CV_8U)
    toned = cv2.LUT(lit, _tones(strength, random)[:, None])
    return cv2.transform(toned, _saturation(strength, random))  # type: ignore[return-value]


def _illumination(strength: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Return gains [28, 28, 3] over an image: patches of light, and often the edge of a shadow."""
    patches = random.normal(0, _PATCHES, (*random.integers(2, 6, size=2), 1))
    patches = patches + random.normal(0, _TINT, (*patches.shape[:2], 3))
    light = cv2.resize(patches, (_FIELD, _FIELD), interpolation=cv2.INTER_CUBIC)
    if random.random() < 0.5:
        y, x = np.mgrid[-1 : 1 : _FIELD * 1j, -1 : 1 : _FIELD * 1j]
        direction = random.uniform(0, 2 * np.pi)
        beyond = x * np.cos(direction) + y * np.sin(direction) - random.uniform(-0.7, 0.7)
        softness = random.uniform(0.03, 0.5)
        depth = random.uniform(0.2, _SHADOW)
        light -= depth * (0.5 + 0.5 * np.tanh(beyond / softness))[..., None]
    return np.exp(strength * light).astype(np.float32)


def _tones(strength: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return what each of 256 values of each colour becomes, [256, 3]."""
    exposure, warmth, green, gamma, contrast = strength * random.uniform(-1, 1, 5)
    gains = np.array([warmth * _WARMTH, green * _GREEN, -warmth * _WARMTH]) + exposure * _EXPOSURE
    values = np.linspace(0, 1, 256)[:, None] ** np.exp(gamma * _GAMMA) * np.exp(gains)
    values = 0.5 + (values - 0.5) * np.exp(contrast * _CONTRAST)
    return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)


def _saturation(strength: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Return the matrix [3, 3] that mixes colours with their luminance."""
    colour = 1.0 + strength * random.uniform(-_VIVID, _VIVID)
    if random.random() < strength * _GREY:
        colour = 0.0
    return (colour * np.eye(3) + (1.0 - colour) * _LUMA).astype(np.float32)
