from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from examples.demo import picture
from examples.demo.answers import Answer, Replay, latencies
from examples.demo.illustration import telling
from examples.demo.report import RADIUS, Report
from selavpr_ros.nodes.camera.timing import Latency, describe_latency

PLACES = np.array([[20.0 * number, 0.0, 0.0] for number in range(8)])


class Line:
    """A truth that moves along x by a metre a second; it knows nothing before second 2."""

    def at(self, stamp: int):
        seconds = stamp / 1e9
        return None if seconds < 2 else np.array([seconds, 1.0])


class Map(SimpleNamespace):
    def __len__(self):
        return len(self.positions)


def answer(second: int, places=(), position=None, outcome="localised") -> Answer:
    similarities = tuple(0.9 - 0.1 * rank for rank in range(len(places)))
    return Answer(
        second * 1_000_000_000, outcome, 0.05, position, 0.0 if position else None,
        1.0 if position else None, tuple(places), similarities,
    )  # fmt: skip


ANSWERS = (
    answer(0, [0, 1], (0.0, 0.0, 0.0)),  # nobody knows where this was
    answer(21, [1, 2, 3], (20.0, 0.0, 0.0)),  # right
    answer(40, [5, 4, 3, 2, 0], (100.0, 0.0, 0.0)),  # right at rank 4
    answer(61, [0, 1, 2, 4, 5], (0.0, 0.0, 0.0)),  # wrong
    answer(80, [4], None, "not in the map"),
    answer(90, (), None, "undecodable"),  # 10 m from the place at 80 and from that at 100
    answer(400, [7], (140.0, 0.0, 0.0)),  # no place near
)


@pytest.fixture
def report() -> Report:
    replay = Replay(ANSWERS, {"describe": (0.05, 0.07), "a new stage": (1.0, 1.0)}, {})
    return Report.of(replay, Line(), Map(positions=PLACES))


def test_the_only_stage_of_mode_float_is_shown():
    replay = Replay(ANSWERS, {"exhaustive": (0.001, 0.002)}, {})
    report = Report.of(replay, Line(), Map(positions=PLACES))
    assert "exhaustive" in next(report.summary())


def test_figures_equal_plain_loops(report):
    errors, first, fifth, counted, chances = [], 0, 0, 0, []
    for given in ANSWERS:
        truth = Line().at(given.stamp)
        if truth is None:
            continue
        if given.position is not None:
            errors.append(math.dist(given.position[:2], truth))
        near = [n for n, place in enumerate(PLACES) if math.dist(place[:2], truth) <= RADIUS]
        if not near:
            continue
        counted += 1
        chances.append(len(near) / len(PLACES))
        found = list(given.places) if given.position is not None else []
        first += bool(set(found[:1]) & set(near))
        fifth += bool(set(found[:5]) & set(near))
    assert report.counted == counted == 4
    assert report.recall == {1: first / counted, 5: fifth / counted} == {1: 0.25, 5: 0.5}
    assert report.chance == pytest.approx(np.mean(chances))
    errors.sort()
    assert report.errors.tolist() == pytest.approx(errors)
    assert report.error_within(0.5) == pytest.approx((errors[1] + errors[2]) / 2)
    # Between the last two of four: 0.95 of three steps is 2.85.
    assert report.error_within(0.95) == pytest.approx(0.85 * errors[3] + 0.15 * errors[2])
    assert report.wrong == sum(error > RADIUS for error in errors) == 3
    assert report.poses == 5
    assert report.answered == 5 / 7
    taken = [Line().at(given.stamp) for given in ANSWERS]
    nearest = [
        min(math.dist(place[:2], truth) for place in PLACES) for truth in taken if truth is not None
    ]
    assert report.nearest == pytest.approx(np.median(nearest))
    assert [row.error is None for row in report.rows] == [True, *[False] * 3, True, True, False]


def test_the_table_has_a_line_for_each_frame_and_says_what_is_missing(report):
    head, *lines = report.table()
    assert len(lines) == len(ANSWERS)
    assert "error m" in head
    assert "unknown" in lines[0]
    assert "not in the map" in lines[4]
    assert "undecodable" in lines[5]
    assert lines[1].split()[:3] == ["1", "21.0", "21.0"]


def test_the_summary_names_recall_chance_times_and_errors(report):
    text = "\n".join(report.summary())
    for line in (
        "poses published             5 of 7 frames",
        "right, up to 10 m off       1 of 4 poses, 25 %",
        "wrong, farther off          3 of 4 poses; the farthest 260.0 m off",
        "error of the poses          median 60.5 m, 95 % within 230.",
        "nearest place of the map    1.4 m from a frame, median",
        "recall@1 within 10 m        25 % of 4 frames",
    ):
        assert line in text
    assert "50.0" in text
    assert "70.0" in text


