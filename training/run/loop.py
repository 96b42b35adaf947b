"""The training loop: epochs of steps, each epoch ended by a validation."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from tqdm import tqdm

from selavpr_core.model import SelaVPR
from training.batches import PlaceBatch, Views, make_view_loader, normalised
from training.distillation import Teacher
from training.errors import TrainingError
from training.evaluation.evaluation_set import EvaluationSet
from training.index import PlaceIndex
from training.losses import LossTerms
from training.run.adapter_start import start_adapters
from training.run.checkpoint import (
    changing_state,
    frozen_digest,
    read_checkpoint,
    restore_state,
    write_checkpoint,
)
from training.run.config import Config
from training.run.data import batch_settings, make_batches, reading_processes
from training.run.distilling import Distilling
from training.run.early_stopping import BestEpoch
from training.run.folder import RunFolder
from training.run.hardware import chosen_precision
from training.run.head_start import start_heads
from training.run.journal import Journal, Undecodable
from training.run.kernels import attend_plainly
from training.run.network import trained_branches
from training.run.objective import make_objective
from training.run.optimizer import make_optimizer
from training.run.progress import progress_bar
from training.run.ranks import from_all, greatest, lead_does
from training.run.schedule import learning_rate
from training.run.stopping import Interruption, Stopped, StopRequest
from training.run.validation import validate
from training.strategies import prepare_for_training, set_training_mode

# On a GPU reading a loss waits for the step: steps between two readings.
_READ_EVERY = 10
_START_BATCH = 16  # images at once by which heads and targets are set
_TARGET_VIEWS = 1000  # by which a teacher's features are whitened


@dataclass
class Position:
    """Where a run is.

    epoch: whole epochs, validated. batch: batches of the epoch in work; all of them where only
    its validation is missing. step: optimizer steps. images: read until the last checkpoint.
    seconds: of training. loss_sum, loss_count: of the losses of the epoch in work. fingerprint: of
    best.safetensors. done: whether max_steps ended the run.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    images: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_count: int = 0
    fingerprint: str = ""
    done: bool = False


class _Unread(NamedTuple):
    """Losses of a step, still on the device."""

    step: int
    paths: list[str]
    learning_rate: float
    total: Tensor
    parts: dict[str, Tensor]


