"""What a run writes down on its way: metrics, TensorBoard, images that cannot be decoded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from lightning.fabric.loggers import TensorBoardLogger
from torch.utils.tensorboard.summary import hparams

from training.run.config import Config, leaves
from training.run.folder import RunFolder, write_text


class Journal:
    """Metrics of a run, in metrics.jsonl and for TensorBoard.

    A resumed run takes up where its checkpoint was written: what was noted after it is dropped,
    since these steps come again.
    """

    def __init__(self, folder: RunFolder, step: int) -> None:
        """step: optimizer steps that were done when the checkpoint was written."""
        kept = [line for line in _lines(folder.metrics) if _step(line) <= step]
        write_text(folder.metrics, "".join(kept))
        self._file = folder.metrics.open("a", encoding="utf-8")
        self._tensorboard = TensorBoardLogger(
            folder.path, name="tensorboard", version="", purge_step=step + 1
        )

    def describe(self, config: Config) -> None:
        """Let TensorBoard show the configuration, and compare runs by it."""
        values = {
            key: value if isinstance(value, (bool, int, float)) else str(value)
            for key, value in leaves(config)
        }
        metrics = dict.fromkeys(("epoch_loss", "recall@1", "recall@5"))  # as `note` gets them
        for summary in hparams(values, metrics):
            self._tensorboard.experiment._get_file_writer().add_summary(summary)

    def note(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Write values of a step; epoch from 1."""
        self._file.write(json.dumps({"step": step, "epoch": epoch, **values}) + "\n")
        self._tensorboard.log_metrics(dict(values), step)

    def flush(self) -> None:
        """Bring everything to the files."""
        self._file.flush()
        self._tensorboard.save()

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        self._tensorboard.finalize("success")


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        return []
    # The last line of a run that was killed may be half a line.
    return [line for line in path.read_text("utf-8").splitlines(True) if line.endswith("}\n")]


def _step(line: str) -> int:
    return int(json.loads(line)["step"])


class Undecodable:
    """Images that cannot be decoded, each once: undecodable.txt has a path and a reason a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reasons: dict[str, str] = {}
        if path.is_file():
            for line in path.read_text("utf-8").splitlines():
                name, _, reason = line.partition("\t")
                self._reasons[name] = reason

    def __len__(self) -> int:
        return len(self._reasons)

    def add(self, images: Iterable[tuple[str, str]]) -> None:
        """Take note of (path, reason)."""
        self._reasons.update(images)

    def items(self) -> list[tuple[str, str]]:
        """Return (path, reason) of all, in the order of their paths."""
        return sorted(self._reasons.items())

    def write(self) -> None:
        """Write the list; no file for none."""
        if self._reasons:
            lines = [f"{path}\t{' '.join(reason.split())}\n" for path, reason in self.items()]
            write_text(self._path, "".join(lines))
