from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selavpr_core.model import preset_settings
from selavpr_core.weights.native import save
from training.command import run
from training.evaluate import main
from training.evaluation.sets.msls import TEST_CITIES

from ..selavpr_core.lively import lively_model
from .datasets.trees import at_name, write_table
from .evaluation.sets.test_msls import city


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four places 100 m apart; queries are copies of two of them, and one cannot be read."""
    root = tmp_path_factory.mktemp("set")
    random = np.random.default_rng(0)
    rows = []
    for i in range(4):
        image = Image.fromarray(random.integers(0, 256, (4, 5, 3), np.uint8)).resize((80, 64))
        for side in ("database", "queries") if i < 2 else ("database",):
            name = at_name(549600.0 + 100 * i, 4178000.0)
            path = root / "images" / "test" / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
        rows.append((f"images/test/database/{name}", 549600 + 100 * i, 4178000))
    (path.parents[1] / "queries" / at_name(549800.0, 4178000.0)).write_bytes(b"no image")
    write_table(root / "places.csv", ("path", "east", "north"), rows)
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights that are quick: tiny, for images of 28 x 28."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save(lively_model(preset_settings("tiny", input_size=(28, 28))), path)
    return str(path)


@pytest.fixture
def evaluate(weights: str) -> Callable[..., int]:
    """Run the command, with the folder that its cache is in, and return its exit code."""

    def command(folder: Path, *arguments: str) -> int:
        cache = str(folder / "cache")
        return run(main, ["--weights", weights, "--cache", cache, *arguments])

    return command


def test_the_summary(
    folder: Path, evaluate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    code = evaluate(
        folder,
        *("--dataset", "tokyo247", "--root", str(folder)),
        *("--candidates", "2,4", "--latency-queries", "2"),
    )
    printed = capsys.readouterr().out
    assert code == 0
    assert "tokyo247: Tokyo24/7" in printed
    assert "4 database images, 3 queries; right: 25 m" in printed
    table = printed.split("\n\n")[1].splitlines()
    assert table[0].split()[:5] == ["%", "R@1", "R@5", "R@10", "R@100"]
    rows = {line.split("  ")[0]: line.split() for line in table}
    # One of three queries cannot be read.
    assert rows["float"][1:5] == ["66.7"] * 4
    assert rows["two-stage (2)"][2:6] == ["66.7"] * 4
    assert "Latency of 2 queries" in printed
    for word in ("fingerprint", "no antialias", "shorter side to 480", "queries are counted"):
        assert word in printed
    assert "database 0 (never found), queries 1 (failed)" in printed
    assert "not an image" in printed
    widths = [len(line) for line in printed.splitlines() if str(folder) not in line]
    assert max(widths) <= 120


def test_the_same_as_json(
    folder: Path, evaluate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(
        folder,
        *("--dataset", "tokyo247", "--root", str(folder), "--json", "--ns", "1,2"),
        *("--modes", "code,float", "--latency-queries", "0"),
    ) == 0  # fmt: skip
    result = json.loads(capsys.readouterr().out)
    assert list(result["modes"]) == ["float", "code"]
    assert result["modes"]["float"]["recalls"] == {"1": 2 / 3, "2": 2 / 3}
    assert result["protocol"]["set"] == "tokyo247"
    assert [image["role"] for image in result["unreadable"]] == ["query"]
    assert result["bytes_per_place"] == {"float": 2048, "code": 64}


def test_any_two_folders_or_tables(
    folder: Path, evaluate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    images, table = folder / "images" / "test", str(folder / "places.csv")
    common = ("--json", "--modes", "float", "--latency-queries", "0", "--radius", "10")
    assert evaluate(
        folder,
        *("--database", str(images / "database"), "--queries", str(images / "queries"), *common),
        *("--queries-without-positives", "left-out"),
    ) == 0  # fmt: skip
    result = json.loads(capsys.readouterr().out)
    assert result["protocol"]["rule"] == "10 m"
    assert result["protocol"]["queries_without_positives"] == "left out"
    assert evaluate(folder, "--database", table, "--queries", table, *common) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["modes"]["float"]["recalls"]["1"] == 1
    assert evaluate(folder, "--database", table, "--queries", str(images), *common) == 2
    assert "two folders or two CSV files" in capsys.readouterr().err


def test_predictions_of_the_challenge(
    tmp_path: Path,
    evaluate: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in TEST_CITIES:
        city(tmp_path / "test", name, positions=False)
    (tmp_path / "test" / "miami" / "query" / "images" / "miami-qFar.jpg").unlink()
    monkeypatch.chdir(tmp_path)
    assert evaluate(
        tmp_path,
        *("--dataset", "msls-challenge", "--root", str(tmp_path), "--ns", "1,5"),
        *("--modes", "code,two-stage", "--latency-queries", "0"),
    ) == 0  # fmt: skip
    printed = capsys.readouterr().out
    assert "predictions only" in printed
    assert "R@1" not in printed
    assert "18 database images, 12 queries\n" in printed  # and no rule, where none was applied
    for mode in ("code", "two-stage"):
        lines = (tmp_path / f"msls-challenge_{mode}.txt").read_text().splitlines()
        assert len(lines) == 12
        first, second = (line.split() for line in lines[:2])
        assert first[0] == "miami-q0"
        assert len(first) == 6
        assert len(set(first)) == 6
        assert all(key.rsplit("-", 1)[1] in ("db0", "db1", "db2") for key in first[1:])
        assert second == ["miami-qFar"]  # could not be read
        assert f"written: msls-challenge_{mode}.txt" in printed


@pytest.mark.parametrize("option", ["--report", "--predictions"])
def test_a_folder_that_cannot_be_made_is_said_before_the_work(
    folder: Path,
    tmp_path: Path,
    evaluate: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    option: str,
) -> None:
    images, cache = folder / "images" / "test", tmp_path / "cache"
    assert evaluate(
        folder,
        *("--database", str(images / "database"), "--queries", str(images / "queries")),
        *("--cache", str(cache), option, str(folder / "places.csv" / "results")),
    ) == 2  # fmt: skip
    assert "places.csv/results cannot be made" in capsys.readouterr().err
    assert not cache.exists()


MISTAKES = {
    "--dataset nordland --root {}": "nordland-a",
    "--dataset nowhere --root {}": "no set 'nowhere'",
    "--dataset sped": "--root",
    "--dataset sped --root {} --database {}": "--dataset and --root, or",
    "--database {}": "--dataset and --root, or",
    "--dataset eynsham --root {} --modes floats": "mode 'floats'",
    "--dataset eynsham --root {} --ns 0": "at least 1",
    "--dataset eynsham --root {} --candidates 1,x": "'x' is not a whole number",
    "--dataset eynsham --root {} --radius nan": "'nan' is not a number",
    "--dataset eynsham --root {} --heading 40": "no headings",
    "--dataset eynsham --root {} --strict": "1 images cannot be read",
    "--dataset eynsham --root {} --device tpu": "unknown device 'tpu'",
    "--dataset eynsham --root {} --cache {}/places.csv": "cannot be used",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_is_one_line(
    folder: Path,
    evaluate: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    arguments: str,
) -> None:
    try:
        code = evaluate(folder, *arguments.replace("{}", str(folder)).split())
    except SystemExit as exited:  # argparse's own
        code = exited.code
    assert code == 2
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1
    assert MISTAKES[arguments] in errors[0]
