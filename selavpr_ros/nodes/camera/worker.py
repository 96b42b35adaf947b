"""The thread in which frames are localized, so that no callback ever waits for inference."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from selavpr_ros.nodes.camera.mailbox import Frame, Mailbox

T = TypeVar("T")


class Worker(Generic[T]):
    """Handles the frames of a mailbox one by one, in a thread of its own, until it is stopped."""

    def __init__(
        self,
        mailbox: Mailbox[T],
        handle: Callable[[Frame[T]], None],
        failed: Callable[[Frame[T], Exception], None],
    ) -> None:
        """Start the thread; `failed` is told what `handle` raised, and the next frame is taken."""
        self._mailbox = mailbox
        self._handle = handle
        self._failed = failed
        # A daemon: a process that must end does not wait for an inference that hangs.
        self._thread = threading.Thread(target=self._run, name="localization", daemon=True)
        self._thread.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Take no more frames and wait for the one in work; False where that outlasts `timeout`."""
        self._mailbox.close()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (frame := self._mailbox.take()) is not None:
            try:
                self._handle(frame)
            except Exception as error:  # the thread's outermost frame: it must not die silently
                self._failed(frame, error)
