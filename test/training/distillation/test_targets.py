from __future__ import annotations

import torch

from training.distillation import RunningMean


def test_the_mean_is_that_of_all_batches_and_later_of_the_last_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(5, 3, generator=generator) + n / 50 for n in range(150)]
    running = RunningMean(3)
    expected = [0.0, 0.0, 0.0]
    for number, batch in enumerate(batches, start=1):
        running.update(batch)
        share = 1 / number if number < 100 else 0.01
        for channel in range(3):
            of_batch = sum(float(row[channel]) for row in batch) / len(batch)
            expected[channel] = (1 - share) * expected[channel] + share * of_batch
        if number in (1, 2, 50):
            assert torch.allclose(running.mean, torch.cat(batches[:number]).mean(0), atol=1e-5)
    assert torch.allclose(running.mean, torch.tensor(expected), atol=1e-5)


def test_a_mean_goes_on_where_it_was_saved() -> None:
    first, second = RunningMean(2), RunningMean(2)
    first.update(torch.tensor([[1.0, 2.0]]))
    second.load_state_dict(first.state_dict())
    for mean in (first, second):
        mean.update(torch.tensor([[3.0, 6.0]]))
        assert mean.mean.tolist() == [2.0, 4.0]


def test_centred_vectors_have_no_mean_and_length_one() -> None:
    running = RunningMean(4)
    vectors = torch.rand(6, 5, 4) + 10
    running.update(vectors.flatten(0, 1))
    centred = running.centred(vectors)
    assert centred.shape == vectors.shape
    assert torch.allclose(centred.norm(dim=2), torch.ones(6, 5), atol=1e-5)
    direction = vectors[2, 3] - vectors.flatten(0, 1).mean(0)
    assert torch.allclose(centred[2, 3], direction / direction.norm(), atol=1e-4)
