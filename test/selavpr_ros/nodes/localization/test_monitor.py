from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from selavpr_ros.nodes.camera.frame_monitor import Situation
from selavpr_ros.nodes.localization.monitor import Monitor
from selavpr_ros.nodes.localization.outcome import (
    Failed,
    Localized,
    NotInMap,
    Undecodable,
    Unsettled,
)
from selavpr_ros.nodes.localization.pose_estimate import PoseEstimate
from selavpr_ros.nodes.ros.status import Level, Status

SECOND = 1_000_000_000
ACTIVE = Situation(state="active", topic="/cam/image", timeout=5.0, facts={"places": "3"})
FOUND = Localized(0.83, 12, "lund", PoseEstimate(np.array([1.0, 2.0, 0.0]), 0.0, np.eye(6), 0.75))


@pytest.fixture
def monitor() -> Monitor:
    monitor = Monitor()
    monitor.start(0.0)
    monitor.image_arrived(100 * SECOND, 0.0)
    return monitor


def status(
    monitor: Monitor, situation: Situation = ACTIVE, now: int = 101 * SECOND, received: int = 1
) -> Status:
    return monitor.status(situation, received, 0, now, 2.0)


def test_localised(monitor: Monitor) -> None:
    monitor.processed(1, FOUND, {"describe": 0.02, "publish": 0.001}, 1.0)
    seen = monitor.status(ACTIVE, 7, 2, 101 * SECOND, 2.0)
    assert seen.level is Level.OK
    assert seen.message == (
        "localised at (1.00, 2.00) m, sigma 1.00 m: place 12 of lund, similarity 0.83"
    )
    expected = {
        "state": "active",
        "places": "3",
        "image topic": "/cam/image",
        "images received": "7",
        "images processed": "1",
        "images dropped": "2",
        "images undecodable": "0",
        "frames localised": "1",
        "image rate": "0.50 Hz",
        "pose rate": "0.50 Hz",
        "similarity": "0.830",
        "place": "12 of lund",
        "candidates that agree": "75 %",
        "latency describe": "20.0 ms (max 20.0 ms, 1 frames)",
    }
    assert expected.items() <= seen.values.items()


def test_below_the_threshold_is_an_answer(monitor: Monitor) -> None:
    monitor.processed(1, NotInMap(0.42, 0.5), {}, 1.0)
    seen = status(monitor)
    assert seen.level is Level.WARN
    assert seen.message == "not localised: below threshold (0.42 < 0.50)"
    assert seen.values["pose rate"] == "0.00 Hz"
    assert "similarity" not in seen.values


def test_the_filter_s_state_and_probability(monitor: Monitor) -> None:
    candidate = Unsettled("candidate", 0.8, 12, "lund", FOUND.estimate, 0.71)
    monitor.processed(1, candidate, {"filter": 0.001}, 1.0)
    seen = status(monitor)
    assert (seen.level, seen.message) == (Level.WARN, str(candidate))
    assert seen.values["localization state"] == "candidate"
    assert seen.values["probability"] == "0.71"
    assert seen.values["frames localised"] == "0"
    # Candidate or lost is more than a difference of figures.
    monitor.processed(2, replace(candidate, state="lost"), {}, 1.0)
    assert status(monitor).kind != seen.kind
    monitor.processed(3, replace(FOUND, probability=0.998), {}, 1.0)
    seen = status(monitor)
    assert seen.level is Level.OK
    assert (seen.values["localization state"], seen.values["probability"]) == ("localised", "0.998")
    # Without the filter there is a state, too.
    monitor.processed(4, NotInMap(0.42, 0.5), {}, 1.0)
    seen = status(monitor)
    assert seen.values["localization state"] == "lost"
    assert "probability" not in seen.values


