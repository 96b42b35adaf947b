from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from selavpr_core.errors import MapError, SelaVPRError, WeightsError
from selavpr_core.place_map import MapWriter, ModelInfo, PlaceMap
from selavpr_ros.nodes.camera.model import (
    check_same_model,
    describer_facts,
    load_map,
    load_model,
)
from selavpr_ros.nodes.camera.parameters import CameraSettings
from test.selavpr_ros.nodes.conftest import Street, write_map


class Loading:
    """Stands for the loading of weights: keeps what it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, street: Street) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._describer = street.describer
        monkeypatch.setattr("selavpr_core.describer.load_describer", self)

    def __call__(self, weights: str, device: str, precision: str, batch_size: int) -> Any:
        self.asked.append((weights, device, precision, batch_size))
        return self._describer


@pytest.fixture
def place_map(street: Street) -> PlaceMap:
    return load_map(str(street.path))


def test_weights_are_the_user_s_else_the_map_s_else_those_that_come_along(
    monkeypatch: pytest.MonkeyPatch, street: Street, place_map: PlaceMap
) -> None:
    loading = Loading(monkeypatch, street)
    chosen = CameraSettings(weights="own.pth", device="cpu", precision="bf16")
    assert load_model(chosen, place_map) is street.describer
    load_model(CameraSettings(), place_map)
    load_model(CameraSettings(), None)
    assert loading.asked == [
        ("own.pth", "cpu", "bf16", 1),
        ("random:tiny", "auto", "auto", 1),
        ("tiny", "auto", "auto", 1),
    ]


def test_a_map_of_other_weights_is_refused_with_both_named(
    monkeypatch: pytest.MonkeyPatch, street: Street, tmp_path: Path
) -> None:
    Loading(monkeypatch, street)
    path = write_map(tmp_path / "other", street, slice(0, 2), fingerprint="0" * 64, source="base")
    other = load_map(str(path))
    with pytest.raises(MapError) as refused:
        load_model(CameraSettings(), other)
    for part in ("with base (000000000000)", "loaded are random:tiny", "parameter weights"):
        assert part in str(refused.value)
    check_same_model(load_map(str(street.path)), street.describer)


def test_missing_weights_of_the_map_name_the_parameter_that_gives_others(
    street: Street, tmp_path: Path
) -> None:
    gone = str(tmp_path / "gone.safetensors")
    moved = load_map(str(write_map(tmp_path / "moved", street, slice(0, 2), source=gone)))
    with pytest.raises(WeightsError) as refused:
        load_model(CameraSettings(), moved)
    hint = f"(the map was made with {gone}: set the parameter weights)"
    assert str(refused.value).endswith(hint)
    # Who has set the parameter needs no such hint.
    with pytest.raises(WeightsError) as refused:
        load_model(CameraSettings(weights=gone), moved)
    assert hint not in str(refused.value)


def test_home_directory_in_the_path(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(street.path.parent))
    assert load_map("~/street").path == street.path
    with pytest.raises(MapError, match="~nosuchuser"):
        load_map("~nosuchuser/street")


def test_no_map_and_an_empty_map(street: Street, tmp_path: Path) -> None:
    with pytest.raises(MapError, match="no map is given"):
        load_map("")
    with MapWriter(tmp_path / "empty", ModelInfo.from_describer(street.describer), None):
        pass
    with pytest.raises(MapError, match="empty has no places: add a bag"):
        load_map(str(tmp_path / "empty"))


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "selavpr_core.describer", None)
    with pytest.raises(SelaVPRError, match="install torch"):
        load_model(CameraSettings(), None)


def test_facts_tell_untrained_weights() -> None:
    describer: Any = SimpleNamespace(
        source="tiny",
        preset="tiny",
        pretrained=True,
        fingerprint="ab",
        device="cpu",
        precision="fp32",
    )
    assert describer_facts(describer) == {
        "weights in use": "tiny, preset tiny",
        "fingerprint": "ab",
        "runs on": "cpu, fp32",
    }
    describer.pretrained = False
    assert describer_facts(describer)["weights in use"] == "tiny, preset tiny (untrained)"
