from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from benchmarks.localization.simulation import Camera, Track, beside, drifting, winding
from selavpr_core.place_filter import Belief, FilterSettings, Motion, PlaceFilter
from selavpr_core.place_filter.hypotheses import Hypotheses
from selavpr_core.place_filter.support import LOOKS
from test.selavpr_core.place_filter.roads import Eyes, along, drive, straight

DRIVES = 40


def error(belief: Belief, x: float, y: float = 0.0) -> float:
    return math.hypot(belief.position[0] - x, belief.position[1] - y)


def faded(eyes: Eyes, x: float, lead: float) -> tuple[np.ndarray, np.ndarray, Motion, float]:
    """What a look gives the filter 2 m on: the right places are the most alike, by so much."""
    places, similarities = eyes.look(x, 0.0)
    level = np.median(similarities)
    return places, level + (similarities - level) * lead, Motion(2, 0, 0, 0.1, 0.01), 0.5


def stand(
    following: PlaceFilter,
    places: np.ndarray,
    similarities: np.ndarray,
    looks: int,
    odometry: bool = True,
) -> list[Belief]:
    """Two looks a second at the same, which differ by the noise of the camera."""
    rng = np.random.default_rng(0)
    still = Motion.between((0, 0, 0), (0, 0, 0)) if odometry else None
    return [
        following.update(
            places, similarities + 0.003 * rng.standard_normal(len(places)), still, 0.5
        )
        for _ in range(looks)
    ]


@pytest.fixture
def road() -> tuple[np.ndarray, np.ndarray]:
    return straight()


@pytest.mark.parametrize("odometry", [True, False])
def test_a_drive_is_localised_and_stays_so(
    road: tuple[np.ndarray, np.ndarray], odometry: bool
) -> None:
    poses = along(200, 320)
    beliefs = drive(PlaceFilter(*road), Eyes(*road), poses, odometry=odometry)
    assert [b.state for b in beliefs[15:]] == ["localised"] * (len(poses) - 15)
    for belief, (x, _, _) in zip(beliefs[15:], poses[15:], strict=True):
        assert error(belief, x) < (5.0 if odometry else 10.0)
        assert abs(belief.yaw) < 0.3
        assert abs(belief.place - x / 3.0) < 4
    assert beliefs[0].probability < beliefs[15].probability


def test_a_single_image_localises_nobody(road: tuple[np.ndarray, np.ndarray]) -> None:
    (belief,) = drive(PlaceFilter(*road), Eyes(*road), [(300.0, 0.0, 0.0)])
    assert belief.state != "localised"


def test_covariances_are_symmetric_and_positive_definite(
    road: tuple[np.ndarray, np.ndarray],
) -> None:
    for belief in drive(PlaceFilter(*road), Eyes(*road), along(100, 160)):
        np.testing.assert_allclose(belief.covariance, belief.covariance.T)
        assert np.linalg.eigvalsh(belief.covariance)[0] > 0
        assert belief.covariance[5, 5] <= math.pi**2
        assert belief.position_sigma > 0


@pytest.mark.parametrize("rate", [1, 10])
def test_a_robot_that_stands_becomes_no_surer(
    road: tuple[np.ndarray, np.ndarray], rate: int
) -> None:
    following, eyes = PlaceFilter(*road), Eyes(*road)
    places, similarities = eyes.look(300.0, 0.0)
    stand = Motion.between((0, 0, 0), (0, 0, 0))
    first = following.update(places, similarities, None, 0.0)
    rng = np.random.default_rng(0)
    for _ in range(20 * rate):
        noisy = similarities + 0.003 * rng.standard_normal(len(similarities))
        last = following.update(places, noisy, stand, 1.0 / rate)
    assert last.state != "localised"
    assert last.probability < first.probability + 0.25
    assert last.position_sigma > 0.7 * first.position_sigma


