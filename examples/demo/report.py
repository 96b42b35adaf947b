"""How well the node did: errors, recall, times, in a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.demo.answers import Answer, Replay
from examples.demo.truth import Truth
from selavpr_core.evaluation import positives_within, recall_at
from selavpr_core.place_map import PlaceMap

RADIUS = 10.0  # metres within which a place counts as found
RANKS = (1, 5)
STAGES = ("decode", "describe", "hamming", "reranking", "exhaustive", "estimate", "publish",
          "whole frame")  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One query frame: the node's answer, where it was taken, and how far off the pose is (m)."""

    answer: Answer
    truth: NDArray[np.float64] | None  # [2]
    error: float | None


@dataclass(frozen=True)
class Report:
    """What the demo found out.

    recall: share of the queries with a place within RADIUS for which one of the first N candidates
    lies there; counted: how many queries those are. chance: recall@1 of a random place.
    nearest: median distance in metres from a query to the nearest place of the map: poses are
    those of places, so errors cannot be smaller.
    """

    rows: tuple[Row, ...]
    recall: dict[int, float]
    counted: int
    chance: float
    nearest: float
    stages: dict[str, tuple[float, float]]
    round_trip: float  # median, seconds

    @classmethod
    def of(cls, replay: Replay, truth: Truth, place_map: PlaceMap) -> Report:
        """Hold the answers against the truth."""
        rows = []
        for answer in replay.answers:
            taken = truth.at(answer.stamp)
            error = None
            if taken is not None and answer.position is not None:
                error = float(np.hypot(*(np.asarray(answer.position[:2]) - taken)))
            rows.append(Row(answer, taken, error))
        located = [row for row in rows if row.truth is not None]
        queries = np.array([row.truth for row in located], float).reshape(-1, 2)
        positives = positives_within(queries, place_map.positions, RADIUS)
        # A frame without a pose was not recognised, whatever its candidates were.
        rankings = [row.answer.places if row.answer.position is not None else () for row in located]
        shares = [len(right) / len(place_map) for right in positives if len(right)]
        return cls(
            rows=tuple(rows),
            recall=recall_at(rankings, positives, RANKS, count_without_positives=False),
            counted=len(shares),
            chance=float(np.mean(shares)) if shares else float("nan"),
            nearest=_nearest(queries, place_map.positions),
            stages={name: replay.latencies[name] for name in STAGES if name in replay.latencies},
            round_trip=float(np.median([row.answer.seconds for row in rows])) if rows else 0.0,
        )

    @property
    def poses(self) -> int:
        """How many frames were answered by a pose."""
        return sum(row.answer.position is not None for row in self.rows)

    @property
    def answered(self) -> float:
        """The share of frames that were answered by a pose."""
        return self.poses / len(self.rows) if self.rows else 0.0

    @property
    def errors(self) -> NDArray[np.float64]:
        """Errors in metres, ascending, of the poses of which the truth is known."""
        return np.sort(np.array([row.error for row in self.rows if row.error is not None], float))

    @property
    def wrong(self) -> int:
        """How many of these poses are more than RADIUS off."""
        return int((self.errors > RADIUS).sum())

    def error_within(self, share: float) -> float:
        """Return the error in metres that this share of the poses stays within; NaN of none."""
        return float(np.quantile(self.errors, share)) if len(self.errors) else float("nan")

    def table(self) -> Iterator[str]:
        """A line for each query frame."""
        yield " frame    time s   taken at x, y m     pose at x, y m    error m  similarity   place"
        start = self.rows[0].answer.stamp if self.rows else 0
        for number, row in enumerate(self.rows):
            answer = row.answer
            taken = _point(row.truth) if row.truth is not None else "unknown".center(19)
            pose = _point(answer.position) if answer.position else answer.outcome.center(19)
            error = f"{row.error:7.1f}" if row.error is not None else "      -"
            similarity = f"{answer.similarities[0]:.4f}" if answer.similarities else "     -"
            place = str(answer.places[0]) if answer.places else "-"
            seconds = 1e-9 * (answer.stamp - start)
            yield (
                f"{number:6d} {seconds:9.1f} {taken} {pose}   {error}    {similarity} {place:>7}"
            )

    def summary(self) -> Iterator[str]:
        """The figures in words, a line each."""
        names = list(self.stages)
        yield "stage times, ms   " + "".join(f"{name:>13}" for name in names)
        for row, label in enumerate(("mean", "longest")):
            figures = "".join(f"{1e3 * self.stages[name][row]:13.1f}" for name in names)
            yield f"{label:<18}{figures}"
        yield ""
        for what, found in self._findings():
            yield f"{what:<28}{found}"

    def _findings(self) -> Iterator[tuple[str, str]]:
        """What a newcomer wants to know, and the figure."""
        frames, known, wrong = len(self.rows), len(self.errors), self.wrong
        median, most = (metres(self.error_within(part)) for part in (0.5, 0.95))
        yield "poses published", f"{self.poses} of {frames} frames, each from its image alone"
        if known:
            right = share(1 - wrong / known)
            yield f"right, up to {RADIUS:.0f} m off", f"{known - wrong} of {known} poses, {right}"
            farthest = f"; the farthest {metres(self.errors[-1])} off" if wrong else ""
            yield "wrong, farther off", f"{wrong} of {known} poses{farthest}"
            yield "error of the poses", f"median {median}, 95 % within {most}"
        yield "nearest place of the map", f"{metres(self.nearest)} from a frame, median"
        for n, value in self.recall.items():
            chance = f"; a random place: {share(self.chance)}" if n == 1 else ""
            found = f"{share(value)} of {self.counted} frames with a place that near{chance}"
            yield f"recall@{n} within {RADIUS:.0f} m", found
        round_trip = f"{1e3 * self.round_trip:.0f} ms, median, from process to process"
        yield "from image to answer", round_trip

    def to_json(self) -> dict[str, Any]:
        """Everything as a dictionary that json can write."""
        return {
            "recall": {str(n): _finite(value) for n, value in self.recall.items()},
            "radius": RADIUS,
            "queries_with_a_place_in_radius": self.counted,
            "chance_recall_at_1": _finite(self.chance),
            "answered": self.answered,
            "poses": self.poses,
            "poses_with_known_error": len(self.errors),
            "wrong_poses": self.wrong,
            "median_error": _finite(self.error_within(0.5)),
            "error_95": _finite(self.error_within(0.95)),
            "largest_error": _finite(self.error_within(1.0)),
            "nearest_place": _finite(self.nearest),
            "round_trip_seconds": self.round_trip,
            "stage_seconds": {
                name: {"mean": mean, "longest": longest}
                for name, (mean, longest) in self.stages.items()
            },
            "frames": [
                {
                    "stamp": row.answer.stamp,
                    "outcome": row.answer.outcome,
                    "truth": None if row.truth is None else row.truth.tolist(),
                    "position": row.answer.position,
                    "yaw": row.answer.yaw,
                    "sigma": row.answer.sigma,
                    "error": row.error,
                    "places": row.answer.places,
                    "similarities": row.answer.similarities,
                }
                for row in self.rows
            ],
        }


def share(value: float) -> str:
    """A share of 1 in per cent."""
    return f"{100 * value:.0f} %" if np.isfinite(value) else "an unknown share"


def metres(value: float) -> str:
    """A length in metres."""
    return f"{value:.1f} m" if np.isfinite(value) else "unknown"


def _nearest(queries: NDArray[np.float64], places: NDArray[np.float64]) -> float:
    """Median distance in metres from queries [Q, 2] to the nearest of places [N, 2 | 3]."""
    if not len(queries):
        return float("nan")
    nearest = [np.hypot(*(places[:, :2] - query).T).min() for query in queries]
    return float(np.median(nearest))


def _point(position: Sequence[float] | NDArray[np.float64]) -> str:
    return f"{position[0]:9.1f} {position[1]:9.1f}"


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
