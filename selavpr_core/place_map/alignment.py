"""How one frame lies in another, from places of both that look alike.

Matches of images are wrong now and then, and the right ones lie metres apart. So every guess comes
from two matches (RANSAC: Fischler and Bolles, 1981), is judged by how many others agree, and the
best is fitted to all that do (least squares: Umeyama, 1991, without scale).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_core.errors import MapError
from selavpr_core.place_map.frames import PlanarTransform, wrapped

TOLERANCE = 10.0
"""Metres that a right match may be off: two views of one place, and the drift of odometry."""

MIN_AGREEING = 12
"""Matches that must agree: as many never do by chance in a town of look-alike houses."""

_MAX_TURN = math.radians(60.0)  # between the headings of a right match, once aligned
_MIN_BASELINE = 2 * TOLERANCE  # between the two matches of a guess
_GUESSES = 3000
_SCORED_AT_ONCE = 1 << 21  # residuals in memory
_MIN_SHARE = 0.25
_RIVAL = 0.5  # of the best guess's agreement that another may reach


class Alignment(NamedTuple):
    """How a frame lies in another.

    Attributes:
        transform: from the source's frame into the target's.
        agreeing: [K] bool, the matches that fit.
        rms: metres, root mean square of what is left of their distance.
        yaw_sigma: radians, standard deviation of the transform's yaw.
        rival: matches that the best guess of another place agrees with.
    """

    transform: PlanarTransform
    agreeing: NDArray[np.bool_]
    rms: float
    yaw_sigma: float
    rival: int


def align(
    sources: NDArray[np.float64],
    targets: NDArray[np.float64],
    source_headings: NDArray[np.floating],
    target_headings: NDArray[np.floating],
) -> Alignment:
    """Find the planar transform that takes the most matches from one frame to the other.

    The same matches give the same answer.

    Args:
        sources, targets: [K, 3] metres: a place, and the place of the other frame it looks like.
        source_headings, target_headings: [K] radians, NaN where unknown.

    Raises:
        MapError: too few matches agree, they lie too close together to tell the direction, or
            another alignment fits almost as well.
    """
    guesses = _guesses(sources, targets)
    scores = _scores(guesses, sources, targets, source_headings, target_headings)
    if not len(scores) or scores.max() < MIN_AGREEING:
        most = int(scores.max()) if len(scores) else 0
        raise MapError(
            f"{most} of {len(sources)} matched places agree on how the frames lie to each other, "
            f"{MIN_AGREEING} are needed: they share too little road, or look too different"
        )
    best = int(scores.argmax())
    transform = _planar(guesses[best])
    agreeing = _agreeing(transform, sources, targets, source_headings, target_headings)
    for _ in range(5):
        transform = _fitted(sources[agreeing], targets[agreeing])
        again = _agreeing(transform, sources, targets, source_headings, target_headings)
        if np.array_equal(again, agreeing) or again.sum() < MIN_AGREEING:
            break
        agreeing = again
    count = int(agreeing.sum())
    if count < _MIN_SHARE * len(sources):
        raise MapError(
            f"only {count} of {len(sources)} matched places agree on how the frames lie to each "
            f"other, fewer than {_MIN_SHARE:.0%}"
        )
    used = sources[agreeing]
    spread = float(np.hypot(*(used[:, :2] - used[:, :2].mean(axis=0)).T).mean())
    if spread < TOLERANCE:
        raise MapError(
            f"the matched places lie within {spread:.0f} m of their middle, too close together to "
            "tell how the frames are turned"
        )
    rival = _rival(guesses, scores, transform, used)
    if rival > _RIVAL * count:
        raise MapError(
            f"{count} matched places agree on how the frames lie to each other, but {rival} on "
            "another way: places look too much alike to be sure"
        )
    left = transform.positions(used)[:, :2] - targets[agreeing][:, :2]
    rms = float(np.sqrt((left**2).sum(axis=1).mean()))
    return Alignment(transform, agreeing, rms, rms / (spread * math.sqrt(count)), rival)


def _guesses(sources: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return [G, 3] x, y, yaw: of pairs of matches whose distance is the same in both frames."""
    count = len(sources)
    if count < 2:
        return np.empty((0, 3))
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, count, (2, 20 * _GUESSES))
    source_steps = sources[second, :2] - sources[first, :2]
    target_steps = targets[second, :2] - targets[first, :2]
    before, after = np.hypot(*source_steps.T), np.hypot(*target_steps.T)
    fit = (np.minimum(before, after) >= _MIN_BASELINE) & (np.abs(before - after) <= TOLERANCE)
    chosen = np.flatnonzero(fit)[:_GUESSES]
    yaws = np.arctan2(target_steps[chosen, 1], target_steps[chosen, 0]) - np.arctan2(
        source_steps[chosen, 1], source_steps[chosen, 0]
    )
    middles = 0.5 * (sources[first[chosen], :2] + sources[second[chosen], :2])
    aims = 0.5 * (targets[first[chosen], :2] + targets[second[chosen], :2])
    cosines, sines = np.cos(yaws), np.sin(yaws)
    x = aims[:, 0] - (cosines * middles[:, 0] - sines * middles[:, 1])
    y = aims[:, 1] - (sines * middles[:, 0] + cosines * middles[:, 1])
    return np.stack([x, y, yaws], axis=1)


