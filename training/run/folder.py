"""The folder that a run leaves behind."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selavpr_core.model import SelaVPR
from selavpr_core.storage.durable import publish
from selavpr_core.weights import native
from training.errors import TrainingError
from training.run.config import Config, changed_keys, load_config


class RunFolder:
    """runs/NAME: config.yaml, versions.json, last.ckpt, best.safetensors, metrics and lists.

    `lock` belongs to the process that trains: it is empty, and stays when the run has ended.

    path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / "last.ckpt"
        self.weights = path / "best.safetensors"
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.jsonl"
        self.summary = path / "summary.json"
        self.undecodable = path / "undecodable.txt"
        self.nan_batch = path / "nan_batch.txt"
        self.lock = path / "lock"

    def notes(self, of: str) -> Path:
        """Return the path of a teacher's notes while the run needs them; of: what they are of."""
        return self.path / f"teacher-{of[:12]}.npy"

    def remove_notes(self, but: Path | None = None) -> None:
        """Remove a teacher's notes, which are large, finished or not; but: a file that stays."""
        for path in self.path.glob("teacher-*.npy*"):
            if path != but:
                path.unlink()

    def check(self, config: Config, resume: bool) -> None:
        """Raise TrainingError unless the folder is free, or holds the same run to be resumed."""
        if not resume:
            if self.path.exists() and (not self.path.is_dir() or self._in_use()):
                raise self._exists_already()
            return
        if not self.config.is_file():
            raise TrainingError(f"there is no run {self.path} to resume: leave out --resume")
        changed = changed_keys(load_config(self.config), config)
        if changed:
            raise TrainingError(
                f"{self.path} was started with other values of {', '.join(changed)}: resume it "
                f"with its own configuration ({self.config}), or start a new run"
            )

    def _in_use(self) -> bool:
        return any(path != self.lock for path in self.path.iterdir())

    def _exists_already(self) -> TrainingError:
        return TrainingError(
            f"{self.path} exists already: continue it with --resume, choose another name "
            "(name=...), or remove it"
        )

    def take(self, resume: bool) -> None:
        """Make the folder, and keep other processes from it until this one ends or is killed.

        Raises TrainingError where another trains in it, or has done so since `check`.
        """
        with self._named_errors():
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = self.lock.open("w")
            try:
                # Not flock: processes that read images would inherit it, and outlive this one.
                fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as error:  # POSIX allows either
                raise TrainingError(
                    f"another process trains in {self.path}: wait for its end, or choose another "
                    "name (name=...)"
                ) from error
            if not resume and self._in_use():
                raise self._exists_already()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TrainingError(f"{self.path} cannot be written: {error.strerror}") from error

    def describe(self, config: Config, versions: Mapping[str, str | None]) -> None:
        """Write the configuration and the versions, anew when resuming."""
        with self._named_errors():
            write_text(self.config, config.to_yaml())
            write_text(self.path / "versions.json", json.dumps(dict(versions), indent=2) + "\n")

    def save_weights(self, model: SelaVPR) -> str:
        """Replace best.safetensors, durably and at once; return the fingerprint.

        Raises WeightsError where it cannot be written.
        """
        aside = self.path / f"new-{self.weights.name}"
        for left in self.path.glob(f"{aside.name}*"):  # by a run that was killed here
            left.unlink()
        model.pretrained = True
        digest = native.save(model, aside)
        publish(aside, self.weights)
        return digest

    def write_summary(self, values: Mapping[str, Any]) -> None:
        """Write what the run came to."""
        write_text(self.summary, json.dumps(dict(values), indent=2) + "\n")

    def write_nan_batch(self, step: int, paths: Sequence[str]) -> None:
        """Write the images of the step that gave no finite loss."""
        write_text(self.nan_batch, "".join(f"{path}\n" for path in [f"# step {step}", *paths]))


def write_text(path: Path, text: str) -> None:
    """Replace a text file, durably and at once."""
    aside = path.with_name(f"{path.name}.part")
    aside.write_text(text, encoding="utf-8")
    publish(aside, path)
