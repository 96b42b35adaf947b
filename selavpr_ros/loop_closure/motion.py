"""How two cameras stood to each other, and how well that is known."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

MIN_POINTS = 15  # below this too many motions explain them
_ITERATIONS = 6
# A likelihood of matches that err on their own would be sure too soon: those on one wall, or along
# one row of windows, err together. So it is taken to the power of one by this.
_TOGETHER = 10.0
# A turn alone is taken to be off by this times what it leaves of the points: they may all have
# moved the same way. On rendered streets it was off by twice as much, one in ten by four times.
_TURN_ALONE = 3.0
_ON_PLANE = 3.0  # pixels
_PLANES = 100  # that are tried; four points on one that has half of all are one in 16
# Pixels that a point behind a camera is off at most. With no such limit wrong matches decided: one
# that was far off anyway cost more or less by where it was, and rotations were off by up to 84
# degrees where 13 had been the worst.
_MOST_BEHIND = 5.0
_SAME_TURN = math.radians(0.3)  # between motions that are one
_SAME_WAY = math.radians(5.0)
# Axes through the corners of an icosahedron: no direction is farther than 38 degrees from one.
_GOLDEN = (1 + math.sqrt(5)) / 2
_AXES = np.array(
    [
        [0, 1, _GOLDEN],
        [0, 1, -_GOLDEN],
        [1, _GOLDEN, 0],
        [1, -_GOLDEN, 0],
        [_GOLDEN, 0, 1],
        [-_GOLDEN, 0, 1],
    ]
) / math.hypot(1, _GOLDEN)

Array = NDArray[np.float64]


class Motion(NamedTuple):
    """How a second camera stood to a first one.

    rotation: [3, 3] from directions of the second to those of the first. direction: [3] unit vector
    from the first to the second, as the first sees it; None where a turn alone explains the points
    as well. rotation_sigma, direction_sigma: radians, one standard deviation about the worst axis.
    """

    rotation: Array
    direction: Array | None
    rotation_sigma: float
    direction_sigma: float = math.inf


class _Motions(NamedTuple):
    """Several motions: rotations [S, 3, 3] and directions [S, 3]."""

    rotations: Array
    directions: Array


class _Fit(NamedTuple):
    """How motions explain points.

    residuals: [S, N] radians. jacobian: [S, N, 5] of them, by a turn about the three axes and by
    the two tangents of the direction. weights: [S, N]. costs: [S].
    """

    residuals: Array
    jacobian: Array
    weights: Array
    costs: Array


def estimate(
    essential: Array, first: Array, second: Array, agreeing: NDArray[np.bool_], pixel: float
) -> Motion:
    """Find the likeliest motion of all that explain the points, and how far the others are off.

    An essential matrix is the best of a few drawn from as few points, and slides along the valley
    between turning and moving sideways; the points that agree with it were chosen by it. So all
    matches are asked, by least squares from several places in the valley, and from both motions
    that explain the largest plane. A motion is less likely by the points that it needs behind a
    camera. Of two motions, one that needs points n times as near as the other does is n times less
    likely: scenes are of any size.

    Args:
        essential: [3, 3] from the first's to the second's rays, of the points that agree.
        first: [N, 3] unit vectors to the matched points, as the first camera sees them.
        second: the same of the second camera.
        agreeing: [N] which of them agree with the essential matrix; at least MIN_POINTS.
        pixel: radians that a pixel sees; matches err by about one.
    """
    seen, then = first[agreeing], second[agreeing]
    turned = rotation_between(then, seen)
    starts = _joined(_starts(essential, seen, then, turned), _planar(seen, then, pixel))
    found = _refined(starts, first, second, pixel)
    fit = _fit(found, first, second, pixel)
    left = median_angle(seen, then @ turned.T)
    parallax = [median_angle(seen, then @ rotation.T) for rotation in found.rotations]
    costs = _costs_in_front(found, fit, first, second, pixel)
    unlikely = costs / _TOGETHER + np.log(np.maximum(parallax, max(left, pixel)))
    # From here on each motion is there with either sign of its direction.
    unlikely = unlikely.ravel()
    found = _joined(found, found._replace(directions=-found.directions))
    distinct = _distinct(found, np.argsort(unlikely, kind="stable"))
    best = distinct[0]
    shares = np.exp(unlikely[best] - unlikely[distinct])
    shares /= shares.sum()
    turns = np.array([_vector(found.rotations[n] @ found.rotations[best].T) for n in distinct])
    ways = np.arccos((found.directions[distinct] @ found.directions[best]).clip(-1, 1))
    covariance = _covariance(fit, best % len(fit.costs), pixel)
    of_turn = covariance[:3, :3] + (shares[:, None] * turns).T @ turns
    sigma, alone = _worst(of_turn), max(_TURN_ALONE * left, pixel)
    # Points on a wall that is passed move nearly as by a turn, which leaves little and is wrong.
    others = np.array([_vector(found.rotations[n] @ turned.T) for n in distinct])
    alone = max(alone, _worst((shares[:, None] * others).T @ others))
    if alone < sigma:
        return Motion(turned, None, alone)
    of_way = covariance[3:, 3:] + shares @ ways**2 * np.eye(2)
    return Motion(found.rotations[best], found.directions[best], sigma, _worst(of_way))


def rotation_between(second: Array, first: Array) -> Array:
    """Return the rotation [3, 3] that brings unit vectors [N, 3] nearest to others.

    Without parallax nothing else tells it: the essential matrix is any then. By Kabsch (1976).
    """
    u, _, v = np.linalg.svd(first.T @ second)
    return np.asarray(u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v)


def median_angle(first: Array, second: Array) -> float:
    """Return the median angle in radians between unit vectors [N, 3]."""
    # Of small angles the cosine knows little.
    return float(np.median(2 * np.arcsin(np.linalg.norm(first - second, axis=1).clip(0, 2) / 2)))


def _starts(essential: Array, first: Array, second: Array, turned: Array) -> _Motions:
    """Return the essential matrix's motion, and the mere turn with directions all around."""
    # OpenCV's pose takes points of the first camera into the frame of the second.
    rays = first[:, :2] / first[:, 2:], second[:, :2] / second[:, 2:]
    _, pose, translation, _ = cv2.recoverPose(essential, *rays, np.eye(3))
    rotation = np.asarray(pose, np.float64).T
    # What is across of all that the turn leaves: the direction, if it is the right turn.
    _, _, across = np.linalg.svd(np.cross(second @ turned.T, first), full_matrices=False)
    directions = [-rotation @ np.asarray(translation).ravel(), across[2], *_AXES]
    return _Motions(np.stack([rotation, *[turned] * (len(directions) - 1)]), np.stack(directions))


