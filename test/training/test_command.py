from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from training.command import Parser, run
from training.errors import DatasetError


def failing(error: BaseException):
    def main(argv: Sequence[str]) -> None:
        raise error

    return main


def test_it_hands_over_the_arguments() -> None:
    given: list[Sequence[str]] = []
    assert run(given.append, ["--a", "b"]) == 0
    assert given == [["--a", "b"]]


def test_an_error_is_one_line_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(failing(DatasetError("no\nimage here")), []) == 2
    assert capsys.readouterr() == ("", "error: no image here\n")


def test_an_interruption_is_one_line_and_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(failing(KeyboardInterrupt()), []) == 130
    assert run(failing(KeyboardInterrupt("stopped, and saved")), []) == 130
    assert capsys.readouterr().err == "interrupted\nstopped, and saved\n"


def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        run(failing(ZeroDivisionError()), [])


def test_a_mistake_on_the_command_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="prog", description="Does it.", examples=[("prog --x", "what it does")])
    parser.add_argument("--number", type=int)
    for argv in (["--number", "x"], ["--num", "1"], ["more"]):
        with pytest.raises(SystemExit) as stop:
            parser.parse_args(argv)
        assert stop.value.code == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.endswith("see prog --help\n")
        assert error.count("\n") == 1
    assert parser.format_help().endswith("examples:\n  prog --x\n      what it does\n")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    program = (
        "import sys; from training.command import run\n"
        "def main(argv):\n"
        "    while True: print('line')\n"
        "sys.exit(run(main, []))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 0
    process.stderr.close()


@pytest.mark.parametrize("command", ["prepare", "train", "evaluate"])
def test_help_is_quick_and_the_same_on_every_machine(tmp_path: Path, command: str) -> None:
    """torch, which takes seconds to import, is not needed for it."""
    program = (
        f"import sys; from training.{command} import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print('torch' in sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.startswith("usage: python -m training.")
    assert printed.endswith("False\n")
    assert str(tmp_path) not in printed
