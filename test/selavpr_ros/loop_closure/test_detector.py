from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selavpr_core.errors import MapError
from selavpr_core.place_map import PlaceMap, Session
from selavpr_core.retrieval import Localizer
from selavpr_ros.loop_closure import (
    CameraModel,
    Drive,
    Keyframe,
    LoopClosureSettings,
    LoopDetector,
    StretchReason,
)
from selavpr_ros.planar_pose import PlanarPose
from test.selavpr_ros.loop_closure.circuit import MODEL, PLACES, SECOND, Describer, picture, pose

CAMERA = CameraModel(64, 48, 60.0, 60.0, 31.5, 23.5)
PLAIN = LoopClosureSettings(
    exclusion_seconds=5.0,
    exclusion_metres=5.0,
    match_distance=1.0,
    similarity_threshold=0.9,
    plausibility=False,
    consistency=False,
    geometry=False,
)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session(MODEL, tmp_path / "spool") as opened:
        yield opened


def changed(**values: Any) -> LoopClosureSettings:
    return LoopClosureSettings(**{**vars(PLAIN), **values})


def drive(
    detector: LoopDetector, steps: range, first: int = 0, odometry: bool = True, drift: float = 0.0
) -> list[Keyframe]:
    """Add a keyframe each second and metre of the circuit."""
    return [
        detector.add_keyframe(
            first + step * SECOND,
            pose(step, drift) if odometry else None,
            picture(step % PLACES),
        )
        for step in steps
    ]


def test_the_second_lap_finds_the_first(session: Session) -> None:
    describer = Describer()
    detector = LoopDetector(describer, session, PLAIN)
    lap, again = drive(detector, range(PLACES)), drive(detector, range(PLACES, 2 * PLACES))
    assert all(keyframe.closure is None for keyframe in lap)
    assert lap[0].similarity is None
    assert lap[0].searched == 0
    for step, keyframe in enumerate(again):
        closure = keyframe.closure
        assert closure is not None
        assert closure.match.number == step
        assert closure.query == keyframe.waypoint
        assert (closure.query.number, closure.query.stamp) == (PLACES + step, (40 + step) * SECOND)
        assert closure.match.stamp == step * SECOND
        assert closure.match.pose == pose(step)
        assert closure.query.pose == pose(PLACES + step)
        assert closure.similarity == pytest.approx(1, abs=1e-3)
        assert closure.hamming == 0
        assert closure.segment is None
        assert keyframe.searched == PLACES + step - 5
        assert keyframe.similarity == closure.similarity
    assert detector.closures == PLACES
    assert describer.described == len(session) == 2 * PLACES  # each exactly once


def test_the_window_keeps_a_keyframe_from_its_neighbours(session: Session) -> None:
    detector = LoopDetector(Describer(dict.fromkeys(range(9), 0)), session, PLAIN)
    found = [keyframe.closure for keyframe in drive(detector, range(9))]
    assert found[:6] == [None] * 6
    assert [closure.match.number for closure in found[6:] if closure] == [0, 0, 0]


def test_what_is_not_alike_is_counted_and_named(session: Session) -> None:
    detector = LoopDetector(Describer(), session, PLAIN)
    frames = drive(detector, range(10))
    assert all(keyframe.closure is None for keyframe in frames)
    assert detector.rejected == {"similarity": 4}
    (rejection,) = frames[-1].rejections
    assert rejection.reason == "similarity"
    assert rejection.evidence == {"threshold": 0.9}
    assert rejection.candidate.similarity == frames[-1].similarity


def test_look_alikes_are_refused_by_odometry(session: Session) -> None:
    """Every place looks like that across the circuit: only odometry can tell them apart."""
    half = PLACES // 2
    alike = {n: n % half for n in range(PLACES)}
    detector = LoopDetector(Describer(alike), session, changed(plausibility=True))
    frames = drive(detector, range(2 * PLACES))
    assert all(keyframe.closure is None for keyframe in frames[:PLACES])
    for step, keyframe in enumerate(frames[PLACES:]):
        assert keyframe.closure is not None
        assert keyframe.closure.match.number == step
        assert keyframe.closure.verification["plausibility"]["allowed"] == pytest.approx(
            3, abs=0.01
        )
    assert detector.rejected["plausibility"] > half
    reasons = {r.reason for keyframe in frames for r in keyframe.rejections}
    assert reasons == {"similarity", "plausibility"}


