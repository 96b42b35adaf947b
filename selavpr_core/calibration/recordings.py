"""Which recordings are of one drive, and whether a drive is in a map already."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selavpr_core.place_map import PlaceMap, SegmentInfo

# Cosine of the descriptors, or of the codes where there are no descriptors, from which two pictures
# are one, however described. Rendered, with tiny: a picture in JPEG again has 0.99 and 0.93, the
# same view in another season at most 0.89 and 0.72.
_SAME_PICTURE = 0.95
_SAME_CODE = 0.85
_MOST_COMPARED = 200  # pictures of a segment: more would not be surer
# Pictures to read for the comparison alone: of all segments together, and of each at least.
_MOST_READ = 50
_LEAST_READ = 5

PAUSE = 60 * 10**9
"""Nanoseconds: recordings less apart than this, one after the other, are of one drive."""


def drives(place_map: PlaceMap, apart: float) -> list[list[int]]:
    """Return the numbers of the segments of each drive of a map, ascending.

    Segments are of one drive that were recorded one after the other, or at the same time in the
    same places, by several cameras. At the same time in different places, they are of two robots,
    or of two runs of a simulation whose clock starts at 0.

    Args:
        place_map: the map.
        apart: metres from where another segment is at the time within which one is with it.
    """
    numbered = place_map.numbered_segments()
    found: list[list[int]] = []
    for number in sorted(range(len(numbered)), key=lambda n: numbered[n][0].first_stamp):
        fitting = [
            drive
            for drive in found
            if _goes_on(place_map, [numbered[n] for n in drive], numbered[number], apart)
        ]
        if fitting:
            places = numbered[number][1]
            nearest = min(fitting, key=lambda d: _jump(place_map, numbered[d[-1]][1], places))
            nearest.append(number)
        else:
            found.append([number])
    return [sorted(drive) for drive in found]


def _goes_on(
    place_map: PlaceMap,
    drive: Sequence[tuple[SegmentInfo, range]],
    segment: tuple[SegmentInfo, range],
    apart: float,
) -> bool:
    """Tell whether a segment may be of a drive whose segments all began no later."""
    info, places = segment
    if all(info.first_stamp - other.last_stamp > PAUSE for other, _ in drive):
        return False
    at_once = [rows for other, rows in drive if info.first_stamp <= other.last_stamp]
    # Without a place of one at the time of one of the other there is no distance (NaN).
    return not any(
        _distance(place_map, rows, place_map, places) > apart
        or _distance(place_map, places, place_map, rows) > apart
        for rows in at_once
    )


def _jump(place_map: PlaceMap, before: range, after: range) -> float:
    """Return the metres from the last place of a segment to the first one of another."""
    last = before.start + int(place_map.stamps[before.start : before.stop].argmax())
    first = after.start + int(place_map.stamps[after.start : after.stop].argmin())
    return float(np.hypot(*(place_map.positions[first] - place_map.positions[last])[:2]))


def same_recordings(
    place_map: PlaceMap, drive: PlaceMap, apart: float, compared: PlaceMap | None = None
) -> NDArray[np.bool_]:
    """Tell which segments of a drive and of a map are of one recording.

    They are if the segment is made of pictures of the drive: at least half of those with equal
    stamps look the same, and for at least half of the time that both last the drive is where the
    segment is. Stamps alone say nothing: another drive has the same ones where they are made up, or
    where the clock of a simulation starts at 0. A simulated one may even be at the same places at
    the same times (in another light), or begin with the same picture (and go on at another speed).

    Args:
        place_map: the map.
        drive: the drive as a map of its own, in the same frame and of the same model.
        apart: metres from where the segment is within which the drive is there, too.
        compared: more pictures of the drive (`stamps_to_compare`).

    Returns:
        [D, M] for the D segments of the drive and the M of the map.
    """
    same = np.zeros((len(drive.segments), len(place_map.segments)), bool)
    for row, (theirs, queries) in enumerate(drive.numbered_segments()):
        for column, (ours, places) in enumerate(place_map.numbered_segments()):
            if ours.first_stamp <= theirs.last_stamp and theirs.first_stamp <= ours.last_stamp:
                same[row, column] = _distance(place_map, places, drive, queries) <= apart and (
                    _of_the_same_pictures(place_map, places, drive, queries)
                    or (
                        compared is not None
                        and _of_the_same_pictures(place_map, places, compared, range(len(compared)))
                    )
                )
    return same


def stamps_to_compare(place_map: PlaceMap, drive: PlaceMap) -> NDArray[np.int64]:
    """Return stamps of which a drive may have pictures that `same_recordings` needs.

    A cut of a recording begins elsewhere, and its places may all lie between those of the whole.
    These are the stamps of some places, evenly spread, of each segment from the time of the drive
    that has no stamp in common with it: at most 50, or five of each of many segments.

    Args:
        place_map: the map.
        drive: the drive as a map of its own.

    Returns:
        [K] int64 nanoseconds, ascending.
    """
    if not len(drive):
        return np.empty(0, np.int64)
    during = []
    for _, places in place_map.numbered_segments():
        ours = np.sort(place_map.stamps[places.start : places.stop])
        ours = ours[(ours >= drive.stamps.min()) & (ours <= drive.stamps.max())]
        if len(ours) and not np.isin(ours, drive.stamps).any():
            during.append(ours)
    most = max(_LEAST_READ, _MOST_READ // max(1, len(during)))
    spread = [ours[:: -(-len(ours) // most)] for ours in during]
    return np.unique(np.concatenate(spread)) if spread else np.empty(0, np.int64)


def _distance(place_map: PlaceMap, places: range, drive: PlaceMap, queries: range) -> float:
    """Return how far queries are from where the places' track is at their times, in the median.

    In metres; NaN where no query is from the time of the places.
    """
    ours = place_map.stamps[places.start : places.stop]
    track = place_map.positions[places.start : places.stop, :2]
    theirs = drive.stamps[queries.start : queries.stop]
    during = (theirs >= ours.min()) & (theirs <= ours.max())
    if not during.any():
        return math.nan
    order = ours.argsort(kind="stable")
    # From the first stamp: as float64, nanoseconds since the epoch are 256 ns coarse.
    since, at = ours[order] - ours.min(), theirs[during] - ours.min()
    expected = np.column_stack([np.interp(at, since, track[order, axis]) for axis in (0, 1)])
    off = np.hypot(*(drive.positions[queries.start : queries.stop, :2][during] - expected).T)
    return float(np.median(off))


def _of_the_same_pictures(
    place_map: PlaceMap, places: range, drive: PlaceMap, queries: range
) -> bool:
    """Tell whether pictures with equal stamps look the same."""
    _, ours, theirs = np.intersect1d(
        place_map.stamps[places.start : places.stop],
        drive.stamps[queries.start : queries.stop],
        return_indices=True,
    )
    step = max(1, -(-len(ours) // _MOST_COMPARED))
    ours, theirs = ours[::step] + places.start, theirs[::step] + queries.start
    if not len(ours):
        return False
    return bool(np.mean(_look_the_same(place_map, ours, drive, theirs)) >= 0.5)


def _look_the_same(
    place_map: PlaceMap, ours: NDArray[np.int64], drive: PlaceMap, theirs: NDArray[np.int64]
) -> NDArray[np.bool_]:
    if place_map.descriptors is not None:
        cosines = np.einsum("kd,kd->k", place_map.gather(ours), drive.gather(theirs))
        return np.asarray(cosines >= _SAME_PICTURE)
    assert place_map.codes is not None  # a map has one of them
    assert drive.codes is not None
    differing = np.concatenate(place_map.codes)[ours] ^ np.concatenate(drive.codes)[theirs]
    return np.asarray(1 - 2 * np.unpackbits(differing, axis=1).mean(axis=1) >= _SAME_CODE)
