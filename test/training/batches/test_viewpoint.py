from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.batches.viewpoint import _corners, warped


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def where(height: int, width: int) -> np.ndarray:
    """Return an image whose colours say where each pixel is: x / width, y / height of 250."""
    x = np.broadcast_to((np.arange(width) + 0.5) / width, (height, width))
    y = np.broadcast_to((np.arange(height)[:, None] + 0.5) / height, (height, width))
    return np.rint(250 * np.stack([x, y, np.zeros_like(x)], axis=2)).astype(np.uint8)


def seen_by_hand(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return where each pixel of the result looks, [h, w, 2] as (x, y), by solving for the map."""
    height, width = size
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    equations, values = [], []
    for (x, y), (u, v) in zip(target, corners, strict=True):
        equations += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    matrix = np.append(np.linalg.solve(equations, values), 1).reshape(3, 3)
    result = np.empty((height, width, 2))
    for row in range(height):
        for column in range(width):
            x, y, scale = matrix @ [column + 0.5, row + 0.5, 1]
            result[row, column] = x / scale, y / scale
    return result


@pytest.mark.parametrize("shape", [(40, 60), (80, 60), (300, 260)])
@pytest.mark.parametrize("seed", range(5))
def test_pixels_come_from_where_the_corners_say(shape: tuple[int, int], seed: int) -> None:
    size = (42, 56)
    seen = seen_by_hand(_corners(shape, 1.0, generator(seed)), size) / shape[::-1]
    result = warped(where(*shape), size, 1.0, generator(seed))[..., :2] / 250
    # Beyond the border, and a pixel within it, the image is mirrored.
    inside = np.all((seen > 0.05) & (seen < 0.95), axis=2)
    assert inside.mean() > 0.7
    assert np.abs(result - seen)[inside].max() < 0.015


def test_without_strength_it_is_the_whole_image() -> None:
    rgb = cv2.GaussianBlur(generator().integers(0, 256, (60, 90, 3), dtype=np.uint8), (0, 0), 3)
    result = warped(rgb, (60, 90), 0.0, generator())
    assert np.abs(result.astype(int) - rgb).max() <= 1
    larger = warped(rgb, (120, 180), 0.0, generator())
    expected = cv2.resize(rgb, (180, 120), interpolation=cv2.INTER_LINEAR)
    assert np.abs(larger.astype(int) - expected).max() <= 2


@settings(max_examples=100, deadline=None)
@given(
    shape=st.tuples(st.integers(20, 2000), st.integers(20, 2000)),
    strength=st.floats(0, 1),
    seed=st.integers(0, 2**63),
)
def test_enough_is_seen_and_little_beyond_the_border(
    shape: tuple[int, int], strength: float, seed: int
) -> None:
    corners = _corners(shape, strength, generator(seed)) / shape[::-1]
    x, y = corners.T
    area = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    # The crop has 1 - strength / 2 of the area, 3/4 of that where it would be too wide for the
    # image, and each of its corners moves by a tenth of its sides.
    assert area >= (1 - strength / 2) * 0.75**strength * (1 - 0.2 * strength) ** 2 - 1e-9
    assert area <= (1 + 0.2 * strength) ** 2 + 1e-9
    # Clockwise from top left, whatever is drawn: never a mirror image.
    turns = [
        (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
        for a, b, c in zip(corners, np.roll(corners, -1, 0), np.roll(corners, -2, 0), strict=True)
    ]
    assert min(turns) > 0


@pytest.mark.parametrize("size", [(28, 28), (28, 56)])
def test_what_is_shrunk_much_is_averaged(size: tuple[int, int]) -> None:
    stripes = np.zeros((448, 448, 3), np.uint8)
    stripes[::2] = stripes[:, ::2] = 255  # three of four pixels are white
    for seed in range(5):
        result = warped(stripes, size, 1.0, generator(seed))
        assert abs(result.mean() - 0.75 * 255) < 4
        assert result.std() < 8


def test_the_generator_alone_decides() -> None:
    rgb = where(30, 40)
    results = [warped(rgb, (28, 28), 0.7, generator(seed)) for seed in range(10)]
    again = [warped(rgb, (28, 28), 0.7, generator(seed)) for seed in range(10)]
    assert all(np.array_equal(a, b) for a, b in zip(results, again, strict=True))
    assert len({result.tobytes() for result in results}) == 10


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (2, 3), (700, 3)])
def test_odd_images_have_the_size_that_is_asked_for(shape: tuple[int, int]) -> None:
    for seed in range(5):
        assert warped(where(*shape), (14, 28), 1.0, generator(seed)).shape == (14, 28, 3)
