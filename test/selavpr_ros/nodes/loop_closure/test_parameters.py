from __future__ import annotations

from dataclasses import fields

import pytest

from selavpr_core.errors import SelaVPRError
from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.nodes.camera.thresholds import Thresholds
from selavpr_ros.nodes.loop_closure.parameters import (
    LOOP_PARAMETERS,
    LoopSettings,
    detector_settings,
)
from selavpr_ros.nodes.ros.parameter_table import Parameter


@pytest.mark.parametrize("parameter", LOOP_PARAMETERS, ids=lambda p: p.name)
def test_every_row_is_complete_and_its_default_fits(parameter: Parameter) -> None:
    assert parameter.problem(parameter.default) is None
    assert parameter.description.endswith(".")
    if isinstance(parameter.default, (int, float)) and not isinstance(parameter.default, bool):
        assert parameter.bounds is not None


def in_force(similarity: float, margin: float) -> Thresholds:
    return Thresholds(similarity, margin, "", "")


def test_by_default_the_detection_is_the_usual() -> None:
    usual = LoopClosureSettings()
    chosen = detector_settings(LoopSettings(), in_force(usual.similarity_threshold, -2.0))
    for field in fields(LoopClosureSettings):
        value, expected = getattr(chosen, field.name), getattr(usual, field.name)
        assert value == pytest.approx(expected, rel=5e-3), field.name


def test_every_choice_reaches_the_detection() -> None:
    changed = LoopSettings(
        geometry=False, consistency=False, plausibility=False, min_inliers=33, max_gap=4.0
    )
    chosen = detector_settings(changed, in_force(0.7, 0.05))
    assert (chosen.similarity_threshold, chosen.margin_threshold) == (0.7, 0.05)
    assert (chosen.geometry, chosen.consistency, chosen.plausibility) == (False, False, False)
    assert (chosen.min_inliers, chosen.max_gap) == (33, 4.0)


def test_parameters_that_contradict_each_other_are_refused_in_one_line() -> None:
    with pytest.raises(SelaVPRError, match="contradict each other: agreeing must lie") as caught:
        detector_settings(LoopSettings(agreeing=4, agreement_window=3), in_force(0.5, 0.0))
    assert "\n" not in str(caught.value)
