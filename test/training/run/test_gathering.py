from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from training.run.gathering import gather_batch

ROWS = ((3, 5), (4, 4))  # of each of two ranks: unequal, and equal


def batch(rows: tuple[int, int]) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    count = sum(rows)
    return torch.rand(count, 6, generator=generator), torch.arange(count) // 2


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Linear(6, 4)


def loss(vectors: Tensor, labels: Tensor) -> Tensor:
    """A loss in which every pair matters."""
    same = (labels[:, None] == labels[None, :]).float()
    return ((vectors @ vectors.T - same) ** 2).mean()


def rank_main(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", f"file://{folder}/rendezvous", rank=rank, world_size=2)
    gradients = []
    for rows in ROWS:
        images, labels = batch(rows)
        share = slice(0, rows[0]) if rank == 0 else slice(rows[0], None)
        parallel = torch.nn.parallel.DistributedDataParallel(network())
        vectors, everybodys = gather_batch(parallel(images[share]), labels[share])
        assert torch.equal(everybodys, labels)
        loss(vectors, everybodys).backward()
        gradients.append(parallel.module.weight.grad)
    torch.save(gradients, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_have_the_gradient_of_one(tmp_path: Path) -> None:
    torch.multiprocessing.start_processes(
        rank_main, (str(tmp_path),), nprocs=2, start_method="spawn"
    )
    for number, rows in enumerate(ROWS):
        whole = network()
        images, labels = batch(rows)
        loss(whole(images), labels).backward()
        expected = whole.weight.grad
        for rank in range(2):
            gradient = torch.load(tmp_path / f"{rank}.pt")[number]
            torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-7)


def test_one_process_has_its_own_batch() -> None:
    vectors, labels = torch.rand(4, 2, requires_grad=True), torch.arange(4)
    assert gather_batch(vectors, labels) == (vectors, labels)
