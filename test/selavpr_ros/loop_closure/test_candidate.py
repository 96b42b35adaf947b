from __future__ import annotations

import json
import math

import pytest

from selavpr_ros.loop_closure.candidate import Closure
from selavpr_ros.loop_closure.drives import Drive, Waypoint
from selavpr_ros.planar_pose import PlanarPose

QUERY = Waypoint(Drive(None, 2), 41, 7_000_000_001, 12.5, PlanarPose(1.0, 2.0, 0.5, -0.25))


def closure(drive: Drive, pose: PlanarPose | None) -> Closure:
    found = {"geometry": {"inliers": 40, "rotation": None}}
    return Closure(Waypoint(drive, 3, 5, 0.0, pose), QUERY, 0.75, None, found, 0.125)


def test_a_closure_tells_everything_as_json() -> None:
    told = closure(Drive("lap", 0), PlanarPose(4.0, 5.0, 6.0, 0.5)).to_json()
    assert told == {
        "match": {
            "segment": "lap",
            "stretch": 0,
            "number": 3,
            "stamp": 5,
            "pose": {"x": 4.0, "y": 5.0, "z": 6.0, "yaw": 0.5},
        },
        "query": {
            "segment": None,
            "stretch": 2,
            "number": 41,
            "stamp": 7_000_000_001,
            "pose": {"x": 1.0, "y": 2.0, "z": 0.5, "yaw": -0.25},
        },
        "similarity": 0.75,
        "hamming": None,
        "margin": 0.125,
        "verification": {"geometry": {"inliers": 40, "rotation": None}},
    }
    assert json.loads(json.dumps(told, allow_nan=False)) == told


@pytest.mark.parametrize("pose", [None, PlanarPose(1.0, 0.0, 0.0, math.nan)])
def test_what_is_unknown_is_null(pose: PlanarPose | None) -> None:
    told = closure(Drive("lap", 0), pose).to_json()
    where = told["match"]["pose"]
    assert where is None if pose is None else where["yaw"] is None
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_the_segment_is_that_of_the_match() -> None:
    assert closure(Drive("lap", 0), None).segment == "lap"
    assert closure(Drive(None, 1), None).segment is None
