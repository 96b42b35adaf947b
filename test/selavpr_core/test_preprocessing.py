from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from selavpr_core.preprocessing import Preprocessing


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


def as_published(image: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """Normalise, then resize the tensor, as the published evaluation does."""
    tensor = torch.from_numpy(image).permute(2, 0, 1).float().div(255)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    normalised = (tensor - mean) / std
    return functional.interpolate(
        normalised[None], size, mode="bilinear", align_corners=False, antialias=False
    )[0]


@pytest.mark.parametrize("shape", [(480, 640), (97, 33), (322, 322), (1, 1), (1080, 1920)])
@pytest.mark.parametrize("size", [(322, 322), (140, 224)])
def test_it_is_the_published_preprocessing(shape: tuple[int, int], size: tuple[int, int]) -> None:
    image = random_images(*shape)
    result = Preprocessing(size=size)(torch.from_numpy(image)[None])
    assert result.dtype == torch.float32
    torch.testing.assert_close(result[0], as_published(image, size), rtol=0, atol=2e-6)


def test_it_is_bilinear_without_antialiasing() -> None:
    image = random_images(30, 45)
    result = Preprocessing(size=(14, 28))(torch.from_numpy(image)[None])[0]
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    for y in range(14):
        for x in range(28):
            v, u = (y + 0.5) * 30 / 14 - 0.5, (x + 0.5) * 45 / 28 - 0.5
            i, j = int(np.floor(v)), int(np.floor(u))
            taps = [
                (wi * wj, image[min(max(i + di, 0), 29), min(max(j + dj, 0), 44)])
                for di, wi in ((0, 1 - (v - i)), (1, v - i))
                for dj, wj in ((0, 1 - (u - j)), (1, u - j))
            ]
            colour = sum(weight * pixel.astype(float) for weight, pixel in taps)
            expected = (colour / 255 - mean) / std
            np.testing.assert_allclose(result[:, y, x], expected, atol=1e-4)


def test_sizes_that_are_no_multiples_of_a_patch_are_refused() -> None:
    with pytest.raises(ValueError, match="320 x 322"):
        Preprocessing(size=(320, 322))


def test_everything_that_decides_is_in_its_description() -> None:
    described = Preprocessing(size=(224, 238)).to_json()
    assert described == {
        "size": (224, 238),
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "interpolation": "bilinear",
        "antialias": False,
    }
