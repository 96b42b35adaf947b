from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from selavpr_ros.progress import progress_bar


@contextmanager
def a_terminal() -> Iterator[int]:
    """The other end of a terminal that stderr is."""
    ours, theirs = os.openpty()
    with open(theirs, "w") as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        yield ours
    os.close(ours)


def drawn(terminal: int) -> str:
    """What was written to a terminal since the last time; it arrives a little later."""
    end = "<end>"
    print(end, end="", file=sys.stderr, flush=True)
    seen = b""
    while end.encode() not in seen:
        seen += os.read(terminal, 10_000)
    return seen.decode().partition(end)[0]


def test_a_terminal_sees_how_far_the_work_is_and_nothing_afterwards() -> None:
    with a_terminal() as terminal:
        with progress_bar("reading", 4, "frame", delay=0) as bar:
            bar.update(3)
            bar.refresh()
            seen = drawn(terminal)
            assert "reading" in seen
            assert "3/4" in seen
            assert "frame" in seen
        # What comes after the last carriage return is blank: the line is free again.
        assert not drawn(terminal).rstrip("\r").rpartition("\r")[2].strip()


def test_large_counts_are_shortened_where_asked_for() -> None:
    with (
        a_terminal() as terminal,
        progress_bar("checking", 12_300_000, "byte", delay=0, scaled=True) as bar,
    ):
        bar.refresh()
        assert "12.3M" in drawn(terminal)


@pytest.mark.parametrize(("shown", "delay"), [(True, 60.0), (False, 0.0)])
def test_quick_work_and_what_is_not_to_be_shown_draw_nothing(shown: bool, delay: float) -> None:
    with a_terminal() as terminal:
        with progress_bar("reading", None, "frame", shown=shown, delay=delay) as bar:
            bar.update(3)
        assert drawn(terminal) == ""


def test_a_file_gets_no_bar(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_bar("reading", 4, "frame", delay=0) as bar:
        bar.update(4)
        bar.refresh()
        assert bar.disable
    assert capfd.readouterr() == ("", "")
