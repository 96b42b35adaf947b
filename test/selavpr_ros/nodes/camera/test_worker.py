from __future__ import annotations

import queue
import threading

from selavpr_ros.nodes.camera.mailbox import Frame, Mailbox
from selavpr_ros.nodes.camera.worker import Worker


def test_handles_what_is_put_in_a_thread_of_its_own() -> None:
    mailbox: Mailbox[str] = Mailbox()
    handled: queue.Queue[tuple[str, int]] = queue.Queue()
    worker = Worker(
        mailbox,
        lambda frame: handled.put((frame.item, threading.get_ident())),
        lambda frame, error: None,
    )
    mailbox.put("a")
    item, thread = handled.get(timeout=10)
    assert item == "a"
    assert thread != threading.get_ident()
    assert worker.stop(10)


def test_an_exception_is_reported_and_the_next_frame_is_taken() -> None:
    mailbox: Mailbox[int] = Mailbox()
    told: queue.Queue[object] = queue.Queue()

    def handle(frame: Frame[int]) -> None:
        told.put(10 // frame.item)

    worker = Worker(mailbox, handle, lambda frame, error: told.put(type(error)))
    mailbox.put(0)
    assert told.get(timeout=10) is ZeroDivisionError
    mailbox.put(5)
    assert told.get(timeout=10) == 2
    assert worker.stop(10)


def test_stopping_waits_for_the_frame_in_work() -> None:
    mailbox: Mailbox[str] = Mailbox()
    begun, go_on = threading.Event(), threading.Event()
    finished: list[str] = []

    def handle(frame: Frame[str]) -> None:
        begun.set()
        assert go_on.wait(10)
        finished.append(frame.item)

    worker = Worker(mailbox, handle, lambda frame, error: None)
    mailbox.put("a")
    assert begun.wait(10)
    assert not worker.stop(timeout=0.01)
    assert not finished
    go_on.set()
    assert worker.stop(10)
    assert finished == ["a"]