def test_the_next_candidate_is_tried_where_the_best_fails(session: Session) -> None:
    """With look-alikes on both sides the true place need not come first."""
    half = PLACES // 2
    detector = LoopDetector(
        Describer({n: n % half for n in range(PLACES)}), session, changed(plausibility=True)
    )
    frames = drive(detector, range(PLACES + half + 3))
    keyframe = frames[-1]  # seen at 2, at 22 and at 42; the first two are too far
    assert keyframe.closure is not None
    assert keyframe.closure.match.number == half + 2
    assert [r.candidate.waypoint.number for r in keyframe.rejections] == [2]


def test_closures_before_make_up_for_drift(session: Session) -> None:
    """After two laps odometry is 24 m off: it allows what witnesses then refuse."""
    half = PLACES // 2
    alike = {n: n % half for n in range(PLACES)}
    settings = changed(plausibility=True, odometry_drift=0.4, match_angle=math.pi, max_candidates=9)
    detector = LoopDetector(Describer(alike), session, settings)
    drive(detector, range(PLACES))
    detector.rejected.clear()
    frames = drive(detector, range(PLACES, 2 * PLACES), drift=0.3)
    wrong = [
        keyframe
        for step, keyframe in enumerate(frames)
        if keyframe.closure is not None and keyframe.closure.match.number != step
    ]
    assert detector.rejected["witnesses"] > 0
    assert len(wrong) <= half  # until the first right one nobody can know


def test_a_look_alike_elsewhere_is_refused_where_a_margin_is_asked_for(session: Session) -> None:
    """The circuit is 13 m wide, so it is made ten times as large: 25 m are a seventh of it."""
    detector = LoopDetector(Describer({30: 3}), session, changed(margin_threshold=0.1))
    frames = []
    for step in range(PLACES + 5):
        x, y, z, yaw = pose(step)
        large = PlanarPose(10 * x, 10 * y, z, yaw)
        frames.append(detector.add_keyframe(step * SECOND, large, picture(step % PLACES)))
    assert frames[30].closure is not None  # nothing else looks like 3 yet
    third = frames[PLACES + 3]
    assert third.closure is None
    assert {r.reason for r in third.rejections} == {"margin"}
    assert third.rejections[0].evidence["margin"] == pytest.approx(0.0, abs=1e-3)
    assert detector.rejected["margin"] == len(third.rejections) == 2
    for keyframe in (*frames[PLACES : PLACES + 3], frames[PLACES + 4]):
        assert keyframe.closure is not None
        assert keyframe.closure.margin is not None
        assert keyframe.closure.margin > 0.1
        assert keyframe.closure.verification["margin"]["threshold"] == 0.1


def test_a_place_that_only_one_keyframe_finds_is_refused(session: Session) -> None:
    detector = LoopDetector(Describer({30: 3}), session, changed(consistency=True))
    frames = drive(detector, range(PLACES + 3))
    assert frames[30].closure is None
    assert [r.reason for r in frames[30].rejections] == ["consistency"]
    assert [f.closure is not None for f in frames[PLACES:]] == [False, True, True]
    assert detector.rejected["consistency"] == 2
    assert frames[PLACES + 1].closure is not None
    assert frames[PLACES + 1].closure.verification["consistency"]["agreeing"] == 1


@pytest.mark.parametrize("geometry", [False, True])
@pytest.mark.parametrize("place", [20, 6])  # elsewhere, and next to what was found before
@pytest.mark.parametrize("first", [100 * SECOND, -100 * SECOND])  # a gap, a jump back
def test_keyframes_of_the_stretch_before_are_not_asked(
    session: Session, first: int, place: int, geometry: bool
) -> None:
    settings = changed(consistency=True, geometry=geometry, min_inliers=15)
    detector = LoopDetector(Describer(), session, settings)
    drive(detector, range(PLACES + 6))  # the last ones found places 0 to 5
    frames = [
        detector.add_keyframe(first + n * SECOND, pose(place + n), picture(place + n))
        for n in range(3)
    ]
    assert frames[0].new_stretch is not None
    (rejection,) = frames[0].rejections
    assert (rejection.reason, rejection.candidate.waypoint.number) == ("consistency", place)
    assert rejection.evidence == {"agreeing": 0, "contradicting": 0, "asked": 0}
    for asked, frame in enumerate(frames[1:], 1):
        assert frame.closure is not None
        evidence = {"agreeing": asked, "contradicting": 0, "asked": asked}
        assert frame.closure.verification["consistency"] == evidence