def test_the_very_same_picture_changes_nothing(road: tuple[np.ndarray, np.ndarray]) -> None:
    """As of a frozen driver, or of a simulation: it differs from the one before by rounding."""
    stand = Motion.between((0, 0, 0), (0, 0, 0))
    for seed in range(40):
        following, eyes = PlaceFilter(*road), Eyes(*road, seed)
        before = drive(following, eyes, along(200, 290))[-1]
        assert before.state == "localised"
        look = eyes.look(290.0, 0.0)
        for _ in range(10):
            belief = following.update(*look, stand, 0.5)
            assert np.isfinite(following._hypotheses.means).all()
            assert belief.state == "localised"
            assert error(belief, 290.0) < 5.0


def test_a_look_alike_does_not_make_the_pose_jump(road: tuple[np.ndarray, np.ndarray]) -> None:
    following, eyes = PlaceFilter(*road), Eyes(*road)
    drive(following, eyes, along(200, 290))
    eyes.twins = (98, 30)  # x = 294 looks like x = 90, and that even better
    for x in np.arange(290, 320, 2.0):
        places, similarities = eyes.look(x, 0.0)
        belief = following.update(places, similarities, Motion(2, 0, 0, 0.1, 0.01), 0.5)
        assert error(belief, x) < 5.0
        assert belief.state != "lost"


def test_what_was_localised_stays_so_until_it_is_doubted(
    road: tuple[np.ndarray, np.ndarray],
) -> None:
    settings = FilterSettings(localised=0.999, doubted=0.7)
    following, eyes = PlaceFilter(*road, settings=settings), Eyes(*road)
    before = drive(following, eyes, along(200, 290))
    entered = next(i for i, b in enumerate(before) if b.state == "localised")
    assert before[entered].probability >= 0.999
    assert any(b.probability >= 0.7 for b in before[:entered])  # which was not enough
    # The camera is carried away: what it sees speaks against the place, look by look.
    beliefs = drive(following, eyes, along(600, 700), carried=True)
    poses = zip(beliefs, np.arange(290, 390, 2.0), strict=False)
    here = [b for b, x in poses if error(b, x) < 10.0]
    assert any(0.7 <= b.probability < 0.999 for b in here[: LOOKS - 1])
    for belief in here[: LOOKS - 1]:  # afterwards nothing is seen of the place
        assert (belief.state == "localised") == (belief.probability >= 0.7)


def test_pictures_of_elsewhere_end_a_pose_that_stays_likely(
    road: tuple[np.ndarray, np.ndarray],
) -> None:
    """As in a map of few places, where one around the pose is always among the most alike."""
    following, eyes = PlaceFilter(*road), Eyes(*road)
    before = drive(following, eyes, along(200, 290))[-1]
    assert before.state == "localised"

    def look_at(x: float, lead: float) -> Belief:
        return following.update(*faded(eyes, x, lead))

    ways = iter(np.arange(290, 400, 2.0))
    for _ in range(LOOKS - 1):
        assert look_at(next(ways), 0.2).state == "localised"  # a car drives past
    assert look_at(next(ways), 1.0).state == "localised"
    beliefs = [look_at(next(ways), 0.2) for _ in range(LOOKS + 2)]
    assert [b.state for b in beliefs[LOOKS - 1 :]] == ["candidate"] * 3
    assert beliefs[-1].probability > 0.9
    assert [b.seen for b in beliefs[LOOKS - 2 :]] == [True, False, False, False]
    assert look_at(next(ways), 1.0).state == "localised"
    following.reset()
    assert look_at(next(ways), 0.2).state != "localised"


