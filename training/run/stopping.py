"""Signals that end a run: it saves first, and its exit code says which signal it was."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Stopped(SystemExit):
    """A signal ended the run after it had been saved; the exit code is 128 + the signal's number.

    message: one line for the person at the keyboard.
    """

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(128 + signal_number)
        self.message = message


class Interruption(BaseException):
    """A signal came while the run did what can be left and done again."""


class StopRequest:
    """Takes note of SIGINT and SIGTERM while its block runs.

    signal: the number of the one that came, 0 before. The run looks at it between two steps; a
    second signal acts as if nobody took note. Outside the main thread, where Python delivers no
    signals, none ever comes.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._before: dict[int, Any] = {}
        self._leave_at_once = False

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        self._listen_no_more()

    def _listen_no_more(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.signal = number
        self._listen_no_more()
        if self._leave_at_once:
            raise Interruption

    @contextmanager
    def leaving_at_once(self) -> Iterator[None]:
        """Raise Interruption in the block as soon as a signal comes, or has come already."""
        if self.signal:
            raise Interruption
        self._leave_at_once = True
        try:
            yield
        finally:
            self._leave_at_once = False
