from __future__ import annotations

import pytest
import torch

from training.errors import TrainingError
from training.run.config import TrainerConfig
from training.run.hardware import chosen_precision, default_workers, make_fabric


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_cpu_computes_in_float32_unless_told_otherwise() -> None:
    assert chosen_precision(TrainerConfig()) == "32"
    assert chosen_precision(TrainerConfig(precision="bf16-mixed")) == "bf16-mixed"
    with pytest.raises(TrainingError, match="16-mixed needs CUDA; on a CPU use 32, or bf16"):
        make_fabric(TrainerConfig(precision="16-mixed"))
    with pytest.raises(TrainingError, match="finds no CUDA GPU"):
        make_fabric(TrainerConfig(accelerator="cuda"))


def test_a_gpu_computes_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert chosen_precision(TrainerConfig()) == "16-mixed"
    assert chosen_precision(TrainerConfig(accelerator="cpu")) == "32"
    with pytest.raises(TrainingError, match=r"devices=3: this machine has 2 GPU\(s\)"):
        make_fabric(TrainerConfig(devices=3))


@pytest.mark.parametrize(
    "environment",
    [
        {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "RANK": "0", "LOCAL_RANK": "0"},
        {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4", "SLURM_JOB_NAME": "train"},
    ],
    ids=["torchrun", "srun"],
)
def test_another_number_of_processes_than_were_started_is_refused(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=r"started as 4 processes .*\.nodes is 2"):
        make_fabric(TrainerConfig(accelerator="cpu", devices=1, nodes=2))


def test_images_are_read_by_as_many_processes_as_there_are_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fabric = make_fabric(TrainerConfig(accelerator="cpu"))
    for cores, workers in ((1, 1), (6, 6), (64, 16)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, n=cores: set(range(n)))
        assert default_workers(fabric) == workers


def test_settings_of_slurm_that_lightning_cannot_follow_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_JOB_NAME", "train")
    with pytest.raises(TrainingError, match="--ntasks-per-node=4"):
        make_fabric(TrainerConfig(accelerator="cpu"))
