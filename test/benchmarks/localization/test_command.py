from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.localization import command, made_up, rendered
from benchmarks.localization.town import FRONTS, SESSIONS, build_town, frames_of
from examples.streets import World
from training.command import run


@pytest.fixture(scope="module")
def town() -> World:
    return build_town(3)


def test_made_up_figures_are_printed_for_scripts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "BESIDE", (1.0,))
    monkeypatch.setattr(command, "DRAWS", 2)
    monkeypatch.setattr(made_up, "FRAMES", 60)
    assert run(command.main, ["--made-up", "--seeds", "33", "--places", "500", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert "rendered" not in report
    assert report["places"] == 500
    for name, one in report["made up"].items():
        if name.endswith("filter"):
            assert one["localised"] > 0.6
            assert one["false"] <= 2
            assert one["frames"] == 2 * 60
    together = report["all drives"]["filter"]
    assert together["published"] == report["made up"]["1 m beside, filter"]["published"]


def test_kept_descriptions_are_replayed(
    town: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Describer:
        fingerprint = "0123456789abcdef"

    monkeypatch.setattr(rendered, "load_describer", lambda *_: Describer())
    monkeypatch.setattr(command, "JUMPS", ((40, 100),))
    monkeypatch.setattr(command, "BESIDE", ())
    monkeypatch.setattr(rendered, "DRAWS", 1)
    monkeypatch.setattr(rendered, "QUERIES", ("again", "other way"))
    # As a camera would have it that sees where it is, in 64 dimensions.
    columns = {}
    waves = np.random.default_rng(0).normal(0, 0.12, (2, 32))
    for name in SESSIONS:
        frames = frames_of(town, name, 3)
        turned = np.column_stack([np.cos(frames.headings), np.sin(frames.headings)]) * 20
        phases = (frames.positions[:, :2] + turned) @ waves
        described = np.concatenate([np.cos(phases), np.sin(phases)], axis=1) / np.sqrt(32)
        columns[f"{name}/desc"] = described
        columns[f"{name}/pos"] = frames.positions
        columns[f"{name}/head"] = frames.headings
        columns[f"{name}/stamps"] = frames.stamps
    np.savez(tmp_path / "town3-0123456789ab.npz", **columns)
    assert run(command.main, ["--seeds", "3", "--keep", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "again, filter, 1 look/s" in printed
    assert "all drives" in printed
    assert "kidnapping: 1 of 1 found again" in printed
    assert "left standing: 1 of 1 old places given up" in printed


def test_a_town_has_few_fronts_on_all_of_its_lots(town: World) -> None:
    styles = {(h.facade.style.wall, h.facade.style.wall_colour, h.facade.style.floors) for h in town.houses}  # fmt: skip  # noqa: E501
    assert len(styles) == FRONTS
    assert len(town.houses) > 20


def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_code:
        run(command.main, ["--places", "many"])
    assert exit_code.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
