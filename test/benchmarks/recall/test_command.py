from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.recall import command, record
from test.benchmarks.recall.made_up import EVEN, LOOP, ODD, write_data
from test.training.evaluation.fakes import CODE_BYTES, DIM, FakeDescriber, write_image
from training.command import run
from training.evaluation import EvaluationSet


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "recall.json"
    monkeypatch.setattr(command, "RECORDED", path)
    return path


def knowing() -> FakeDescriber:
    """A describer to which each query looks like a place that is right."""
    same = {4: 1, 5: 2, 6: 3}
    same |= {100 + n: 100 + n - 1 for n in ODD} | {200 + n: 199 + n for n in range(1, LOOP, 2)}
    same |= {11: 10, 312: 301, 313: 300, 314: 304, 315: 303}
    rng = np.random.default_rng(0)
    places = sorted(
        {*range(1, 4), *(100 + n for n in EVEN), *range(200, 210), 10, *range(300, 312)}
    )
    vectors: dict[int, Any] = {n: rng.standard_normal(DIM) for n in places}
    vectors = {n: v / np.linalg.norm(v) for n, v in vectors.items()}
    codes: dict[int, Any] = {n: rng.integers(0, 256, CODE_BYTES) for n in places}
    vectors |= {n: vectors[other] for n, other in same.items()}
    codes |= {n: codes[other] for n, other in same.items()}
    return FakeDescriber(vectors, codes)


@pytest.fixture(autouse=True)
def describer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDescriber:
    """Stands in for the weights, and two pictures for the rendered town."""
    made = knowing()
    place, query = (write_image(tmp_path / "town" / f"{n}.png", n) for n in (10, 11))
    town = EvaluationSet(
        "rendered", "", [place], [query], [np.array([0])], None, None, "10 m", True, ["a"], ["b"]
    )
    monkeypatch.setattr(command, "rendered", lambda kept, work: town)
    monkeypatch.setattr(command, "load_describer", lambda *_: made)
    return made


def test_the_table_has_every_set_and_mode(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command.main, ["--data", str(data)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "fingerprint abababababab" in lines[0]
    assert lines[2].split() == ["%", "right", "queries", "chance", "two-stage", "code", "float"]
    assert lines[3].split() == ["R@1", "R@5"] * 3
    rows = {line.split()[0]: line.split() for line in lines[4:]}
    assert list(rows) == ["rtabmap_samples", "lund", "toshiki_loop", "rendered", "tower"]
    assert {tuple(row[-6:]) for row in rows.values()} == {("100.0",) * 6}
    assert rows["lund"][1:5] == ["10", "m", "4", "40.0"]  # 2 of 5 photos are near each


def test_the_weights_run_as_users_have_them(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []

    def load(*arguments: str) -> FakeDescriber:
        calls.append(arguments)
        return knowing()

    monkeypatch.setattr(command, "load_describer", load)
    assert run(command.main, ["--data", str(data), "--json"]) == 0
    assert run(command.main, ["--data", str(data), "--json", "--weights", "some.safetensors"]) == 0
    assert calls == [("tiny", "cpu", "fp32"), ("some.safetensors", "cpu", "fp32")]


def test_what_is_recorded_is_reached_again(
    data: Path, recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command.main, ["--data", str(data), "--record"]) == 0
    kept = json.loads(recorded.read_text())
    assert kept["fingerprint"] == "ab" * 32
    assert list(kept["sets"]) == ["rtabmap_samples", "lund", "toshiki_loop", "rendered", "tower"]
    capsys.readouterr()
    assert run(command.main, ["--data", str(data), "--check"]) == 0
    out = capsys.readouterr().out
    assert "nothing fell short" in out
    assert "tower" not in out  # for information only


def test_figures_that_fall_short_are_named_one_by_one(
    data: Path,
    recorded: Path,
    describer: FakeDescriber,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(command.main, ["--data", str(data), "--record"]) == 0
    # Two of five queries look like the far end of the loop.
    for kept in (describer.vectors, describer.codes):
        assert isinstance(kept, dict)
        kept |= {201: kept[208], 203: kept[208]}
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        run(command.main, ["--data", str(data), "--check"])
    assert end.value.code == 1
    printed, told = capsys.readouterr()
    said = told.splitlines()
    assert said
    assert all(line.startswith("fell short: toshiki_loop: ") for line in said)
    assert all("recorded was 1.000" in line for line in said)
    assert "goal not reached: toshiki_loop: two-stage R@1 is 0.600, the goal 0.95" in printed
    with pytest.raises(SystemExit):
        run(command.main, ["--data", str(data), "--check", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert len(report["fell_short"]) == len(said)
    assert any(line.startswith("toshiki_loop: ") for line in report["goals_not_reached"])


def test_a_clone_without_the_data_checks_the_rendered_places(
    data: Path, recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert run(command.main, ["--data", str(data), "--record"]) == 0
    capsys.readouterr()
    assert run(command.main, ["--data", nowhere, "--check", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["sets"]) == ["rendered"]
    assert "recorded figures are not compared" in report["left_out"]["lund"]
    assert run(command.main, ["--data", nowhere]) == 0
    assert "left out: lund, " in capsys.readouterr().out
    before = recorded.read_text()
    assert run(command.main, ["--data", nowhere, "--record"]) == 2
    assert "error: --record needs every set" in capsys.readouterr().err
    assert recorded.read_text() == before


def test_figures_of_other_weights_are_no_comparison(
    data: Path, recorded: Path, describer: FakeDescriber, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command.main, ["--data", str(data), "--record"]) == 0
    describer.fingerprint = "cd" * 32
    described = len(describer.seen)
    assert run(command.main, ["--data", str(data), "--check"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ")
    assert "has the figures of other weights" in said
    assert len(describer.seen) == described  # before any work


def test_a_check_without_a_record_is_an_error(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command.main, ["--check"]) == 2
    assert "--record` records them anew" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        run(command.main, ["--check", "--record"])
    assert end.value.code == 2


def test_a_baseline_stands_beside_the_weights(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = FakeDescriber(branches=("float",), fingerprint="cd" * 32, source="some/network.onnx")
    monkeypatch.setattr(command, "Baseline", lambda file: other)
    arguments = ["--data", str(data), "--baseline", "some/network.onnx"]
    assert run(command.main, arguments) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1] == "baseline network.onnx, float only"
    assert out[3].split()[-1] == "baseline"
    assert run(command.main, [*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["baseline"] == "network.onnx"
    assert all(set(each["baseline"]) == {"1", "5"} for each in report["sets"].values())


def test_the_goals_are_of_sets_that_there_are() -> None:
    assert set(record.GOALS) - {"rendered"} < set(command.SETS)


def test_it_starts_by_name_and_loads_no_onnxruntime(project: Path) -> None:
    program = (
        "import atexit, runpy, sys; sys.argv[1:] = ['--help'];"
        "atexit.register(lambda: print('onnxruntime' in sys.modules));"
        "runpy.run_module('benchmarks.recall', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "--baseline FILE" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"
