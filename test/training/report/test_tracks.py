from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from test.training.report.sample import QUERIES
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import EvaluationResult, ModeResult
from training.report.tracks import TrackMap, Tracks, draw_tracks


@pytest.fixture
def mode(result: EvaluationResult) -> ModeResult:
    return result.modes["two-stage"]


def drawn(mode: ModeResult, evaluation_set: EvaluationSet) -> Tracks:
    tracks = draw_tracks(mode, evaluation_set)
    assert tracks is not None
    return tracks


def parts(track_map: TrackMap, name: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(track_map.drawing)
    return [e for e in root.iter() if e.get("class") == name]


def numbers(text: str | None) -> NDArray[np.float64]:
    return np.array(re.findall(r"-?[\d.]+", text or ""), float)


def test_lines_lead_from_queries_to_their_matches(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    (only,) = drawn(mode, evaluation_set).maps
    wrong = parts(only, "match wrong")
    assert len(wrong) == 5
    assert len(parts(only, "match right")) == 7
    assert evaluation_set.query_positions is not None
    assert evaluation_set.database_positions is not None
    # The lengths on the drawing are those in metres, on one scale; y grows downwards.
    ends = np.array([numbers(line.get("d")) for line in wrong]).reshape(-1, 2, 2)
    queries = np.flatnonzero(mode.rankings[:, 0] // 2 != np.arange(QUERIES))
    metres = (
        evaluation_set.database_positions[mode.rankings[queries, 0]]
        - evaluation_set.query_positions[queries]
    )
    bar = numbers(parts(only, "scale-bar")[0].get("d")).reshape(-1, 2)
    words = next(e.text for e in parts(only, "tick"))
    scale = (bar[:, 0].max() - bar[:, 0].min()) / float((words or "").split()[0])
    assert ends[:, 1] - ends[:, 0] == pytest.approx(metres * [scale, -scale], abs=0.03)


@pytest.mark.parametrize("shape", [(1.0, 1.0), (20.0, 1.0), (1.0, 20.0), (0.01, 0.01)])
def test_everything_lies_within_the_drawing(
    mode: ModeResult, evaluation_set: EvaluationSet, shape: tuple[float, float]
) -> None:
    assert evaluation_set.query_positions is not None
    assert evaluation_set.database_positions is not None
    stretched = replace(
        evaluation_set,
        database_positions=evaluation_set.database_positions * shape,
        query_positions=evaluation_set.query_positions * shape,
    )
    (only,) = drawn(mode, stretched).maps
    _, _, width, height = numbers(ElementTree.fromstring(only.drawing).get("viewBox"))
    assert width <= 960
    assert height <= 700
    for name in ("match right", "match wrong", "scale-bar"):
        for line in parts(only, name):
            points = numbers(line.get("d")).reshape(-1, 2)
            assert points.min() >= 0
            assert (points <= [width, height]).all()


def test_names_and_distances_are_in_the_tooltips(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    (only,) = drawn(mode, evaluation_set).maps
    title = parts(only, "query wrong")[0].find("title")
    assert title is not None
    assert title.text == "query query2.png: wrong, place6.jpg, 9 m away"
    assert only.caption == "30 places; 12 queries: 7 matched right, 5 wrong."


def test_cities_far_apart_have_maps_of_their_own(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    assert evaluation_set.query_positions is not None
    assert evaluation_set.database_positions is not None
    places, queries = (
        evaluation_set.database_positions.copy(), evaluation_set.query_positions.copy()
    )  # fmt: skip
    places[16:] += [80_000, 3_000]
    queries[8:] += [80_000, 3_000]
    rankings = mode.rankings.copy()
    rankings[0, 0] = 29  # in the other city
    apart = replace(evaluation_set, database_positions=places, query_positions=queries)
    tracks = drawn(replace(mode, rankings=rankings), apart)
    assert [re.findall(r"\d+ (?:places|queries)", m.caption) for m in tracks.maps] == [
        ["16 places", "8 queries"], ["14 places", "4 queries"],
    ]  # fmt: skip
    assert "1 of the matches lie outside" in tracks.maps[0].caption


def test_queries_without_a_position_are_counted(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    assert evaluation_set.query_positions is not None
    queries = evaluation_set.query_positions.copy()
    queries[:3] = np.nan
    tracks = drawn(mode, replace(evaluation_set, query_positions=queries))
    assert tracks.note.startswith("3 queries without a position")
    assert "nan" not in tracks.maps[0].drawing
    queries[:] = np.nan
    assert draw_tracks(mode, replace(evaluation_set, query_positions=queries)) is None
    assert draw_tracks(mode, replace(evaluation_set, query_positions=None)) is None


def test_a_match_without_a_position_has_no_line(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    assert evaluation_set.database_positions is not None
    places = evaluation_set.database_positions.copy()
    places[0] = np.nan  # the match of query 0
    (only,) = drawn(mode, replace(evaluation_set, database_positions=places)).maps
    assert len(parts(only, "match right")) == 6
    assert "nan" not in only.drawing


def test_one_place_and_one_query_at_the_same_spot(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    spot = replace(
        evaluation_set,
        database_positions=np.zeros((30, 2)), query_positions=np.zeros((QUERIES, 2)),
    )  # fmt: skip
    (only,) = drawn(mode, spot).maps
    assert "nan" not in only.drawing
    assert len(parts(only, "query right")) == 7


@pytest.mark.filterwarnings("error")
def test_a_query_far_from_everything_has_a_map_of_its_own(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    assert evaluation_set.query_positions is not None
    queries = evaluation_set.query_positions.copy()
    queries[0] += 1e6
    tracks = drawn(mode, replace(evaluation_set, query_positions=queries))
    assert len(tracks.maps) == 2
    assert tracks.maps[1].caption.startswith("0 places; 1 queries")
    assert "nan" not in tracks.maps[1].drawing


def test_a_straight_line_is_drawn_as_match_over_query(
    mode: ModeResult, evaluation_set: EvaluationSet
) -> None:
    along = np.stack([np.zeros(30), 100.0 * np.arange(30)], axis=1)
    railway = replace(
        evaluation_set, database_positions=along, query_positions=along[: 2 * QUERIES : 2]
    )
    (only,) = drawn(mode, railway).maps
    assert "on one straight line" in only.caption
    right = np.array([[float(e.get("cx", "nan")), float(e.get("cy", "nan"))]
                      for e in parts(only, "query right")])  # fmt: skip
    assert len(right) == 7
    assert right[:, 0] + right[:, 1] == pytest.approx(66 + 500, abs=0.05), "on the diagonal"
    wrong = np.array([numbers(e.get("transform")) for e in parts(only, "query wrong")])
    # Every wrong match lies two places, 200 m of 2900 m, farther on.
    assert 566 - wrong.sum(axis=1) == pytest.approx(200 / 2900 * 470, abs=0.05)
