"""What the processes do that test_crash.py kills. Progress goes through a pipe."""

from __future__ import annotations

import builtins
import io
import os
import signal
import threading
from collections.abc import Callable
from itertools import count, cycle
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from selavpr_core.place_map import Autosave, MapWriter, Session, merge_maps, tensor_file
from selavpr_core.place_map import autosave as autosave_module

from .maps import LUND, MODEL, drive, places

Step = Callable[..., Any]


def size_of(number: int) -> int:
    """Number of places of the segment that is written as number `number`."""
    return 1 + number % 5


def append_forever(path: Path, first: int, pipe: Connection) -> None:
    """Add segments one after the other, reporting each that is finished."""
    with MapWriter(path, MODEL, LUND) as writer:
        pipe.send("opened")
        number = first
        while True:
            append(writer, number, pipe)
            number += 1


def append(writer: MapWriter, number: int, pipe: Connection) -> None:
    with writer.segment(f"s{number}", "x") as segment:
        for part in range(2):
            segment.add(**places(size_of(number), 2 * number + part))
    pipe.send(number)


def append_two(path: Path, die_at: int, pipe: Connection) -> None:
    """Open a map, add two segments and die at the n-th step towards the disk, if there is one."""
    install_death(die_at)
    with MapWriter(path, MODEL, LUND) as writer:
        pipe.send("opened")
        append(writer, 0, pipe)
        append(writer, 1, pipe)
    pipe.send("closed")


def merge(sources: list[Path], output: Path, die_at: int, pipe: Connection) -> None:
    """Merge maps and die at the n-th step towards the disk, if there is one."""
    install_death(die_at)
    merge_maps(sources, output)
    pipe.send("closed")


def drive_forever(path: Path, spool: Path, pipe: Connection) -> None:
    """Append to a session on one thread, autosave it on another; report how much is saved."""
    session = Session(MODEL, spool)
    autosave = Autosave(session, path, "drive", "x", LUND)
    allowed = threading.Semaphore(20)

    def append_forever() -> None:
        for place in cycle(drive(50)):
            allowed.acquire()
            session.append(place)

    threading.Thread(target=append_forever).start()
    while True:
        if autosave.save():
            allowed.release(20)
        pipe.send(autosave.saved)


def replace_parts(path: Path, spool: Path, die_at: int, pipe: Connection) -> None:
    """Save three places in two parts that become one, and die at a step of that."""
    autosave_module._PARTS_MERGED = 2
    session = Session(MODEL, spool)
    autosave = Autosave(session, path, "drive", "x", LUND)
    for place in drive(3):
        session.append(place)
        if len(session) == 1:
            continue
        if len(session) == 3:
            install_death(die_at)
        autosave.save()
        pipe.send(autosave.saved)
    pipe.send("closed")


def install_death(die_at: int) -> None:
    """Kill this process at the n-th step, from 0, that changes a file, a folder or their names.

    A step is the moment before such a call, or the one after it, or a write that is half done.
    """
    steps = count()

    def deadly(real: Step) -> Step:
        def step(*arguments: Any, **options: Any) -> Any:
            before, after = next(steps), next(steps)
            if before == die_at:
                die()
            try:
                return real(*arguments, **options)
            finally:  # some calls fail as a matter of course
                if after == die_at:
                    die()

        return step

    def write_half_first(output: Any, block: Any) -> None:
        if next(steps) == die_at:
            output.write(memoryview(block).cast("B")[: memoryview(block).nbytes // 2])
            die()
        real_write(output, block)

    real_write = tensor_file._write_all
    tensor_file._write_all = write_half_first
    for name in ("fsync", "replace", "link", "mkdir", "unlink", "rmdir", "open"):
        setattr(os, name, deadly(getattr(os, name)))
    builtins.open = io.open = deadly(io.open)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