def test_undecodable_images_are_counted_and_named(monitor: Monitor) -> None:
    monitor.processed(1, Undecodable("encoding 'h264' of 4x4"), {}, 1.0)
    assert status(monitor).message == (
        "not localised: image cannot be decoded: encoding 'h264' of 4x4"
    )
    monitor.processed(2, FOUND, {}, 1.5)
    seen = status(monitor)
    assert seen.level is Level.OK
    assert seen.values["images undecodable"] == "1"
    assert seen.values["last undecodable image"] == "encoding 'h264' of 4x4"


def test_a_failure_is_an_error(monitor: Monitor) -> None:
    monitor.processed(1, Failed("OutOfMemoryError: no room"), {}, 1.0)
    seen = status(monitor)
    assert seen.level is Level.ERROR
    assert "OutOfMemoryError: no room" in seen.message
    assert seen.values["frames failed"] == "1"


def test_what_spoils_a_good_pose_is_said(monitor: Monitor) -> None:
    monitor.processed(1, FOUND, {}, 1.0)
    untrained = status(monitor, replace(ACTIVE, untrained=True))
    assert untrained.level is Level.WARN
    assert untrained.message.endswith("; the weights are untrained")
    broken = status(monitor, replace(ACTIVE, problem="no transform: no odometry yet"))
    assert broken.level is Level.WARN
    assert broken.message.endswith("; no transform: no odometry yet")


def test_activation_begins_anew(monitor: Monitor) -> None:
    monitor.processed(1, Undecodable("x"), {"describe": 1.0}, 1.0)
    monitor.start(10.0)
    seen = status(monitor)
    assert seen.values["images undecodable"] == seen.values["images processed"] == "0"
    assert "last undecodable image" not in seen.values
    assert "latency describe" not in seen.values
    assert "waiting" in seen.message


def test_forgetting_the_outcome_leaves_the_counts(monitor: Monitor) -> None:
    monitor.processed(1, FOUND, {}, 1.0)
    monitor.forget_outcome(2)
    assert "waiting" in status(monitor).message
    # The frame that was in work meanwhile.
    monitor.processed(2, FOUND, {}, 1.0)
    seen = status(monitor)
    assert "waiting" in seen.message
    assert seen.values["frames localised"] == "2"
    monitor.processed(3, FOUND, {}, 1.0)
    assert status(monitor).message.startswith("localised")


def test_paused_it_says_what_it_answered_last(monitor: Monitor) -> None:
    paused = replace(ACTIVE, paused=True)
    seen = status(monitor, paused)
    assert (seen.level, seen.kind) == (Level.OK, "paused")
    assert seen.message == "not localising: paused"
    monitor.processed(1, FOUND, {}, 1.0)
    seen = status(monitor, paused)
    assert seen.level is Level.OK
    assert seen.message == f"not localising: paused; when last asked: {FOUND}"
    assert (seen.values["state"], seen.values["similarity"]) == ("paused", "0.830")
    assert seen.kind != "paused"  # so that it is said at once, and in the log
    monitor.processed(2, NotInMap(0.42, 0.5), {}, 1.0)
    seen = status(monitor, paused)
    assert seen.level is Level.OK
    assert seen.message.endswith("when last asked: not localised: below threshold (0.42 < 0.50)")
    monitor.processed(3, Failed("OutOfMemoryError: no room"), {}, 1.0)
    assert status(monitor, paused).level is Level.ERROR
    monitor.forget_outcome(3)
    assert status(monitor, paused).message == "not localising: paused"


def test_paused_and_asked_it_says_what_it_waits_for(monitor: Monitor) -> None:
    asked = replace(ACTIVE, paused=True, asked=True)
    seen = status(monitor, asked)
    assert (seen.level, seen.values["state"]) == (Level.WARN, "paused")
    assert seen.message == "not localised: waiting for an image on /cam/image"
    assert "no image on /cam/image for 9 s" in status(monitor, asked, now=109 * SECOND).message
    candidate = Unsettled("candidate", 0.8, 12, "lund", FOUND.estimate, 0.71)
    monitor.processed(1, candidate, {}, 1.0)
    assert status(monitor, asked).message == str(candidate)