def _planar(first: Array, second: Array, pixel: float) -> _Motions:
    """Return the motions that explain the largest plane: two, or none where there is none.

    All points of a plane fit both equally well, and least squares often end at one of the two from
    wherever they start. By Malis and Vargas (2007).
    """
    rays = second[:, :2] / second[:, 2:], first[:, :2] / first[:, 2:]
    none = _Motions(np.empty((0, 3, 3)), np.empty((0, 3)))
    homography, _ = cv2.findHomography(*rays, cv2.RANSAC, _ON_PLANE * pixel, maxIters=_PLANES)
    if homography is None:
        return none
    # Each is there with both signs of the direction, one after the other.
    _, rotations, translations, _ = cv2.decomposeHomographyMat(homography, np.eye(3))
    directions = np.reshape(translations, (-1, 3))[::2]
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    if not (lengths > 1e-9).all():  # a turn alone
        return none
    return _Motions(np.array(rotations, np.float64)[::2], directions / lengths)


def _joined(some: _Motions, others: _Motions) -> _Motions:
    return _Motions(*map(np.concatenate, zip(some, others, strict=True)))


def _refined(motions: _Motions, first: Array, second: Array, pixel: float) -> _Motions:
    """Return where Levenberg-Marquardt takes each of the motions."""
    damping = np.full(len(motions.rotations), 1e-3)
    fit = _fit(motions, first, second, pixel)
    for _ in range(_ITERATIONS):
        normal, gradient = _normal(fit)
        normal = normal + (damping[:, None, None] * normal + 1e-12) * np.eye(5)
        step = np.linalg.solve(normal, -gradient[..., None])[..., 0]
        tried = _moved(motions, np.asarray(step, np.float64))
        other = _fit(tried, first, second, pixel)
        better = other.costs < fit.costs
        damping = np.where(better, damping / 5, damping * 10)
        motions = _Motions(*map(_chosen, [better] * 2, tried, motions))
        fit = _Fit(*map(_chosen, [better] * 4, other, fit))
    return motions