def test_geometry_tells_pictures_apart_that_are_described_alike(session: Session) -> None:
    settings = changed(geometry=True, min_inliers=15, min_coverage=0.1)
    detector = LoopDetector(Describer({30: 3}), session, settings)
    frames = []
    for step in range(PLACES + 3):
        shown = picture(step % PLACES)
        frames.append(detector.add_keyframe(step * SECOND, pose(step), shown, CAMERA))
    assert frames[30].closure is None
    assert [r.reason for r in frames[30].rejections] == ["geometry"]
    for keyframe in frames[PLACES:]:
        assert keyframe.closure is not None
        evidence = keyframe.closure.verification["geometry"]
        assert evidence["inliers"] >= 15
        assert evidence["model"] == "essential"
        assert evidence["rotation"][3] == pytest.approx(1, abs=1e-2)  # the same, but for its JPEG
        assert evidence["direction"] is None
    assert detector.rejected["geometry"] == 1


def test_a_keyframe_agrees_only_where_its_own_picture_fits(session: Session) -> None:
    """30 and 31 look like 3 and 4 to the model, and 31 is a picture of 4 in truth."""
    settings = changed(geometry=True, consistency=True, min_inliers=15, min_coverage=0.1)
    detector = LoopDetector(Describer({30: 3, 31: 4}), session, settings)
    frames = drive(detector, range(31))
    frames.append(detector.add_keyframe(31 * SECOND, pose(31), picture(4)))
    assert [r.reason for r in frames[30].rejections] == ["geometry"]
    assert [r.reason for r in frames[31].rejections] == ["consistency"]
    evidence = {"agreeing": 0, "contradicting": 0, "asked": 3}
    assert frames[31].rejections[0].evidence == evidence
    assert detector.closures == 0


def test_without_odometry_the_seconds_alone_keep_neighbours_apart(session: Session) -> None:
    detector = LoopDetector(Describer(), session, changed(plausibility=True))
    frames = drive(detector, range(PLACES + 5), odometry=False)
    assert [f.closure is not None for f in frames] == [False] * PLACES + [True] * 5
    closure = frames[-1].closure
    assert closure is not None
    assert closure.match.pose is None
    assert closure.to_json()["query"]["pose"] is None
    assert session.positions.tolist() == [[0.0, 0.0, 0.0]] * len(session)
    assert np.isnan(session.headings).all()


def test_the_session_has_what_a_map_needs(session: Session) -> None:
    drive(LoopDetector(Describer(), session, PLAIN), range(3))
    np.testing.assert_allclose(session.positions[2], pose(2)[:3])
    assert session.headings[2] == pytest.approx(pose(2).yaw, abs=1e-6)
    assert session.stamps.tolist() == [0, SECOND, 2 * SECOND]
    jpeg = session.thumbnail(1)
    assert jpeg is not None
    assert jpeg.startswith(b"\xff\xd8")


def test_only_frames_worth_a_keyframe_are_wanted(session: Session) -> None:
    detector = LoopDetector(Describer(), session, changed(keyframe_distance=2.0))
    wanted = []
    for step in range(9):
        if detector.wants(step * SECOND, pose(step)):
            wanted.append(step)
            detector.add_keyframe(step * SECOND, pose(step), picture(step))
    assert wanted == [0, 3, 6]  # chords are a little shorter than the way


