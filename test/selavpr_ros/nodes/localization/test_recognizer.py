from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from selavpr_core.errors import MapError
from selavpr_core.retrieval import Localizer
from selavpr_core.retrieval.localizer import Mode
from selavpr_ros.nodes.localization.parameters import Settings
from selavpr_ros.nodes.localization.recognizer import Recognizer
from test.selavpr_ros.nodes.conftest import SPACING, Street, write_map


@pytest.fixture(scope="module")
def recognizer(street: Street) -> Recognizer:
    return Recognizer.load(Settings(map=str(street.path), candidates=7))


@pytest.mark.parametrize("mode", ["two-stage", "code", "float"])
def test_every_image_of_the_map_is_recognised(
    recognizer: Recognizer, street: Street, mode: Mode
) -> None:
    # As `load` does it, without another model.
    recognizer = replace(recognizer, localizer=Localizer(recognizer.place_map, mode, 5))
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


def test_the_settings_reach_the_search(recognizer: Recognizer) -> None:
    assert (recognizer.localizer.mode, recognizer.localizer.candidates) == ("two-stage", 7)
    assert recognizer.describer.source == "random:tiny"  # the map's


def test_another_map_keeps_model_and_settings(
    recognizer: Recognizer, street: Street, tmp_path: Path
) -> None:
    recognizer = replace(recognizer, localizer=Localizer(recognizer.place_map, "code", 3))
    changed = recognizer.with_map(str(write_map(tmp_path / "part", street, slice(4, 9))))
    assert len(changed.place_map) == 5
    assert changed.describer is recognizer.describer
    assert (changed.localizer.mode, changed.localizer.candidates) == ("code", 3)
    assert changed.recognize(street.images[5]).matches[0].place == 1


def test_a_map_of_other_weights_leaves_it_as_it_was(
    recognizer: Recognizer, street: Street, tmp_path: Path
) -> None:
    other = write_map(tmp_path / "other", street, slice(0, 2), fingerprint="0" * 64)
    with pytest.raises(MapError, match="other weights"):
        recognizer.with_map(str(other))
    assert recognizer.place_map.path == street.path


def test_thresholds_are_those_of_the_settings_and_the_map(recognizer: Recognizer) -> None:
    usual = recognizer.thresholds(Settings())
    assert (usual.similarity, usual.margin) == (0.5, 0.0)
    chosen = recognizer.thresholds(Settings(similarity_threshold=0.7, margin_threshold=0.1))
    assert (chosen.similarity, chosen.margin) == (0.7, 0.1)