def _scores(
    guesses: NDArray[np.float64],
    sources: NDArray[np.float64],
    targets: NDArray[np.float64],
    source_headings: NDArray[np.floating],
    target_headings: NDArray[np.floating],
) -> NDArray[np.int64]:
    """Return how many matches agree with each guess."""
    scores = np.zeros(len(guesses), np.int64)
    step = max(1, _SCORED_AT_ONCE // max(1, len(sources)))
    turns = target_headings.astype(np.float64) - source_headings.astype(np.float64)
    for start in range(0, len(guesses), step):
        x, y, yaw = guesses[start : start + step].T[:, :, None]
        moved_x = np.cos(yaw) * sources[:, 0] - np.sin(yaw) * sources[:, 1] + x
        moved_y = np.sin(yaw) * sources[:, 0] + np.cos(yaw) * sources[:, 1] + y
        near = np.hypot(moved_x - targets[:, 0], moved_y - targets[:, 1]) <= TOLERANCE
        facing = ~(np.abs(wrapped(turns - yaw)) > _MAX_TURN)  # unknown headings object to nothing
        scores[start : start + step] = (near & facing).sum(axis=1)
    return scores


def _agreeing(
    transform: PlanarTransform,
    sources: NDArray[np.float64],
    targets: NDArray[np.float64],
    source_headings: NDArray[np.floating],
    target_headings: NDArray[np.floating],
) -> NDArray[np.bool_]:
    left = transform.positions(sources)[:, :2] - targets[:, :2]
    turns = target_headings.astype(np.float64) - transform.headings(source_headings)
    agreeing: NDArray[np.bool_] = (np.hypot(*left.T) <= TOLERANCE) & ~(
        np.abs(wrapped(turns)) > _MAX_TURN
    )
    return agreeing


def _planar(guess: NDArray[np.float64]) -> PlanarTransform:
    x, y, yaw = guess.tolist()
    return PlanarTransform(x, y, 0.0, yaw)


def _fitted(sources: NDArray[np.float64], targets: NDArray[np.float64]) -> PlanarTransform:
    """Return the least-squares transform; heights by their median."""
    middle, aim = sources[:, :2].mean(axis=0), targets[:, :2].mean(axis=0)
    a, b = sources[:, :2] - middle, targets[:, :2] - aim
    yaw = math.atan2(float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()), float((a * b).sum()))
    turned = PlanarTransform(0.0, 0.0, 0.0, yaw).positions(np.array([[*middle, 0.0]]))[0]
    z = float(np.median(targets[:, 2] - sources[:, 2]))
    return PlanarTransform(float(aim[0] - turned[0]), float(aim[1] - turned[1]), z, yaw)


def _rival(
    guesses: NDArray[np.float64],
    scores: NDArray[np.int64],
    transform: PlanarTransform,
    sources: NDArray[np.float64],
) -> int:
    """Return the agreement of the best guess that puts the places elsewhere."""
    aims = transform.positions(sources)[:, :2]
    for guess in scores.argsort(kind="stable")[::-1].tolist():
        elsewhere = _planar(guesses[guess]).positions(sources)[:, :2] - aims
        if float(np.hypot(*elsewhere.T).mean()) > 3 * TOLERANCE:
            return int(scores[guess])
    return 0
