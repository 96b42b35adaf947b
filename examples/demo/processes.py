"""Child processes that never outlive the demo."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any

from examples.demo.errors import CommandFailedError

_PATIENCE = 8.0  # seconds that a child has to end after it was asked to
_LIKE_SIGINT = (signal.SIGTERM, signal.SIGHUP)


def end_on_sigterm() -> None:
    """Make SIGTERM and SIGHUP unwind the program as Ctrl-C does, so that children are ended."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in _LIKE_SIGINT:
        signal.signal(number, interrupt)


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in the background, its output in a file; it has ended when this is left."""
    with log.open("wb") as output, _child(command, output, subprocess.STDOUT) as process:
        yield process


def run_for_json(command: Sequence[str]) -> dict[str, Any]:
    """Run a command whose stdout is JSON; stderr, where it shows its progress, stays visible.

    Raises CommandFailedError if its exit code is not 0.
    """
    with _child(command, subprocess.PIPE) as process:
        output, _ = process.communicate()
    if process.returncode != 0:
        raise CommandFailedError(f"exit code {process.returncode} of {' '.join(command)}")
    result: dict[str, Any] = json.loads(output)
    return result


@contextmanager
def _child(
    command: Sequence[str], output: IO[bytes] | int, errors: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    process = None
    try:
        with _interrupts_held():
            process = subprocess.Popen(command, stdout=output, stderr=errors)
        yield process
    finally:
        if process is not None:
            _end(process)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let an interrupt come only when this is left.

    In the middle of Popen it would leave a process behind that nobody knows.
    """
    held: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: held.append(number))
        for number in (signal.SIGINT, *_LIKE_SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and end it if it does not."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):  # asked twice, it goes at once
        process.kill()
        process.wait()


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module with this Python."""
    return [sys.executable, "-m", module, *arguments]
