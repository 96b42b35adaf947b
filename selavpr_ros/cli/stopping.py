"""What a command does when it is stopped: by Ctrl-C, or by SIGTERM in the same way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Terminated(BaseException):
    """SIGTERM came.

    No KeyboardInterrupt: Python would end as by SIGINT where one passed through code that was made
    from text, as that of dataclasses is.
    """


@contextmanager
def terminable() -> Iterator[None]:
    """Raise Terminated in the block when SIGTERM comes, so that it is left tidily.

    Once: `timeout` sends it twice, and the second must not end the tidying up.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield  # whoever embeds the command deals with it
        return

    def stop(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated("terminated")

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def told_when_stopped(what: Callable[[], str]) -> Iterator[None]:
    """Add to what is told when the block is stopped what is there then; nothing where it is ""."""
    try:
        yield
    except (KeyboardInterrupt, Terminated) as stopped:
        said = [str(stopped) or "interrupted", what()]
        raise type(stopped)("; ".join(filter(None, said))) from None
