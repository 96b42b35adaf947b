"""What a shell makes of a program's end."""

from __future__ import annotations


def status(returncode: int) -> int:
    """Return what `$?` says of a program with this return code of Popen: 128 + N for signal N.

    A program that caught Ctrl-C and returns 130 may yet end by SIGINT itself: `python -m` does so
    where the KeyboardInterrupt passed through code that was made from text, as that of dataclasses
    and of rosbags' readers is. Nobody at a shell can tell the two apart.
    """
    return 128 - returncode if returncode < 0 else returncode
