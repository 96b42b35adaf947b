from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from selavpr_core.preprocessing import Preprocessing
from training.batches.disturbance import Disturbance
from training.batches.light import relit
from training.batches.pixels import Augmentation, normalised, stacked

RGB = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(24, 32), (56, 28), (48, 64)])
def test_without_operations_an_image_is_resized_by_pillow(size: tuple[int, int]) -> None:
    expected = Image.fromarray(RGB).resize(size[::-1], Image.Resampling.BILINEAR)
    assert np.array_equal(Augmentation(size, 0)(RGB, seed=1), np.array(expected))


def test_the_seed_alone_decides_and_the_global_generator_is_left_alone() -> None:
    augmentation = Augmentation((24, 32), 3)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    results = [augmentation(RGB, seed) for seed in range(20)]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    again = [augmentation(RGB, seed) for seed in reversed(range(20))][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(results, again, strict=True))
    assert len({result.tobytes() for result in results}) > 15
    assert {result.shape for result in results} == {(24, 32, 3)}


def test_views_and_light_are_drawn_apart_and_come_before_randaugment() -> None:
    size = (28, 42)
    for seed in range(10):
        view = Augmentation(size, 0, viewpoint=0.6)(RGB, seed)
        both = Augmentation(size, 0, viewpoint=0.6, light=0.6)(RGB, seed)
        random = np.random.default_rng((seed, 2))
        lit = Disturbance(size)(relit(view, 0.6, random), 0.6, random)
        assert np.array_equal(both, lit)
        torch.manual_seed(seed)
        expected = v2.RandAugment(num_ops=3, interpolation=v2.InterpolationMode.BILINEAR)(
            Image.fromarray(both)
        )
        assert np.array_equal(Augmentation(size, 3, 0.6, 0.6)(RGB, seed), np.asarray(expected))
    assert not np.array_equal(both, view)


def test_the_published_augmentation_is_bit_for_bit_what_it_was() -> None:
    for seed in range(10):
        torch.manual_seed(seed)
        image = Image.fromarray(RGB).resize((42, 28), Image.Resampling.BILINEAR)
        expected = v2.RandAugment(num_ops=3, interpolation=v2.InterpolationMode.BILINEAR)(image)
        assert np.array_equal(Augmentation((28, 42), 3)(RGB, seed), np.asarray(expected))


def test_normalisation_is_that_of_the_evaluation() -> None:
    images = [RGB[:28, :42], RGB[10:38, 20:62]]
    pixels = stacked(images)
    assert pixels.dtype == torch.uint8
    assert pixels.is_contiguous()
    result = normalised(pixels)
    expected = Preprocessing(size=(28, 42))(torch.from_numpy(np.stack(images)))
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)
    # Bit for bit what was trained with before batches were bytes.
    mean, std = (
        np.float32(c)[:, None, None] * 255 for c in (Preprocessing.mean, Preprocessing.std)
    )
    before = (np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) - mean) / std
    assert np.array_equal(result.numpy(), before)
    assert pixels.dtype == torch.uint8  # the batch is left as it was
