"""A whole run, from its configuration to the best weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from training.batches import worker_death
from training.errors import TrainingError
from training.index import PlaceIndex
from training.run.config import Config
from training.run.distilling import load_teacher
from training.run.folder import RunFolder
from training.run.hardware import make_fabric
from training.run.loop import Loop
from training.run.network import starting_network
from training.run.ranks import is_lead, lead_does
from training.run.validation import load_validation_set
from training.run.versions import versions


def train(config: Config, resume: bool = False) -> Path:
    """Train, and return the path of the best weights (native format).

    What the run came to is in summary.json beside them. resume: go on with the run in the
    configuration's folder. Progress goes to stderr.

    Raises ConfigError, DatasetError, WeightsError, EvaluationError and TrainingError, each with one
    line for the user; stopping.Stopped where SIGINT or SIGTERM ended the run, after it was saved.
    """
    fabric = make_fabric(config.trainer)
    folder = RunFolder(config.folder)
    if is_lead():
        folder.check(config, resume)
    # Before other processes are launched: mistakes are told once, and the folder is not made.
    index = PlaceIndex.load(config.data.index, config.data.roots)
    evaluation_set = None if config.validation is None else load_validation_set(config.validation)
    teacher = load_teacher(config, fabric.device)
    model = starting_network(config.model, config.seed)
    fabric.launch()
    loop = Loop(config, fabric, folder, index, model, evaluation_set, teacher)
    lead_does(fabric, lambda: folder.take(resume))
    if resume and folder.checkpoint.is_file():
        loop.restore()
    lead_does(fabric, lambda: folder.describe(config, versions(fabric.device)))
    try:
        loop.run()
        if fabric.is_global_zero:
            folder.write_summary(_summary(config, folder, loop, fabric))
    except OSError as error:
        what = error.filename or folder.path
        raise TrainingError(f"the run cannot go on: {what}: {error.strerror or error}") from error
    except RuntimeError as error:
        if death := worker_death(error):
            raise death from error
        if isinstance(error, torch.cuda.OutOfMemoryError):
            raise TrainingError(
                "the GPU's memory is too small for this batch: use fewer data.places, or more GPUs"
            ) from error
        raise
    return folder.weights


def read_summary(folder: Path) -> dict[str, Any]:
    """Return what a finished run wrote into its folder."""
    values: dict[str, Any] = json.loads(RunFolder(folder).summary.read_text(encoding="utf-8"))
    return values


def _summary(config: Config, folder: RunFolder, loop: Loop, fabric: Fabric) -> dict[str, Any]:
    position, best = loop.position, loop.best
    on_gpu = fabric.device.type == "cuda"
    return {
        "run": config.name,
        "weights": str(folder.weights),
        "fingerprint": position.fingerprint,
        "ended": _end(config, loop),
        "best_epoch": best.epoch,
        "epochs": position.epoch,
        "steps": position.step,
        "images": position.images,
        "seconds": round(position.seconds, 1),
        "recalls": {str(n): recall for n, recall in best.recalls.items()},
        "undecodable": len(loop.undecodable),
        "undecodable_list": str(folder.undecodable) if len(loop.undecodable) else None,
        "peak_memory_bytes": torch.cuda.max_memory_allocated() if on_gpu else None,
        "next": _next_command(config, folder),
    }


def _end(config: Config, loop: Loop) -> str:
    if loop.position.done:
        return "max_steps"
    return "patience" if loop.best.exhausted(config.trainer.patience) else "epochs"


def _next_command(config: Config, folder: RunFolder) -> str:
    command = f"python -m training.evaluate --weights {folder.weights}"
    validation = config.validation
    if validation is None:
        return f"{command} --dataset msls-val --root DIR"
    if validation.set is not None:
        command += f" --dataset {validation.set} --root {validation.root}"
    else:
        command += f" --database {validation.database} --queries {validation.queries}"
    if validation.radius is not None:
        command += f" --radius {validation.radius:g}"
    return command if validation.heading is None else f"{command} --heading {validation.heading:g}"
