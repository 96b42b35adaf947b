"""Which way the robot faced, and how sure that is.

Headings are radians counter-clockwise from the map's x axis (REP-103), in (-pi, pi].

Odometry and most IMUs measure how the heading changes but start from an arbitrary direction, and
drift. So their yaw is set against the direction of travel over the ground, wherever the robot
moved far enough for the noise of its positions, and the difference found near a moment corrects
the yaw at that moment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_core.geodesy import Datum
from selavpr_ros.mapping.recording import Orientations, Poses
from selavpr_ros.mapping.track import NANOSECONDS, Track

DRIFT = math.radians(0.5)
"""Radians a second by which a yaw sensor may wander from one moment to another.

Measured on a 395 s drive with wheel odometry and an IMU: headings found from the one and from the
other then differ by less than their common sigma in 61 % of the moments, by less than two in all.
"""

MIN_SIGMA = math.radians(2.0)
"""Radians: no heading is claimed to be better; mounting and calibration are never better known."""

ASSUMED_YAW_SIGMA = math.radians(5.0)
"""Radians, for poses that state no yaw covariance."""

COMPASS_SIGMA = math.radians(20.0)
"""Radians, for an IMU's absolute yaw: magnetic declination and disturbance are not corrected."""

_MIN_BASELINE = 1.0  # metres: shorter chords are shaped by the antenna's sway
_BASELINE_SIGMAS = 4.0  # chord over position sigma: its direction is then known to 0.35 rad
_MAX_CHORD_SECONDS = 10.0  # a robot that takes longer is hardly moving
_EVIDENCE_SECONDS = 0.5  # chords start this far apart at least
_REACH_SECONDS = 60.0  # evidence farther away says little: DRIFT has made it 30 degrees
_MAX_SCATTER = math.radians(45.0)  # beyond it the yaw does not follow the direction of travel


class Heading(NamedTuple):
    """A heading and its standard deviation in radians; both NaN when unknown."""

    heading: float
    sigma: float


UNKNOWN = Heading(math.nan, math.nan)


@dataclass(frozen=True)
class Headings:
    """Headings over time.

    Attributes:
        stamps: [N] int64 ns, strictly increasing.
        headings, sigmas: [N] radians, NaN where unknown.
    """

    stamps: NDArray[np.int64]
    headings: NDArray[np.float64]
    sigmas: NDArray[np.float64]

    def at(self, stamp: int, max_gap: float) -> Heading:
        """Interpolate along the shorter arc between the neighbours in time of a stamp (ns).

        Unknown outside, where a neighbour is unknown, and between neighbours more than `max_gap`
        seconds apart.
        """
        after = int(np.searchsorted(self.stamps, stamp))
        if after < len(self.stamps) and self.stamps[after] == stamp:
            return Heading(float(self.headings[after]), float(self.sigmas[after]))
        if after in (0, len(self.stamps)):
            return UNKNOWN
        begin, end = int(self.stamps[after - 1]), int(self.stamps[after])
        if (end - begin) * NANOSECONDS > max_gap:
            return UNKNOWN
        share = (stamp - begin) / (end - begin)
        first, second = self.headings[after - 1], self.headings[after]
        heading = float(wrap(first + share * wrap(second - first)))
        sigma = float((1 - share) * self.sigmas[after - 1] + share * self.sigmas[after])
        return UNKNOWN if math.isnan(heading) or math.isnan(sigma) else Heading(heading, sigma)