class Loop:
    """A run between its start and its end.

    position: where it is. best: its best epoch. undecodable: images that could not be read.
    """

    def __init__(
        self,
        config: Config,
        fabric: Fabric,
        folder: RunFolder,
        index: PlaceIndex,
        model: SelaVPR,
        evaluation_set: EvaluationSet | None,
        teacher: Teacher | None = None,
    ) -> None:
        """fabric: launched. model: as it is before the first step; it is trained in place.

        teacher: of the configuration's distillation.
        """
        self.position = Position()
        self.best = BestEpoch()
        self.undecodable = Undecodable(folder.undecodable)
        self._config = config
        self._fabric = fabric
        self._folder = folder
        self._evaluation_set = evaluation_set
        self._index = index
        self._trained = trained_branches(config.model)
        self._objective = make_objective(config.loss, self._trained)
        views = 0 if config.distillation is None else config.distillation.views
        self._settings = batch_settings(config.data, views)
        self._sampler, self._loader = make_batches(
            config.data, index, self._settings, config.seed, fabric
        )
        on_gpu = fabric.device.type == "cuda"
        self._read_every = _READ_EVERY if on_gpu else 1
        self._unread: list[_Unread] = []
        self._uncounted = 0  # images of this rank that position does not have yet

        self._parameters = prepare_for_training(model, config.model.strategy, self._trained)
        self._frozen_digest = frozen_digest(model)
        if config.model.strategy == "full" and not on_gpu:
            attend_plainly(model)
        if on_gpu and fabric.world_size > 1:
            # Statistics of the undivided batch, like the pairs.
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        self._model = model
        self._distilling: Distilling | None = None
        trained: nn.Module = model
        if config.distillation is not None and teacher is not None:
            size, seed = config.data.size, config.seed
            self._distilling = Distilling(config.distillation, teacher, model, size, seed)
            trained = self._distilling.student
            self._parameters.extend(self._distilling.student.layer.parameters())
        self._optimizer = make_optimizer(
            config.optimizer, self._parameters, model.backbone.blocks, fused=on_gpu
        )
        self._network, self._stepper = fabric.setup(trained, self._optimizer)

    def restore(self) -> None:
        """Go on where the folder's checkpoint was written; TrainingError where it does not fit."""
        content = read_checkpoint(self._folder.checkpoint)
        if content["index"] != self._index.fingerprint:
            raise TrainingError(
                f"the index {self._config.data.index} is another one than {self._folder.path} was "
                "started with: give that one (data.index=...), or start a new run"
            )
        if content["frozen"] != self._frozen_digest:
            raise TrainingError(
                f"the frozen weights are others than {self._folder.path} was started with: put "
                "back the files of model.init or model.backbone, or start a new run"
            )
        restore_state(self._model, content["model"])
        self._optimizer.load_state_dict(content["optimizer"])
        if self._distilling is not None:
            self._distilling.restore(content["distillation"], self._folder.path)
        self._fabric.strategy.precision.load_state_dict(content["scaler"])
        self.position = Position(**content["position"])
        self.best = BestEpoch(**content["best"])
        # max_steps may be another one now, and an epoch that it had cut short goes on.
        position = self.position
        position.done = self._at_max_steps() and (position.done or position.batch == 0)

    def run(self) -> None:
        """Train until the last epoch, the end of patience, or max_steps.

        Raises Stopped when a signal ended it, TrainingError for a loss that is not finite.
        """
        position = self.position
        self._journal = None
        if self._leads:
            self._journal = Journal(self._folder, position.step)
            self._journal.describe(self._config)
            self._introduce()
        try:
            with StopRequest() as stop:
                if self._goes_on():
                    self._start_branches()
                    self._ask_the_teacher(stop)
                while self._goes_on():
                    self._train_epoch(stop)
                    self._save()  # whatever happens to the validation, the epoch is not lost
                    self._end_epoch(self._validate(stop))
                    self._save()
        finally:
            if self._journal is not None:
                self._journal.close()
        if self._leads:
            self._folder.remove_notes()

    def _goes_on(self) -> bool:
        position, trainer = self.position, self._config.trainer
        return (
            not position.done
            and position.epoch < trainer.epochs
            and not self.best.exhausted(trainer.patience)
        )

    def _start_branches(self) -> None:
        """Set what is trained by what the network makes of some images, where that is wanted."""
        wanted, device = self._config.model, self._fabric.device
        if self.position.step or not (wanted.adapter_images or wanted.head_images):
            return
        # By every rank, of the same images, as long as all of them compute alike.
        if wanted.adapter_images:
            images = self._some_views(wanted.adapter_images)
            start_adapters(self._model, self._trained, images, device)
        if wanted.head_images:  # they see what the adapters make
            start_heads(self._model, self._trained, self._some_views(wanted.head_images), device)
        for name in self._trained:
            for tensor in self._model.get_submodule(f"{name}_branch").state_dict().values():
                tensor.copy_(self._fabric.broadcast(tensor))

    def _some_views(self, count: int) -> Iterable[Tensor]:
        """Return one view of each of some images, [N, 3, H, W] uint8; the same on every rank.

        count: of images, all of them where there are fewer.
        """
        _seed(self._config.seed, 0, 0)
        views = Views(self._index, replace(self._settings, views=1), self._config.seed)
        numbers = torch.randperm(len(views))[:count].tolist()
        workers = reading_processes(self._config.data, self._fabric)
        return make_view_loader(views, numbers, _START_BATCH, workers)

    def _ask_the_teacher(self, stop: StopRequest) -> None:
        """Find the targets of a run with a teacher; all of them where its views are limited."""
        if self._distilling is None:
            return
        if not self.position.step:
            self._distilling.fit_targets(self._some_views(_TARGET_VIEWS), self._fabric)
        if not self._settings.views:
            return
        self._distilling.look_at_all(
            Views(self._index, self._settings, self._config.seed),
            self._index.fingerprint,
            self._folder,
            self._fabric,
            reading_processes(self._config.data, self._fabric),
            lambda: self._leave_if(greatest(self._fabric, stop.signal)),
        )

    def _introduce(self) -> None:
        position, index = self.position, self._index
        parameters = list(self._model.parameters())
        trained = sum(p.numel() for p in parameters if p.requires_grad)
        everything = sum(p.numel() for p in parameters)
        _say(
            f"{self._config.name}: {index.images:,} images of {index.places:,} places, "
            f"{len(self._sampler):,} batches an epoch; trains {trained:,} of {everything:,} "
            f"parameters in {chosen_precision(self._config.trainer)} on "
            f"{self._fabric.world_size} x {self._fabric.device.type}"
        )
        if self._distilling is not None:
            _say(self._distilling.introduction())
        if self._evaluation_set is None:
            _say("no validation set: every epoch replaces best.safetensors, and none ends the run")
        if position.step:
            _say(f"goes on at step {position.step:,}, in epoch {position.epoch + 1}")

    @property
    def _leads(self) -> bool:
        return self._fabric.is_global_zero

    def _at_max_steps(self) -> bool:
        most = self._config.trainer.max_steps
        return most is not None and self.position.step >= most

    def _train_epoch(self, stop: StopRequest) -> None:
        position, trainer = self.position, self._config.trainer
        if position.batch == len(self._sampler) or self._at_max_steps():
            return
        self._sampler.set_epoch(position.epoch)
        self._sampler.set_start(position.batch)
        set_training_mode(self._model, self._config.model.strategy, self._trained)
        with progress_bar(
            f"epoch {position.epoch + 1}/{trainer.epochs}",
            len(self._sampler),
            position.batch,
            unit="batch",
            shown=self._leads,
        ) as bar:
            last = time.monotonic()
            for batch in self._loader:
                self._step(batch)
                now = time.monotonic()
                position.seconds, last = position.seconds + now - last, now
                bar.update()
                if position.step % self._read_every == 0:
                    self._read_losses()
                    self._leave_if(greatest(self._fabric, stop.signal))
                    bar.set_postfix_str(self._shown(), refresh=False)
                if position.step % trainer.checkpoint_every == 0:
                    self._save()
                if self._at_max_steps():
                    break

    def _shown(self) -> str:
        """Return the epoch's mean loss so far, its learning rate, and what else there is to know.

        That is the best R@1 so far, and how many images could not be decoded.
        """
        position, best = self.position, self.best
        shown = [f"loss {position.loss_sum / position.loss_count:.4f}", f"rate {self._rate():.1e}"]
        if best.recalls:
            shown.append(f"R@1 {100 * best.recalls[1]:.1f} % in epoch {best.epoch}")
        if self.undecodable:
            shown.append(f"{len(self.undecodable)} undecodable")
        return ", ".join(shown)

    def _rate(self) -> float:
        rate: float = self._optimizer.param_groups[0]["lr"]
        return rate

    def _step(self, batch: PlaceBatch) -> None:
        position = self.position
        step = position.step + 1
        self.undecodable.add(batch.undecodable)
        images = batch.images.to(self._fabric.device, non_blocking=True)
        labels = batch.labels.to(self._fabric.device, non_blocking=True)
        self._set_rate(step)
        terms = self._terms(images, batch.views, labels, step)
        self._stepper.zero_grad(set_to_none=True)
        self._fabric.backward(terms.total)
        if (clip := self._config.optimizer.clip) is not None:
            # A gradient that is not finite is told apart by its loss, or by the gradient scaler.
            self._fabric.clip_gradients(
                self._network, self._stepper, max_norm=clip, error_if_nonfinite=False
            )
        self._stepper.step()
        total = terms.total.detach()
        self._unread.append(_Unread(step, batch.paths, self._rate(), total, terms.parts))
        position.step = step
        position.batch += 1
        self._uncounted += len(batch.paths)

    def _set_rate(self, step: int) -> None:
        config = self._config
        steps = config.trainer.epochs * len(self._sampler)
        rate = learning_rate(config.optimizer, step, self.position.epoch, steps)
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def _terms(self, images: Tensor, views: Tensor, labels: Tensor, step: int) -> LossTerms:
        """Return the losses of a step; images: [B, 3, H, W] uint8. views: as in `PlaceBatch`."""
        seed, branches, distilling = self._config.seed, self._trained, self._distilling
        own, common = (seed, step, self._fabric.global_rank + 1), (seed, step, 0)
        if distilling is None:
            _seed(*own)
            # Without a name for them, the floats are gone before the backward pass.
            output = self._network(normalised(images), branches)
            # The same for all ranks, which must draw the same pairs of the common batch.
            _seed(*common)
            return self._objective(output, labels)
        _seed(*own)
        lesson = distilling.lesson(images, views)
        output, prediction = self._network(
            normalised(images), branches, lesson.patches, lesson.inside
        )
        _seed(*common)
        return distilling.terms(lesson, prediction, self._objective(output, labels), labels)

    def _read_losses(self) -> None:
        """Note the losses of the steps since the last time; TrainingError for one not finite."""
        unread, self._unread = self._unread, []
        if not unread:
            return
        totals = torch.stack([losses.total for losses in unread]).tolist()
        names = unread[0].parts
        parts = {name: torch.stack([u.parts[name] for u in unread]).tolist() for name in names}
        for number, losses in enumerate(unread):
            if not math.isfinite(totals[number]):
                self._refuse(losses.step, losses.paths, "the loss")
            self.position.loss_sum += totals[number]
            self.position.loss_count += 1
            if self._journal is not None:
                values = {"loss": totals[number], "learning_rate": losses.learning_rate}
                values |= {name: parts[name][number] for name in names}
                self._journal.note(losses.step, self.position.epoch + 1, values)
        self._last_paths = unread[-1].paths

    def _refuse(self, step: int, paths: Sequence[str], what: str) -> None:
        gathered = [path for share in from_all(self._fabric, list(paths)) for path in share]
        if self._leads:
            self._folder.write_nan_batch(step, gathered)
        raise TrainingError(
            f"{what} of step {step} is not finite: its images are listed in "
            f"{self._folder.nan_batch}; start another run with a smaller optimizer.learning_rate, "
            "or with trainer.precision=bf16-mixed or 32"
        )

    def _save(self) -> None:
        """Write the checkpoint, and bring the lists up to date."""
        self._read_losses()
        # A gradient may be broken where the loss is not: the next loss would tell, too late.
        finite = torch.stack([p.detach().isfinite().all() for p in self._parameters]).all()
        if not finite.item():
            self._refuse(self.position.step, self._last_paths, "a weight after the gradient")
        for images in from_all(self._fabric, self.undecodable.items()):
            self.undecodable.add(images)
        self.position.images += sum(from_all(self._fabric, self._uncounted))
        self._uncounted = 0
        lead_does(self._fabric, self._write)

    def _write(self) -> None:
        assert self._journal is not None
        self.undecodable.write()
        self._journal.flush()
        distilling = self._distilling
        write_checkpoint(
            self._folder.checkpoint,
            {
                "index": self._index.fingerprint,
                "frozen": self._frozen_digest,
                "model": changing_state(self._model),
                "optimizer": self._optimizer.state_dict(),
                "scaler": self._fabric.strategy.precision.state_dict(),
                "position": asdict(self.position),
                "best": asdict(self.best),
                **({} if distilling is None else {"distillation": distilling.state()}),
            },
        )

    def _validate(self, stop: StopRequest) -> dict[int, float]:
        """Return the recalls, computed by the lead and told to all; empty without a set."""
        recalls, left = lead_does(self._fabric, lambda: self._recalls(stop))
        self._leave_if(left or greatest(self._fabric, stop.signal))
        return recalls

    def _recalls(self, stop: StopRequest) -> tuple[dict[int, float], int]:
        """Return the recalls, or the signal that came before they were known."""
        if self._evaluation_set is None:
            return {}, 0
        try:
            with stop.leaving_at_once():
                recalls = validate(
                    self._model,
                    self._evaluation_set,
                    self._config,
                    self._trained,
                    self._fabric.device,
                    chosen_precision(self._config.trainer),
                )
        except Interruption:
            return {}, stop.signal
        return recalls, 0

    def _end_epoch(self, recalls: dict[int, float]) -> None:
        position, config = self.position, self._config
        epoch = position.epoch + 1
        better = self.best.update(epoch, recalls)
        loss = position.loss_sum / max(position.loss_count, 1)
        if better:
            save = self._folder.save_weights
            position.fingerprint = lead_does(self._fabric, lambda: save(self._model))
        if self._journal is not None:
            values = {"epoch_loss": loss, **{f"recall@{n}": r for n, r in recalls.items()}}
            self._journal.note(position.step, epoch, values)
            shown = [f"loss {loss:.4f}", *(f"R@{n} {100 * r:.1f} %" for n, r in recalls.items())]
            if recalls:
                shown.append("the best so far" if better else f"epoch {self.best.epoch} is better")
            _say(f"epoch {epoch}/{config.trainer.epochs}: {', '.join(shown)}")
        if position.batch == len(self._sampler):
            position.epoch, position.batch = epoch, 0
            position.loss_sum, position.loss_count = 0.0, 0
        position.done = self._at_max_steps()

    def _leave_if(self, signal_number: int) -> None:
        """Save and raise Stopped if a signal came."""
        if signal_number:
            self._save()
            name = signal.Signals(signal_number).name
            raise Stopped(
                signal_number,
                f"{name}: saved at step {self.position.step} in {self._folder.path}; "
                "go on with --resume",
            )


def _seed(*key: int) -> None:
    torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]))


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