def test_a_gap_and_a_jump_back_begin_stretches_and_are_reported(session: Session) -> None:
    detector = LoopDetector(Describer(), session, changed(max_gap=10.0))
    assert detector.wants(0, pose(0))
    frames = drive(detector, range(3))
    assert detector.wants(60 * SECOND, pose(2))  # though the robot did not move
    frames += drive(detector, range(3), first=60 * SECOND)
    assert detector.wants(1 * SECOND, pose(2))
    frames += drive(detector, range(1, 3))
    news = [frame.new_stretch for frame in frames]
    assert [new is not None for new in news] == [1, 0, 0, 1, 0, 0, 1, 0]
    assert [new.reason for new in news if new] == [
        StretchReason.FIRST,
        StretchReason.GAP,
        StretchReason.JUMP_BACK,
    ]
    assert news[3] is not None
    assert news[3].seconds == pytest.approx(58.0)
    assert [frame.waypoint.drive.stretch for frame in frames] == [0, 0, 0, 1, 1, 1, 2, 2]


def test_a_stretch_is_recognised_in_one_before_it(session: Session) -> None:
    """After a jump back the stamps say nothing, and odometry may have begun anew."""
    detector = LoopDetector(Describer(), session, changed(plausibility=True, max_gap=10.0))
    drive(detector, range(10))
    elsewhere = PlanarPose(500.0, 0.0, 0.0, 1.0)
    keyframe = detector.add_keyframe(-100 * SECOND, elsewhere, picture(4))
    assert keyframe.closure is not None
    assert keyframe.closure.match.number == 4
    assert keyframe.closure.match.drive == Drive(None, 0)
    assert keyframe.closure.query.drive == Drive(None, 1)
    assert keyframe.closure.verification["plausibility"]["distance"] is None


def test_after_a_jump_of_odometry_what_it_says_is_not_compared_across(session: Session) -> None:
    """The circuit again, 500 m away by odometry: within a stretch that would be refused."""
    detector = LoopDetector(Describer(), session, changed(plausibility=True, max_gap=60.0))
    for step in range(10):
        detector.wants(step * SECOND, pose(step), run=0)
        drive(detector, range(step, step + 1))
    moved = pose(4)._replace(x=pose(4).x + 500.0)
    assert detector.wants(50 * SECOND, moved, run=1)
    keyframe = detector.add_keyframe(50 * SECOND, moved, picture(4))
    assert keyframe.new_stretch is not None
    assert keyframe.new_stretch.reason is StretchReason.ODOMETRY_JUMP
    assert keyframe.waypoint.along == 0.0
    assert keyframe.closure is not None
    assert keyframe.closure.match.number == 4
    assert keyframe.closure.verification["plausibility"]["distance"] is None


def test_a_frame_that_was_overtaken_is_let_go(session: Session) -> None:
    detector = LoopDetector(Describer(), session, PLAIN)
    drive(detector, range(3))
    assert not detector.wants(2 * SECOND - 1, pose(50))
    assert detector.rejected == {"late": 1}
    with pytest.raises(ValueError, match="older than the newest"):
        detector.add_keyframe(2 * SECOND - 1, pose(50), picture(5))
    assert len(session) == 3


@pytest.fixture
def known_map(tmp_path: Path) -> Localizer:
    """A map of places 10 to 29, driven earlier in another odometry frame, in two segments.

    Of the second one it is known which camera took the pictures.
    """
    path = tmp_path / "map"
    with Session(MODEL, tmp_path / "first") as first:
        detector = LoopDetector(Describer(), first, PLAIN)
        for begin, camera in ((10, None), (20, CAMERA)):
            for step in range(begin, begin + 10):
                detector.add_keyframe(step * SECOND, pose(step), picture(step), camera)
            moved = (1000.0, 0.0, 0.0, math.pi / 2)
            first.save(path, f"lap {begin}", "drive", first=begin - 10, transform=moved)
    return Localizer(PlaceMap.load(path))


def test_two_sessions_match_into_each_other(session: Session, known_map: Localizer) -> None:
    settings = changed(plausibility=True, consistency=True)
    detector = LoopDetector(Describer(), session, settings, known_map)
    assert detector.add_keyframe(0, pose(5), picture(5)).searched == 20
    frames = drive(detector, range(8, PLACES + 20))
    closures = [frame.closure for frame in frames]
    assert [c is not None for c in closures[:7]] == [False] * 3 + [True] * 4  # 10 has no neighbour
    first = closures[3]
    assert first is not None
    assert first.segment == "lap_10"
    assert first.match.number == 1
    assert first.match.stamp == 11 * SECOND
    assert first.match.pose is not None
    x, y = pose(11).x, pose(11).y
    np.testing.assert_allclose(first.match.pose[:2], [1000 - y, x], atol=1e-9)
    other = closures[15]
    assert other is not None
    assert (other.segment, other.match.number) == ("lap_20", 13)
    assert all(c is not None for c in closures[PLACES:])  # from the map or from itself


