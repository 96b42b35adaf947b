from __future__ import annotations

from dataclasses import replace

import pytest

from selavpr_core.place_map import Calibration
from selavpr_ros.nodes.camera.thresholds import (
    LEFT_TO_THE_MAP,
    NO_MARGIN,
    thresholds_in_force,
)

CALIBRATION = Calibration(
    similarity=0.43,
    margin=0.05,
    wanted_precision=0.99,
    precision=0.993,
    precision_bound=0.97,
    recall=0.81,
    queries=200,
    outside=200,
    radius=25.0,
    mode="two-stage",
    candidates=100,
    places=120,
    source="a second drive",
    created="2026-03-01T10:00:00+00:00",
)
LEFT = (LEFT_TO_THE_MAP, LEFT_TO_THE_MAP)


def test_left_to_a_map_without_calibration_they_are_the_usual_ones() -> None:
    chosen = thresholds_in_force(*LEFT, None, "two-stage", 100, 120)
    assert (chosen.similarity, chosen.margin, chosen.problem) == (0.5, 0.0, None)
    assert chosen.facts() == {
        "least similarity": "0.500 (no calibration)",
        "least margin": "0.000 (no calibration)",
    }


def test_left_to_the_map_they_are_its_calibration_s() -> None:
    chosen = thresholds_in_force(*LEFT, CALIBRATION, "two-stage", 100, 120)
    assert (chosen.similarity, chosen.margin, chosen.problem) == (0.43, 0.05, None)
    assert chosen.facts()["least similarity"] == (
        "0.430 (the map's calibration: precision 0.993, recall 0.810)"
    )


def test_a_precision_that_was_not_reached_is_told() -> None:
    closest = replace(CALIBRATION, precision=0.942)
    for calibration in (closest, replace(CALIBRATION, precision_bound=0.5)):
        chosen = thresholds_in_force(*LEFT, calibration, "two-stage", 100, 120)
        assert (chosen.similarity, chosen.problem) == (0.43, None)
        for said in chosen.facts().values():
            assert "recall 0.810; a precision of 0.99 was not reached)" in said
    chosen = thresholds_in_force(*LEFT, CALIBRATION, "two-stage", 100, 120)
    assert "reached" not in chosen.similarity_from


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.7])
def test_each_parameter_overrides_the_calibration(value: float) -> None:
    chosen = thresholds_in_force(value, LEFT_TO_THE_MAP, CALIBRATION, "two-stage", 100, 120)
    assert (chosen.similarity, chosen.margin) == (value, 0.05)
    assert chosen.similarity_from == "set by the parameter"
    assert "calibration" in chosen.margin_from
    chosen = thresholds_in_force(LEFT_TO_THE_MAP, value, CALIBRATION, "two-stage", 100, 120)
    assert (chosen.similarity, chosen.margin) == (0.43, value)


def test_a_calibration_for_another_mode_is_not_used() -> None:
    chosen = thresholds_in_force(*LEFT, CALIBRATION, "code", 100, 120)
    assert (chosen.similarity, chosen.margin) == (0.5, 0.0)
    assert chosen.similarity_from == "no calibration for mode code"
    assert chosen.problem == (
        "the map was calibrated for mode two-stage, not code: run `selavpr calibrate` with "
        "--mode code"
    )


def test_a_calibration_with_other_candidates_is_not_used() -> None:
    """A wrong match is the more similar, the more candidates it is the best of."""
    alone = replace(CALIBRATION, candidates=1, margin=0.0)
    for margin in (LEFT_TO_THE_MAP, 0.1):
        chosen = thresholds_in_force(LEFT_TO_THE_MAP, margin, alone, "two-stage", 100, 120)
        assert chosen.similarity == 0.5
        assert chosen.similarity_from == "no calibration for candidates 100"
        assert chosen.problem == (
            "the map was calibrated with candidates 1, not 100: run `selavpr calibrate` with "
            "--candidates 100"
        )


@pytest.mark.parametrize("mode", ["code", "float"])
def test_of_a_search_of_all_places_only_the_margin_depends_on_candidates(mode: str) -> None:
    few = replace(CALIBRATION, mode=mode, candidates=5)
    chosen = thresholds_in_force(*LEFT, few, mode, 100, 120)
    assert (chosen.similarity, chosen.margin) == (0.43, 0.0)
    assert chosen.facts() == {
        "least similarity": "0.430 (the map's calibration, without its margin)",
        "least margin": "0.000 (no calibration for candidates 100)",
    }
    assert chosen.problem is not None
    assert "--candidates 100" in chosen.problem
    # Who sets the margin, and whose calibration has none, does not miss it.
    assert thresholds_in_force(LEFT_TO_THE_MAP, 0.1, few, mode, 100, 120).problem is None
    none = thresholds_in_force(*LEFT, replace(few, margin=0.0), mode, 100, 120)
    assert (none.similarity, none.margin, none.problem) == (0.43, 0.0, None)
    assert "precision 0.993" in none.similarity_from


def test_a_calibration_older_than_the_map_is_used_and_named() -> None:
    chosen = thresholds_in_force(*LEFT, CALIBRATION, "two-stage", 100, 150)
    assert chosen.similarity == 0.43
    assert chosen.problem == (
        "the calibration is older than the map (120 places then, 150 now): run `selavpr "
        "calibrate` again"
    )


def test_who_sets_both_hears_nothing_of_the_calibration() -> None:
    stale = replace(CALIBRATION, places=1)
    assert thresholds_in_force(0.4, 0.0, stale, "two-stage", 100, 120).problem is None
    assert thresholds_in_force(0.4, 0.0, stale, "code", 100, 120).problem is None
    assert thresholds_in_force(0.4, LEFT_TO_THE_MAP, stale, "code", 100, 120).problem is not None


def test_a_node_has_usual_thresholds_of_its_own() -> None:
    chosen = thresholds_in_force(*LEFT, None, "two-stage", 100, 0, (0.2, NO_MARGIN))
    assert (chosen.similarity, chosen.margin) == (0.2, NO_MARGIN)
    assert chosen.facts()["least margin"] == "none (no calibration)"
    chosen = thresholds_in_force(*LEFT, CALIBRATION, "two-stage", 100, 120, (0.2, NO_MARGIN))
    assert (chosen.similarity, chosen.margin) == (0.43, 0.05)
