from __future__ import annotations

import signal
import threading

import pytest

from training.run.stopping import Interruption, Stopped, StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_the_handlers_are_put_back(number: signal.Signals) -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with StopRequest() as stop:
        assert stop.signal == 0
        signal.raise_signal(number)
        assert stop.signal == number
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_signal_acts_as_if_nobody_took_note() -> None:
    with StopRequest():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_work_that_can_be_done_again_is_left_at_once() -> None:
    with StopRequest() as stop:
        with pytest.raises(Interruption), stop.leaving_at_once():
            signal.raise_signal(signal.SIGTERM)
        assert stop.signal == signal.SIGTERM


def test_a_signal_that_came_before_is_not_forgotten() -> None:
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interruption), stop.leaving_at_once():
            pytest.fail("the block was entered")


def test_other_threads_train_without_signals() -> None:
    seen: list[int] = []

    def work() -> None:
        with StopRequest() as stop:
            seen.append(stop.signal)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [0]


def test_the_exit_code_tells_the_signal() -> None:
    assert Stopped(signal.SIGTERM, "saved").code == 143
    assert Stopped(signal.SIGINT, "saved").code == 130
