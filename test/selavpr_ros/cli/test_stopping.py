from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from selavpr_core.place_map import PlaceMap
from selavpr_ros.cli.main import main
from selavpr_ros.cli.stopping import Terminated, terminable, told_when_stopped
from test import shell

# Sends SIGTERM where something is called, and again when the program tidies up.
STOPPED_AT = """
import os, signal, shutil, sys
from {module} import {owner}
from selavpr_ros.cli.main import main

def term_and(function):
    def term_and_do(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return function(*arguments, **options)
    return term_and_do

def stop(*_, **__):
    shutil.rmtree = term_and(shutil.rmtree)
    os.kill(os.getpid(), signal.SIGTERM)

{owner}.{name} = stop
sys.exit(main())
"""


def stopped_at(
    project: Path, module: str, place: str, *arguments: object
) -> subprocess.CompletedProcess[str]:
    owner, name = place.split(".")
    return subprocess.run(
        [sys.executable, "-c", STOPPED_AT.format(module=module, owner=owner, name=name)]
        + [str(argument) for argument in arguments],
        capture_output=True, text=True, cwd=project, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("there", [False, True], ids=["new folder", "empty folder"])
@pytest.mark.parametrize("tool", ["merge", "prune"])
def test_sigterm_leaves_nothing_of_an_unfinished_map(
    project: Path, street: Path, tmp_path: Path, tool: str, there: bool
) -> None:
    output = tmp_path / "new"
    if there:
        output.mkdir()
    done = stopped_at(
        project, "selavpr_core.place_map.new_map", "NewMap.finish",
        "map", tool, street / "campus", "--output", output,
    )  # fmt: skip
    assert (shell.status(done.returncode), done.stdout) == (143, "")
    assert done.stderr == "selavpr: terminated\n"
    assert list(tmp_path.rglob("*")) == [output] * there


def test_sigterm_leaves_no_map_of_which_no_bag_was_finished(
    project: Path, street: Path, tmp_path: Path
) -> None:
    options = ("--output", tmp_path / "map", "--weights", "random:tiny", "--device", "cpu")
    module = "selavpr_core.place_map.segment_writer"
    done = stopped_at(project, module, "SegmentWriter.add", "build-map", street / "drive", *options)
    assert shell.status(done.returncode) == 143
    assert done.stderr.splitlines()[-1] == "selavpr: terminated; no bag was finished"
    assert not (tmp_path / "map").exists()


@pytest.mark.parametrize(
    ("tool", "place"),
    [
        ("merge", "selavpr_ros.cli.map_tools.merge.report"),
        ("prune", "selavpr_ros.cli.map_tools.prune._found"),
        ("prune", "selavpr_ros.cli.map_tools.prune.print_json"),
    ],
)
def test_an_interrupt_says_that_the_map_is_there(
    street: Path,
    tmp_path: Path,
    tool: str,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupted)
    output = tmp_path / "new"
    assert main(["map", tool, str(street / "campus"), "--output", str(output), "--json"]) == 130
    said = f"the map {output} is complete, only the summary of it is missing"
    assert capsys.readouterr().err == f"selavpr: interrupted; {said}\n"
    assert len(PlaceMap.load(output)) <= 5


def test_an_interrupt_before_that_does_not(
    street: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("selavpr_core.place_map.new_map.NewMap.finish", interrupted)
    for tool in ("merge", "prune"):
        arguments = ["map", tool, str(street / "campus"), "--output", str(tmp_path / "new")]
        assert main(arguments) == 130
        assert capsys.readouterr().err == "selavpr: interrupted\n"


def test_who_deals_with_sigterm_already_goes_on_to() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with terminable():
            os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_sigterm_is_as_it_was_afterwards_and_in_other_threads() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(Terminated, match="terminated"), terminable():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        entered = []

        def elsewhere() -> None:
            with terminable():  # signals are the main thread's
                entered.append(signal.getsignal(signal.SIGTERM))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert entered == [signal.SIG_DFL]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("stopped", "there", "told"),
    [
        (KeyboardInterrupt(), "", "interrupted"),
        (KeyboardInterrupt(), "half of it is there", "interrupted; half of it is there"),
        (Terminated("terminated"), "all is there", "terminated; all is there"),
    ],
)
def test_what_is_there_is_told(stopped: BaseException, there: str, told: str) -> None:
    with pytest.raises(type(stopped)) as told_, told_when_stopped(lambda: there):
        raise stopped
    assert str(told_.value) == told
