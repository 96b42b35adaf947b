from __future__ import annotations

import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch.nn import functional

from training.distillation import Cells, cell_means

SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def patches_of(cell: int, grid: tuple[int, int], cells: tuple[int, int]) -> set[int]:
    """The patches whose middle lies in a cell."""
    place = divmod(cell, cells[1])
    rows, columns = (
        [p for p in range(side) if at * 2 * side <= (2 * p + 1) * count < (at + 1) * 2 * side]
        for at, side, count in zip(place, grid, cells, strict=True)
    )
    return {row * grid[1] + column for row in rows for column in columns}


@example(grid=(7, 3), cells=(2, 3), share=1 / 3, seed=0)
@given(grid=SIDES, cells=SIDES, share=st.floats(0.01, 1), seed=st.integers(0, 99))
def test_whole_cells_are_kept(
    grid: tuple[int, int], cells: tuple[int, int], share: float, seed: int
) -> None:
    torch.manual_seed(seed)
    kept = Cells(grid, cells).draw(3, share)
    for image in range(3):
        numbers = kept.cells[image].tolist()
        expected = {cell: patches_of(cell, grid, cells) for cell in numbers}
        assert len(expected) == len(numbers) >= 1
        assert all(expected.values())
        patches = kept.patches[image]
        assert patches.tolist() == sorted(set().union(*expected.values()))
        most = share * (grid[0] * grid[1]) + 1e-9  # a third of 21 is 7, however it is rounded
        assert len(patches) <= most or len(expected) == 1
        for inside, of_cell in zip(kept.inside[image], expected.values(), strict=True):
            assert set(patches[inside].tolist()) == of_cell


def test_a_share_of_one_keeps_everything_and_draws_nothing() -> None:
    state = torch.random.get_rng_state()
    kept = Cells((16, 16), (7, 7)).draw(2, 1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(kept.patches, torch.arange(256).expand(2, -1))
    assert torch.equal(kept.cells, torch.arange(49).expand(2, -1))


def test_a_share_is_nearly_reached_and_every_cell_has_its_turn() -> None:
    torch.manual_seed(0)
    kept = Cells((16, 16), (7, 7)).draw(60, 0.5)
    assert 120 <= kept.patches.shape[1] <= 128
    assert set(kept.cells.flatten().tolist()) == set(range(49))
    assert len({tuple(cells) for cells in kept.cells.tolist()}) == 60  # to each image its own


def test_means_of_cells_of_equal_size_are_average_pooling() -> None:
    features = torch.randn(2, 16 * 12, 5)
    maps = features.transpose(1, 2).unflatten(2, (16, 12))
    pooled = functional.adaptive_avg_pool2d(maps, (8, 3)).flatten(2).transpose(1, 2)
    kept = Cells((16, 12), (8, 3)).draw(2, 1)
    assert torch.allclose(cell_means(features, kept.inside), pooled, atol=1e-5)


def test_means_of_kept_cells_are_those_of_all() -> None:
    torch.manual_seed(1)
    features = torch.randn(2, 256, 5)
    cells = Cells((16, 16), (7, 7))
    whole = cell_means(features, cells.draw(2, 1).inside)
    kept = cells.draw(2, 0.4)
    for image in range(2):
        some = features[image, kept.patches[image]][None]
        means = cell_means(some, kept.inside[image][None])
        assert torch.allclose(means[0], whole[image, kept.cells[image]], atol=1e-5)
