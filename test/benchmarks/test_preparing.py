from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import preparing
from training.datasets.source import Candidate


def test_each_made_up_image_is_a_file_under_a_path_of_its_own(tmp_path: Path) -> None:
    entries = list(preparing.MadeUp(tmp_path, 300).entries())
    assert len({entry.path for entry in entries}) == 300
    for entry in entries:
        assert isinstance(entry, Candidate)
        assert (tmp_path / entry.path).samefile(tmp_path / preparing.FILE)
        assert 540_000 <= entry.easting <= 544_000
        assert 0 <= entry.heading < 360


def test_the_figures_are_those_of_the_index(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many images to a square metre as in a real city, so that places have enough of them."""
    original = preparing.MadeUp.entries
    monkeypatch.setattr(
        preparing.MadeUp,
        "entries",
        lambda self: (
            entry._replace(easting=540_005.0 + 10 * (n % 5), northing=4_170_005.0, heading=30.0)
            for n, entry in enumerate(original(self))
            if isinstance(entry, Candidate)
        ),
    )
    monkeypatch.setattr(sys, "argv", ["preparing", "--images", "60", "--json"])
    preparing.main()
    figures = json.loads(capsys.readouterr().out)
    assert figures["images"] == figures["images in the index"] == 60
    assert figures["places"] == 5
    assert figures["peak memory, MiB"] >= figures["peak memory before, MiB"] > 0
