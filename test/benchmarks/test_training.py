from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import training as benchmark


def test_it_starts_by_path_and_by_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By path its folder comes first, where it would pass for the package that it measures."""
    done = subprocess.run(
        [sys.executable, "benchmarks/training.py", "--help"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with pytest.raises(SystemExit) as end:
        benchmark.main(["--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out == done.stdout
    assert "--strategies" in done.stdout


def test_live_tensors_are_counted_as_by_hand() -> None:
    """Every number is 4 bytes; weight 50 x 100, input 10 x 100."""
    weight, images = torch.randn(50, 100, requires_grad=True), torch.randn(10, 100)
    with benchmark.LiveTensors() as live:
        live.add(weight)
        live.add(images)
        live.add(images)  # known already
        assert live.alive == 4 * (5000 + 1000)
        product = images @ weight.T  # 10 x 50
        view = product[:5].view(-1)  # the same storage
        assert live.alive == 4 * (6000 + 500)
        squared = product.square()  # 10 x 50, and its backward pass needs the product
        del product, view
        gc.collect()
        assert live.alive == 4 * (6000 + 1000)
        total = squared.sum()
        del squared
        gc.collect()
        assert live.alive == 4 * (6000 + 500 + 1)
        total.backward()
        del total
        gc.collect()
        assert weight.grad is not None
        assert live.alive == 4 * (6000 + 5000)  # the gradient, and nothing of the graph
        # At most: the gradient beside the product's, with the product or little else alive.
        assert 4 * (6000 + 5000 + 500) <= live.peak <= 4 * (6000 + 5000 + 3 * 500 + 4)
    weight.grad = None
    gc.collect()
    assert live.alive == 4 * 6000


def test_a_run_prints_what_each_strategy_costs(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(
        [
            *("--presets", "tiny", "--strategies", "multi-conv", "full", "--device", "cpu"),
            *("--batch", "2", "2", "--size", "28", "--steps", "1", "--json"),
        ]
    )
    report = json.loads(capsys.readouterr().out)
    rows = {(row["strategy"], *row["train"]): row for row in report["rows"]}
    assert len(rows) == 4  # multi-conv trains each branch, and both
    assert report["not_measured"]
    side, full = rows["multi-conv", "float"], rows["full", "float"]
    assert side["trainable"] < full["trainable"]
    assert side["held_bytes"] < full["held_bytes"]
    assert side["ratios"]["full"]["memory"] == side["peak_bytes"] / full["peak_bytes"] < 1
    both = rows["multi-conv", "float", "hash"]
    assert both["trainable"] == side["trainable"] + rows["multi-conv", "hash"]["trainable"]