def test_no_pose_is_called_wrong_where_all_are_right():
    report = Report.of(Replay(ANSWERS[1:2], {}, {}), Line(), Map(positions=PLACES))
    text = "\n".join(report.summary())
    assert "right, up to 10 m off       1 of 1 poses, 100 %" in text
    assert "wrong, farther off          0 of 1 poses\n" in text


def test_json_has_all_of_it(report):
    stored = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert stored["recall"] == {"1": 0.25, "5": 0.5}
    assert [frame["outcome"] for frame in stored["frames"]] == [a.outcome for a in ANSWERS]
    assert stored["stage_seconds"] == {"describe": {"mean": 0.05, "longest": 0.07}}
    assert (stored["poses"], stored["poses_with_known_error"], stored["wrong_poses"]) == (5, 4, 3)
    assert stored["median_error"] <= stored["error_95"] <= stored["largest_error"]


def test_without_any_answer_figures_are_unknown_not_nan():
    replay = Replay((answer(0, (), None, "no answer"),), {}, {})
    report = Report.of(replay, Line(), Map(positions=PLACES))
    assert "nan" not in "\n".join([*report.table(), *report.summary()])
    json.dumps(report.to_json(), allow_nan=False)
    assert telling(report) == []


def test_the_nodes_own_words_for_latencies_are_understood():
    latency = Latency()
    for seconds in (0.010, 0.020, 0.060):
        latency.add(seconds)
    words = describe_latency(latency.summary())
    assert latencies({"latency describe": words, "state": "active", "image rate": "1.0 Hz"}) == {
        "describe": (pytest.approx(0.030), pytest.approx(0.060))
    }


def test_the_best_the_middle_and_the_worst_pose_are_shown(report):
    errors = [row.error for row in telling(report)]
    everything = sorted(row.error for row in report.rows if row.error is not None)
    assert errors == [everything[0], everything[2], everything[-1]]


def region(drawn: np.ndarray, part: tuple[int, int, int, int]) -> np.ndarray:
    left, top, right, bottom = part
    return drawn[top:bottom, left:right]


def has(drawn: np.ndarray, colour) -> int:
    return int((np.abs(drawn.astype(int) - colour).max(axis=2) < 12).sum())


def draw(report: Report, pairs=(), north_up=True) -> np.ndarray:
    line = np.array([[21.0, 1.0], [80.0, 1.0], [150.0, 1.0]])
    return picture.draw(report, PLACES, line, pairs, "title", "subtitle", north_up)


def test_matches_are_drawn_in_the_colour_of_their_error(report):
    drawn = draw(report)
    assert drawn.shape == (picture.HEIGHT, picture.WIDTH, 3)
    left, top, right, bottom = picture._PLAN
    plan = region(drawn, (left, top, right, bottom - 45))  # without the legend
    assert has(plan, picture.colour_of(1.4)) > 20  # the right one
    assert has(plan, picture.colour_of(60.0)) > 500  # long lines to wrong places
    assert has(plan, picture.colour_of(15.0)) == 0  # there is none of those
    assert has(plan, picture._QUERY) > 300
    assert has(plan, picture._MAP) > 100


def test_north_is_shown_only_where_it_is_known(report):
    difference = np.abs(draw(report).astype(int) - draw(report, north_up=False)).sum(axis=2)
    rows, columns = np.nonzero(difference)
    _, _, right, bottom = picture._PLAN
    assert len(rows) > 100
    assert columns.min() > right - 60
    assert rows.min() > bottom - 140


def test_the_legend_counts_frames_without_a_pose_where_there_are_any(report):
    right = Report.of(Replay(ANSWERS[1:2], {}, {}), Line(), Map(positions=PLACES))
    left, _, _, bottom = picture._PLAN
    # Over the legend's row, beside the scale bar.
    part = (left + 400, bottom - 75, left + 560, bottom - 45)
    assert has(region(draw(report), part), picture._INK) > 20
    assert has(region(draw(right), part), picture._INK) == 0


def test_pairs_are_shown_side_by_side(report):
    red, green = (np.full((60, 80, 3), colour, np.uint8) for colour in ((250, 0, 0), (0, 250, 0)))
    drawn = draw(report, [(telling(report)[0], red, green)])
    reds = np.argwhere((drawn == (250, 0, 0)).all(axis=2))
    greens = np.argwhere((drawn == (0, 250, 0)).all(axis=2))
    assert len(reds) == pytest.approx(len(greens), rel=0.05)
    assert reds[:, 1].max() < greens[:, 1].min()
    assert reds[:, 0].mean() == pytest.approx(greens[:, 0].mean(), abs=2)


@pytest.mark.parametrize(("error", "index"), [(0.0, 0), (5.0, 0), (5.1, 1), (25.0, 2), (1e6, 3)])
def test_colours_by_error(error, index):
    assert picture.colour_of(error) == picture._SCALE[index][1]