def _chosen(better: NDArray[np.bool_], new: Array, old: Array) -> Array:
    return np.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def _fit(motions: _Motions, first: Array, second: Array, pixel: float) -> _Fit:
    """Compare motions with points, by how far the rays are off an epipolar plane (Sampson)."""
    directions = motions.directions[..., None]
    turned = second @ motions.rotations.transpose(0, 2, 1)
    normals = np.cross(turned, first)
    along = (turned @ directions)[..., 0]
    # Rays near the direction itself turn their plane by little: it has no say there.
    spread = np.sqrt(np.maximum(2 - along**2 - (motions.directions @ first.T) ** 2, 1e-4))
    residuals = (normals @ directions)[..., 0] / spread
    cosines = (turned * first).sum(axis=-1)
    by_turn = along[..., None] * first - cosines[..., None] * motions.directions[:, None]
    by_way = normals @ _tangents(motions.directions)
    jacobian = np.concatenate([by_turn, by_way], axis=-1) / spread[..., None]
    square = (residuals / pixel) ** 2
    return _Fit(residuals, jacobian, 1 / (1 + square), np.log1p(square).sum(axis=1))  # Cauchy's


def _normal(fit: _Fit) -> tuple[Array, Array]:
    """Return the normal equations: [S, 5, 5] and [S, 5]."""
    weighted = (fit.jacobian * fit.weights[..., None]).transpose(0, 2, 1)
    return weighted @ fit.jacobian, (weighted @ fit.residuals[..., None])[..., 0]


def _costs_in_front(
    motions: _Motions, fit: _Fit, first: Array, second: Array, pixel: float
) -> Array:
    """Return the costs of motions [2, S], the second with the opposite directions, for real points.

    One that would lie behind a camera is at best infinitely far, and off by all that the turn
    leaves of it; it tells no more than an outlier, which may be where it is by chance.
    """
    turned = second @ motions.rotations.transpose(0, 2, 1)
    near, far = motions.directions @ first.T, (turned @ motions.directions[..., None])[..., 0]
    cosines = (turned * first).sum(axis=-1)
    depths = np.stack([near - cosines * far, cosines * near - far])  # times a positive number
    behind = np.stack([depths.min(axis=0) < 0, depths.max(axis=0) > 0])
    left = np.linalg.norm(turned - first, axis=-1).clip(0, _MOST_BEHIND * pixel)
    off = np.maximum(np.abs(fit.residuals), np.where(behind, left, 0))
    return np.asarray(np.log1p((off / pixel) ** 2).sum(axis=-1))


def _covariance(fit: _Fit, number: int, pixel: float) -> Array:
    """Return the covariance [5, 5] of a motion, by how well it fits, but no better than a pixel."""
    weights = fit.weights[number]
    squares = float(weights @ fit.residuals[number] ** 2)
    variance = max(squares / max(float(weights.sum()) - 5, 1.0), pixel**2)
    # What no point tells is unknown by a radian.
    return np.asarray(np.linalg.inv(_normal(fit)[0][number] / variance + np.eye(5)))


def _distinct(motions: _Motions, order: NDArray[np.int64]) -> list[int]:
    """Return the numbers of motions that are not one of those before, in this order."""
    kept: list[int] = []
    for number in order.tolist():
        turns = [_vector(motions.rotations[number] @ motions.rotations[n].T) for n in kept]
        ways = motions.directions[kept] @ motions.directions[number]
        same = (np.linalg.norm(np.reshape(turns, (-1, 3)), axis=1) < _SAME_TURN) & (
            ways > math.cos(_SAME_WAY)
        )
        if not same.any():
            kept.append(number)
    return kept


def _worst(covariance: Array) -> float:
    """Return the standard deviation along the axis where it is largest."""
    return math.sqrt(np.linalg.eigvalsh(covariance)[-1])


def _moved(motions: _Motions, steps: Array) -> _Motions:
    """Return motions after steps [S, 5]."""
    turns = np.stack([np.asarray(cv2.Rodrigues(step[:3])[0]) for step in steps])
    ways = (_tangents(motions.directions) @ steps[:, 3:, None])[..., 0]
    directions = motions.directions + ways
    return _Motions(
        turns @ motions.rotations,
        directions / np.linalg.norm(directions, axis=1, keepdims=True),
    )


def _tangents(directions: Array) -> Array:
    """Return two unit vectors across of each direction: [S, 3, 2]."""
    one = np.cross(directions, np.eye(3)[np.abs(directions).argmin(axis=1)])
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    return np.stack([one, np.cross(directions, one)], axis=2)


def _vector(rotation: Array) -> Array:
    """Return a rotation matrix as axis times radians: [3]."""
    return np.asarray(cv2.Rodrigues(rotation)[0], np.float64).ravel()
