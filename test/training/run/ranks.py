"""Trains as `python -m training.train` does, and keeps what each process saw and ended with.

    python -m test.training.run.ranks OUTPUT --config FILE [KEY=VALUE ...]

OUTPUT/RANK.pt has the paths of every step and the network's state after the last.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import torch

from training import command, train
from training.batches import PlaceBatch
from training.run.loop import Loop

PATHS: list[list[str]] = []


def main(output: Path, arguments: list[str]) -> int:
    run, step = Loop.run, Loop._step

    def kept_step(self: Loop, batch: PlaceBatch) -> None:
        PATHS.append(batch.paths)
        step(self, batch)

    def kept_run(self: Loop) -> None:
        run(self)
        content = {"paths": PATHS, "state": self._model.state_dict()}
        torch.save(content, output / f"{self._fabric.global_rank}.pt")

    Loop.run, Loop._step = kept_run, kept_step  # type: ignore[method-assign]
    return command.run(train.main, arguments)


def train_as_two(
    output: Path, arguments: list[str], prepare: Callable[[int], None] = lambda rank: None
) -> list[tuple[int | None, str]]:
    """Do the same in two processes, started as torchrun does; return exit codes and stderr.

    Made by fork they have everything imported already, and what a test has patched is patched.
    prepare: called with the rank in each.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    told = [output / f"{rank}.txt" for rank in range(2)]

    def run_rank(rank: int) -> None:
        names = ("RANK", "LOCAL_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
        values = (rank, rank, 0, 2, 2)
        os.environ.update({name: str(v) for name, v in zip(names, values, strict=True)})
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), TORCHELASTIC_RUN_ID="1")
        sys.stderr = told[rank].open("w")
        prepare(rank)
        sys.exit(main(output, [*arguments, "trainer.devices=2"]))

    processes = [fork.Process(target=run_rank, args=(rank,)) for rank in range(2)]
    # Threads do not come along, and would be waited for for ever.
    threads, of_opencv = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for process in processes:
        process.start()
    torch.set_num_threads(threads)
    cv2.setNumThreads(of_opencv)
    for process in processes:
        process.join(120)
        process.kill()  # one that waits for the other for ever
        process.join()
    return [(p.exitcode, t.read_text()) for p, t in zip(processes, told, strict=True)]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
