"""Entry point of `selavpr`: small, so that Ctrl-C ends it in one line from the beginning on."""

from __future__ import annotations

import sys

from selavpr_ros.cli.exit_codes import INTERRUPTED


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return the exit code (see selavpr_ros.cli.command)."""
    try:
        from selavpr_ros.cli.command import run

        return run(arguments)
    except KeyboardInterrupt:  # while that was imported, or began or ended
        print("selavpr: interrupted", file=sys.stderr)
        return INTERRUPTED