def test_a_place_that_images_show_less_than_usual_is_not_localised(
    road: tuple[np.ndarray, np.ndarray],
) -> None:
    """As where another road, which is not mapped, looks a little like a mapped one for long."""
    following, eyes = PlaceFilter(*road), Eyes(*road)
    assert drive(following, eyes, along(200, 290))[-1].state == "localised"

    def look_at(x: float, lead: float) -> Belief:
        return following.update(*faded(eyes, x, lead))

    # Carried elsewhere: there it is likely before long, but images have less of the usual lead.
    beliefs = [look_at(x, 0.3 if n % 2 else 0.6) for n, x in enumerate(np.arange(600, 660, 2.0))]
    assert beliefs[-1].probability > 0.99
    elsewhere = [b for b in beliefs if b.place > 150 and b.probability > 0.99]
    assert len(elsewhere) > 10
    assert {(b.state, b.seen) for b in elsewhere} == {("candidate", False)}
    # Once they show it as places are usually shown, some images are enough.
    assert [look_at(x, 1.0).state for x in np.arange(660, 670, 2.0)][-1] == "localised"


def test_light_that_changes_on_the_way_ends_no_pose(road: tuple[np.ndarray, np.ndarray]) -> None:
    """What is usual is learned anew where the place stays sure."""
    following, eyes = PlaceFilter(*road), Eyes(*road)
    assert drive(following, eyes, along(200, 290))[-1].state == "localised"
    beliefs = [following.update(*faded(eyes, x, 0.55)) for x in np.arange(292, 392, 2.0)]
    assert {b.state for b in beliefs} == {"localised"}


@pytest.mark.parametrize(("apart", "state"), [(2.0, "localised"), (60.0, "candidate")])
def test_what_lies_within_the_reach_of_a_place_is_one_hypothesis(
    road: tuple[np.ndarray, np.ndarray], apart: float, state: str
) -> None:
    """However narrow both are: no image of the place says which of them is right."""
    following, eyes = PlaceFilter(*road), Eyes(*road)
    means = np.zeros((2, 5))
    means[:, 0] = 90.0, 90.0 + apart
    following._hypotheses = Hypotheses(
        np.array([0.96, 0.04]),
        means,
        np.tile(0.01 * np.eye(5), (2, 1, 1)),
        np.zeros(2),
        np.ones(2),
        *np.zeros((2, 2), bool),
    )
    following._nowhere = 0.0
    places, similarities = eyes.look(90.0 + 0.5 * apart, 0.0)  # which speaks for both alike
    belief = following.update(places, similarities, Motion.between((0, 0, 0), (0, 0, 0)), 0.5)
    assert belief.state == state
    assert error(belief, 90.0) < 1.5


@pytest.mark.parametrize(("sure", "state"), [(0, "candidate"), (1, "localised")])
def test_being_sure_of_one_place_is_no_reason_to_be_sure_of_another(
    road: tuple[np.ndarray, np.ndarray], sure: int, state: str
) -> None:
    following = PlaceFilter(*road)
    means = np.zeros((2, 5))
    means[:, 0] = 90.0, 600.0
    were_sure = np.arange(2) == sure
    following._hypotheses = Hypotheses(
        np.array([0.03, 0.95]),
        means,
        np.tile(np.eye(5), (2, 1, 1)),
        np.zeros(2),
        np.ones(2),
        were_sure,
        were_sure,
    )
    belief = following.update([], [], None, 0.0)  # nothing is seen: all stays as it is
    assert error(belief, 600.0) < 1e-6
    assert belief.probability == pytest.approx(0.95)
    assert belief.state == state


def test_a_robot_that_was_carried_elsewhere_is_found_again(
    road: tuple[np.ndarray, np.ndarray],
) -> None:
    following, eyes = PlaceFilter(*road), Eyes(*road)
    assert drive(following, eyes, along(100, 180))[-1].state == "localised"
    poses = along(600, 700)
    beliefs = drive(following, eyes, poses, carried=True)
    found = [
        b.state == "localised" and error(b, x) < 10.0
        for b, (x, _, _) in zip(beliefs, poses, strict=True)
    ]
    assert any(found[:30])
    after = found.index(True)
    assert all(found[after:])


