from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from examples.demo import processes
from examples.demo.errors import CommandFailedError


def alive(process) -> bool:
    return process.poll() is None


def wait_for(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def child(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_background_process_has_ended_afterwards(tmp_path):
    log = tmp_path / "log"
    code = "import time; print('up', flush=True); time.sleep(60)"
    with processes.running(child(code), log) as process:
        wait_for(lambda: b"up" in log.read_bytes())
        assert alive(process)
    assert not alive(process)


def test_it_has_ended_after_an_error_too(tmp_path):
    code = "import time; time.sleep(60)"
    with (
        pytest.raises(ZeroDivisionError),
        processes.running(child(code), tmp_path / "log") as process,
    ):
        raise ZeroDivisionError
    assert not alive(process)


def test_one_that_does_not_listen_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_PATIENCE", 0.2)
    log = tmp_path / "log"
    code = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        "print('deaf', flush=True); time.sleep(60)"
    )
    with processes.running(child(code), log) as process:
        wait_for(lambda: b"deaf" in log.read_bytes())
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_it_starts_leaves_no_process_behind(tmp_path, monkeypatch, number):
    started = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)
            signal.raise_signal(number)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    monkeypatch.setattr(processes.subprocess, "Popen", Interrupted)
    command = child("import time; time.sleep(60)")
    try:
        with pytest.raises(KeyboardInterrupt):
            processes.run_for_json(command)
        with pytest.raises(KeyboardInterrupt), processes.running(command, tmp_path / "log"):
            pytest.fail("the interrupt was lost")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(started) == 2
    assert not any(alive(process) for process in started)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_json_of_a_command_is_returned():
    assert processes.run_for_json(child("print('{\"places\": 3}')")) == {"places": 3}


def test_a_failed_command_is_an_error():
    with pytest.raises(CommandFailedError, match="exit code 2"):
        processes.run_for_json(child("raise SystemExit(2)"))


def test_sigterm_unwinds_like_an_interrupt():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    try:
        processes.end_on_sigterm()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGHUP), before, strict=True):
            signal.signal(number, handler)
