"""The command, in processes of its own that are killed, terminated and resumed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from selavpr_core.model import SelaVPR
from test.training.run.conftest import config_file, index  # noqa: F401 - fixtures
from training import command
from training.run.checkpoint import read_checkpoint
from training.run.config import load_config
from training.run.loop import Loop
from training.run.training import train
from training.train import main

# A process made by fork has Lightning imported already, which takes longer than these runs.
FORK = multiprocessing.get_context("fork")


def run_command(
    *arguments: str, module: str = "training.train"
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )


def signalled(arguments: list[str], step: int, number: int, errors: Path) -> None:
    """Run the command in this process, which gets a signal after a step."""
    original = Loop._step

    def stepping(self: Loop, *batch: Any) -> None:
        original(self, *batch)
        if self.position.step == step:
            os.kill(os.getpid(), number)

    Loop._step = stepping  # type: ignore[method-assign]
    sys.stderr = errors.open("w")
    sys.exit(command.run(main, arguments))


@pytest.fixture
def signal_after(tmp_path: Path) -> Callable[..., tuple[int | None, str]]:
    """Return a function that runs the command until a signal: exit code and stderr."""

    def until(step: int, number: int, *arguments: str) -> tuple[int | None, str]:
        errors = tmp_path / "stderr.txt"
        process = FORK.Process(target=signalled, args=(list(arguments), step, number, errors))
        process.start()
        process.join()
        return process.exitcode, errors.read_text()

    return until


def test_killed_and_resumed_is_bit_for_bit_what_never_stopped(
    config_file: Path,  # noqa: F811
    signal_after: Callable[..., tuple[int | None, str]],
) -> None:
    # 12 steps with a new learning rate after 4 and 8; killed after 7, with checkpoints at 4 and 6.
    settings = ["trainer.epochs=3", "optimizer.halve_every=1", "trainer.checkpoint_every=3"]
    unbroken = load_config(config_file, [*settings, "name=unbroken"])
    expected = SelaVPR.from_pretrained(str(train(unbroken))).state_dict()

    arguments = ["--config", str(config_file), *settings, "name=killed"]
    code, _ = signal_after(7, signal.SIGKILL, *arguments, "data.workers=1")
    assert code == -signal.SIGKILL
    folder = unbroken.folder.parent / "killed"
    assert read_checkpoint(folder / "last.ckpt")["position"]["step"] == 6

    code, errors = signal_after(10, signal.SIGTERM, *arguments, "--resume")
    assert code == 128 + signal.SIGTERM
    last = errors.splitlines()[-1]
    assert last == f"SIGTERM: saved at step 10 in {folder}; go on with --resume"

    done = run_command(*arguments, "--resume", "trainer.devices=1", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["steps"] == 12
    result = SelaVPR.from_pretrained(summary["weights"]).state_dict()
    assert result.keys() == expected.keys()
    assert all(torch.equal(result[name], expected[name]) for name in expected)
    # What the terminal showed is our own: the warning, what is trained, one line an epoch.
    shown = [line.split("\r")[-1].strip() for line in done.stderr.rstrip().split("\n")]
    beginnings = (
        "WARNING: the backbone has random",
        "killed: 72 images",
        "no validation set: every epoch",
        "goes on at step 10",
        "epoch 3/3: loss",
    )
    assert len(shown) == 5, done.stderr
    assert [line.startswith(b) for line, b in zip(shown, beginnings, strict=True)] == [True] * 5


def test_two_processes_train_as_one(config_file: Path, tmp_path: Path) -> None:  # noqa: F811
    # Without normalisation over the batch, whose statistics a CPU does not share.
    settings = [
        "model.strategy=frozen",
        "model.placement=null",
        "model.branches=both",
        "trainer.epochs=1",
    ]
    one = load_config(config_file, [*settings, "name=one"])
    train(one)
    done = run_command(
        str(tmp_path),
        *("--config", str(config_file), *settings, "name=two", "trainer.devices=2"),
        module="test.training.run.ranks",
    )
    assert done.returncode == 0, done.stderr
    assert "2 x cpu" in done.stderr
    assert done.stdout.count("best epoch") == 1
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    assert len(ranks[0]["paths"]) == len(ranks[1]["paths"]) == 4
    for first, second in zip(ranks[0]["paths"], ranks[1]["paths"], strict=True):
        places = [{path.partition("@")[0] for path in paths} for paths in (first, second)]
        assert [len(p) for p in places] == [3, 3]
        assert not places[0] & places[1]
    states = [rank["state"] for rank in ranks]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    folders = one.folder, one.folder.parent / "two"
    lines = [(folder / "metrics.jsonl").read_text().splitlines() for folder in folders]
    curves = [[json.loads(x)["loss"] for x in part if '"loss"' in x] for part in lines]
    assert curves[1] == pytest.approx(curves[0], rel=1e-4)
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in folders]
    assert summaries[0]["images"] == summaries[1]["images"] == 48


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (
            "optimizer.learning_rat=1",
            "error: the command line: unknown key optimizer.learning_rat: did you mean "
            "optimizer.learning_rate?",
        ),
        ("data.index=none", "error: "),
        ("model.strategy=fulll", "error: unknown strategy 'fulll'"),
        ("model.backbone=none.pth", "error: "),
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    config_file: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    override: str,
    line: str,
) -> None:
    assert command.run(main, ["--config", str(config_file), override]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(line)
    assert told.err.count("\n") == 1


def test_the_summary_is_for_people_by_default(
    config_file: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.run(main, ["--config", str(config_file), "trainer.max_steps=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=1) == ["run", "run: max_steps reached"]
    rows = {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in lines}
    assert rows["best"] == "epoch   1 (no validation set, so the last one)"
    assert rows["trained"].startswith("0 epochs, 1 steps, 12 images in")
    weights = Path(rows["weights"])
    assert weights.is_file()
    assert rows["next"].startswith(f"python -m training.evaluate --weights {weights}")
