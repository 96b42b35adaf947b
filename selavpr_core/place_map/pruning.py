"""Pruning a map: places that another one near by can stand for are left out.

A place is redundant where a place that stays is near, faces the same way and looks alike. Every
place left out has such a stand-in itself: not one that only resembles another that was left out.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_core.errors import MapError
from selavpr_core.place_map.frames import wrapped
from selavpr_core.place_map.manifest import Manifest, SegmentInfo, read_manifest
from selavpr_core.place_map.new_map import NewMap, new_map
from selavpr_core.place_map.place_map import PlaceMap
from selavpr_core.place_map.segment import (
    Progress,
    Segment,
    data_columns,
    thumbnail_columns,
)
from selavpr_core.place_map.tensor_file import Block, array_blocks

_ROWS = 256  # descriptors compared with their surroundings at once
_CHUNK_ROWS = 4096


@dataclass(frozen=True)
class PruningSettings:
    """When a place can stand for another.

    Attributes:
        distance: metres that the two may lie apart, horizontally.
        heading: radians between the ways they face, where both are known.
        similarity: least cosine of their descriptors (of their codes, in a map without
            descriptors).
    """

    distance: float = 5.0
    heading: float = math.radians(30.0)
    similarity: float = 0.7

    def __post_init__(self) -> None:
        if not 0 < self.distance < math.inf:
            raise MapError(f"a distance of {self.distance} m leaves no place to stand for another")
        if not 0 <= self.heading <= math.pi:
            raise MapError(f"headings cannot differ by {math.degrees(self.heading):g} degrees")
        if not -1 <= self.similarity <= 1:
            raise MapError(f"a similarity is a cosine, from -1 to 1, not {self.similarity:g}")


class Pruned(NamedTuple):
    """What pruning did. Places are numbers in the map that was pruned.

    Attributes:
        kept: [K] places that stay, ascending: their order numbers the new map.
        stand_ins: [N] for each place the one that stands for it, itself where it stays.
    """

    kept: NDArray[np.int64]
    stand_ins: NDArray[np.int64]


def prune_map(
    source: Path | str,
    output: Path | str,
    settings: PruningSettings | None = None,
    progress: Progress | None = None,
) -> Pruned:
    """Write a new map without the redundant places of another, which stays as it is.

    A segment that keeps all of its places is linked; one that keeps none is gone. Names, sources
    and the calibration are kept. A crash leaves no map at `output`, never half of one.

    Args:
        source: folder of a map; verified like PlaceMap.load does.
        output: folder of the new map: must not exist, or be empty.
        settings: when a place is redundant; None for the defaults.
        progress: is called with the number of places compared since the last call.

    Raises:
        MapError: the source is missing or damaged, or the output cannot be written.
    """
    source = Path(source)
    manifest = read_manifest(source)
    opened = [Segment(source, info, manifest.model) for info in manifest.segments]
    with new_map(Path(output)) as making:  # refuses an output before the work
        place_map = PlaceMap(source, manifest, opened)
        stand_ins = find_stand_ins(place_map, settings or PruningSettings(), progress)
        kept = np.flatnonzero(stand_ins == np.arange(len(stand_ins)))
        segments = []
        for segment, (_, places) in zip(opened, place_map.numbered_segments(), strict=True):
            rows = kept[(kept >= places.start) & (kept < places.stop)] - places.start
            if len(rows):
                segments.append(_stored(making, source, manifest, segment, rows))
        making.finish(replace(manifest, segments=tuple(segments)))
    return Pruned(kept, stand_ins)


def find_stand_ins(
    place_map: PlaceMap, settings: PruningSettings, progress: Progress | None = None
) -> NDArray[np.int64]:
    """Choose as few places as will do, so that each place has one that stands for it.

    Greedily (Chvatal, 1979): first the place that can stand for the most, of equals the one with
    the surest position, then the first.

    Args:
        place_map: the map.
        settings: when a place can stand for another.
        progress: is called with the number of places compared since the last call.

    Returns:
        [N] int64 the place that stands for each: itself where it stays.
    """
    like = _alike(place_map, settings, progress or (lambda _: None))
    sigmas = np.nan_to_num(place_map.position_sigmas.astype(np.float64), nan=math.inf)
    stand_ins = np.full(len(place_map), -1, np.int64)
    queue = [(-len(others), float(sigmas[place]), place) for place, others in enumerate(like)]
    heapq.heapify(queue)
    while queue:
        promised, sigma, place = heapq.heappop(queue)
        others = like[place]
        open_ones = others[stand_ins[others] < 0]
        if len(open_ones) == 0:
            continue
        if len(open_ones) < -promised:  # some have got a stand-in since: others may do more
            heapq.heappush(queue, (-len(open_ones), sigma, place))
            continue
        stand_ins[open_ones] = place
        stand_ins[place] = place  # even where another could stand for it
    return stand_ins


def _alike(
    place_map: PlaceMap, settings: PruningSettings, progress: Progress
) -> list[NDArray[np.int64]]:
    """Return for each place those that it can stand for, itself included."""
    like: list[NDArray[np.int64]] = [np.empty(0, np.int64)] * len(place_map)
    headings = place_map.headings.astype(np.float64)
    for cell, around in _neighbourhoods(place_map.positions[:, :2], settings.distance):
        there = _vectors(place_map, around)
        for start in range(0, len(cell), _ROWS):
            places = cell[start : start + _ROWS]
            steps = place_map.positions[places][:, None, :2] - place_map.positions[around][:, :2]
            fits = np.hypot(steps[..., 0], steps[..., 1]) <= settings.distance
            turns = np.abs(wrapped(headings[places][:, None] - headings[around]))
            fits &= ~(turns > settings.heading)  # unknown headings object to nothing
            here = there[np.searchsorted(around, places)]
            fits &= here @ there.T >= settings.similarity
            fits |= places[:, None] == around
            for row, place in enumerate(places.tolist()):
                like[place] = around[fits[row]]
            progress(len(places))
    return like


def _neighbourhoods(
    positions: NDArray[np.float64], distance: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the places of each square of a grid, with those that may be within the distance.

    Both ascending.
    """
    squares: dict[tuple[int, int], list[int]] = {}
    for place, (x, y) in enumerate(np.floor(positions / distance).astype(np.int64).tolist()):
        squares.setdefault((x, y), []).append(place)
    for (x, y), cell in squares.items():
        around = [
            place
            for i in (x - 1, x, x + 1)
            for j in (y - 1, y, y + 1)
            for place in squares.get((i, j), ())
        ]
        yield np.array(cell, np.int64), np.sort(np.array(around, np.int64))


