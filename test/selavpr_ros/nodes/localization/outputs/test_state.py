from __future__ import annotations

import json
import math

import numpy as np
import pytest

from selavpr_ros.nodes.localization.outcome import Ambiguous, Judged, Localized, NotInMap, Unsettled
from selavpr_ros.nodes.localization.outputs.state import state_json
from selavpr_ros.nodes.localization.pose_estimate import PoseEstimate

COVARIANCE = np.arange(36.0).reshape(6, 6)
HERE = PoseEstimate(np.array([1.0, 2.0, 3.0]), 0.5, COVARIANCE, 1.0)
STAMP = 1_750_413_600_123_456_789
KEYS = [
    *("stamp", "frame", "state", "probability", "reason", "similarity", "place", "segment"),
    *("position", "yaw", "covariance"),
]


def test_all_that_is_known_of_a_pose() -> None:
    outcome = Localized(0.83, 87, "drive", HERE, 0.998)
    assert json.loads(state_json(STAMP, "map", outcome)) == {
        "stamp": STAMP,
        "frame": "map",
        "state": "localised",
        "probability": 0.998,
        "reason": str(outcome),
        "similarity": 0.83,
        "place": 87,
        "segment": "drive",
        "position": [1.0, 2.0, 3.0],
        "yaw": 0.5,
        "covariance": list(range(36)),
    }


@pytest.mark.parametrize(
    ("outcome", "known"),
    [
        (Unsettled("candidate", 0.8, 87, "drive", HERE, 0.6), set(KEYS)),
        (Localized(0.8, 87, "drive", HERE), set(KEYS) - {"probability"}),
        (
            Unsettled("lost", 0.8, -1, "", None, 0.0),
            {"stamp", "frame", "state", "probability", "reason", "similarity"},
        ),
        (NotInMap(0.4, 0.5), {"stamp", "frame", "state", "reason", "similarity"}),
        (Ambiguous(0.8, 0.0, 0.1), {"stamp", "frame", "state", "reason", "similarity"}),
    ],
)
def test_what_is_not_known_is_null(outcome: Judged, known: set[str]) -> None:
    state = json.loads(state_json(STAMP, "map", outcome))
    assert list(state) == KEYS
    assert {key for key, value in state.items() if value is not None} == known


def test_a_yaw_that_nobody_knows_is_null() -> None:
    # JSON has no nan, and readers in other languages stumble over it.
    unknown = PoseEstimate(HERE.position, math.nan, COVARIANCE, 1.0)
    assert json.loads(state_json(0, "map", Localized(0.8, 1, "drive", unknown)))["yaw"] is None
