from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from selavpr_ros.nodes.camera.mailbox import Mailbox


def test_newest_wins_and_the_replaced_are_counted() -> None:
    mailbox: Mailbox[str] = Mailbox()
    for item in ("a", "b", "c"):
        mailbox.put(item)
    frame = mailbox.take()
    assert frame is not None
    assert (frame.item, frame.number) == ("c", 3)
    assert (mailbox.received, mailbox.dropped) == (3, 2)


def test_a_taken_item_is_not_taken_again() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.put("a")
    mailbox.take()
    mailbox.close()
    assert mailbox.take() is None


def test_a_cleared_item_is_no_longer_the_newest() -> None:
    """Or who waits for its result would wait for ever."""
    mailbox: Mailbox[str] = Mailbox()
    assert mailbox.newest == 0
    mailbox.put("a")
    assert mailbox.newest == 1
    mailbox.take()
    mailbox.put("b")
    assert mailbox.newest == 2
    mailbox.clear()
    assert (mailbox.newest, mailbox.received) == (1, 2)


@given(st.lists(st.sampled_from(["put", "take", "clear"])))
def test_every_item_is_taken_or_dropped_or_waits(actions: list[str]) -> None:
    mailbox: Mailbox[int] = Mailbox()
    waiting, received, taken, dropped = False, 0, 0, 0
    for action in actions:
        if action == "put":
            dropped += waiting
            received, waiting = received + 1, True
            mailbox.put(received)
        elif action == "take" and waiting:
            frame = mailbox.take()
            assert frame is not None
            assert frame.item == frame.number == received
            taken, waiting = taken + 1, False
        elif action == "clear":
            mailbox.clear()
            dropped, waiting = dropped + waiting, False
    assert (mailbox.received, mailbox.dropped) == (received, dropped)
    assert received == taken + dropped + waiting


def test_take_waits_for_an_item_and_for_the_end() -> None:
    mailbox: Mailbox[str] = Mailbox()
    seen: list[str | None] = []

    def taker() -> None:
        while (frame := mailbox.take()) is not None:
            seen.append(frame.item)
            handled.set()
        seen.append(None)

    handled = threading.Event()
    thread = threading.Thread(target=taker)
    thread.start()
    for item in ("a", "b"):
        handled.clear()
        mailbox.put(item)
        assert handled.wait(10)
    mailbox.close()
    thread.join(10)
    assert seen == ["a", "b", None]


def test_closing_lets_go_of_what_waits() -> None:
    mailbox: Mailbox[str] = Mailbox()
    mailbox.put("a")
    mailbox.close()
    assert mailbox.take() is None