def _vectors(place_map: PlaceMap, places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return what places are compared by, [k, D] of length 1: descriptors, else codes."""
    if place_map.descriptors is not None:
        vectors = place_map.gather(places)
    else:
        assert place_map.codes is not None
        parts = [
            codes[places[(places >= span.start) & (places < span.stop)] - span.start]
            for codes, (_, span) in zip(place_map.codes, place_map.numbered_segments(), strict=True)
        ]
        vectors = 2 * np.unpackbits(np.concatenate(parts), axis=1).astype(np.float32) - 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _stored(
    making: NewMap, source: Path, manifest: Manifest, segment: Segment, rows: NDArray[np.int64]
) -> SegmentInfo:
    """Store these rows of a segment in the new map."""
    info = segment.info
    if len(rows) == info.count:
        data = making.adopt(source / info.data.file, info.data)
        if info.thumbnails is not None and segment.has_thumbnails:
            making.adopt(source / info.thumbnails.file, info.thumbnails)
        return replace(info, data=data)
    tensors = data_columns(manifest.model, len(rows))
    data = making.store(
        info.data.file,
        {name: (tensor, _rows(getattr(segment, name), rows)) for name, tensor in tensors.items()},
        info.source,
    )
    stamps = segment.stamps[rows]
    thumbnails = None
    if info.thumbnails is not None and segment.has_thumbnails:
        sizes = [len(segment.thumbnail(row) or b"") for row in rows.tolist()]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype("<i8")
        if offsets[-1]:
            columns = thumbnail_columns(len(rows), int(offsets[-1]))
            jpegs = (segment.thumbnail(row) or b"" for row in rows.tolist())
            thumbnails = making.store(
                info.thumbnails.file,
                {
                    "offsets": (columns["offsets"], array_blocks(offsets)),
                    "jpeg": (columns["jpeg"], jpegs),
                },
                info.source,
            )
    return replace(
        info,
        count=len(rows),
        first_stamp=int(stamps.min()),
        last_stamp=int(stamps.max()),
        data=data,
        thumbnails=thumbnails,
    )


def _rows(column: NDArray[np.generic], rows: NDArray[np.int64]) -> Iterator[Block]:
    for start in range(0, len(rows), _CHUNK_ROWS):
        yield from array_blocks(np.ascontiguousarray(column[rows[start : start + _CHUNK_ROWS]]))
