from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from training.distillation import Cells, cell_means

SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def patches_of(cell: int, grid: tuple[int, int], cells: tuple[int, int]) -> set[int]:
    """The patches of a cell, by what adaptive pooling is defined as."""
    place = divmod(cell, cells[1])
    rows, columns = (
        range(at * side // count, math.ceil((at + 1) * side / count))
        for at, side, count in zip(place, grid, cells, strict=True)
    )
    return {row * grid[1] + column for row in rows for column in columns}


@given(grid=SIDES, cells=SIDES, share=st.floats(0.01, 1), seed=st.integers(0, 99))
def test_whole_cells_are_kept(
    grid: tuple[int, int], cells: tuple[int, int], share: float, seed: int
) -> None:
    torch.manual_seed(seed)
    kept = Cells(grid, cells).draw(share)
    expected = {cell: patches_of(cell, grid, cells) for cell in kept.cells.tolist()}
    assert len(expected) == len(kept.cells) >= 1
    assert kept.patches.tolist() == sorted(set().union(*expected.values()))
    assert len(kept.patches) <= share * grid[0] * grid[1] or len(expected) == 1
    for inside, patches in zip(kept.inside, expected.values(), strict=True):
        assert set(kept.patches[inside].tolist()) == patches


def test_a_share_of_one_keeps_everything_and_draws_nothing() -> None:
    state = torch.random.get_rng_state()
    kept = Cells((16, 16), (7, 7)).draw(1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(kept.patches, torch.arange(256))
    assert torch.equal(kept.cells, torch.arange(49))


def test_a_share_is_nearly_reached_and_every_cell_has_its_turn() -> None:
    torch.manual_seed(0)
    cells = Cells((16, 16), (7, 7))
    drawn = [cells.draw(0.5) for _ in range(60)]
    assert all(128 - 16 < len(kept.patches) <= 128 for kept in drawn)  # a cell has 16 at most
    assert set(torch.cat([kept.cells for kept in drawn]).tolist()) == set(range(49))


def test_means_of_all_cells_are_adaptive_pooling() -> None:
    features = torch.randn(2, 16 * 12, 5)
    maps = features.transpose(1, 2).unflatten(2, (16, 12))
    pooled = functional.adaptive_avg_pool2d(maps, (7, 5)).flatten(2).transpose(1, 2)
    kept = Cells((16, 12), (7, 5)).draw(1)
    assert torch.allclose(cell_means(features, kept.inside), pooled, atol=1e-5)


def test_means_of_kept_cells_are_those_of_all() -> None:
    torch.manual_seed(1)
    features = torch.randn(2, 256, 5)
    cells = Cells((16, 16), (7, 7))
    whole = cell_means(features, cells.draw(1).inside)
    kept = cells.draw(0.4)
    means = cell_means(features[:, kept.patches], kept.inside)
    assert torch.allclose(means, whole[:, kept.cells], atol=1e-5)
