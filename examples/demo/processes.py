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
from typing import Any

from examples.demo.errors import CommandFailedError

_PATIENCE = 8.0  # seconds that a child has to end after it was asked to


def end_on_sigterm() -> None:
    """Make SIGTERM and SIGHUP unwind the program as Ctrl-C does, so that children are ended."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in the background, its output in a file; it has ended when this is left."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            _end(process)


def run_for_json(command: Sequence[str]) -> dict[str, Any]:
    """Run a command whose stdout is JSON; stderr, where it shows its progress, stays visible.

    Raises CommandFailedError if its exit code is not 0.
    """
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        output, _ = process.communicate()
    finally:
        _end(process)
    if process.returncode != 0:
        raise CommandFailedError(f"exit code {process.returncode} of {' '.join(command)}")
    result: dict[str, Any] = json.loads(output)
    return result


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
