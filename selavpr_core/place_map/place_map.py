"""A place map opened for localization."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from selavpr_core.errors import MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map.calibration import Calibration
from selavpr_core.place_map.manifest import Manifest, ModelInfo, SegmentInfo, read_manifest
from selavpr_core.place_map.segment import Progress, Segment, data_columns
from selavpr_core.place_map.spacing import Spacing


class PlaceMap:
    """The places of a map, numbered from 0 over all segments in the manifest's order.

    Codes and descriptors stay on disk, mapped into memory: only the rows in use are read, and the
    kernel may drop them again. Attributes, N = len(place_map):
        path: folder of the map.
        model: the model that described the places.
        datum: origin of the map frame; None for a map in the frame of its odometry.
        segments: what the manifest says about each segment.
        calibration: the thresholds found for this map; None where nobody looked for them. They
            may be those of fewer places than there are now.
        codes: [n, code_bytes] uint8 of each segment, or None in a map without codes.
        descriptors: [n, descriptor_dim] float16 of each segment, or None without descriptors.
        positions: [N, 3] float64, metres in the map frame (x east, y north, z up with a datum).
        headings, heading_sigmas: [N] float32, radians; NaN where unknown.
        position_sigmas: [N] float32, metres, one horizontal sigma; NaN where unknown.
        stamps: [N] int64, nanoseconds since the epoch.
    All arrays are read-only.
    """

    def __init__(self, path: Path, manifest: Manifest, opened: Sequence[Segment]) -> None:
        self.path = path
        self.model: ModelInfo = manifest.model
        self.datum: Datum | None = manifest.datum
        self.segments: tuple[SegmentInfo, ...] = manifest.segments
        self.calibration: Calibration | None = manifest.calibration
        self._opened = opened
        self._spacings: dict[int, Spacing] = {}
        self._starts = np.cumsum([0, *(segment.count for segment in manifest.segments)])
        self.codes: tuple[NDArray[np.uint8], ...] | None = None
        if self.model.code_bytes is not None:
            self.codes = tuple(s.codes for s in opened if s.codes is not None)
        self.descriptors: tuple[NDArray[np.float16], ...] | None = None
        if self.model.descriptor_dim is not None:
            self.descriptors = tuple(s.descriptors for s in opened if s.descriptors is not None)
        self.positions: NDArray[np.float64] = self._column("positions")
        self.headings: NDArray[np.float32] = self._column("headings")
        self.heading_sigmas: NDArray[np.float32] = self._column("heading_sigmas")
        self.position_sigmas: NDArray[np.float32] = self._column("position_sigmas")
        self.stamps: NDArray[np.int64] = self._column("stamps")

    def _column(self, name: str) -> NDArray[Any]:
        parts = [getattr(segment, name) for segment in self._opened]
        if len(parts) == 1:
            column: NDArray[Any] = parts[0]  # a single segment's stays on disk
            return column
        empty = data_columns(self.model, 0)[name]
        column = np.concatenate([np.empty(empty.shape, empty.dtype), *parts])
        column.flags.writeable = False
        return column

    @classmethod
    def load(
        cls,
        path: Path | str,
        fingerprint: str | None = None,
        progress: Progress | None = None,
    ) -> PlaceMap:
        """Open the map in a folder and verify all of it: version, sizes, checksums, columns.

        With `fingerprint`, that of the model which describes the queries, the map must have been
        made by the same model. `progress` is told the bytes that were verified, again and again.

        Raises:
            MapError: no map there, another version, a damaged or missing part (named), or a
                map made by another model.
        """
        path = Path(path)
        manifest = read_manifest(path)
        model = manifest.model
        if fingerprint is not None and fingerprint != model.fingerprint:
            raise MapError(
                f"{path} was made with other weights or preprocessing (fingerprint "
                f"{model.short_fingerprint}) than the ones loaded ({fingerprint[:12]}): pass "
                f"--weights {model.source}, or build the map again if those have changed since"
            )
        try:
            opened = [Segment(path, info, model, progress) for info in manifest.segments]
            return cls(path, manifest, opened)
        except MapError:
            # A session that is being saved may have replaced segments by one in between.
            if read_manifest(path) == manifest:
                raise
        return cls.load(path, fingerprint, progress)

    def part(self, numbers: Sequence[int]) -> PlaceMap:
        """Return the map of some of the segments, by their numbers; it shares their files.

        Its places are numbered from 0 again, and it has no calibration.
        """
        segments = tuple(self.segments[number] for number in numbers)
        manifest = Manifest(self.model, self.datum, segments)
        return PlaceMap(self.path, manifest, [self._opened[number] for number in numbers])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def expect_random_access(self, expected: bool) -> None:
        """Tell the kernel how descriptors will be read from disk: row by row, or all of them.

        Where the map is not in memory yet, this decides between reading the 100 rows of a query
        and reading everything around them too, or between a fast sweep and one page at a time.
        """
        for segment in self._opened:
            segment.expect_random_access(expected)

    def gather(self, indices: ArrayLike) -> NDArray[np.float32]:
        """Return the descriptors of the places `indices` [k] as [k, descriptor_dim] float32."""
        if self.descriptors is None:
            raise MapError(f"{self.path} has no float descriptors")
        places = np.asarray(indices, np.int64)
        if len(places) and not 0 <= places.min() <= places.max() < len(self):
            raise IndexError(f"places {places.min()} to {places.max()} of {len(self)}")
        rows = np.empty((len(places), self.model.descriptor_dim or 0), np.float16)
        parts = np.searchsorted(self._starts, places, side="right") - 1
        for part in np.unique(parts):
            inside = parts == part
            rows[inside] = self.descriptors[part][places[inside] - self._starts[part]]
        return rows.astype(np.float32)

    def thumbnail(self, place: int) -> bytes | None:
        """Return a place's thumbnail as JPEG; None if it has none or they were left behind."""
        segment, row = self._locate(place)
        return self._opened[segment].thumbnail(row)

    def segment_of(self, place: int) -> SegmentInfo:
        """Return the segment that a place belongs to."""
        return self.segments[self._locate(place)[0]]

    def numbered_segments(self) -> list[tuple[SegmentInfo, range]]:
        """Return each segment with the numbers of its places."""
        stops = self._starts[1:].tolist()
        return [
            (segment, range(stop - segment.count, stop))
            for segment, stop in zip(self.segments, stops, strict=True)
        ]

    def spacing(self, place: int) -> float:
        """Return the distance in metres to the nearest place of the same segment.

        Places at the very same position do not count; NaN if there is no other.
        """
        segment, row = self._locate(place)
        if segment not in self._spacings:
            self._spacings[segment] = Spacing(self._opened[segment].positions)
        return self._spacings[segment].nearest(row)

    def _locate(self, place: int) -> tuple[int, int]:
        """Return the segment's number and the row in it of a place."""
        if not 0 <= place < len(self):
            raise IndexError(f"place {place} of a map with {len(self)} places")
        segment = int(np.searchsorted(self._starts, place, side="right")) - 1
        return segment, place - int(self._starts[segment])
