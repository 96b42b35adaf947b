from __future__ import annotations

from dataclasses import replace

import pytest

from selavpr_ros.nodes.camera.frame_monitor import FrameMonitor, Situation
from selavpr_ros.nodes.ros.status import Level, Status

SECOND = 1_000_000_000
ACTIVE = Situation(state="active", topic="/cam/image", timeout=5.0, facts={"places": "3"})


class Monitor(FrameMonitor):
    """Of a node that looks at images and says that it saw one."""

    def __init__(self) -> None:
        super().__init__("not looking", "nothing seen")
        self.seen: tuple[Level, str, str] | None = None

    def look(self, seconds: float = 0.02) -> None:
        self.seen = Level.OK, "seen", "seen an image"
        with self._lock:
            self._count({"look": seconds})

    def _verdict(self) -> tuple[Level, str, str] | None:
        return self.seen

    def _figures(self, seconds: float) -> dict[str, str]:
        return {"asked at": str(seconds)}


@pytest.fixture
def monitor() -> Monitor:
    monitor = Monitor()
    monitor.start(0.0)
    monitor.image_arrived(100 * SECOND, 0.0)
    return monitor


def status(monitor: Monitor, situation: Situation = ACTIVE, now: int = 101 * SECOND) -> Status:
    return monitor.status(situation, 7, 2, now, 2.0)


def test_what_came_and_what_became_of_it(monitor: Monitor) -> None:
    monitor.look()
    monitor.look(0.04)
    seen = status(monitor)
    assert (seen.level, seen.kind, seen.message) == (Level.OK, "seen", "seen an image")
    assert seen.values == {
        "state": "active",
        "places": "3",
        "image topic": "/cam/image",
        "images received": "7",
        "images processed": "2",
        "images dropped": "2",
        "images undecodable": "0",
        "frames failed": "0",
        "image rate": "0.50 Hz",
        "asked at": "2.0",
        "latency look": "30.0 ms (max 40.0 ms, 2 frames)",
    }


def test_before_the_first_it_waits(monitor: Monitor) -> None:
    seen = status(monitor)
    assert (seen.level, seen.kind) == (Level.WARN, "waiting")
    assert seen.message == "nothing seen: waiting for an image on /cam/image"


def test_a_silent_camera_is_named(monitor: Monitor) -> None:
    monitor.look()
    assert status(monitor, now=104 * SECOND).level is Level.OK
    silent = replace(ACTIVE, camera_hint="nobody publishes it")
    seen = status(monitor, silent, now=105 * SECOND)
    assert seen.level is Level.WARN
    assert seen.message == "nothing seen: no image on /cam/image for 5 s (nobody publishes it)"
    later = status(monitor, silent, now=109 * SECOND)
    assert "for 9 s" in later.message
    assert later.kind == seen.kind


def test_silence_begins_when_it_is_first_asked() -> None:
    monitor = Monitor()
    monitor.start(0.0)
    assert "waiting for an image on /cam/image" in status(monitor, now=50 * SECOND).message
    assert "for 6 s" in status(monitor, now=56 * SECOND).message


def test_a_jump_back_of_time_restarts_the_silence(monitor: Monitor) -> None:
    assert monitor.silence(109 * SECOND) == 9.0
    assert monitor.silence(20 * SECOND) == 0.0
    assert monitor.silence(21 * SECOND) == 1.0
    monitor.restart_silence()
    assert monitor.silence(90 * SECOND) == 0.0


def test_a_simulated_clock_that_starts_is_no_silence() -> None:
    monitor = Monitor()
    monitor.start(0.0)
    assert monitor.silence(0) == 0.0
    assert monitor.silence(1000 * SECOND) == 0.0
    assert monitor.silence(1002 * SECOND) == 2.0


def test_the_clock_comes_before_the_camera(monitor: Monitor) -> None:
    seen = status(monitor, replace(ACTIVE, clock_missing=True), now=900 * SECOND)
    assert (seen.level, seen.kind) == (Level.WARN, "no clock")
    assert seen.message == ("nothing seen: use_sim_time is set but nothing is heard on /clock")


def test_paused(monitor: Monitor) -> None:
    seen = status(monitor, replace(ACTIVE, paused=True), now=900 * SECOND)
    assert (seen.level, seen.message) == (Level.OK, "not looking: paused")
    assert seen.values["state"] == "paused"


def test_what_spoils_a_good_result_is_said_but_not_of_a_bad_one(monitor: Monitor) -> None:
    monitor.look()
    spoilt = replace(ACTIVE, problem="no odometry", untrained=True)
    seen = status(monitor, spoilt)
    assert (seen.level, seen.message) == (Level.WARN, "seen an image; no odometry")
    assert seen.kind != status(monitor).kind
    untrained = status(monitor, replace(spoilt, problem=None))
    assert untrained.level is Level.WARN
    assert untrained.message == "seen an image; the weights are untrained"
    monitor.seen = Level.ERROR, "failed", "no room"
    assert status(monitor, spoilt).message == "no room"


@pytest.mark.parametrize("state", ["unconfigured", "inactive", "finalized"])
def test_idle_states(monitor: Monitor, state: str) -> None:
    seen = status(monitor, Situation(state))
    assert (seen.level, seen.message) == (Level.OK, f"not looking: the node is {state}")
    assert seen.values == {"state": state}


def test_a_failed_transition_stays_an_error(monitor: Monitor) -> None:
    seen = status(monitor, Situation("unconfigured", failure="there is no place map at /x"))
    assert (seen.level, seen.message) == (Level.ERROR, "there is no place map at /x")


def test_activation_begins_anew(monitor: Monitor) -> None:
    monitor.look()
    monitor.start(10.0)
    values = status(monitor, now=500 * SECOND).values
    assert (values["images processed"], values["image rate"]) == ("0", "0.00 Hz")
    assert "latency look" not in values
    assert monitor.silence(501 * SECOND) == 1.0