def test_a_robot_that_was_carried_elsewhere_and_stands_there_is_sought_elsewhere(
    road: tuple[np.ndarray, np.ndarray],
) -> None:
    following, eyes = PlaceFilter(*road), Eyes(*road)
    assert drive(following, eyes, along(100, 180))[-1].state == "localised"
    beliefs = stand(following, *eyes.look(600.0, 0.0), looks=120)  # for a minute
    assert all(b.state == "candidate" for b in beliefs[LOOKS - 1 : 60])
    assert error(beliefs[60], 180.0) < 10.0  # something may be in front of the camera
    assert error(beliefs[-1], 600.0) < 10.0
    assert all(b.state != "localised" for b in beliefs[LOOKS - 1 :])  # by a single view


def test_without_odometry_a_robot_that_was_carried_elsewhere_and_stands_there_is_lost(
    road: tuple[np.ndarray, np.ndarray],
) -> None:
    following, eyes = PlaceFilter(*road), Eyes(*road)
    assert drive(following, eyes, along(100, 180), odometry=False)[-1].state == "localised"
    beliefs = stand(following, *eyes.look(600.0, 0.0), looks=120, odometry=False)
    assert beliefs[-1].state == "lost"


@pytest.fixture
def covered(road: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What a lorry in front of the camera looks like."""
    rng = np.random.default_rng(1)
    return rng.choice(len(road[1]), 100, replace=False), 0.3 + 0.05 * rng.standard_normal(100)


@pytest.mark.parametrize("looks", [1, LOOKS, 20, 240, 5000])
def test_a_place_that_was_covered_while_the_camera_stood_is_known_at_once(
    road: tuple[np.ndarray, np.ndarray], covered: tuple[np.ndarray, np.ndarray], looks: int
) -> None:
    following, eyes = PlaceFilter(*road), Eyes(*road)
    assert drive(following, eyes, along(100, 200))[-1].state == "localised"
    here = eyes.look(200.0, 0.0)
    before = stand(following, *here, looks=5)[-1]
    assert before.state == "localised"
    hidden = stand(following, *covered, looks)
    if looks >= LOOKS:
        assert hidden[-1].state == ("candidate" if looks <= 20 else "lost")
    after = stand(following, *here, looks=2)
    assert [b.state for b in after] == ["localised"] * 2
    assert all(error(b, 200.0) < 5.0 for b in after)
    assert after[0].probability <= before.probability + 0.01  # it was seen before


def test_a_place_that_stands_out_less_than_others_is_known_again_too(
    road: tuple[np.ndarray, np.ndarray], covered: tuple[np.ndarray, np.ndarray]
) -> None:
    following, eyes = PlaceFilter(*road), Eyes(*road)
    assert drive(following, eyes, along(100, 200))[-1].state == "localised"
    places, similarities, _, _ = faded(eyes, 200.0, 0.66)
    before = stand(following, places, similarities, looks=5)[-1]
    assert before.state == "localised"
    assert stand(following, *covered, looks=240)[-1].state == "lost"
    after = stand(following, places, similarities, looks=1)[0]
    assert after.state == "localised"
    assert after.probability == pytest.approx(before.probability)  # all of it is given back


def test_a_camera_that_was_covered_while_it_moved_has_to_look_again(
    road: tuple[np.ndarray, np.ndarray], covered: tuple[np.ndarray, np.ndarray]
) -> None:
    following, eyes = PlaceFilter(*road), Eyes(*road)
    assert drive(following, eyes, along(100, 200))[-1].state == "localised"
    for _ in range(240):
        following.update(*covered, Motion(0.5, 0.0, 0.0, 0.02, 0.002), 0.5)
    look = eyes.look(320.0, 0.0)
    belief = stand(following, *look, looks=1)[0]
    assert belief.state == "candidate"
    assert error(belief, 320.0) < 5.0
    assert PlaceFilter(*road).update(*look, None, 0.5).state == "lost"  # it remembers all the same


def test_leaving_the_map_is_noticed(road: tuple[np.ndarray, np.ndarray]) -> None:
    following, eyes = PlaceFilter(*road), Eyes(*road)
    assert drive(following, eyes, along(200, 280))[-1].state == "localised"
    away = [(280.0, float(y), math.pi / 2) for y in np.arange(0, 200, 2.0)]
    following.update(*eyes.look(280, 0, math.pi / 2), Motion(0, 0, math.pi / 2, 0.05, 0.05), 1.0)
    beliefs = drive(following, eyes, away)
    assert all(b.state != "localised" for b in beliefs[60:])


def test_the_way_back_is_followed_by_odometry_alone(road: tuple[np.ndarray, np.ndarray]) -> None:
    # Nothing looks alike, but the place is known, and the ground is still that of the map.
    following, eyes = PlaceFilter(*road), Eyes(*road)
    drive(following, eyes, along(200, 300))
    following.update(*eyes.look(300, 0, math.pi), Motion(0, 0, math.pi, 0.05, 0.02), 1.0)
    back = [(x, 0.0, math.pi) for x, _, _ in along(270, 300)[::-1]]
    last = drive(following, eyes, back)[-1]
    assert error(last, back[-1][0]) < 8.0
    assert abs(abs(last.yaw) - math.pi) < 0.4


@pytest.mark.parametrize("motion", [Motion(500, 0, 0, 1, 0.1), Motion(math.nan, 0, 0, 1, 0.1)])
def test_odometry_that_jumps_is_not_followed(
    road: tuple[np.ndarray, np.ndarray], motion: Motion
) -> None:
    following, eyes = PlaceFilter(*road), Eyes(*road)
    drive(following, eyes, along(200, 280))
    belief = following.update(*eyes.look(280.0, 0.0), motion, 0.5)
    assert error(belief, 280.0) < 8.0
    assert drive(following, eyes, along(282, 340))[-1].state == "localised"


def test_frames_may_come_irregularly(road: tuple[np.ndarray, np.ndarray]) -> None:
    rng = np.random.default_rng(4)
    xs = 200 + np.cumsum(rng.choice([0.0, 0.3, 1.0, 6.0, 15.0], 60))
    beliefs = drive(PlaceFilter(*road), Eyes(*road), [(float(x), 0.0, 0.0) for x in xs])
    assert beliefs[-1].state == "localised"
    assert error(beliefs[-1], xs[-1]) < 5.0


def test_places_without_headings_will_do(road: tuple[np.ndarray, np.ndarray]) -> None:
    positions, headings = road
    following = PlaceFilter(positions, np.full(len(headings), np.nan))
    poses = along(200, 300)
    beliefs = drive(following, Eyes(positions, headings), poses)
    assert beliefs[-1].state == "localised"
    assert error(beliefs[-1], poses[-1][0]) < 5.0


def test_drives_that_overlap_count_once() -> None:
    positions, headings = straight(200)
    twice = np.concatenate([positions, positions + np.array([0.5, 0.5, 0.0])])
    both = np.concatenate([headings, headings])
    following = PlaceFilter(twice, both, [0, 200])
    assert following.places.distinct == pytest.approx(
        PlaceFilter(positions, headings).places.distinct, rel=0.05
    )
    poses = along(200, 300)
    beliefs = drive(following, Eyes(twice, both), poses)
    assert beliefs[-1].state == "localised"
    assert error(beliefs[-1], poses[-1][0]) < 5.0


def test_opposite_lanes_are_different_places() -> None:
    positions, headings = straight(150)
    both = np.concatenate([positions, positions[::-1] + np.array([0.0, 3.0, 0.0])])
    yaws = np.concatenate([headings, headings + math.pi])
    alone = PlaceFilter(positions, headings).places.distinct
    assert PlaceFilter(both, yaws, [0, 150]).places.distinct == pytest.approx(2 * alone, rel=0.05)


def test_the_true_position_lies_within_the_region_as_often_as_stated() -> None:
    # Winding roads, driven beside the track by what the settings say, by drifting odometry; the
    # maps are off by what they state.
    distances = []
    for seed in range(DRIVES):
        rng = np.random.default_rng(seed)
        road = winding(400.0, 1.0, seed)
        places = Track(road.positions[::4], road.headings[::4])
        camera = Camera(places.positions, places.headings, seed)
        offset = NormalDist(0.0, FilterSettings().beside).inv_cdf((seed + rng.random()) / DRIVES)
        driven = beside(road, offset)
        frames = slice(120, 200, 2)
        positions, headings = driven.positions[frames], driven.headings[frames]
        odometry = drifting(positions, headings, seed)
        mapped = places.positions + np.append(rng.normal(0.0, 0.5, 2), 0.0)
        sigmas = np.full(len(mapped), 0.5)
        following = PlaceFilter(mapped, places.headings, position_sigmas=sigmas)
        for frame, (position, heading) in enumerate(zip(positions, headings, strict=True)):
            motion = Motion.between(odometry[frame - 1], odometry[frame]) if frame else None
            belief = following.update(*camera.look(position, heading, 2.0), motion, 0.5)
            if belief.state == "localised":
                off = (belief.position - position)[:2]
                distances.append(off @ np.linalg.solve(belief.covariance[:2, :2], off))
    assert len(distances) > 20 * DRIVES
    # Chi-squared with two degrees of freedom: regions of 95 and of 50 %.
    assert 0.90 <= np.mean(np.array(distances) < 5.991) <= 0.99
    assert 0.40 <= np.mean(np.array(distances) < 1.386) <= 0.65


@pytest.mark.parametrize("scale", [0.9, 1.1])
def test_odometry_that_measures_all_ways_wrong_is_seen_through(
    road: tuple[np.ndarray, np.ndarray], scale: float
) -> None:
    following, eyes = PlaceFilter(*road), Eyes(*road)
    poses = along(100, 400, 3.0)
    step = Motion(3.0 * scale, 0.0, 0.0, 0.1, 0.01)
    for x, y, yaw in poses:
        belief = following.update(*eyes.look(x, y, yaw), step, 0.5)
    x = poses[-1][0]
    assert error(belief, x) < 2.0
    for _ in range(20):  # 60 m without an image that shows anything
        belief = following.update([], [], step, 0.5)
        x += 3.0
    assert error(belief, x) < 60.0 * 0.1


def test_after_a_reset_it_knows_nothing(road: tuple[np.ndarray, np.ndarray]) -> None:
    following, eyes = PlaceFilter(*road), Eyes(*road)
    drive(following, eyes, along(200, 280))
    following.reset()
    belief = following.update([], [], None, 0.0)
    assert (belief.state, belief.probability, belief.place) == ("lost", 0.0, -1)
    assert math.isnan(belief.position_sigma)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_tiny_maps_do_not_break_it(count: int) -> None:
    positions, headings = straight(count)
    for belief in drive(PlaceFilter(positions, headings), Eyes(positions, headings), along(0, 20)):
        assert np.isfinite(belief.position).all()
        assert 0 <= belief.place < count


def test_an_empty_map_has_no_answer() -> None:
    following = PlaceFilter(np.zeros((0, 3)), np.zeros(0), [])
    assert following.update([], [], None, 0.1).state == "lost"


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    positions, headings = straight(5)
    with pytest.raises(ValueError, match="4 headings for 5 positions"):
        PlaceFilter(positions, headings[:4])
    with pytest.raises(ValueError, match="3 sigmas for 5 places"):
        PlaceFilter(positions, headings, position_sigmas=np.ones(3))
    with pytest.raises(ValueError, match="in a map of 5 places"):
        PlaceFilter(positions, headings, [0, 7])


@pytest.mark.parametrize(
    "wrong",
    [
        {"localised": 1.0},
        {"doubted": 0.995},
        {"candidate": 0.95},
        {"widest": 0.0},
        {"kidnapped": 0.0},
        {"speed": -1.0},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FilterSettings(**wrong)
