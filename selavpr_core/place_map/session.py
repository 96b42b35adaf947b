"""The places of a drive under way: added one by one, read back, saved as segments of a map."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selavpr_core.camera import CameraModel
from selavpr_core.errors import MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map.camera_runs import CameraRuns
from selavpr_core.place_map.frames import PlanarTransform
from selavpr_core.place_map.manifest import ModelInfo, SegmentInfo
from selavpr_core.place_map.places import Place, checked_columns
from selavpr_core.place_map.segment import data_columns
from selavpr_core.place_map.spool import CHUNK_ROWS, MappedChunk, PlaceSpool
from selavpr_core.place_map.tensor_file import Block, array_blocks
from selavpr_core.place_map.write_errors import write_errors_named
from selavpr_core.place_map.writer import MapWriter

_WHAT = "the session's files in"


class Session:
    """The places that were added while driving, numbered from 0 in the order they came.

    Everything lies in files that have no name, so that the system frees them with the process,
    however it ends: what is to outlive it must be saved. In memory are only positions, headings
    and stamps, 36 bytes a place, and which cameras took turns. Several threads may use a session;
    one may save it while another appends.

    Attributes:
        model: the model that describes the places.
    """

    def __init__(self, model: ModelInfo, folder: Path | None = None) -> None:
        """Begin a session without places.

        Args:
            model: the model that describes the places.
            folder: takes the files, and is made if it does not exist; by default the system's
                folder for temporary files. On some systems that one lies in memory: give one on a
                disk where sessions are long.

        Raises:
            MapError: the folder cannot be written to.
        """
        self.model = model
        self._folder = Path(tempfile.gettempdir()) if folder is None else Path(folder)
        with write_errors_named(self._folder, _WHAT):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._spool = PlaceSpool(model, self._folder)
        self._positions = _Column("positions", model)
        self._headings = _Column("headings", model)
        self._stamps = _Column("stamps", model)
        self._cameras = CameraRuns()
        self._closed = False
        self._lock = threading.Lock()  # of the files, so that none is closed while it is in use
        self._saving = threading.Lock()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the room of everything that was not saved, once a save under way is done.

        Closing twice does nothing.
        """
        with self._saving, self._lock:
            self._closed = True
            self._spool.close()

    def append(self, place: Place) -> int:
        """Add a place and return its number.

        Raises:
            MapError: the place does not fit the model, its descriptor is not finite or not of
                length 1, its position is not finite, the disk is full, or the session is closed.
                Nothing was added then.
        """
        columns = checked_columns(
            self.model,
            {
                "codes": None if place.code is None else np.asarray(place.code)[None],
                "descriptors": (
                    None if place.descriptor is None else np.asarray(place.descriptor)[None]
                ),
                "positions": np.asarray(place.position, np.float64)[None],
                "headings": [place.heading],
                "heading_sigmas": [place.heading_sigma],
                "position_sigmas": [place.position_sigma],
                "stamps": [place.stamp],
            },
        )
        with self._lock:
            self._check_open()
            number = len(self._spool)
            for column in (self._positions, self._headings, self._stamps):
                column.put(number, columns)
            self._cameras.put(number, place.camera, place.picture_size)
            with write_errors_named(self._folder, _WHAT):
                self._spool.append(columns, [place.thumbnail or b""])
        return number

    def __len__(self) -> int:
        return len(self._spool)

    @property
    def positions(self) -> NDArray[np.float64]:
        """[N, 3] float64, metres, read-only: of the places that are there now."""
        return self._positions.first(len(self))

    @property
    def headings(self) -> NDArray[np.float32]:
        """[N] float32, radians, NaN where unknown, read-only: of the places that are there now."""
        return self._headings.first(len(self))

    @property
    def stamps(self) -> NDArray[np.int64]:
        """[N] int64, nanoseconds since the epoch, read-only: of the places that are there now."""
        return self._stamps.first(len(self))

    def read_rows(self, column: str, start: int, stop: int) -> NDArray[Any]:
        """Read places [start, stop) of a column: "codes", "descriptors", "heading_sigmas", ...

        The columns, their types and shapes are those of a segment's data file
        (docs/map_format.md).

        Raises:
            MapError: the session is closed, or its files cannot be read.
            KeyError: the model gives no such column.
            IndexError: there are no such places.
        """
        if column not in data_columns(self.model, 0):
            raise KeyError(column)
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"places {start} to {stop} of a session with {len(self)}")
        with self._lock:
            self._check_open()
            return self._spool.read_rows(column, start, stop)

    def thumbnail(self, place: int) -> bytes | None:
        """Return a place's thumbnail as JPEG; None if it has none.

        Raises:
            MapError: the session is closed.
            IndexError: there is no such place.
        """
        if not 0 <= place < len(self):
            raise IndexError(f"place {place} of a session with {len(self)}")
        with self._lock:
            self._check_open()
            return self._spool.thumbnail(place)

    def camera(self, place: int) -> CameraModel | None:
        """Return what took a place's picture; None if it is unknown.

        Raises:
            IndexError: there is no such place.
        """
        if not 0 <= place < len(self):
            raise IndexError(f"place {place} of a session with {len(self)}")
        with self._lock:
            return self._cameras.of(place)

    def map_descriptors(self, chunk: int, random_access: bool) -> MappedChunk:
        """Map the descriptors of CHUNK_ROWS places, from number `chunk * CHUNK_ROWS` on.

        The first of them must be there. The others appear once they are appended and must not be
        read before. What is mapped outlives the session. With `random_access` the kernel reads no
        more from the disk than what is used.
        """
        with self._lock:
            self._check_open()
            return self._spool.map_chunk("descriptors", chunk, random_access)

    def save(
        self,
        path: Path | str,
        name: str,
        source: str,
        datum: Datum | None = None,
        first: int = 0,
        transform: tuple[float, float, float, float] | None = None,
        replaces: Collection[str] = (),
    ) -> SegmentInfo:
        """Write the places from number `first` on as one segment of a map and return its entry.

        The segment names its camera where one and the same took the pictures of all of them.
        Crash-safe like everything that `MapWriter` writes. The map is created if it does not
        exist. It gets the places that were there when the save began; others may be appended
        meanwhile.

        Args:
            path: folder of the map.
            name: of the segment; a number is added if the map has that name already.
            source: where the places come from, for people who ask later.
            datum: that of the map; None for one in the frame of its odometry.
            first: what an earlier save did not have.
            transform: x, y, z in metres and yaw in radians of the session's frame in the map's;
                positions and headings are turned and shifted by it. None if the frames are one.
            replaces: names of the map's segments that the new one stands for: what earlier saves
                wrote of the same places. A crash leaves either them or it.

        Raises:
            MapError: there are no places from `first` on, the session is closed, the map belongs
                to another model or datum or lacks a segment that is to be replaced, another
                program writes to it, or it cannot be written.
        """
        moved = None if transform is None else PlanarTransform(*transform)
        if moved is not None and not np.isfinite(moved).all():
            raise MapError(f"places cannot be moved by {tuple(moved)}: give finite numbers")
        with self._saving:
            self._check_open()
            count = len(self)
            if not 0 <= first < count:
                raise MapError(f"the session has {count} places and none from {first} on: drive on")
            with self._lock:
                camera = self._cameras.one_of(first, count)
            contents = replace(self._spool.contents(first, count), camera=camera)
            if moved is not None:
                for column in (self._positions, self._headings):
                    rows = column.first(count)[first:]
                    tensor, _ = contents.data[column.name]
                    contents.data[column.name] = (tensor, _moved(moved, rows))
            with MapWriter(path, self.model, datum) as writer:
                return writer.add_segment(name, source, contents, replaces)

    def _check_open(self) -> None:
        if self._closed:
            raise MapError("the session is closed")


class _Column:
    """An array in memory that grows, the doubled room at a time."""

    def __init__(self, name: str, model: ModelInfo) -> None:
        tensor = data_columns(model, CHUNK_ROWS)[name]
        self.name = name
        self._rows = np.empty(tensor.shape, tensor.dtype)

    def put(self, number: int, columns: dict[str, NDArray[Any]]) -> None:
        """Set row `number`, at most one after the last."""
        if number == len(self._rows):
            grown = np.empty((2 * number, *self._rows.shape[1:]), self._rows.dtype)
            grown[:number] = self._rows
            self._rows = grown  # views of the old one stay what they are
        self._rows[number] = columns[self.name][0]

    def first(self, count: int) -> NDArray[Any]:
        """Return a read-only view of the first rows."""
        view = self._rows[:count]
        view.flags.writeable = False
        return view


def _moved(transform: PlanarTransform, rows: NDArray[Any]) -> Iterator[Block]:
    move = transform.positions if rows.ndim > 1 else transform.headings
    for start in range(0, len(rows), CHUNK_ROWS):
        moved = move(rows[start : start + CHUNK_ROWS])
        yield from array_blocks(moved.astype(moved.dtype.newbyteorder("<")))
