from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from lightning.fabric import Fabric

from training.errors import TrainingError
from training.run.ranks import all_do, from_all, greatest, is_lead, lead_does


class TwoRanks:
    """What `ranks` asks of a Fabric, on two processes of gloo."""

    world_size = 2
    device = torch.device("cpu")

    def __init__(self, rank: int) -> None:
        self.is_global_zero = rank == 0

    def broadcast(self, value: object) -> object:
        values = [value]
        dist.broadcast_object_list(values)
        return values[0]


def told(action: object) -> str:
    try:
        return str(action())  # type: ignore[operator]
    except TrainingError as error:
        return f"error: {error}"


def rank_main(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", f"file://{folder}/rendezvous", rank=rank, world_size=2)
    fabric: Fabric = TwoRanks(rank)  # type: ignore[assignment]
    done = []

    def fails() -> int:
        done.append(rank)
        raise OSError("the disk is full")

    def fails_on_the_second() -> int:
        if rank == 1:
            raise TrainingError("an image is gone")
        return 7

    outcomes = [
        told(lambda: lead_does(fabric, lambda: [done.append(rank), f"by {rank}"][1])),
        told(lambda: lead_does(fabric, fails)),
        told(lambda: all_do(fabric, lambda: 10 + rank)),
        told(lambda: all_do(fabric, fails_on_the_second)),
        from_all(fabric, {"rank": rank}),
        greatest(fabric, 3 - rank),
        done,
    ]
    Path(folder, f"{rank}.json").write_text(json.dumps(outcomes))
    dist.destroy_process_group()


def test_what_one_rank_does_or_fails_at_all_ranks_know(tmp_path: Path) -> None:
    torch.multiprocessing.start_processes(
        rank_main, (str(tmp_path),), nprocs=2, start_method="spawn"
    )
    lead, other = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    common = ["by 0", "error: the disk is full"]
    failure, everybody, most = "error: an image is gone", [{"rank": 0}, {"rank": 1}], 3
    assert lead == [*common, "10", failure, everybody, most, [0, 0]]
    assert other == [*common, "11", failure, everybody, most, []]


def test_one_process_does_everything_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    fabric = Fabric(accelerator="cpu", devices=1)
    assert lead_does(fabric, lambda: 4) == 4
    assert all_do(fabric, lambda: 5) == 5
    assert from_all(fabric, 6) == [6]
    assert greatest(fabric, 7) == 7
    assert is_lead()
    monkeypatch.setenv("NODE_RANK", "1")
    assert not is_lead()
