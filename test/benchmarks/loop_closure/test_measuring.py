from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks.loop_closure.measuring import (
    CAUTIOUS,
    SHIPPED,
    VERIFICATIONS,
    drive,
    figures,
    in_hindsight,
    positives,
    verified,
)
from benchmarks.loop_closure.recording import Recording, seen_together
from selavpr_core.describer import Description
from selavpr_ros.loop_closure import Closure, LoopClosureSettings
from test.selavpr_ros.loop_closure.circuit import MODEL, PLACES, SECOND, Describer, picture, pose

FRAMES = PLACES + 6
SETTINGS = LoopClosureSettings(
    exclusion_seconds=10, exclusion_metres=5, similarity_threshold=0.9, min_inliers=12
)


def recording(alike: dict[int, int] | None = None) -> tuple[Recording, list[Description]]:
    """A circuit and the beginning of a second lap; `alike` as for the describer."""
    places = [step % PLACES for step in range(FRAMES)]
    same = np.array(places)[:, None] == places
    made = Recording(
        name="circuit",
        rule="place",
        stamps=[step * SECOND for step in range(FRAMES)],
        poses=[pose(step) for step in range(FRAMES)],
        pictures=[cv2.imencode(".png", picture(place)[..., ::-1])[1].tobytes() for place in places],
        right=same,
        settings=SETTINGS,
    )
    describe = Describer(alike)
    return made, [describe(picture(place)) for place in places]


def test_a_picture_comes_back_as_it_was() -> None:
    made, _ = recording()
    np.testing.assert_array_equal(made.picture(3), picture(3))


def test_the_figures_are_those_of_a_plain_count() -> None:
    made, descriptions = recording({30: 3, 31: 4, 42 % PLACES: 39})
    keyframes, rejected = drive(made, descriptions, MODEL, verified(SETTINGS, "none"))
    found = figures(made, keyframes, rejected)
    # 30 and 31 look like 3 and 4; the place of frames 2 and 42 looks like that of 39.
    assert found.false_pairs == [(30, 3), (31, 4), (39, 2)]
    assert (found.first, found.last) == ((30, 3), (45, 5))
    assert (found.closures, found.false, found.answerable) == (9, 3, 6)
    assert found.precision == pytest.approx(6 / 9, abs=1e-4)
    assert found.recall == 1.0
    assert found.rejected["similarity"] > 0
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["closures"] == 9


def test_the_ends_of_closures_are_measured_in_truth() -> None:
    made, descriptions = recording()
    places = np.column_stack([np.arange(FRAMES) % PLACES, np.zeros(FRAMES)])
    places[-1] += 3.0, 4.0
    keyframes, rejected = drive(made, descriptions, MODEL, SETTINGS)
    assert figures(replace(made, positions=places), keyframes, rejected).metres == (0.0, 5.0)
    assert figures(made, keyframes, rejected).metres is None


def test_every_verification_is_measured_by_itself() -> None:
    assert verified(SETTINGS, SHIPPED) == SETTINGS
    assert verified(SETTINGS, CAUTIOUS) == replace(SETTINGS, agreeing=2, agreement_window=4)
    for name, wanted in VERIFICATIONS.items():
        if name in (SHIPPED, CAUTIOUS):
            continue
        settings = verified(SETTINGS, name)
        assert [settings.plausibility, settings.consistency, settings.geometry] == [
            each in wanted for each in ("plausibility", "consistency", "geometry")
        ]
        assert settings.similarity_threshold == SETTINGS.similarity_threshold
    assert all(VERIFICATIONS["all"].values())


@pytest.mark.parametrize("name", ["plausibility", "consistency", "geometry", "all"])
def test_verification_takes_away_what_is_false(name: str) -> None:
    made, descriptions = recording({30: 3})
    keyframes, rejected = drive(made, descriptions, MODEL, verified(SETTINGS, name))
    found = figures(made, keyframes, rejected)
    assert found.false == 0
    assert found.precision == 1.0
    assert found.recall is not None
    assert found.recall >= 0.83  # a keyframe alone finds nobody who agrees


def test_a_drive_without_loops_has_no_precision() -> None:
    made, descriptions = recording()
    short = replace(
        made,
        stamps=made.stamps[:PLACES],
        poses=made.poses[:PLACES],
        right=made.right[:PLACES, :PLACES],
    )
    keyframes, rejected = drive(short, descriptions, MODEL, SETTINGS)
    found = figures(short, keyframes, rejected)
    assert (found.closures, found.answerable, found.precision, found.recall) == (0, 0, None, None)
    assert found.first is None


def test_only_keyframes_outside_of_the_window_can_be_right() -> None:
    made, descriptions = recording()
    keyframes, _ = drive(made, descriptions, MODEL, SETTINGS)
    right = positives(replace(made, right=np.ones_like(made.right)), keyframes)
    assert [len(frames) for frames in right] == [max(0, frame - 10) for frame in range(FRAMES)]


def similarity(closure: Closure) -> float:
    return closure.similarity


def test_hindsight_finds_the_best_threshold() -> None:
    made, descriptions = recording({30: 3})
    settings = replace(verified(SETTINGS, "none"), similarity_threshold=-1.0)
    best, _ = drive(made, descriptions, MODEL, settings)
    found = in_hindsight(made, best, similarity)
    # The false match is as similar as the right ones, up to rounding: no threshold parts them.
    assert found["recall_at_full_precision"] != 1.0
    assert found["average_precision"] is not None
    assert found["average_precision"] < 1.0
    made, descriptions = recording()
    best, _ = drive(made, descriptions, MODEL, settings)
    assert in_hindsight(made, best, similarity)["recall_at_full_precision"] == 1.0


def test_views_are_together_within_25_metres_and_an_eighth_of_a_turn() -> None:
    positions = np.array([[0, 0], [25, 0], [25.1, 0], [0, 1], [0, 2]])
    headings = np.radians([180.0, 180, 180, -136, -134])
    together = seen_together(positions, headings)
    assert together[0].tolist() == [True, True, False, True, False]
    assert (together == together.T).all()
    assert not seen_together(np.full((2, 2), np.nan), np.zeros(2)).any()
