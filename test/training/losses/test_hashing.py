from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from test.training.losses import oracle
from training.errors import ConfigError
from training.losses import HASH_METHODS, Loss, float_loss, hash_loss

LABELS = [0, 0, 0, 1, 1, 2, 2, 3]
SIZE = 64  # similarities of codes are 1 / 32 apart, none of which lies on the miner's threshold
ALL_LOSSES = {"float": float_loss(), **{name: hash_loss(name) for name in HASH_METHODS}}
every_loss = pytest.mark.parametrize("loss", ALL_LOSSES.values(), ids=ALL_LOSSES)


def gradient(loss: Loss, vectors: Tensor, labels: Tensor) -> Tensor:
    (result,) = torch.autograd.grad(loss(vectors, labels).total, vectors)
    return result


@pytest.fixture(scope="module")
def published(shared: Path) -> dict[str, Tensor]:
    """A batch with the losses, gradients and pair counts of the published implementation."""
    with np.load(shared / "reference/parity/loss.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.mark.shared
def test_values_and_pairs_are_the_published_ones(published: dict[str, Tensor]) -> None:
    total, parts = hash_loss()(published["z"], published["labels"])
    expected = {
        "multi_similarity": published["ms_loss"],
        "similarity_constrained": published["sc_loss"],
        "positive_pairs": published["n_pos"].float(),
        "negative_pairs": published["n_neg"].float(),
    }
    torch.testing.assert_close(parts, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(total, published["total"], rtol=1e-6, atol=0)


@pytest.mark.shared
@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_gradients_are_the_published_ones(published: dict[str, Tensor], weight: float) -> None:
    vectors = published["z"].clone().requires_grad_()
    result = gradient(hash_loss(weight=weight), vectors, published["labels"])
    expected = published["grad_ms"] + weight * published["grad_sc"]
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("method", HASH_METHODS)
def test_each_method_is_what_plain_loops_say(method: str, dtype: torch.dtype) -> None:
    vectors = oracle.unit_vectors(LABELS, SIZE, 5, dtype)
    terms = hash_loss(method, weight=0.3)(vectors, torch.tensor(LABELS))
    features = vectors.tolist()
    compared = oracle.codes(features) if method in ("selavpr++", "ste") else features
    positives, negatives = oracle.mined(compared, LABELS)
    expected = {
        "multi_similarity": oracle.multi_similarity(compared, positives, negatives),
        "positive_pairs": len(positives),
        "negative_pairs": len(negatives),
    }
    total = expected["multi_similarity"]
    pairs = positives + negatives
    if method in ("selavpr++", "sc"):
        expected["similarity_constrained"] = oracle.constrained(features, pairs, oracle.identity)
        total += 0.3 * expected["similarity_constrained"]
    if method == "lc":
        expected["locality_constrained"] = oracle.constrained(features, pairs, oracle.sigmoid)
        total += 0.3 * expected["locality_constrained"]
    assert pairs
    parts = {name: part.item() for name, part in terms.parts.items()}
    assert parts == pytest.approx(expected, rel=1e-4)
    assert terms.total.item() == pytest.approx(total, rel=1e-5)
    assert not any(part.requires_grad for part in terms.parts.values())


@pytest.mark.parametrize("method", ["direct", "lc", "sc"])
def test_without_ste_the_codes_have_no_gradient(method: str) -> None:
    """The features alone must give the gradient, so small differences of them must see it all."""
    vectors = oracle.unit_vectors(LABELS, 6, 5, torch.float64)
    labels = torch.tensor(LABELS)
    loss = hash_loss(method, weight=1.0)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels).total, vectors)


def test_the_straight_through_gradient_is_that_of_the_loss_at_the_codes() -> None:
    vectors = oracle.unit_vectors(LABELS, SIZE, 5, torch.float64)
    labels = torch.tensor(LABELS)
    codes = torch.tensor(oracle.codes(vectors.tolist()), dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(
        gradient(hash_loss("ste"), vectors, labels), gradient(float_loss(), codes, labels)
    )


@every_loss
@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [5, 5, 5, 5], [7]], ids=str)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_batch_without_a_valid_pair_costs_zero_and_has_a_gradient(
    loss: Loss, labels: list[int], dtype: torch.dtype
) -> None:
    vectors = oracle.unit_vectors(labels, SIZE, 5, dtype)
    total, parts = loss(vectors, torch.tensor(labels))
    total.backward()
    assert total.item() == 0
    assert parts["positive_pairs"] == parts["negative_pairs"] == 0
    assert vectors.grad is not None
    assert vectors.grad.dtype == dtype
    assert not vectors.grad.any()


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(loss: Loss, dtype: torch.dtype) -> None:
    labels = torch.tensor(LABELS)
    vectors = oracle.unit_vectors(LABELS, SIZE, 5, dtype)
    same = vectors.detach().float().requires_grad_()
    assert loss(vectors, labels).total.dtype == torch.float32
    assert torch.equal(loss(vectors, labels).total, loss(same, labels).total)
    assert torch.equal(gradient(loss, vectors, labels), gradient(loss, same, labels).to(dtype))


@every_loss
def test_autocast_changes_nothing(loss: Loss) -> None:
    labels = torch.tensor(LABELS)
    vectors = oracle.unit_vectors(LABELS, SIZE, 5, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        total = loss(vectors, labels).total
    assert torch.equal(total, loss(vectors, labels).total)


@every_loss
def test_what_is_not_a_number_is_seen(loss: Loss) -> None:
    vectors = oracle.unit_vectors(LABELS, SIZE, 5, torch.float32).detach()
    vectors[3, 2] = torch.nan
    assert loss(vectors.requires_grad_(), torch.tensor(LABELS)).total.isnan()


def test_a_fraction_of_the_pairs_leaves_the_metric_alone() -> None:
    labels = torch.tensor(LABELS)
    vectors = oracle.unit_vectors(LABELS, SIZE, 5, torch.float32)
    every, some = (hash_loss(pair_fraction=f)(vectors, labels).parts for f in (1.0, 0.2))
    assert every["multi_similarity"] == some["multi_similarity"]
    assert every["similarity_constrained"] != some["similarity_constrained"]
    assert every["negative_pairs"] == some["negative_pairs"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "itq"}, "no hashing method 'itq': choose from selavpr"),
        ({"weight": -0.1}, "weight"),
        ({"weight": float("nan")}, "weight"),
        ({"pair_fraction": 0.0}, "fraction of pairs"),
        ({"pair_fraction": 1.5}, "fraction of pairs"),
    ],
)
def test_unfit_settings_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        hash_loss(**settings)
