"""From rendered places to a number, through the commands that docs/training.md gives."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from selavpr_core import Describer, Localizer, PlaceMap, SelaVPR
from selavpr_core.place_map import MapWriter, ModelInfo
from training import evaluate
from training.command import run as run_command

# Rendering takes most of the time: the documented drives end after fewer streets.
FEWER_STREETS = ("--streets", "4", "--training-streets", "1")
# Measured: 0.10 untrained, 0.61 to 0.63 trained; a difference has a standard error of about 0.07.
MARGIN = 0.3

Command = Callable[..., str]

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def documented(project: Path) -> list[list[str]]:
    """The commands of the section "Without any data", as lists of arguments."""
    guide = (project / "docs" / "training.md").read_text()
    (block,) = re.findall(r"<!-- tested by test/training/.*? -->\n```bash\n(.*?)```", guide, re.S)
    return [shlex.split(line) for line in block.splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Command:
    """Run a command as a user does, in a folder with the checkout's configurations."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "training").symlink_to(project / "training")
    (folder / "examples").symlink_to(project / "examples")
    environment = {
        **os.environ,
        "PYTHONPATH": str(project),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "OMP_NUM_THREADS": str(min(2, len(os.sched_getaffinity(0)))),
    }

    def run_here(arguments: list[str], *more: str) -> str:
        assert arguments[0] == "python"
        done = subprocess.run(
            [sys.executable, *arguments[1:], *more],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    run_here.folder = folder  # type: ignore[attr-defined]
    return run_here


def recall_at_1(result: dict[str, Any], mode: str) -> float:
    return float(result["modes"][mode]["recalls"]["1"])


def test_training_makes_places_recognisable_that_were_never_trained_on(
    documented: list[list[str]],
    run: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rendering, *preparing, untrained_command, trained_command = documented
    quick = ("--json", "--latency-queries", "0")
    run(rendering, *FEWER_STREETS)
    for command in preparing:
        run(command)
    untrained = json.loads(run(untrained_command, *quick))
    trained = json.loads(run(trained_command, *quick))

    folder: Path = run.folder  # type: ignore[attr-defined]
    assert (folder / "places" / "report" / "index.html").stat().st_size > 10_000
    queries = trained["query_count"]
    assert queries >= 60
    recalls = {
        mode: (recall_at_1(untrained, mode), recall_at_1(trained, mode))
        for mode in ("two-stage", "float", "code")
    }
    with capsys.disabled():
        print(f"\nR@1 of {queries} queries in {trained['database_size']} places never trained on:")
        for mode, (before, after) in recalls.items():
            print(f"  {mode:10} untrained {before:.3f}, trained {after:.3f}")
    before, after = recalls["two-stage"]
    assert after > before + MARGIN

    # What was described is used again by another process, this one, with equal figures.
    described = {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*.*")}
    assert described
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    python, dash_m, module, *arguments = trained_command[: trained_command.index("--report")]
    assert (python, dash_m, module) == ("python", "-m", "training.evaluate")
    assert run_command(evaluate.main, [*arguments, *quick]) == 0
    again = json.loads(capsys.readouterr().out)
    assert {p: p.stat().st_mtime_ns for p in (folder / "cache").rglob("*.*")} == described
    for mode, values in trained["modes"].items():
        assert again["modes"][mode]["recalls"] == values["recalls"]

    find_in_a_map_of_its_own(folder)


def find_in_a_map_of_its_own(folder: Path) -> None:
    """The weights serve a robot: map the database, and find each of its pictures in it."""
    model = SelaVPR.from_pretrained(str(folder / "runs" / "tiny_places_hash" / "best.safetensors"))
    assert model.pretrained
    describer = Describer(model, device="cpu")
    files = sorted((folder / "places" / "test" / "database").iterdir())[::20]
    pictures = np.stack([cv2.cvtColor(cv2.imread(str(f)), cv2.COLOR_BGR2RGB) for f in files])
    unknown = np.full(len(files), np.nan)
    places = np.array([[10.0 * number, 0.0, 0.0] for number in range(len(files))])
    with (
        MapWriter(folder / "map", ModelInfo.from_describer(describer), None) as writer,
        writer.segment("drive", "a test") as segment,
    ):
        segment.add(*describer(pictures), places, unknown, unknown, unknown, np.arange(len(files)))
    localizer = Localizer(PlaceMap.load(folder / "map"))
    codes, descriptors = describer(pictures)
    for number in range(len(files)):
        (match,) = localizer.localize(codes[number], descriptors[number], count=1)
        assert match.place == number
