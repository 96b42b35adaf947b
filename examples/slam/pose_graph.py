"""The pose graph: odometry between keyframes, and what closures say of two that are far apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from examples.slam.constraint import Constraint
from examples.slam.errors import SlamError
from examples.slam.track import Poses, between


@dataclass(frozen=True)
class OdometryNoise:
    """Standard deviations of the odometry between two keyframes; they grow with their distance.

    Odometry errs to the same side all along, but a graph takes the errors of its edges to be drawn
    one by one. So these are larger than what an edge errs: such that, added up in squares over a
    few hundred metres, they cover what really adds up.

    Attributes:
        position: metres after one metre.
        yaw: radians after one metre.
    """

    position: float = 0.1
    yaw: float = math.radians(1.0)


class LoopEdge(NamedTuple):
    """A closure in the graph: numbers of its keyframes, and what it says of them."""

    match: int
    query: int
    constraint: Constraint


class Solution(NamedTuple):
    """The most likely poses.

    poses: [N, 3], the first one as odometry has it. weights: [E], of each closure, from 1 for what
    fits to 0 for what was thrown out.
    """

    poses: Poses
    weights: NDArray[np.float64]


class PoseGraph:
    """Poses of N keyframes, tied by odometry from each to the next and by E closures.

    Closures are wrong now and then, and one wrong edge is enough to fold a track. So they are
    weighed while the graph is solved, by graduated non-convexity (Yang et al. 2020): first all
    count, then less and less what the others contradict, until each is in or out. Odometry is
    always in.
    """

    def __init__(
        self, odometry: ArrayLike, closures: Sequence[LoopEdge], noise: OdometryNoise | None = None
    ) -> None:
        """odometry: [N, 3], at least one. Raises SlamError where gtsam is not installed."""
        self._odometry = np.asarray(odometry, float)
        self._gtsam = installed()
        self._graph = self._gtsam.NonlinearFactorGraph()
        self._add_odometry(noise or OdometryNoise())
        self._known = self._graph.size()
        for match, query, constraint in closures:
            self._add(match, query, constraint.step, constraint.covariance)

    def _add_odometry(self, noise: OdometryNoise) -> None:
        gtsam = self._gtsam
        # Something must say where the track begins; closures only say how its parts lie together.
        anchor = gtsam.noiseModel.Diagonal.Sigmas(np.array([1e-3, 1e-3, 1e-4]))
        self._graph.add(gtsam.PriorFactorPose2(0, gtsam.Pose2(*self._odometry[0]), anchor))
        steps = between(self._odometry[:-1], self._odometry[1:])
        for number, step in enumerate(steps):
            # A robot that stands or turns on the spot has an error, too.
            root = math.sqrt(max(float(np.hypot(*step[:2])), 0.1))
            sigmas = root * np.array([noise.position, noise.position, noise.yaw])
            self._add(number, number + 1, step, np.diag(sigmas**2))

    def _add(
        self, first: int, second: int, step: NDArray[np.float64], covariance: NDArray[np.float64]
    ) -> None:
        gtsam = self._gtsam
        model = gtsam.noiseModel.Gaussian.Covariance(covariance)
        self._graph.add(gtsam.BetweenFactorPose2(first, second, gtsam.Pose2(*step), model))

    def solve(self) -> Solution:
        """Return the most likely poses, from odometry on."""
        gtsam = self._gtsam
        if self._graph.size() == self._known:
            return Solution(self._odometry.copy(), np.empty(0))
        settings = gtsam.GncLMParams()
        settings.setKnownInliers(list(range(self._known)))
        optimiser = gtsam.GncLMOptimizer(self._graph, self._start(), settings)
        values = optimiser.optimize()
        poses = np.array(
            [
                (pose.x(), pose.y(), pose.theta())
                for pose in (values.atPose2(number) for number in range(len(self._odometry)))
            ]
        )
        return Solution(poses, np.asarray(optimiser.getWeights())[self._known :])

    def write(self, path: Path) -> None:
        """Write the graph as it is before it is solved as a g2o file: vertices and edges SE2."""
        self._gtsam.writeG2o(self._graph, self._start(), str(path))

    def _start(self) -> Any:
        values = self._gtsam.Values()
        for number, pose in enumerate(self._odometry):
            values.insert(number, self._gtsam.Pose2(*pose))
        return values


def installed() -> Any:
    """Return gtsam; raises SlamError where it is not installed."""
    try:
        import gtsam
    except ImportError as error:
        raise SlamError(
            f"this example needs gtsam ({error}): pip install 'gtsam>=4.2.1'"
        ) from error
    return gtsam
