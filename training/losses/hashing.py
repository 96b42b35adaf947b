"""The losses of the hash branch: the paper's own and those it is compared with (Table XIV)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from training.errors import ConfigError
from training.losses.codes import sign, straight_through_sign
from training.losses.constraints import locality_constrained, similarity_constrained
from training.losses.multi_similarity import multi_similarity
from training.losses.pairs import mine
from training.losses.terms import Loss, LossTerms, full_precision


class _Constraint(NamedTuple):
    name: str
    loss: Callable[..., Tensor]


class _Method(NamedTuple):
    straight_through: bool  # multi-similarity (and miner) on the codes, else on the features
    constraint: _Constraint | None


_SIMILARITY = _Constraint("similarity_constrained", similarity_constrained)
_LOCALITY = _Constraint("locality_constrained", locality_constrained)
_METHODS = {
    "selavpr++": _Method(straight_through=True, constraint=_SIMILARITY),
    "direct": _Method(straight_through=False, constraint=None),
    "lc": _Method(straight_through=False, constraint=_LOCALITY),
    "sc": _Method(straight_through=False, constraint=_SIMILARITY),
    "ste": _Method(straight_through=True, constraint=None),
}
HASH_METHODS: tuple[str, ...] = tuple(_METHODS)


def hash_loss(method: str = "selavpr++", weight: float = 0.1, pair_fraction: float = 1.0) -> Loss:
    """Return a loss of the hash branch, by name.

    All are multi-similarity over the mined pairs, plus, in some, a constraint on the same pairs:

    =========== ===================== ========================================================
    selavpr++   on codes, by STE      similarity-constrained, gradient through codes too (Eq. 15)
    direct      on features           none: the sign is taken when the branch is used
    lc          on features           locality-constrained (sigmoids), codes without a gradient
    sc          on features           similarity-constrained, codes without a gradient (Eq. 12)
    ste         on codes, by STE      none
    =========== ===================== ========================================================

    A batch without a pair of one place, or without one of two places, costs zero, with a gradient
    of zeros. Vectors in half precision are computed in float32.

    Args:
        method: one of HASH_METHODS.
        weight: of the constraint.
        pair_fraction: of the pairs that the constraint looks at, drawn anew each time by torch's
            global CPU generator; 1 is all of them (published code), 0.2 the paper's.

    Raises:
        ConfigError: no such method, a negative weight, or a fraction outside (0, 1].
    """
    if method not in _METHODS:
        raise ConfigError(f"no hashing method {method!r}: choose from {', '.join(HASH_METHODS)}")
    if not weight >= 0:
        raise ConfigError(f"the weight of a hashing constraint cannot be {weight}")
    if not 0 < pair_fraction <= 1:
        raise ConfigError(
            f"the fraction of pairs must be above 0 and at most 1, not {pair_fraction}"
        )
    straight_through, constraint = _METHODS[method]

    def loss(vectors: Tensor, labels: Tensor) -> LossTerms:
        with full_precision(vectors) as features:
            codes = straight_through_sign(features) if straight_through else sign(features)
            compared = codes if straight_through else features
            pairs = mine(compared, labels)
            total = multi_similarity(compared, labels, pairs)
            parts = {"multi_similarity": total.detach()}
            if constraint is not None:
                cost = constraint.loss(features, codes, pairs, pair_fraction)
                parts[constraint.name] = cost.detach()
                total = total + weight * cost
        return LossTerms(total, {**parts, **pairs.counts()})

    return loss
