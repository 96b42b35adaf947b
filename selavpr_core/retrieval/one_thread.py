"""Keeping faiss on one thread: for a single query, waking others costs more than they save."""

from __future__ import annotations

import faiss


class OneThread:
    """Within a `with` block, faiss calls of this thread run on this thread alone.

    The number of OpenMP threads belongs to the calling thread, so other threads see nothing of it;
    it is restored at the end. A class, since a generator would cost a tenth of a small search.
    """

    __slots__ = ("_threads",)

    def __enter__(self) -> None:
        self._threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        faiss.omp_set_num_threads(self._threads)
