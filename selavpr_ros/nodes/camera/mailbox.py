"""A mailbox for one frame: between a callback that must not wait and a worker that takes long."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Frame(Generic[T]):
    """What the worker takes: the item, and its number among all that were put (from 1)."""

    item: T
    number: int


class Mailbox(Generic[T]):
    """Holds the newest item only; an item that was replaced before it was taken counts as dropped.

    One thread puts, one takes; both may be stopped by `close`.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._waiting = False
        self._closed = False
        self._received = 0
        self._taken = 0
        self._dropped = 0

    @property
    def newest(self) -> int:
        """Number of the newest item that waits or was taken; one that was cleared never comes."""
        with self._condition:
            return self._received if self._waiting else self._taken

    @property
    def received(self) -> int:
        """Number of items put so far."""
        with self._condition:
            return self._received

    @property
    def dropped(self) -> int:
        """Number of items that were never taken: replaced by a newer one, or cleared."""
        with self._condition:
            return self._dropped

    def put(self, item: T) -> None:
        """Leave an item, in place of the one that still waits. Never blocks."""
        with self._condition:
            self._received += 1
            self._dropped += self._waiting
            self._item, self._waiting = item, True
            self._condition.notify()

    def take(self) -> Frame[T] | None:
        """Wait for an item and return it; None once the mailbox is closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            item, self._item, self._waiting = self._item, None, False
            self._taken = self._received
            return Frame(item, self._received)  # type: ignore[arg-type]  # waiting: an item is there

    def clear(self) -> None:
        """Discard the waiting item, which counts as dropped."""
        with self._condition:
            self._dropped += self._waiting
            self._item, self._waiting = None, False

    def close(self) -> None:
        """Make every present and future `take` return None, and let go of the waiting item."""
        with self._condition:
            self._closed = True
            self._item, self._waiting = None, False
            self._condition.notify_all()
