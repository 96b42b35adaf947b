from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selavpr_core.errors import MapError, SelaVPRError
from selavpr_core.place_map import MapWriter, PlaceMap
from selavpr_ros.loop_closure import Keyframe
from selavpr_ros.loop_closure.stretches import OUT_OF_ORDER
from selavpr_ros.nodes.loop_closure.parameters import LoopSettings
from selavpr_ros.nodes.loop_closure.session import LoopSession
from selavpr_ros.planar_pose import PlanarPose
from test.selavpr_ros.loop_closure import circuit
from test.selavpr_ros.loop_closure.circuit import MODEL, PLACES, SECOND, picture, pose
from test.selavpr_ros.nodes.camera.test_thresholds import CALIBRATION

LAP = PLACES // 2  # of the known map, in places
SETTINGS = LoopSettings(
    exclusion_seconds=5.0,
    exclusion_metres=5.0,
    consistency=False,
    plausibility=False,
    geometry=False,
)


class Describer(circuit.Describer):
    """The describer of the circuit, with what a map stores of it."""

    fingerprint, source, preset = MODEL.fingerprint, MODEL.source, MODEL.preset
    pretrained = MODEL.pretrained
    descriptor_dim, code_bytes = MODEL.descriptor_dim, MODEL.code_bytes


Begin = Callable[..., LoopSession]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Begins sessions, and ends them."""
    sessions: list[LoopSession] = []

    def begin(
        place_map: PlaceMap | None = None, alike: dict[int, int] | None = None, **changes: Any
    ) -> LoopSession:
        spool = {"spool_folder": str(tmp_path / "spool")}
        settings = replace(SETTINGS, **(spool | changes))
        describer: Any = Describer(alike)
        sessions.append(LoopSession(settings, describer, place_map, "a test"))
        return sessions[-1]

    yield begin
    for session in sessions:
        session.close()


@pytest.fixture
def calibrated(tmp_path: Path, begin: Begin) -> PlaceMap:
    """A map of a straight drive of 20 places, 10 m apart; the last looks like the first."""
    path = tmp_path / "known"
    session = begin(alike={LAP - 1: 0}, save_to=str(path))
    for place in range(LAP):
        session.add(place * SECOND, PlanarPose(10.0 * place, 0.0, 0.0, 0.0), picture(place), None)
    session.keeper.save()
    with MapWriter(path, MODEL, None) as writer:
        writer.set_calibration(replace(CALIBRATION, places=LAP))
    return PlaceMap.load(path)


def look(session: LoopSession, place: int) -> Keyframe:
    """A keyframe of a later drive."""
    stamp = (1000 + len(session)) * SECOND
    return session.add(stamp, PlanarPose(500.0, 0.0, 0.0, 0.0), picture(place), None)


def test_without_a_map_no_margin_is_asked_for(begin: Begin) -> None:
    session = begin()
    assert session.thresholds.facts() == {
        "least similarity": "0.200 (no calibration)",
        "least margin": "none (no calibration)",
    }
    for step in range(PLACES + 3):
        keyframe = session.add(step * SECOND, pose(step), picture(step % PLACES), None)
    assert keyframe.closure is not None
    assert "margin" not in keyframe.closure.verification
    assert len(session) == PLACES + 3


def test_a_calibration_with_other_candidates_is_not_used(
    begin: Begin, calibrated: PlaceMap
) -> None:
    session = begin(calibrated, candidates=7)
    assert session.thresholds.similarity == 0.2
    assert session.thresholds.problem is not None
    assert "calibrated with candidates 100, not 7" in session.thresholds.problem


def test_both_thresholds_are_those_of_the_map_s_calibration(
    begin: Begin, calibrated: PlaceMap
) -> None:
    session = begin(calibrated, alike={LAP - 1: 0})
    assert session.thresholds.problem is None
    assert (session.thresholds.similarity, session.thresholds.margin) == (0.43, 0.05)
    # A place like no other is found; one that the map has twice is not.
    found = look(session, 5).closure
    assert found is not None
    assert found.match.number == 5
    assert found.verification["margin"]["threshold"] == 0.05
    twice = look(session, 0)
    assert twice.closure is None
    assert [refused.reason for refused in twice.rejections] == ["margin"] * 2
    assert twice.rejections[0].evidence["margin"] == pytest.approx(0.0, abs=1e-3)
    assert session.detector.rejected["margin"] == 2


def test_parameters_override_the_calibration(begin: Begin, calibrated: PlaceMap) -> None:
    session = begin(calibrated, alike={LAP - 1: 0}, similarity_threshold=0.7, margin_threshold=-1.0)
    assert (session.thresholds.similarity, session.thresholds.margin) == (0.7, -1.0)
    assert look(session, 0).closure is not None


def test_the_session_s_own_keyframes_are_held_to_the_calibration_too(
    begin: Begin, calibrated: PlaceMap
) -> None:
    first, again = LAP + 1, LAP + 11  # that look alike, and like nothing in the map
    session = begin(calibrated, alike={again: first}, odometry_drift=0.0)
    for place in range(LAP, PLACES):
        session.add(
            (1000 + place) * SECOND, PlanarPose(10.0 * place, 0.0, 0.0, 0.0), picture(place), None
        )
    assert look(session, LAP + 5).closure is not None
    twice = look(session, first)
    assert (twice.closure, twice.rejections[0].reason) == (None, "margin")
    assert twice.rejections[0].evidence["margin"] == pytest.approx(0.0, abs=1e-3)


def test_time_that_jumps_back_is_told_from_frames_out_of_order(begin: Begin) -> None:
    session = begin()
    assert not session.jumps_back(0)
    assert session.wants(50 * SECOND, pose(0))
    assert not session.jumps_back(50 * SECOND - OUT_OF_ORDER)
    assert session.jumps_back(50 * SECOND - OUT_OF_ORDER - 1)
    session.wants(50 * SECOND - OUT_OF_ORDER, pose(0))  # late, and not the newest now
    assert session.jumps_back(50 * SECOND - OUT_OF_ORDER - 1)
    assert session.wants(3 * SECOND, pose(0))
    assert not session.jumps_back(3 * SECOND)


def test_pictures_of_keyframes_and_of_the_map(begin: Begin, calibrated: PlaceMap) -> None:
    session = begin(calibrated)
    keyframe = look(session, 5)
    assert keyframe.closure is not None
    assert session.picture(keyframe.closure.match) == calibrated.thumbnail(5)
    own = session.picture(keyframe.waypoint)
    assert own is not None
    assert own.startswith(b"\xff\xd8")  # JPEG


def test_it_tells_how_long_a_keyframe_was_described_for(begin: Begin) -> None:
    session = begin()
    assert session.describing == 0.0
    session.add(0, pose(0), picture(0), None)
    assert session.describing > 0.0


def test_what_cannot_work_is_refused_before_anything_is_kept(begin: Begin, tmp_path: Path) -> None:
    with pytest.raises(SelaVPRError, match="agreeing must lie between 1 and"):
        begin(agreeing=4, agreement_window=3)
    with pytest.raises(MapError, match="/dev/null/spool"):
        begin(spool_folder="/dev/null/spool")
    # Not even the weights are looked for.
    contradicting = replace(SETTINGS, agreeing=4, agreement_window=3, weights="/no/such.pth")
    with pytest.raises(SelaVPRError, match="agreeing must lie between 1 and"):
        LoopSession.load(contradicting, "a test")
    with pytest.raises(MapError, match="/no/such/map"):
        LoopSession.load(replace(SETTINGS, map="/no/such/map"), "a test")
    assert not (tmp_path / "spool").exists()
