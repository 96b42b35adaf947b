"""The losses again, by plain loops over explicit pairs in Python's floats."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Pair = tuple[int, int]


def unit_vectors(labels: list[int], size: int, seed: int, dtype: torch.dtype) -> Tensor:
    """Random unit vectors, more alike within a place than across: the miner has to choose."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.randn(100, size, generator=generator, dtype=torch.float64)
    noise = torch.randn(len(labels), size, generator=generator, dtype=torch.float64)
    vectors = places[torch.tensor(labels)] + noise
    return torch.nn.functional.normalize(vectors, dim=1).to(dtype).requires_grad_()


def inner(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def cosine(a: list[float], b: list[float]) -> float:
    return inner(a, b) / math.sqrt(inner(a, a) * inner(b, b))


def codes(vectors: list[list[float]]) -> list[list[float]]:
    return [[1.0 if x >= 0 else -1.0 for x in vector] for vector in vectors]


def mined(vectors: list[list[float]], labels: list[int]) -> tuple[list[Pair], list[Pair]]:
    """Return positive and negative pairs by the rule of the multi-similarity miner."""
    numbers = range(len(labels))
    positives: list[Pair] = []
    negatives: list[Pair] = []
    for i in numbers:
        same = [j for j in numbers if j != i and labels[j] == labels[i]]
        other = [j for j in numbers if labels[j] != labels[i]]
        hardest_other = max((cosine(vectors[i], vectors[j]) for j in other), default=-math.inf)
        hardest_same = min((cosine(vectors[i], vectors[j]) for j in same), default=math.inf)
        positives += [(i, j) for j in same if cosine(vectors[i], vectors[j]) - 0.1 < hardest_other]
        negatives += [(i, j) for j in other if cosine(vectors[i], vectors[j]) + 0.1 > hardest_same]
    return positives, negatives


def multi_similarity(
    vectors: list[list[float]], positives: list[Pair], negatives: list[Pair]
) -> float:
    """Return Eq. 16 with alpha 1, beta 50 and lambda 0, as the mean over all anchors."""
    total = 0.0
    for anchor in range(len(vectors)):
        same = [cosine(vectors[i], vectors[j]) for i, j in positives if i == anchor]
        other = [cosine(vectors[i], vectors[j]) for i, j in negatives if i == anchor]
        total += math.log(1 + sum(math.exp(-s) for s in same))
        total += math.log(1 + sum(math.exp(50 * s) for s in other)) / 50
    return total / len(vectors)


def constrained(
    vectors: list[list[float]], pairs: list[Pair], squash: Callable[[float], float]
) -> float:
    """Return the mean over pairs of (s(f_i . f_j) - s(b_i . b_j / D))^2."""
    signs = codes(vectors)
    costs = [
        (
            squash(inner(vectors[i], vectors[j]))
            - squash(inner(signs[i], signs[j]) / len(vectors[i]))
        )
        ** 2
        for i, j in pairs
    ]
    return sum(costs) / len(costs)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def identity(x: float) -> float:
    return x
