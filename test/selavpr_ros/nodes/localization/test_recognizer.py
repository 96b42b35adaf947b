from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.errors import MapError, SelaVPRError, WeightsError
from selavpr_core.geodesy import Datum
from selavpr_ros.nodes.localization.parameters import Settings
from selavpr_ros.nodes.localization.recognizer import Recognizer
from test.selavpr_ros.nodes.conftest import SPACING, Street, write_map


@pytest.fixture(scope="module")
def recognizer(street: Street) -> Recognizer:
    return Recognizer.load(Settings(map=str(street.path)))


def test_weights_are_those_of_the_map(recognizer: Recognizer, street: Street) -> None:
    assert recognizer.describer.source == "random:tiny"
    assert recognizer.describer.fingerprint == street.describer.fingerprint


@pytest.mark.parametrize("mode", ["two-stage", "code", "float"])
def test_every_image_of_the_map_is_recognised(street: Street, mode: str) -> None:
    recognizer = Recognizer.load(Settings(map=str(street.path), mode=mode, candidates=5))
    for place, image in enumerate(street.images):
        recognition = recognizer.recognize(image)
        assert recognition.matches[0].place == place
        assert len(recognition.matches) == 5
        assert recognition.similarity == pytest.approx(1.0, abs=1e-3)
        places = [match.place for match in recognition.matches]
        np.testing.assert_array_equal(recognition.positions, street.positions[places])
        np.testing.assert_array_equal(recognition.headings, street.headings[places])
        estimate = recognition.estimate
        np.testing.assert_array_equal(estimate.position, street.positions[place])
        # The place's own sigma and half the spacing are the least of the uncertainty.
        assert estimate.position_sigma >= np.hypot(0.5, SPACING / 2)
        assert set(recognition.durations) >= {"describe", "estimate"}
        assert all(duration >= 0 for duration in recognition.durations.values())


def test_home_directory_in_the_path(
    street: Street, recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(street.path.parent))
    assert recognizer.with_map("~/street").place_map.path == street.path
    with pytest.raises(MapError, match="~nosuchuser"):
        recognizer.with_map("~nosuchuser/street")


def test_another_map_keeps_model_and_settings(street: Street, tmp_path: Path) -> None:
    recognizer = Recognizer.load(Settings(map=str(street.path), mode="code", candidates=3))
    changed = recognizer.with_map(str(write_map(tmp_path / "part", street, slice(4, 9))))
    assert len(changed.place_map) == 5
    assert changed.describer is recognizer.describer
    assert (changed.localizer.mode, changed.localizer.candidates) == ("code", 3)
    assert changed.recognize(street.images[5]).matches[0].place == 1


def test_maps_of_other_weights_are_refused_with_both_named(
    recognizer: Recognizer, street: Street, tmp_path: Path
) -> None:
    other = write_map(tmp_path / "other", street, slice(0, 2), fingerprint="0" * 64, source="base")
    with pytest.raises(MapError) as refused:
        recognizer.with_map(str(other))
    for part in ("with base (000000000000)", "loaded are random:tiny", "parameter weights"):
        assert part in str(refused.value)


def test_missing_weights_of_the_map_name_the_parameter_that_gives_others(
    street: Street, tmp_path: Path
) -> None:
    gone = str(tmp_path / "gone.safetensors")
    moved = str(write_map(tmp_path / "moved", street, slice(0, 2), source=gone))
    with pytest.raises(WeightsError) as refused:
        Recognizer.load(Settings(map=moved))
    hint = f"(the map was made with {gone}: set the parameter weights)"
    assert str(refused.value).endswith(hint)
    # Who has set the parameter needs no such hint.
    with pytest.raises(WeightsError) as refused:
        Recognizer.load(Settings(map=moved, weights=gone))
    assert hint not in str(refused.value)


def test_no_map_and_an_empty_map(recognizer: Recognizer, tmp_path: Path) -> None:
    from selavpr_core.place_map import MapWriter, ModelInfo

    with pytest.raises(MapError, match="no map is given"):
        recognizer.with_map("")
    model = ModelInfo.from_describer(recognizer.describer)
    with MapWriter(tmp_path / "empty", model, Datum.at(50.0, 8.0)):
        pass
    with pytest.raises(MapError, match="empty"):
        recognizer.with_map(str(tmp_path / "empty"))


def test_without_torch_it_says_what_to_install(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "selavpr_core.describer", None)
    with pytest.raises(SelaVPRError, match="install torch"):
        Recognizer.load(Settings(map=str(street.path)))
