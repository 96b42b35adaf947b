"""Finding the places of a session, while it grows, that look like a query."""

from __future__ import annotations

from selavpr_core.place_map import Session
from selavpr_core.place_map.spool import CHUNK_ROWS
from selavpr_core.retrieval.localizer import Mode, PlaceSearch


class GrowingIndex(PlaceSearch):
    """Searches those places of a session that were released, for the ones like a query.

    It answers as a `Localizer` does over a map of these places, ties included. Releasing a place
    costs the same however many there are.

    Attributes:
        session: the session that is searched.
    """

    def __init__(self, session: Session, mode: Mode = "two-stage", candidates: int = 100) -> None:
        """Prepare for places to be released; so far none is found.

        Raises:
            MapError: an unknown mode, one that needs what the session's model does not give, or
                fewer than one candidate.
        """
        super().__init__("the session", session.model, mode, candidates, None, None)
        self.session = session
        self._released = 0
        self._chunks = 0

    def __len__(self) -> int:
        """Return how many places can be found."""
        return self._released

    def release(self, count: int) -> None:
        """Let places 0 to count - 1 be found from now on; a smaller count than before is ignored.

        Raises:
            MapError: the session is closed, or its files cannot be read.
            IndexError: the session does not have so many places.
        """
        if count > len(self.session):
            raise IndexError(f"{count} of a session's {len(self.session)} places")
        with self._lock:
            if count <= self._released:
                return
            if self.mode != "code":
                chunks = -(-count // CHUNK_ROWS)
                random_access = self.mode == "two-stage"
                self._inner_products.extend(
                    [
                        self.session.map_descriptors(chunk, random_access)
                        for chunk in range(self._chunks, chunks)
                    ],
                    count,
                )
                self._chunks = chunks
            if self.mode != "float":
                self._hamming.append(self.session.read_rows("codes", self._released, count))
            self._released = count
