from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from selavpr_core.place_filter import Belief, State
from selavpr_core.retrieval.localizer import Match
from selavpr_ros.nodes.camera.thresholds import Thresholds
from selavpr_ros.nodes.localization.outcome import Ambiguous, Localized, NotInMap, Unsettled
from selavpr_ros.nodes.localization.pose_estimate import PoseEstimate
from selavpr_ros.nodes.localization.recognizer import Recognition
from selavpr_ros.nodes.localization.verdict import verdict_by_filter, verdict_by_image

MAP: Any = SimpleNamespace(segment_of=lambda place: SimpleNamespace(name=f"drive {place // 10}"))
ESTIMATE = PoseEstimate(np.array([1.0, 2.0, 0.0]), 0.5, np.eye(6), 0.9)
RECOGNITION = Recognition(
    matches=[Match(12, 0.8, 3, 0, 0), Match(57, 0.74, 5, 1, 1)],
    positions=np.array([[1.0, 2.0, 0.0], [400.0, 0.0, 0.0]]),
    headings=np.array([0.5, 0.5]),
    margin=0.06,
    estimate=ESTIMATE,
    durations={},
)


@pytest.mark.parametrize(
    ("similarity", "margin", "expected"),
    [
        (0.8, 0.06, Localized(0.8, 12, "drive 1", ESTIMATE)),
        (0.81, 0.0, NotInMap(0.8, 0.81)),
        (0.8, 0.07, Ambiguous(0.8, 0.06, 0.07)),
        (0.81, 0.07, NotInMap(0.8, 0.81)),
        (-1.0, 0.0, Localized(0.8, 12, "drive 1", ESTIMATE)),
    ],
)
def test_an_image_counts_from_the_thresholds_on(
    similarity: float, margin: float, expected: object
) -> None:
    thresholds = Thresholds(similarity, margin, "here", "here")
    assert verdict_by_image(RECOGNITION, thresholds, MAP) == expected


def belief(state: State, probability: float, yaw: float = 0.7, yaw_sigma: float = 0.2) -> Belief:
    covariance = np.diag([1.0, 2.0, 3.0, 0.01, 0.01, yaw_sigma**2])
    covariance[0, 5] = covariance[5, 0] = 0.05
    return Belief(state, probability, np.array([399.0, 1.0, 5.0]), yaw, covariance, 57)


def test_the_filter_s_pose_is_published_once_it_is_sure() -> None:
    sure = verdict_by_filter(belief("localised", 0.99), RECOGNITION, MAP)
    assert isinstance(sure, Localized)
    assert (sure.place, sure.segment, sure.probability) == (57, "drive 5", 0.99)
    assert sure.similarity == 0.8  # of the image, to whatever it is most alike
    assert sure.estimate.position.tolist() == [399.0, 1.0, 5.0]
    assert sure.estimate.yaw == 0.7
    np.testing.assert_array_equal(sure.estimate.covariance, belief("localised", 0.99).covariance)
    # Only the second candidate lies there.
    second = math.exp(-50 * 0.06)
    assert sure.estimate.agreement == pytest.approx(second / (1 + second))


@pytest.mark.parametrize("state", ["candidate", "lost"])
def test_until_then_it_says_what_is_likeliest(state: State) -> None:
    unsure = verdict_by_filter(belief(state, 0.4), RECOGNITION, MAP)
    assert isinstance(unsure, Unsettled)
    assert (unsure.state, unsure.place, unsure.segment) == (state, 57, "drive 5")
    assert unsure.probability == 0.4
    assert unsure.seen
    unseen = verdict_by_filter(replace(belief(state, 0.4), seen=False), RECOGNITION, MAP)
    assert isinstance(unseen, Unsettled)
    assert not unseen.seen
    assert unsure.estimate is not None


def test_without_a_hypothesis_it_says_nothing_of_places() -> None:
    nothing = Belief("lost", 0.0, np.full(3, np.nan), math.nan, np.full((6, 6), np.nan), -1)
    assert verdict_by_filter(nothing, RECOGNITION, MAP) == Unsettled("lost", 0.8, -1, "", None, 0.0)


@pytest.mark.parametrize(("yaw", "yaw_sigma"), [(math.nan, 0.2), (0.7, 1.0)])
def test_a_yaw_that_nobody_knows_is_that_of_a_place_without_heading(
    yaw: float, yaw_sigma: float
) -> None:
    sure = verdict_by_filter(belief("localised", 0.99, yaw, yaw_sigma), RECOGNITION, MAP)
    assert sure.estimate is not None
    assert math.isnan(sure.estimate.yaw)
    assert math.isnan(sure.estimate.yaw)
    covariance = sure.estimate.covariance
    assert covariance[5].tolist() == covariance[:, 5].tolist() == [0, 0, 0, 0, 0, math.pi**2]
    np.testing.assert_array_equal(np.diag(covariance)[:5], [1.0, 2.0, 3.0, 0.01, 0.01])
