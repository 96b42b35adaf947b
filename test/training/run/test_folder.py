from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.run.folder import RunFolder

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        for resume in (False, True):
            with pytest.raises(TrainingError, match="another process trains in"):
                folder.take(resume)
        other.kill()
    folder.take(resume=False)  # one that was killed leaves no lock behind


def test_a_folder_that_another_filled_in_the_meantime_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs" / "run")
    folder.take(resume=False)
    folder.config.touch()
    RunFolder(folder.path).take(resume=True)
    with pytest.raises(TrainingError, match="exists already: continue it with --resume"):
        RunFolder(folder.path).take(resume=False)
