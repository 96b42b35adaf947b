"""Callers of a service who wait for the result of a frame that has not come yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rclpy.task import Future


class Answer(NamedTuple):
    """What a caller is told: whether the robot was localised, and the result in words."""

    found: bool
    text: str


@dataclass(frozen=True)
class _Caller:
    after: int
    since: float
    future: Future


class Callers:
    """Waiting callers; all methods are for the executor's thread."""

    def __init__(self) -> None:
        self._waiting: list[_Caller] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    async def wait(self, after: int, now: float) -> Answer:
        """Wait for the answer to a frame with a number above `after`; `now` in monotonic s."""
        caller = _Caller(after, now, Future())
        self._waiting.append(caller)
        return Answer(*await caller.future)

    def answer(self, number: int, answer: Answer) -> None:
        """Tell those who waited for the frame of this number."""
        self._tell([caller for caller in self._waiting if number > caller.after], answer)

    def answer_all(self, answer: Answer) -> None:
        """Tell everybody."""
        self._tell(self._waiting, answer)

    def give_up(self, newest: int, before: float, answer: Answer) -> None:
        """Tell those who wait since `before` while no frame came for them.

        newest: number of the newest frame that is in work or will be; the result of one that has
        come for a caller will come too.
        """
        self._tell([c for c in self._waiting if c.since <= before and newest <= c.after], answer)

    def _tell(self, callers: list[_Caller], answer: Answer) -> None:
        self._waiting = [caller for caller in self._waiting if caller not in callers]
        for caller in callers:
            caller.future.set_result(answer)
