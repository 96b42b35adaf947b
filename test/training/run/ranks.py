"""Trains as `python -m training.train` does, and keeps what each process saw and ended with.

    python -m test.training.run.ranks OUTPUT --config FILE [KEY=VALUE ...]

OUTPUT/RANK.pt has the paths of every step and the network's state after the last.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from training import command, train
from training.batches import PlaceBatch
from training.run.loop import Loop

PATHS: list[list[str]] = []


def main() -> int:
    output = Path(sys.argv[1])
    run, step = Loop.run, Loop._step

    def kept_step(self: Loop, batch: PlaceBatch) -> None:
        PATHS.append(batch.paths)
        step(self, batch)

    def kept_run(self: Loop) -> None:
        run(self)
        content = {"paths": PATHS, "state": self._model.state_dict()}
        torch.save(content, output / f"{self._fabric.global_rank}.pt")

    Loop.run, Loop._step = kept_run, kept_step  # type: ignore[method-assign]
    return command.run(train.main, sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