def test_pictures_of_the_map_are_verified_too(session: Session, known_map: Localizer) -> None:
    settings = changed(geometry=True, min_inliers=15)
    detector = LoopDetector(Describer({35: 15}), session, settings, known_map)
    for number, place in enumerate((15, 25)):
        right = detector.add_keyframe(number * SECOND, None, picture(place), CAMERA)
        assert right.closure is not None
        assert right.closure.match.number == place - 10
        evidence = right.closure.verification["geometry"]
        known = place == 25  # which camera the map was made with
        assert evidence["model"] == ("essential" if known else "fundamental")
        assert (evidence["rotation"] is not None) == known
    wrong = detector.add_keyframe(2 * SECOND, None, picture(35), CAMERA)
    assert wrong.closure is None
    assert wrong.rejections[0].reason == "geometry"


def test_a_camera_of_another_shape_is_as_good_as_none(session: Session, tmp_path: Path) -> None:
    settings = changed(geometry=True, min_inliers=15)
    detector = LoopDetector(Describer(), session, settings)
    other = CameraModel(64, 36, 60.0, 60.0, 31.5, 17.5)
    for step in range(PLACES + 1):
        camera = CAMERA if step < PLACES else other
        keyframe = detector.add_keyframe(step * SECOND, pose(step), picture(step % PLACES), camera)
    assert keyframe.closure is not None
    assert keyframe.closure.verification["geometry"]["model"] == "fundamental"
    assert session.save(tmp_path / "whole", "drive", "x").camera is None
    assert session.save(tmp_path / "rest", "drive", "x", first=PLACES).camera is None


def test_a_map_whose_pictures_were_left_behind_proves_nothing(
    session: Session, known_map: Localizer
) -> None:
    for file in (known_map.place_map.path / "thumbnails").iterdir():
        file.unlink()
    bare = Localizer(PlaceMap.load(known_map.place_map.path))
    detector = LoopDetector(Describer(), session, changed(geometry=True), bare)
    keyframe = detector.add_keyframe(0, None, picture(15))
    assert keyframe.closure is None
    assert keyframe.rejections[0].evidence == {"inliers": 0, "problem": "no picture"}


def test_an_empty_map_finds_nothing(session: Session, tmp_path: Path, known_map: Localizer) -> None:
    from selavpr_core.place_map import MapWriter

    with MapWriter(tmp_path / "empty", MODEL, None):
        pass
    empty = Localizer(PlaceMap.load(tmp_path / "empty"))
    detector = LoopDetector(Describer(), session, PLAIN, empty)
    assert detector.add_keyframe(0, None, picture(15)).similarity is None


def test_a_mode_that_the_model_does_not_serve_is_refused(session: Session) -> None:
    with pytest.raises(MapError, match="mode"):
        LoopDetector(Describer(), session, PLAIN, mode="other")  # type: ignore[arg-type]


def test_a_closure_is_json(session: Session, known_map: Localizer) -> None:
    everything = changed(plausibility=True, consistency=True, geometry=True, min_inliers=15)
    detector = LoopDetector(Describer(), session, everything, known_map)
    frames = [
        detector.add_keyframe(step * SECOND, pose(step), picture(step)) for step in range(11, 14)
    ]
    closure = frames[-1].closure
    assert closure is not None
    told = closure.to_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["match"]["segment"] == "lap_10"
    assert told["margin"] == closure.margin == pytest.approx(closure.similarity + 1)  # all is near
    assert told["query"] == {
        "segment": None,
        "stretch": 0,
        "number": 2,
        "stamp": 13 * SECOND,
        "pose": pytest.approx(pose(13)._asdict()),
    }
    made = ["plausibility", "geometry", "consistency", "uniqueness", "witnesses"]
    assert list(told["verification"]) == made