def wrap(angle: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the same direction in (-pi, pi]."""
    with np.errstate(invalid="ignore"):  # some versions of NumPy warn of NaN here
        return -((np.pi - np.asarray(angle)) % (2 * np.pi) - np.pi)


def direction_of_travel(track: Track, stamp: int) -> Heading:
    """Direction in which the track moves at a stamp (ns); unknown where it stands still.

    It is the direction of the chord between the positions equally long before and after the stamp
    (for constant curvature that is the tangent), over the shortest such time, 10 s at most, in
    which the track gets as far as four position sigmas, at least 1 m; at the track's ends only the
    inner side is used. The robot stands still, or turns on the spot, where it covers less than a
    third of that chord in the middle half of that time: a heading from before a stop is not
    carried into it.

    The variance is that of the chord's ends, 2 sigma^2 / length^2, and a term for bends: the angle
    between the two half chords over sqrt(12), more where the stamp is not in their middle.
    A robot that reverses looks as if it faced the other way: only odometry tells.
    """
    first, last = int(track.stamps[0]), int(track.stamps[-1])
    if not first <= stamp <= last:
        return UNKNOWN
    for half in _HALF_WINDOWS:
        begin, end = max(stamp - half, first), min(stamp + half, last)
        inner_begin, inner_end = max(stamp - half // 2, first), min(stamp + half // 2, last)
        row = track.at(np.array([begin, inner_begin, stamp, inner_end, end]))
        points, sigma = row[:, :2], float(row[2, 2])
        chord = points[4] - points[0]
        length = math.hypot(*chord)
        if length < max(_MIN_BASELINE, _BASELINE_SIGMAS * sigma):
            continue
        if (points[3] - points[1]) @ chord < length * length / 3:
            return UNKNOWN
        bend = _angle_between(points[2] - points[0], points[4] - points[2])
        if bend is None:  # at an end of the track: halve the chord that is there
            middle = track.at(np.array([(begin + end) // 2]))[0, :2]
            bend = _angle_between(middle - points[0], points[4] - middle) or 0.0
        eccentricity = abs((begin + end) / 2 - stamp) / ((end - begin) / 2)
        variance = 2 * (sigma / length) ** 2 + (bend * (1 / math.sqrt(12) + eccentricity)) ** 2
        heading = math.atan2(chord[1], chord[0])
        return Heading(heading, math.hypot(math.sqrt(variance), MIN_SIGMA))
    return UNKNOWN


_HALF_WINDOWS = tuple(
    int(1e9 * seconds) for seconds in (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, _MAX_CHORD_SECONDS / 2)
)


def headings_of_poses(poses: Poses) -> Headings:
    """Headings of a map whose frame is the poses' own."""
    sigmas = np.where(np.isfinite(poses.yaw_sigmas), poses.yaw_sigmas, ASSUMED_YAW_SIGMA)
    sigmas = np.where(np.isfinite(poses.yaws), np.maximum(sigmas, MIN_SIGMA), np.nan)
    return Headings(poses.stamps, wrap(poses.yaws), sigmas)


def align_poses(poses: Poses, track: Track) -> Headings | None:
    """Turn the yaws of poses from their own frame into the map's.

    The displacement between two moments is compared in both frames, so reversing, turning on the
    spot and sideways motion do no harm. None when the robot never moved far enough, or when the
    two disagree.
    """
    known = np.isfinite(poses.yaws) & np.isfinite(poses.positions).all(axis=1)
    if not known.any():
        return None
    stamps, yaws = poses.stamps[known], poses.yaws[known]
    own = Track.of(stamps, poses.positions[known], np.zeros(len(stamps)), max_sigma=math.inf)
    chords = _chords(track, int(stamps[0]), int(stamps[-1]))
    if not len(chords.begins):
        return None
    steps = (own.at(chords.ends) - own.at(chords.begins))[:, :2]
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    # Wheels that slip, or a position that jumps: the lengths then disagree too.
    believed = (lengths > chords.lengths / 2) & (lengths < chords.lengths * 2)
    offsets = chords.directions - np.arctan2(steps[:, 1], steps[:, 0])
    return _aligned(stamps, yaws, chords, wrap(offsets), believed)


def align_orientations(orientations: Orientations, track: Track, datum: Datum) -> Headings | None:
    """Turn the yaw of an IMU into headings in the map, whichever way the IMU is mounted.

    The yaw is the azimuth of the sensor's axis that stays most level; what it differs by from the
    direction of travel is found on the way, taking the robot to drive forwards. Where it never
    moved far enough, an IMU that lies level and states its yaw's variance is taken at its word:
    x forward, yaw from true east (REP-103, REP-145), with the grid's convergence added and
    COMPASS_SIGMA on top. Otherwise None.
    """
    if not len(orientations.stamps):
        return None
    axes = _axes(orientations.quaternions)
    level = int(np.argmin((axes[:, 2, :] ** 2).mean(axis=0)))
    yaws = np.arctan2(axes[:, 1, level], axes[:, 0, level])
    stamps = orientations.stamps
    chords = _chords(track, int(stamps[0]), int(stamps[-1]))
    if not len(chords.begins):
        return _absolute(orientations, axes, track, datum)
    means, steady = _mean_yaws(stamps, yaws, chords)
    return _aligned(stamps, yaws, chords, wrap(chords.directions - means), steady)


class _Chords(NamedTuple):
    """Straight lines between two moments of the track, [K] each."""

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    directions: NDArray[np.float64]
    lengths: NDArray[np.float64]
    sigmas: NDArray[np.float64]


def _chords(track: Track, first: int, last: int) -> _Chords:
    """Cut chords that are long enough for the noise of their ends, within [first, last] ns."""
    inside = np.flatnonzero((track.stamps >= first) & (track.stamps <= last))
    begins, ends = [], []
    next_start = first
    for i in inside:
        if track.stamps[i] < next_start:
            continue
        reach = int(track.stamps[i] + _MAX_CHORD_SECONDS * 1e9)
        stop = int(np.searchsorted(track.stamps, min(reach, last), side="right"))
        steps = track.positions[i + 1 : stop, :2] - track.positions[i, :2]
        needed = max(_MIN_BASELINE, _BASELINE_SIGMAS * track.sigmas[i])
        far = np.flatnonzero(np.hypot(steps[:, 0], steps[:, 1]) >= needed)
        if len(far):
            begins.append(i)
            ends.append(i + 1 + int(far[0]))
            next_start = int(track.stamps[i] + _EVIDENCE_SECONDS * 1e9)
    begin, end = np.array(begins, dtype=np.intp), np.array(ends, dtype=np.intp)
    steps = track.positions[end, :2] - track.positions[begin, :2]
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    noise = np.hypot(track.sigmas[begin], track.sigmas[end])
    return _Chords(
        track.stamps[begin],
        track.stamps[end],
        np.arctan2(steps[:, 1], steps[:, 0]),
        lengths,
        np.hypot(noise / np.maximum(lengths, 1e-9), MIN_SIGMA),
    )


def _aligned(
    stamps: NDArray[np.int64],
    yaws: NDArray[np.float64],
    chords: _Chords,
    offsets: NDArray[np.float64],
    believed: NDArray[np.bool_],
) -> Headings | None:
    """Correct yaws by the offsets found on the chords near each moment."""
    if not believed.any():
        return None
    start = int(stamps[0])
    middles = ((chords.begins - start) + (chords.ends - start)) / 2 * NANOSECONDS
    middles, offsets, sigmas = middles[believed], offsets[believed], chords.sigmas[believed]
    # Chords that overlap share their noise: each counts for the part of its time that is its own.
    durations = ((chords.ends - chords.begins) * NANOSECONDS)[believed]
    spacings = np.diff(middles, append=middles[-1] + durations[-1])
    shares = np.clip(spacings / durations, 0.0, 1.0)

    times = (stamps - start) * NANOSECONDS
    # Whole seconds around the samples alone: one sample may be decades off, from a robot whose
    # clock was not set yet.
    seconds = np.floor(times)
    grid = np.unique(np.concatenate([seconds, seconds + 1.0]))
    corrections = np.full(len(grid), np.nan)
    certainty = np.full(len(grid), np.nan)
    for i, time in enumerate(grid):
        near = slice(*np.searchsorted(middles, [time - _REACH_SECONDS, time + _REACH_SECONDS]))
        drift = DRIFT * np.abs(middles[near] - time)
        variances = sigmas[near] ** 2 + drift**2
        corrections[i], certainty[i] = _robust_mean(offsets[near], variances, shares[near])
    # Unwrapped, so that the correction can be interpolated between the grid's seconds.
    known = np.isfinite(corrections)
    if not known.any():
        return None
    corrections[known] = np.unwrap(corrections[known])
    correction = np.interp(times, grid, corrections)
    sigma = np.interp(times, grid, certainty)
    return Headings(stamps, wrap(yaws + correction), np.where(np.isnan(correction), np.nan, sigma))


def _robust_mean(
    angles: NDArray[np.float64], variances: NDArray[np.float64], shares: NDArray[np.float64]
) -> Heading:
    """Mean direction and its sigma; outliers are weighted down (Cauchy weights).

    The sigma is the larger of what the variances promise and what the scatter shows.
    """
    if not len(angles):
        return UNKNOWN
    weights = shares / variances
    centre = math.atan2(float(weights @ np.sin(angles)), float(weights @ np.cos(angles)))
    robust = weights
    for _ in range(10):
        residuals = wrap(angles - centre)
        robust = weights / (1 + residuals**2 / (4 * variances))
        centre += float(robust @ residuals / robust.sum())
    residuals = np.abs(wrap(angles - centre))
    order = np.argsort(residuals)
    cumulated = np.cumsum(weights[order])
    median = residuals[order[int(np.searchsorted(cumulated, cumulated[-1] / 2))]]
    scatter = 1.4826 * float(median)
    if scatter > _MAX_SCATTER:
        return UNKNOWN
    independent = max(1.0, float(robust.sum() / (1 / variances).max()))
    sigma = max(1 / math.sqrt(float(robust.sum())), scatter / math.sqrt(independent))
    return Heading(float(wrap(centre)), math.hypot(sigma, MIN_SIGMA))


def _mean_yaws(
    stamps: NDArray[np.int64], yaws: NDArray[np.float64], chords: _Chords
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Mean yaw during each chord, and whether it was steady: in a bend a chord says little."""
    times = (stamps - stamps[0]) * NANOSECONDS
    integral = np.concatenate([[0.0], np.cumsum(np.diff(times) * np.exp(1j * yaws[:-1]))])
    begins = (chords.begins - stamps[0]) * NANOSECONDS
    ends = (chords.ends - stamps[0]) * NANOSECONDS
    means = (np.interp(ends, times, integral) - np.interp(begins, times, integral)) / (
        ends - begins
    )
    return np.angle(means), np.abs(means) > 0.97  # a spread of 14 degrees


def _absolute(
    orientations: Orientations, axes: NDArray[np.float64], track: Track, datum: Datum
) -> Headings | None:
    upright = axes[:, 2, 2].mean() > 0.9
    if not (upright and np.isfinite(orientations.yaw_sigmas).all() and len(track)):
        return None
    latitude, longitude, _ = datum.to_wgs84(track.positions[0])
    yaws = np.arctan2(axes[:, 1, 0], axes[:, 0, 0])
    heading = wrap(yaws + datum.convergence(float(latitude), float(longitude)))
    return Headings(orientations.stamps, heading, np.hypot(orientations.yaw_sigmas, COMPASS_SIGMA))


def _axes(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices [N, 3, 3] of quaternions [N, 4]; column k is the body's axis k."""
    unit = quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)
    x, y, z, w = unit.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _angle_between(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Angle in radians, 0 to pi; None where one of them has no length."""
    if not (first.any() and second.any()):
        return None
    cross = first[0] * second[1] - first[1] * second[0]
    return abs(math.atan2(cross, float(first @ second)))
