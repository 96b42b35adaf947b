"""A run with a teacher: what each step learns from him, beside the losses of the branches."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.fabric import Fabric
from torch import Tensor

from selavpr_core.model import SelaVPR
from selavpr_core.model.settings import PATCH_SIZE
from selavpr_core.storage.durable import publish
from training.batches import Views, make_view_loader
from training.distillation import (
    Cells,
    HalfWhitening,
    Kept,
    Notes,
    Student,
    Teacher,
    distillation_losses,
    make_notes,
    write_notes,
)
from training.errors import ConfigError, TrainingError
from training.losses import LossTerms
from training.run.config import Config, DistillationConfig
from training.run.folder import RunFolder
from training.run.gathering import gather_batch
from training.run.progress import progress_bar
from training.run.ranks import all_do, lead_does

_TOGETHER = 32  # views that are looked at between two moments at which a run may be stopped


def load_teacher(config: Config, device: torch.device) -> Teacher | None:
    """Return the teacher of a configuration, None where it names none.

    Raises ConfigError where it does not fit, or the network is none that learns from one.
    """
    distillation, model = config.distillation, config.model
    if distillation is None:
        return None
    if model.strategy != "full":
        raise ConfigError(
            f"a teacher teaches the whole backbone: model.strategy must be full with distillation, "
            f"not {model.strategy}"
        )
    if distillation.keep < 1 and model.head != "gem":
        raise ConfigError(
            f"model.head {model.head} needs to know where patches are: with it distillation.keep "
            "must be 1"
        )
    if distillation.views and config.data.randaugment:
        raise ConfigError(
            "RandAugment moves and turns what the teacher saw before: with distillation.views "
            "data.randaugment must be 0 (data.light changes what he saw only in colour)"
        )
    size = distillation.size or config.data.size
    return Teacher(distillation.teacher, distillation.map, size, device)


class Lesson(NamedTuple):
    """What a batch of B images is to learn: the targets of the cells that are looked at.

    targets: [B, M, C], half whitened and of length 1. patches: those that go through the blocks,
    [B, K], None for all. inside: [B, M, K] bool, which of them lie in which cell.
    """

    targets: Tensor
    patches: Tensor | None
    inside: Tensor


class Distilling:
    """The teacher of a run, and what of the run belongs to neither the network nor the optimizer.

    student: the network with the layers that predict; trained in its place.
    """

    def __init__(
        self,
        config: DistillationConfig,
        teacher: Teacher,
        network: SelaVPR,
        size: tuple[int, int],
        seed: int,
    ) -> None:
        """size: (height, width) in pixels of training images. seed: of the layer's weights."""
        self._config = config
        self._teacher = teacher
        self._cells = Cells((size[0] // PATCH_SIZE, size[1] // PATCH_SIZE), teacher.grid)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.student = Student(network, teacher.channels)
        self._whitening = HalfWhitening(teacher.channels).to(teacher.device)
        self._notes: Notes | None = None

    def fit_targets(self, views: Iterable[Tensor], fabric: Fabric) -> None:
        """Find by some views, [N, 3, H, W] uint8 each, in which directions features differ."""
        maps = [self._teacher(images).flatten(2).transpose(1, 2).flatten(0, 1) for images in views]
        self._whitening.fit(torch.cat(maps))
        for tensor in self._whitening.state_dict().values():
            tensor.copy_(fabric.broadcast(tensor))

    def look_at_all(
        self,
        views: Views,
        of: str,
        folder: RunFolder,
        fabric: Fabric,
        workers: int,
        pause: Callable[[], None],
    ) -> None:
        """Let the teacher look at every view, each process at its share, unless he has already.

        of: what the views are of. workers: processes that read images for this one. pause: called
        on all processes now and then. The notes stay in the folder, for a run that is resumed.

        Raises TrainingError on all processes where one of them cannot go on.
        """
        digest = hashlib.sha256(f"{self._teacher.digest} {of}".encode()).hexdigest()
        path = folder.notes(digest)
        if not lead_does(fabric, path.is_file):
            aside = path.with_name(f"{path.name}.part")
            lead_does(fabric, folder.remove_notes)  # of another teacher, or unfinished
            lead_does(fabric, lambda: make_notes(aside, self._teacher, len(views)))
            share = math.ceil(len(views) / fabric.world_size)
            first = share * fabric.global_rank
            numbers = range(first, min(first + share, len(views)))
            batches = make_view_loader(views, numbers, _TOGETHER, workers)
            written = write_notes(aside, self._teacher, batches, first)
            shown = fabric.is_global_zero
            with progress_bar("the teacher looks", share, 0, unit="view", shown=shown) as bar:
                for _ in range(math.ceil(share / _TOGETHER)):  # as often on every rank
                    bar.update(all_do(fabric, lambda: next(written, 0)))
                    pause()
            lead_does(fabric, lambda: publish(aside, path))
        self._notes = Notes(path, self._teacher)

    def introduction(self) -> str:
        """Return one line for the person who trains."""
        height, width = self._teacher.grid
        patches = self._cells.draw(1, self._config.keep).patches.shape[1]
        return (
            f"learns from {self._config.teacher}: {height} x {width} cells of "
            f"{self._teacher.channels:,} channels; {patches} patches of an image are looked at"
        )

    def lesson(self, images: Tensor, views: Tensor) -> Lesson:
        """Let the teacher look at a batch [B, 3, H, W] uint8; draws from torch's CPU generator.

        views: [B], looked up where he has looked at them before.
        """
        maps = self._teacher(images) if self._notes is None else self._notes.maps(views)
        kept = self._on(images.device, self._cells.draw(len(images), self._config.keep))
        cells = maps.flatten(2).gather(2, kept.cells[:, None].expand(-1, maps.shape[1], -1))
        targets = self._whitening(cells.transpose(1, 2))
        return Lesson(targets, None if self._config.keep == 1 else kept.patches, kept.inside)

    def terms(
        self, lesson: Lesson, prediction: Tensor, metric: LossTerms, labels: Tensor
    ) -> LossTerms:
        """Return the losses together; that of the branches is the same on all processes already.

        prediction: [B, M, C]. labels: [B] of this process.
        """
        losses, _ = gather_batch(distillation_losses(prediction, lesson.targets)[:, None], labels)
        distillation = losses.mean()
        config = self._config
        total = config.weight * distillation + config.metric_weight * metric.total
        return LossTerms(total, {"distillation": distillation.detach(), **metric.parts})

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs beside network and optimizer."""
        return {
            "teacher": self._teacher.digest,
            "layer": self.student.layer.state_dict(),
            "whitening": self._whitening.state_dict(),
        }

    def restore(self, state: dict[str, Any], folder: Path) -> None:
        """Put back what `state` returned; TrainingError where the teacher is another one."""
        if state["teacher"] != self._teacher.digest:
            raise TrainingError(
                f"the teacher is another one than {folder} was started with: put the file back "
                "(distillation.teacher=FILE), or start a new run"
            )
        self.student.layer.load_state_dict(state["layer"])
        self._whitening.load_state_dict(state["whitening"])

    @staticmethod
    def _on(device: torch.device, kept: Kept) -> Kept:
        return Kept(*(tensor.to(device) for tensor in kept))
