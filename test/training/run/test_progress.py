"""When the bar of a run is drawn."""

from __future__ import annotations

import io
import sys

import pytest

from training.run import progress


class Screen(io.StringIO):
    """A stderr that is a terminal, or is not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def drawn(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, seconds_a_step: float, shown: bool = True
) -> str:
    """Return what a bar of ten batches, of which two were done before, writes."""
    screen, now = Screen(terminal), [100.0]
    monkeypatch.setattr(sys, "stderr", screen)
    with progress.progress_bar("epoch 2/3", 10, 2, unit="batch", shown=shown) as bar:
        bar._time = lambda: now[0]
        bar.start_t = bar.last_print_t = now[0]
        for _ in range(8):
            now[0] += seconds_a_step
            bar.update()
    return screen.getvalue()


def test_on_a_terminal_it_goes_on_where_the_epoch_was(monkeypatch: pytest.MonkeyPatch) -> None:
    written = drawn(monkeypatch, terminal=True, seconds_a_step=1.0)
    assert "epoch 2/3" in written
    assert "3/10" in written
    assert "10/10" in written
    assert "1/10 " not in written


def test_a_log_gets_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    written = drawn(monkeypatch, terminal=False, seconds_a_step=20.0)
    # After 60 and 120 of 160 seconds: two lines, whose beginning is a return.
    assert [part.split("|")[-1].split()[0] for part in written.split("\r") if "/10" in part] == [
        "5/10",
        "8/10",
    ]


@pytest.mark.parametrize(("terminal", "seconds", "shown"), [(False, 1.0, True), (True, 1.0, False)])
def test_short_work_in_a_log_and_other_ranks_are_silent(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, seconds: float, shown: bool
) -> None:
    assert drawn(monkeypatch, terminal, seconds, shown) == ""
