"""What `selavpr` does: parses the command line, and turns errors into one line and a code."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from selavpr_core import __version__
from selavpr_core.errors import SelaVPRError
from selavpr_ros.cli import build_map, calibrate, convert_weights, map_tools, query
from selavpr_ros.cli.exit_codes import FAILED, INTERRUPTED, TERMINATED
from selavpr_ros.cli.options import Parser
from selavpr_ros.cli.stopping import Terminated, terminable

_OF_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # errors that name no file


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code.

    0 when it did its work; 2, with one line on stderr, for a mistake in the command line, the
    input or the machine; 130 when Ctrl-C stopped it, 143 when SIGTERM did, with a line as well. A
    reader that closes the pipe early ends the output without a word.
    """
    _prepare_streams()
    # What cannot be decoded is reported in our own words. It is read when OpenCV is imported.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            options = _parser().parse_args(_with_negative_values(given))
            with _logging_to_stderr(), terminable():
                code: int = options.run(options)
            sys.stdout.flush()
            return code
        except SelaVPRError as error:
            print(f"selavpr: {' '.join(str(error).split())}", file=sys.stderr)
            return FAILED
        except (KeyboardInterrupt, Terminated) as stopped:
            print(f"selavpr: {str(stopped) or 'interrupted'}", file=sys.stderr)
            return TERMINATED if isinstance(stopped, Terminated) else INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return 0
    except OSError as error:  # of what is printed, or of a path that nobody may even look at
        where = "" if error.filename is None else f"{error.filename}: "
        if not where and error.errno in _OF_OUTPUT:
            _drop_output()
            where = "the output cannot be written: "
        print(f"selavpr: {where}{error.strerror or error}", file=sys.stderr)
        return FAILED


def _prepare_streams() -> None:
    """Make both streams take all that is printed, paths of any bytes, and be there if closed."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:  # print would take stdout in its place
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does


def _drop_output() -> None:
    """Let what is left to print go nowhere: Python flushes stdout once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> Parser:
    parser = Parser(
        prog="selavpr",
        description="Visual place recognition: maps from bags, and places from images.",
        examples=[
            ("selavpr build-map drive.mcap --output campus", "a place map from a geotagged bag"),
            ("selavpr map info campus", "what is in it"),
            ("selavpr query campus photo.jpg", "where a photo was taken"),
            ("selavpr calibrate campus", "how alike an answer must be to be believed"),
        ],
    )
    parser.add_argument("--version", action="version", version=f"selavpr {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (build_map, map_tools, query, calibrate, convert_weights):
        module.add_parser(commands)
    return parser


def _with_negative_values(arguments: list[str]) -> list[str]:
    """Join `--datum` and its value: argparse takes "-33.9,18.4" for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--datum":
            joined[-1] = f"--datum={argument}"
        else:
            joined.append(argument)
    return joined


class _Line(logging.Formatter):
    """A message as it is, and from a warning on with the level in front."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return line if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {line}"


@contextmanager
def _logging_to_stderr() -> Iterator[None]:
    """Show what the packages report on stderr: stdout is for results alone."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    loggers = [logging.getLogger(name) for name in ("selavpr_core", "selavpr_ros")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
