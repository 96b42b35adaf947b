"""What the commands of this package share: one line and a code for every mistake."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import NoReturn

from selavpr_core.errors import SelaVPRError

FAILED = 2
INTERRUPTED = 130  # what shells report for a program that SIGINT ended


class Parser(argparse.ArgumentParser):
    """Ends every mistake on one line, and shows examples below its help.

    examples are pairs of a command and what it does.
    """

    def __init__(
        self,
        prog: str,
        description: str,
        *,
        usage: str | None = None,
        examples: Sequence[tuple[str, str]] = (),
    ) -> None:
        shown = "".join(f"\n  {command}\n      {meaning}" for command, meaning in examples)
        super().__init__(
            prog,
            usage,
            textwrap.fill(description, 90),
            f"examples:{shown}" if shown else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,  # an option added later must not break a script
        )

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and one line on stderr."""
        self.exit(FAILED, f"error: {message}; see {self.prog} --help\n")


def run(main: Callable[[Sequence[str]], None], argv: Sequence[str] | None = None) -> int:
    """Call main with the arguments (those of the process by default) and return the exit code.

    0 when it did its work; 2, with `error: ...` on one line of stderr, for a mistake in the command
    line, the input or the machine; 130, with one line, when it was interrupted. A reader that
    closes the pipe early ends the output without a word.
    """
    try:
        try:
            main(sys.argv[1:] if argv is None else argv)
            sys.stdout.flush()
        except SelaVPRError as error:
            print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
            return FAILED
        except KeyboardInterrupt as interrupt:
            print(str(interrupt) or "interrupted", file=sys.stderr)
            return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at exit: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
