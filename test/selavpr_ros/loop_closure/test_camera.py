from __future__ import annotations

import math

import numpy as np
import pytest

from selavpr_core.camera import CameraModel
from selavpr_ros.loop_closure.camera import comparable, focal, rays

PINHOLE = CameraModel(640, 480, 500.0, 510.0, 310.0, 250.0)


def test_a_pixel_of_a_pinhole_looks_along_its_ray() -> None:
    points = np.array([[310.0, 250.0], [0.0, 0.0], [639.0, 100.0]], np.float32)
    expected = [[(u - 310) / 500, (v - 250) / 510] for u, v in points.tolist()]
    np.testing.assert_allclose(rays(PINHOLE, points, (640, 480)), expected, atol=1e-9)


def test_a_smaller_picture_looks_the_same_way() -> None:
    points = np.array([[100.0, 40.0], [500.0, 300.0]], np.float32)
    half = ((points + 0.5) / 2 - 0.5).astype(np.float32)
    np.testing.assert_allclose(
        rays(PINHOLE, half, (320, 240)), rays(PINHOLE, points, (640, 480)), atol=1e-9
    )
    assert focal(PINHOLE, (320, 240)) == pytest.approx(252.5)


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("plumb_bob", (-0.2, 0.05, 0.001, -0.002, 0.01)),
        ("rational_polynomial", (0.1, 0.02, 0.0, 0.001, 0.0, 0.2, 0.01, 0.0)),
        ("equidistant", (0.02, -0.01, 0.003, 0.0)),
    ],
)
def test_distortion_is_taken_out(model: str, distortion: tuple[float, ...]) -> None:
    camera = CameraModel(640, 480, 400.0, 400.0, 320.0, 240.0, distortion, model)  # type: ignore[arg-type]
    looking = np.array([[0.0, 0.0], [0.3, -0.2], [-0.4, 0.25]])
    pixels = np.array([distorted(x, y, model, distortion) for x, y in looking]) * 400 + [320, 240]
    found = rays(camera, pixels.astype(np.float32), (640, 480))
    np.testing.assert_allclose(found, looking, atol=1e-4)


def distorted(x: float, y: float, model: str, d: tuple[float, ...]) -> tuple[float, float]:
    """The distortion models as OpenCV's documentation writes them."""
    r = math.hypot(x, y)
    if model == "equidistant":
        theta = math.atan(r)
        bent = theta * (1 + sum(k * theta ** (2 * n) for n, k in enumerate(d, 1)))
        return (x * bent / r, y * bent / r) if r else (x, y)
    k1, k2, p1, p2, k3, *rest = d
    k4, k5, k6 = rest or (0.0, 0.0, 0.0)
    gain = (1 + k1 * r**2 + k2 * r**4 + k3 * r**6) / (1 + k4 * r**2 + k5 * r**4 + k6 * r**6)
    return (
        x * gain + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2),
        y * gain + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y,
    )


def test_no_points_have_no_rays() -> None:
    assert rays(PINHOLE, np.empty((0, 2), np.float32), (640, 480)).shape == (0, 2)


@pytest.mark.parametrize(("longer", "together"), [(1.0, True), (2.4, True), (2.6, False)])
def test_a_long_lens_is_not_compared_with_a_normal_one(longer: float, together: bool) -> None:
    tele = CameraModel(1280, 960, 1000.0 * longer, 1020.0 * longer, 620.0, 500.0)
    for size in ((640, 480), (320, 240)):  # however small the pictures are
        assert comparable(PINHOLE, (640, 480), tele, size) == together
        assert comparable(tele, size, PINHOLE, (640, 480)) == together
