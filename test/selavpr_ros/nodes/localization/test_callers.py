from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

from selavpr_ros.nodes.localization.callers import Answer, Callers

pytestmark = pytest.mark.ros

FOUND = Answer(True, "found")


def begin(waiting: Coroutine[Any, Any, Answer]) -> Coroutine[Any, Any, Answer]:
    """Run a caller up to where it waits, as an executor does."""
    waiting.send(None)
    return waiting


def told(waiting: Coroutine[Any, Any, Answer]) -> Answer | None:
    """What a caller was told; None where it still waits."""
    try:
        waiting.send(None)
    except StopIteration as end:
        answer: Answer = end.value
        return answer
    return None


def test_a_frame_in_work_answers_only_those_who_came_before_it() -> None:
    callers = Callers()
    early, late = begin(callers.wait(3, 0.0)), begin(callers.wait(4, 0.0))
    callers.answer(3, FOUND)
    assert told(early) is None
    callers.answer(4, FOUND)
    assert (told(early), told(late)) == (FOUND, None)
    callers.answer(5, FOUND)
    assert told(late) == FOUND
    assert not callers


def test_nobody_waits_for_a_camera_that_is_silent() -> None:
    callers = Callers()
    waiting = begin(callers.wait(3, 10.0))
    lost = Answer(False, "no image")
    callers.give_up(3, 9.9, lost)  # not long enough yet
    assert told(waiting) is None
    callers.give_up(4, 10.0, lost)  # an image came: it is in work
    assert told(waiting) is None
    callers.give_up(3, 10.0, lost)
    assert told(waiting) == lost


def test_what_was_noted_meanwhile_is_told_when_waiting_took_too_long() -> None:
    callers = Callers()
    waiting, later = begin(callers.wait(3, 10.0)), begin(callers.wait(4, 12.0))
    candidate, surer = Answer(False, "candidate"), Answer(False, "candidate, but surer")
    callers.note(3, FOUND)  # a frame from before they came
    callers.note(4, candidate)
    callers.note(5, surer)
    callers.give_up(6, 9.9, Answer(False, "no image"))
    assert (told(waiting), told(later)) == (None, None)
    # A frame is in work, but the time is over.
    callers.give_up(6, 10.0, Answer(False, "no image"))
    assert (told(waiting), told(later)) == (surer, None)
    # Whoever is localised before that hears of it at once.
    callers.answer(6, FOUND)
    assert told(later) == FOUND


def test_all_are_told_at_the_end() -> None:
    callers = Callers()
    waiting = [begin(callers.wait(number, 0.0)) for number in range(3)]
    assert callers
    callers.answer_all(FOUND)
    assert [told(caller) for caller in waiting] == [FOUND] * 3
    assert not callers
