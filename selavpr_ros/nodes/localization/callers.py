"""Callers of a service who wait for the result of frames that have not come yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rclpy.task import Future


class Answer(NamedTuple):
    """What a caller is told: whether the robot was localised, and the result in words."""

    found: bool
    text: str


@dataclass(eq=False)
class _Caller:
    after: int
    since: float
    future: Future
    meanwhile: Answer | None = None


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

    def note(self, number: int, answer: Answer) -> None:
        """Keep what those who wait are told if nothing better comes until they are given up."""
        for caller in self._waiting:
            if number > caller.after:
                caller.meanwhile = answer

    def answer_all(self, answer: Answer) -> None:
        """Tell everybody."""
        self._tell(self._waiting, answer)

    def give_up(self, newest: int, before: float, answer: Answer) -> None:
        """Tell those who wait since `before`: what was noted for them, else this.

        newest: number of the newest frame that is in work or will be. Where nothing was noted, the
        result of one that has come for a caller will come too, and the caller waits for it.
        """
        late = [caller for caller in self._waiting if caller.since <= before]
        for caller in late:
            if caller.meanwhile is not None:
                self._tell([caller], caller.meanwhile)
            elif newest <= caller.after:
                self._tell([caller], answer)

    def _tell(self, callers: list[_Caller], answer: Answer) -> None:
        self._waiting = [caller for caller in self._waiting if caller not in callers]
        for caller in callers:
            caller.future.set_result(answer)
