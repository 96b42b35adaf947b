"""Finding the places of a session, while it grows, that look like a query."""

from __future__ import annotations

from numpy.typing import ArrayLike

from selavpr_core.place_map import Session
from selavpr_core.place_map.spool import CHUNK_ROWS, MappedChunk
from selavpr_core.retrieval.localizer import Match, Mode, PlaceSearch

# Mapped descriptors that may count as this process's memory. What the file system keeps of them
# beyond that, the kernel can take back.
_RESIDENT_BYTES = 256 << 20
_READ_AROUND = 64 << 10  # that the kernel maps around a row, if the file system has it already


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
        self._chunks: list[MappedChunk] = []
        self._read_bytes = 0  # of descriptors, mapped since all was forgotten

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
                random_access = self.mode == "two-stage"
                new = [
                    self.session.map_descriptors(chunk, random_access)
                    for chunk in range(len(self._chunks), -(-count // CHUNK_ROWS))
                ]
                self._inner_products.extend([chunk.rows for chunk in new], count)
                self._chunks += new
            if self.mode != "float":
                self._hamming.append(self.session.read_rows("codes", self._released, count))
            self._released = count

    def localize(
        self, code: ArrayLike | None, descriptor: ArrayLike | None, count: int | None = None
    ) -> list[Match]:
        """Find the released places most similar to a query. See `PlaceSearch.localize`."""
        matches = super().localize(code, descriptor, count)
        if self._chunks:
            self._bound_memory()
        return matches

    def _bound_memory(self) -> None:
        """Forget descriptors that were read, before they take more memory than they may."""
        mapped = sum(chunk.rows.nbytes for chunk in self._chunks)
        if mapped <= _RESIDENT_BYTES:
            return
        if self.mode == "two-stage":
            self._read_bytes += self.candidates * (2 * self._dim + _READ_AROUND)
        else:
            self._read_bytes = mapped
        if self._read_bytes > _RESIDENT_BYTES:
            for chunk in self._chunks:
                chunk.forget()
            self._read_bytes = 0
