"""What stands between a place and its picture: things in the way, and a camera's faults."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# At strength 1: chances of each, and how far it goes.
_COVERED, _MOST_BOXES, _LARGEST_BOX = 0.4, 3, 0.35  # a box's sides, of the image's
_BLURRED, _BLUR = 0.3, 1.8  # standard deviation, pixels
_SHAKEN, _SHAKE = 0.15, 9  # pixels along the way
_NOISY, _NOISE = 0.5, 24.0  # standard deviation, of 255
_COMPRESSED, _LOWEST_QUALITY, _HIGHEST_QUALITY = 0.4, 15, 90

_STEP = 32.0  # of the kept noise: a standard deviation
_SHIFTS = 128  # places along each side at which the kept noise may begin


class Disturbance:
    """Disturbs images of one size, each by chance in some of several ways."""

    def __init__(self, size: tuple[int, int]) -> None:
        """size: (height, width) of the images."""
        # Drawing normal numbers for each image would take longer than all the rest.
        height, width = (side + _SHIFTS for side in size)
        normal = np.random.default_rng(0).standard_normal((height, width, 3), np.float32)
        self._noise = np.clip(128 + _STEP * normal, 0, 255).astype(np.uint8)

    def __call__(
        self, rgb: NDArray[np.uint8], strength: float, random: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Return an image uint8 [H, W, 3] disturbed; strength 0 (as it is) to 1."""
        covered, blurred, shaken, noisy, compressed = random.random(5) < strength * np.array(
            [_COVERED, _BLURRED, _SHAKEN, _NOISY, _COMPRESSED]
        )
        if covered:
            rgb = self._with_boxes(rgb, strength, random)
        if blurred:
            rgb = _blurred(rgb, strength * random.uniform(0.3, _BLUR))
        if shaken:
            rgb = _shaken(rgb, round(strength * random.uniform(3, _SHAKE)), random)
        if noisy:
            rgb = self._noised(rgb, strength * random.uniform(2.0, _NOISE), random)
        if compressed:
            worst = _HIGHEST_QUALITY - strength * (_HIGHEST_QUALITY - _LOWEST_QUALITY)
            rgb = _compressed(rgb, round(random.uniform(worst, _HIGHEST_QUALITY)))
        return rgb

    def _some_noise(
        self, height: int, width: int, random: np.random.Generator
    ) -> NDArray[np.uint8]:
        top, left = random.integers(_SHIFTS, size=2)
        return self._noise[top : top + height, left : left + width]

    def _with_boxes(
        self, rgb: NDArray[np.uint8], strength: float, random: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Cover some boxes, each with a colour, or with a colour and noise."""
        result = rgb.copy()
        for _ in range(random.integers(1, _MOST_BOXES + 1)):
            share = strength * random.uniform(0.05, _LARGEST_BOX, 2)
            height, width = np.maximum(1, share * rgb.shape[:2]).astype(int).tolist()
            top = random.integers(rgb.shape[0] - height + 1)
            left = random.integers(rgb.shape[1] - width + 1)
            box = np.empty((height, width, 3), np.uint8)
            box[:] = random.integers(256, size=3, dtype=np.uint8)
            if random.random() < 0.5:
                box = _plus(box, self._some_noise(height, width, random), random.uniform(0.2, 2))
            result[top : top + height, left : left + width] = box
        return result

    def _noised(
        self, rgb: NDArray[np.uint8], deviation: float, random: np.random.Generator
    ) -> NDArray[np.uint8]:
        height, width = rgb.shape[:2]
        return _plus(rgb, self._some_noise(height, width, random), deviation / _STEP)


def _plus(rgb: NDArray[np.uint8], noise: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    return cv2.addWeighted(rgb, 1.0, noise, factor, -128 * factor)  # type: ignore[return-value]


def _blurred(rgb: NDArray[np.uint8], deviation: float) -> NDArray[np.uint8]:
    return cv2.GaussianBlur(rgb, (0, 0), deviation)  # type: ignore[return-value]


def _shaken(rgb: NDArray[np.uint8], length: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Blur along a way of some pixels."""
    length = max(length, 2)
    angle = random.uniform(0, np.pi)
    steps = np.linspace(-0.5, 0.5, 4 * length) * (length - 1)
    kernel = np.zeros((length, length), np.float32)
    centre = (length - 1) / 2
    rows = np.rint(centre + steps * np.sin(angle)).astype(int)
    columns = np.rint(centre + steps * np.cos(angle)).astype(int)
    np.add.at(kernel, (rows, columns), 1.0 / len(steps))
    return cv2.filter2D(rgb, -1, kernel)  # type: ignore[return-value]


def _compressed(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    # In OpenCV's order, or blue would be kept better than red.
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)  # type: ignore[return-value, arg-type]
