"""Collecting the places of one segment until it is finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from numpy.typing import ArrayLike

from selavpr_core.camera import CameraModel
from selavpr_core.place_map.manifest import ModelInfo
from selavpr_core.place_map.places import checked_columns
from selavpr_core.place_map.spool import PlaceSpool, SegmentContents
from selavpr_core.place_map.write_errors import write_errors_named


class SegmentWriter:
    """Collects the places of one segment in files, so that memory does not grow with them.

    Made by `MapWriter.segment`. `len()` is the number of places added so far.

    Attributes:
        name: the segment's final name.
        camera: what took the pictures of all places; may be set until the segment is finished.
            None if it is unknown.
    """

    def __init__(self, name: str, model: ModelInfo, work: Path) -> None:
        self.name = name
        self.camera: CameraModel | None = None
        self._model = model
        self._map = work.parents[1]
        with write_errors_named(self._map):
            self._spool = PlaceSpool(model, work)

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def __len__(self) -> int:
        return len(self._spool)

    def add(
        self,
        codes: ArrayLike | None,
        descriptors: ArrayLike | None,
        positions: ArrayLike,
        headings: ArrayLike,
        heading_sigmas: ArrayLike,
        position_sigmas: ArrayLike,
        stamps: ArrayLike,
        thumbnails: Sequence[bytes] | None = None,
    ) -> None:
        """Append n places.

        Args:
            codes: [n, code_bytes] uint8; None for a model without codes.
            descriptors: [n, descriptor_dim] float, of length 1; stored as float16. None for a
                model without descriptors.
            positions: [n, 3] metres in the map frame.
            headings: [n] radians, counter-clockwise from x (REP-103); NaN where unknown.
            heading_sigmas: [n] radians; NaN where unknown.
            position_sigmas: [n] metres, one horizontal sigma; NaN where unknown.
            stamps: [n] nanoseconds since the epoch.
            thumbnails: n JPEGs, b"" for a place without one; None if there are none.

        Raises:
            MapError: a shape that does not fit the others or the model, a descriptor that is not
                finite or not of length 1, or a position that is not finite.
        """
        given = {
            "codes": codes,
            "descriptors": descriptors,
            "positions": positions,
            "headings": headings,
            "heading_sigmas": heading_sigmas,
            "position_sigmas": position_sigmas,
            "stamps": stamps,
        }
        columns = checked_columns(self._model, given, thumbnails)
        count = len(columns["stamps"])
        if count:
            with write_errors_named(self._map):
                self._spool.append(columns, thumbnails or [b""] * count)

    def contents(self) -> SegmentContents:
        """Return everything that was added, at least one place; can be read once."""
        return replace(self._spool.contents(0, len(self), last_use=True), camera=self.camera)
