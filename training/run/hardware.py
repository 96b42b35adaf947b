"""The devices, processes and precision of a run, through Lightning Fabric."""

from __future__ import annotations

import logging
import os
import warnings
from datetime import timedelta
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.fabric.plugins.precision import MixedPrecision, Precision
from lightning.fabric.strategies import DDPStrategy

from training.errors import TrainingError
from training.run.config import TrainerConfig
from training.run.kernels import choose_kernels

# While one rank validates the others wait for it: longer than the half hour that is the default.
_PATIENCE = timedelta(hours=6)


def make_fabric(config: TrainerConfig) -> Fabric:
    """Return Lightning's Fabric for what a configuration asks for, before its launch.

    Raises TrainingError where this machine does not have it.
    """
    _quiet()
    on_gpu = _on_gpu(config.accelerator)
    devices = _devices(config.devices, on_gpu)
    _check_launch(devices * config.nodes)
    precision = chosen_precision(config)
    plugin = (
        Precision() if precision == "32" else MixedPrecision(precision, "cuda" if on_gpu else "cpu")  # type: ignore[arg-type]
    )
    if on_gpu:
        choose_kernels(precision)
    strategy: Any = "auto"
    if devices * config.nodes > 1:
        # With SyncBatchNorm, which is for GPUs alone, the statistics agree by themselves.
        strategy = DDPStrategy(
            broadcast_buffers=not on_gpu, gradient_as_bucket_view=True, timeout=_PATIENCE
        )
    return Fabric(
        accelerator="cuda" if on_gpu else "cpu",
        strategy=strategy,
        devices=devices,
        num_nodes=config.nodes,
        plugins=[plugin],
    )


def chosen_precision(config: TrainerConfig) -> str:
    """Return "16-mixed", "bf16-mixed" or "32"; TrainingError where the device has it not."""
    on_gpu = _on_gpu(config.accelerator)
    if config.precision == "auto":
        return "16-mixed" if on_gpu else "32"
    if config.precision == "16-mixed" and not on_gpu:
        raise TrainingError("trainer.precision=16-mixed needs CUDA; on a CPU use 32, or bf16-mixed")
    if config.precision == "bf16-mixed" and on_gpu and not torch.cuda.is_bf16_supported():
        raise TrainingError("trainer.precision=bf16-mixed: this GPU lacks it; use 16-mixed")
    return config.precision


def default_workers(fabric: Fabric) -> int:
    """Return how many processes read images for each device: its share of the cores, at most 16."""
    per_node = max(1, fabric.world_size // max(1, _nodes(fabric)))
    return max(1, min(16, len(os.sched_getaffinity(0)) // per_node))


def _nodes(fabric: Fabric) -> int:
    return getattr(fabric.strategy, "num_nodes", 1)


def _on_gpu(accelerator: str) -> bool:
    available = torch.cuda.is_available()
    if accelerator == "cuda" and not available:
        raise TrainingError("trainer.accelerator=cuda: PyTorch finds no CUDA GPU on this machine")
    return available and accelerator != "cpu"


def _devices(wanted: int | str, on_gpu: bool) -> int:
    present = torch.cuda.device_count() if on_gpu else 1
    if wanted == "auto":
        return present
    if on_gpu and int(wanted) > present:
        raise TrainingError(f"trainer.devices={wanted}: this machine has {present} GPU(s)")
    return int(wanted)


def _check_launch(processes: int) -> None:
    """Raise TrainingError where torchrun or srun started another number of processes."""
    for environment in (TorchElasticEnvironment, SLURMEnvironment):
        if not environment.detect():
            continue
        try:
            started = environment().world_size()
        except RuntimeError as error:  # settings of SLURM that Lightning cannot follow
            raise TrainingError(" ".join(str(error).split())) from error
        if started != processes:
            raise TrainingError(
                f"started as {started} processes by torchrun or SLURM, but trainer.devices x "
                f"trainer.nodes is {processes}: make them equal"
            )


def _quiet() -> None:
    """Keep what Lightning says to programmers from the person who trains."""
    for name in ("lightning", "lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")
    warnings.filterwarnings("ignore", module=r"torch\.(distributed|nn\.parallel|optim)\..*")
