from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest

from examples.slam.accuracy import accuracy
from examples.slam.constraint import constraint
from examples.slam.drift import DriftModel, drifted
from examples.slam.errors import SlamError
from examples.slam.pose_graph import LoopEdge, PoseGraph
from examples.slam.track import Track

RADIUS, SPACING, LAP = 40.0, 4.0, 63  # metres, metres, keyframes


def truth() -> np.ndarray:
    turn = np.arange(2 * LAP) * SPACING / RADIUS
    return np.column_stack([RADIUS * np.cos(turn), RADIUS * np.sin(turn), turn + np.pi / 2])


def odometry(seed: int) -> np.ndarray:
    poses = truth()
    stamps = (np.arange(len(poses)) * 1e9).astype(np.int64)
    return drifted(Track(stamps, poses), DriftModel().times(2), seed).poses


def same_place(match: int, query: int) -> LoopEdge:
    return LoopEdge(match, query, constraint({"verification": {}}))


RIGHT = [same_place(number, number + LAP) for number in range(5, LAP, 5)]


@pytest.fixture(autouse=True)
def _gtsam() -> None:
    pytest.importorskip("gtsam")


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_closures_take_most_of_the_error_away(seed: int) -> None:
    before = accuracy(odometry(seed), truth())
    solution = PoseGraph(odometry(seed), RIGHT).solve()
    after = accuracy(solution.poses, truth())
    assert after.rms < 0.5 * before.rms
    assert (solution.weights > 0.5).all()


@pytest.mark.parametrize("wrong", [1, 5])
def test_false_closures_are_thrown_out(wrong: int) -> None:
    false = [same_place(3 + 4 * n, 95 + 2 * n) for n in range(wrong)]
    solution = PoseGraph(odometry(1), [*RIGHT, *false]).solve()
    clean = PoseGraph(odometry(1), RIGHT).solve()
    assert (solution.weights[: len(RIGHT)] > 0.5).all()
    assert (solution.weights[len(RIGHT) :] < 0.5).all()
    assert np.abs(solution.poses - clean.poses).max() < 0.1


def test_a_false_closure_counted_like_a_right_one_would_ruin_the_track() -> None:
    # What the weighing is for: the same graph, solved without it.
    import gtsam

    false = same_place(10, 10 + LAP // 2)
    graph = PoseGraph(odometry(1), [*RIGHT, *[false] * 5])
    values = gtsam.LevenbergMarquardtOptimizer(graph._graph, graph._start()).optimize()
    poses = np.array(
        [[p.x(), p.y(), p.theta()] for p in (values.atPose2(n) for n in range(2 * LAP))]
    )
    weighed = accuracy(graph.solve().poses, truth()).rms
    assert accuracy(poses, truth()).rms > 3 * weighed


def test_without_closures_odometry_stays() -> None:
    solution = PoseGraph(odometry(2), []).solve()
    assert np.array_equal(solution.poses, odometry(2))
    assert not len(solution.weights)


def test_the_file_holds_the_graph(tmp_path: Path) -> None:
    PoseGraph(odometry(0), RIGHT).write(tmp_path / "graph.g2o")
    lines = [line.split() for line in (tmp_path / "graph.g2o").read_text().splitlines()]
    vertices = np.array([line[1:] for line in lines if line[0] == "VERTEX_SE2"], float)
    assert np.allclose(vertices[:, 1:3], odometry(0)[:, :2], atol=1e-3)
    edges = [line for line in lines if line[0] == "EDGE_SE2"]
    assert len(edges) == 2 * LAP - 1 + len(RIGHT)
    last = np.array(edges[-1][1:], float)
    assert last[:2].tolist() == [RIGHT[-1].match, RIGHT[-1].query]
    information = np.linalg.inv(RIGHT[-1].constraint.covariance)
    assert np.allclose(last[5:], information[np.triu_indices(3)], rtol=1e-4)


def test_without_gtsam_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: object, **options: object) -> object:
        if name == "gtsam":
            raise ImportError("No module named 'gtsam'")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SlamError, match="pip install 'gtsam"):
        PoseGraph(odometry(0), [])
