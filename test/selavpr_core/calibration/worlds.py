"""Drives along a made-up road, whose descriptors tell where they were taken, more or less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selavpr_core.place_map import MapWriter, ModelInfo, PlaceMap

DIMENSION = 96
CODE_BYTES = 8
MODEL = ModelInfo("ab" * 32, "made-up", "tiny", False, DIMENSION, CODE_BYTES)
SECOND = 10**9
HOUR = 3600 * SECOND
_SEEN = 12.0  # metres: how far what a camera sees changes

_rng = np.random.default_rng(0)
_WAVES = _rng.normal(0, 1 / _SEEN, (DIMENSION, 2))
_PHASES = _rng.uniform(0, 2 * np.pi, DIMENSION)


def described(
    positions: NDArray[np.float64], light: int, noise: float, seed: int
) -> NDArray[np.float32]:
    """Descriptors [N, DIMENSION]: of the place, of the drive's light, and of chance."""
    rng = np.random.default_rng([light, 1])
    of_light = rng.normal(0, 0.35, DIMENSION)
    by_chance = np.random.default_rng([seed, 2]).normal(0, noise, (len(positions), DIMENSION))
    of_place = np.sqrt(2) * np.cos(positions[:, :2] @ _WAVES.T + _PHASES)
    descriptors = of_place + of_light + by_chance
    return (descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)).astype(np.float32)


def road(start: float, stop: float, spacing: float = 4.0, lane: float = 0.0) -> NDArray[np.float64]:
    """Positions [N, 3] along the x axis from start to stop, `lane` metres beside it."""
    along = np.arange(start, stop, spacing if stop > start else -spacing)
    return np.column_stack([along, np.full(len(along), lane), np.zeros(len(along))])


def write(
    path: Path,
    drives: dict[str, NDArray[np.float64]],
    hours: list[float] | None = None,
    noise: float = 0.8,
    headings: float = 0.0,
) -> PlaceMap:
    """Write a map with a segment for each drive [N, 3], an hour or `hours` after the start."""
    with MapWriter(path, MODEL, None) as writer:
        for number, (name, positions) in enumerate(drives.items()):
            seed = sum(map(ord, f"{path.name} {name}"))
            descriptors = described(positions, seed, noise, seed)
            unknown = np.full(len(positions), np.nan)
            began = int((number if hours is None else hours[number]) * HOUR)
            with writer.segment(name, name) as segment:
                segment.add(
                    np.packbits(descriptors[:, : 8 * CODE_BYTES] >= 0, axis=1),
                    descriptors,
                    positions=positions,
                    headings=np.full(len(positions), headings),
                    heading_sigmas=unknown,
                    position_sigmas=unknown,
                    stamps=began + SECOND * np.arange(len(positions)),
                )
    return PlaceMap.load(path)
