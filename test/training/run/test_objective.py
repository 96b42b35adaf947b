from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from selavpr_core.model import Output
from training.losses import float_loss, hash_loss
from training.run.config import LossConfig
from training.run.objective import make_objective

LABELS = torch.arange(12) // 4


def output() -> Output:
    generator = torch.Generator().manual_seed(1)

    def vectors(length: int) -> Tensor:
        return functional.normalize(torch.randn(12, length, generator=generator), dim=1)

    return Output(vectors(32), vectors(16), None)


@pytest.mark.parametrize("method", ["selavpr++", "direct", "ste"])
def test_each_branch_has_its_own_loss_and_both_their_sum(method: str) -> None:
    config = LossConfig(hashing=method, weight=0.3)  # type: ignore[arg-type]
    given = output()
    assert given.descriptor is not None
    assert given.hash is not None
    floating = float_loss()(given.descriptor, LABELS)
    torch.manual_seed(5)
    hashing = hash_loss(method, 0.3, 1.0)(given.hash, LABELS)
    for trained, total in (
        (("float",), floating.total),
        (("hash",), hashing.total),
        (("float", "hash"), floating.total + hashing.total),
    ):
        torch.manual_seed(5)
        terms = make_objective(config, trained)(given, LABELS)  # type: ignore[arg-type]
        torch.testing.assert_close(terms.total, total)
        assert {name.partition("/")[0] for name in terms.parts} == set(trained)
    parts = {f"hash/{name}": value for name, value in hashing.parts.items()}
    assert {name: float(terms.parts[name]) for name in parts} == pytest.approx(
        {name: float(value) for name, value in parts.items()}
    )


def test_a_branch_that_is_not_trained_is_not_asked_for() -> None:
    alone = output()._replace(hash=None)
    assert make_objective(LossConfig(), ("float",))(alone, LABELS).total.isfinite()
