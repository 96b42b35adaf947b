from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from training.run import versions as module
from training.run.versions import versions


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_the_commit_says_whether_files_differ_from_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert module._commit(tmp_path) is None  # nothing was committed yet
    (tmp_path / "code.py").write_text("a = 1\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-q", "-m", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert module._commit(tmp_path) == commit
    (tmp_path / "output.log").touch()  # a run's own output is no change of the code
    assert module._commit(tmp_path) == commit
    (tmp_path / "code.py").write_text("a = 2\n")
    assert module._commit(tmp_path) == f"{commit}+changes"


def test_without_a_checkout_or_without_git_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module._commit(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module._commit(Path(module.__file__).parent) is None


def test_libraries_that_are_not_installed_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIBRARIES", ("numpy", "no-such-library"))
    found = versions(torch.device("cpu"))
    assert found["no-such-library"] is None
    assert found["numpy"]
    assert (found["torch"], found["device"], found["cudnn"]) == (torch.__version__, "cpu", None)
