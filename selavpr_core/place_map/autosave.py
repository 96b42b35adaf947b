"""Keeping a session in a map while it grows."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from selavpr_core.errors import MapError
from selavpr_core.geodesy import Datum
from selavpr_core.place_map.manifest import MANIFEST_NAME, SegmentInfo, read_manifest
from selavpr_core.place_map.session import Session

# Parts of one size that become one: each place is written once for every power of it that the
# number of saves reaches, and the map has at most 9 parts for each.
_PARTS_MERGED = 10


@dataclass(frozen=True)
class _Part:
    """A segment of the map that holds places of the session from number `first` on."""

    first: int
    level: int  # it stands for _PARTS_MERGED**level saves
    info: SegmentInfo


class Autosave:
    """Saves what is new in a session as further segments of a map, and in the end all as one.

    Each save writes what came since the last; ten parts of one size become one, so that a map has
    few of them after a long drive (every segment costs who opens the map an open file). A process
    that is killed leaves all that was saved. Several threads may call.

    Attributes:
        transform: of the saves to come, as for `Session.save`; may be set as it is known better.
            `finish` moves the whole session by it.
    """

    def __init__(
        self,
        session: Session,
        path: Path | str,
        name: str,
        source: str,
        datum: Datum | None = None,
        transform: tuple[float, float, float, float] | None = None,
        first: int = 0,
    ) -> None:
        """Say where to save; the arguments are those of `Session.save`. Nothing is written yet.

        Places before number `first` are left out of all saves.
        """
        self._session = session
        self._path = Path(path)
        self._name = name
        self._source = source
        self._datum = datum
        self.transform = transform
        self._first = first
        self._parts: list[_Part] = []
        self._lock = threading.Lock()

    @property
    def saved(self) -> int:
        """Number of the place up to which the map has all that are to be saved."""
        parts = self._parts
        return parts[-1].first + parts[-1].info.count if parts else self._first

    def save(self) -> SegmentInfo | None:
        """Save the places that are new; return the segment that has them, None if there are none.

        Where the map was removed or lost the parts that were saved, everything is new.

        Raises:
            MapError: as Session.save.
        """
        with self._lock:
            self._notice_loss()
            if self.saved >= len(self._session):
                return None
            kept, level = len(self._parts), 0
            while kept >= _PARTS_MERGED - 1 and all(
                part.level == level for part in self._parts[kept - _PARTS_MERGED + 1 : kept]
            ):
                kept, level = kept - _PARTS_MERGED + 1, level + 1
            return self._write(kept, level, f"{self._name}-part")

    def finish(self) -> SegmentInfo | None:
        """Save the whole session as one segment instead of its parts, and return it.

        None if there are no places. Saving may go on afterwards.

        Raises:
            MapError: as Session.save; the parts are still there then.
        """
        with self._lock:
            self._notice_loss()
            whole = len(self._parts) == 1 and self._parts[0].level < 0
            if whole and self.saved == len(self._session):
                return self._parts[0].info
            return self._write(0, -1, self._name) if len(self._session) > self._first else None

    def _write(self, kept: int, level: int, name: str) -> SegmentInfo:
        """Write the places after the first `kept` parts as one part."""
        replaced = self._parts[kept:]
        first = replaced[0].first if replaced else self.saved
        info = self._session.save(
            self._path,
            name,
            self._source,
            self._datum,
            first,
            self.transform,
            [part.info.name for part in replaced],
        )
        self._parts = [*self._parts[:kept], _Part(first, level, info)]
        return info

    def _notice_loss(self) -> None:
        if not self._parts:
            return
        try:
            there = set(read_manifest(self._path).segments)
        except MapError:
            if (self._path / MANIFEST_NAME).exists():
                raise  # damaged, which somebody should know
            there = set()
        if not all(part.info in there for part in self._parts):
            self._parts = []
