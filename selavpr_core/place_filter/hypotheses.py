"""Weighted Gaussians over planar poses, speeds and the scale of odometry: moved and merged."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selavpr_core.place_filter.motion import Motion

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


STEADY = 10.0  # s within which a speed is forgotten
TURN = 0.3  # rad in the first second, one sigma, where no odometry says how the camera turned
SLOPE = 0.1  # of the ground, one sigma
STATES = 5  # x, y, yaw, speed, scale
SCALE = 0.03  # one sigma of the share by which all ways of odometry are too short
SCALE_LASTS = 300.0  # m over which that share stays about the same


def wrapped(angles: Array) -> Array:
    """Angles in radians, moved by whole turns into [-pi, pi]."""
    turned: Array = (angles + np.pi) % (2.0 * np.pi) - np.pi
    return turned


@dataclass
class Hypotheses:
    """Where the camera may be.

    weights: `[H]`. means: `[H, 5]` of x, y (metres), yaw (radians), the speed ahead (m/s), which
    takes the place of odometry where there is none, and the share by which the ways of odometry are
    too short: such an error lasts, and what it adds up to is no noise. covariances: `[H, 5, 5]`.
    heights: `[H]` metres; their variances: `[H]`. sure: `[H]`, which was as good as certain once
    and has not been refuted since. followed: `[H]`, which was the likeliest at the last look.
    """

    weights: Array
    means: Array
    covariances: Array
    heights: Array
    height_variances: Array
    sure: NDArray[np.bool_]
    followed: NDArray[np.bool_]

    @classmethod
    def none(cls) -> Hypotheses:
        """No hypothesis."""
        means, covariances = np.zeros((0, STATES)), np.zeros((0, STATES, STATES))
        none, never = np.zeros(0), np.zeros(0, np.bool_)
        return cls(none, means, covariances, none, none, never, never)

    def __len__(self) -> int:
        return len(self.weights)

    def only(self, wanted: NDArray[np.bool_] | Indices) -> Hypotheses:
        """Return those that are wanted, by number or mask."""
        return Hypotheses(
            self.weights[wanted],
            self.means[wanted],
            self.covariances[wanted],
            self.heights[wanted],
            self.height_variances[wanted],
            self.sure[wanted],
            self.followed[wanted],
        )

    def joined(self, others: Hypotheses) -> Hypotheses:
        """Return these and others, in this order."""
        return Hypotheses(
            np.concatenate([self.weights, others.weights]),
            np.concatenate([self.means, others.means]),
            np.concatenate([self.covariances, others.covariances]),
            np.concatenate([self.heights, others.heights]),
            np.concatenate([self.height_variances, others.height_variances]),
            np.concatenate([self.sure, others.sure]),
            np.concatenate([self.followed, others.followed]),
        )

    def move(self, motion: Motion, seconds: float, speed_sigma: float) -> None:
        """Move all by odometry. The speed is what the motion shows, else as before.

        speed_sigma: m/s, how far speeds go in the long run.
        """
        longer = 1.0 + self.means[:, 4]
        way = longer[:, None] * np.array([motion.dx, motion.dy])
        self._displace(
            way, np.zeros(len(self)), 1.0 / longer, motion.sigma, motion.dyaw, motion.sigma_yaw
        )
        self._tend_to_zero(4, math.exp(-motion.distance / SCALE_LASTS), SCALE)
        self.height_variances += (SLOPE * motion.distance) ** 2 + motion.sigma**2
        if seconds > 0.0:
            self.means[:, 3] = longer * motion.dx / seconds
            self.covariances[:, 3, :] = self.covariances[:, :, 3] = 0.0
            self.covariances[:, 3, 3] = min(motion.sigma / seconds, speed_sigma) ** 2

    def drift(self, seconds: float, speed_sigma: float) -> None:
        """Move all ahead by their own speeds, where nothing says how the camera moved.

        Speeds tend to zero, with a standard deviation of speed_sigma (m/s), within STEADY seconds;
        turns are random (TURN).
        """
        way = np.column_stack([self.means[:, 3] * seconds, np.zeros(len(self))])
        turned = TURN * math.sqrt(seconds * max(seconds, 1.0))
        # What a speed that changes within the time adds to the way.
        kept = math.exp(-seconds / STEADY)
        gained = speed_sigma * math.sqrt(1.0 - kept**2)
        none = np.zeros(len(self))
        self._displace(way, np.full(len(self), seconds), none, 0.3 * gained * seconds, 0.0, turned)
        self._tend_to_zero(3, kept, speed_sigma)
        self.height_variances += (SLOPE * self.means[:, 3] * seconds) ** 2

    def _tend_to_zero(self, state: int, kept: float, sigma: float) -> None:
        """Keep a share of a state that has zero mean and `sigma` in the long run."""
        self.means[:, state] *= kept
        self.covariances[:, state, :] *= kept
        self.covariances[:, :, state] *= kept
        self.covariances[:, state, state] += sigma**2 * (1.0 - kept**2)

    def _displace(
        self,
        way: Array,
        per_speed: Array,
        per_scale: Array,
        sigma: float,
        turn: float,
        turn_sigma: float,
    ) -> None:
        """Move by `way` [H, 2], in each pose's own frame.

        It grows ahead by per_speed [H] metres for each m/s, and by per_scale [H] of itself for a
        scale that is larger by 1.

        A yaw that is not known turns the way into an arc, so the displacement is taken with the
        exact first two moments of the rotated way (yaw normal); only its correlation with the
        position so far is linear.
        """
        yaw_variance = self.covariances[:, 2, 2]
        shrink = np.exp(-0.5 * yaw_variance)  # E cos(error)
        cos, sin = np.cos(self.means[:, 2]), np.sin(self.means[:, 2])
        along = np.stack(
            [cos * way[:, 0] - sin * way[:, 1], sin * way[:, 0] + cos * way[:, 1]], axis=1
        )
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        self.means[:, :2] += shrink[:, None] * along
        self.means[:, 2] = wrapped(self.means[:, 2] + turn)

        jacobian = np.broadcast_to(np.eye(STATES), self.covariances.shape).copy()
        jacobian[:, :2, 2] = shrink[:, None] * across
        jacobian[:, 0, 3] = shrink * per_speed * cos
        jacobian[:, 1, 3] = shrink * per_speed * sin
        jacobian[:, :2, 4] = (shrink * per_scale)[:, None] * along
        moved = jacobian @ self.covariances @ jacobian.transpose(0, 2, 1)
        fourth = shrink**4  # E cos(2 error)
        along_spread = np.maximum(0.5 * (1.0 + fourth) - shrink**2, 0.0)
        across_spread = np.maximum(0.5 * (1.0 - fourth) - shrink**2 * yaw_variance, 0.0)
        moved[:, :2, :2] += (
            along_spread[:, None, None] * along[:, :, None] * along[:, None, :]
            + across_spread[:, None, None] * across[:, :, None] * across[:, None, :]
        )
        moved[:, [0, 1], [0, 1]] += sigma**2
        moved[:, 2, 2] += turn_sigma**2
        self.covariances = moved

    def merged(self, groups: Indices) -> Hypotheses:
        """Merge those with the same number in `groups` [H] (0 to G - 1), keeping two moments.

        The result is in the order of the groups; it is sure, or followed, where one of a group is.
        """
        count = int(groups.max(initial=-1)) + 1
        total: Array = np.bincount(groups, self.weights, count).astype(np.float64)
        shares = np.zeros((count, len(self)))
        shares[groups, np.arange(len(self))] = self.weights / total[groups]
        # Yaws are averaged around the heaviest of the group: they have no zero of their own.
        order = np.argsort(self.weights, kind="stable")
        heaviest = np.zeros(count, np.int64)
        heaviest[groups[order]] = order  # the last write stays
        centre = self.means[heaviest]
        offsets = self.means - centre[groups]
        offsets[:, 2] = wrapped(offsets[:, 2])
        mean_offsets = shares @ offsets
        spread = offsets - mean_offsets[groups]
        second = self.covariances + spread[:, :, None] * spread[:, None, :]
        covariances = shares @ second.reshape(len(self), STATES * STATES)
        means = centre + mean_offsets
        means[:, 2] = wrapped(means[:, 2])
        heights: Array = shares @ self.heights
        height_spread = self.height_variances + (self.heights - heights[groups]) ** 2
        return Hypotheses(
            total,
            means,
            covariances.reshape(count, STATES, STATES),
            heights,
            shares @ height_spread,
            np.bincount(groups, self.sure, count) > 0,
            np.bincount(groups, self.followed, count) > 0,
        )


def group_by_distance(weights: Array, means: Array, radius: Array, turn: Array) -> Indices:
    """Number groups of poses [H, 3 or more], each around one that no heavier pose is near to.

    Near is within the smaller `radius` [H] (metres) and the larger `turn` [H] (radians) of the two.
    Returns the group of each pose, [H], numbered from 0.
    """
    order = np.argsort(-weights, kind="stable")
    x, y, yaw = means[order, :3].T
    squared, turn = radius[order] ** 2, turn[order]
    turned = np.abs(yaw[:, None] - yaw)
    turned = np.minimum(turned, 2.0 * np.pi - turned)  # yaws are in [-pi, pi]
    near = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2 < np.minimum(squared[:, None], squared)
    near &= turned < np.maximum(turn[:, None], turn)
    np.fill_diagonal(near, True)
    parent = near.argmax(axis=1)  # the heaviest near one, no lighter than itself
    while True:  # to the root: at most a few steps
        above = parent[parent]
        if np.array_equal(above, parent):
            break
        parent = above
    roots = parent == np.arange(len(order))
    groups = np.empty(len(order), np.int64)
    groups[order] = (np.cumsum(roots) - 1)[parent]
    return groups
