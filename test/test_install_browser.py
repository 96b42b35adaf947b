"""The script that gives tests of HTML pages their browser, with stand-ins for apt and chromium."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH with the least that the script needs, and a root user."""
    for tool in ("mktemp", "rm", "tail"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    program(tmp_path, "id", "echo 0")
    return tmp_path


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def run(project: Path, machine: Path, **environment: str) -> str:
    """Run the script, which never fails, and return what it says."""
    done = subprocess.run(
        ["/bin/sh", str(project / "test" / "install_browser.sh")],
        env={"PATH": str(machine), **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


def apt(machine: Path, code: int = 0) -> Path:
    calls = machine / "calls"
    program(machine, "apt-get", f'echo "$@" >> {calls}; echo "E: from apt"; exit {code}')
    return calls


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_on_path_is_enough(project: Path, machine: Path, name: str) -> None:
    program(machine, name, "exit 1")
    calls = apt(machine)
    assert run(project, machine, CI="true") == ""
    assert not calls.exists()


def test_a_browser_that_is_named_is_enough(project: Path, machine: Path) -> None:
    program(machine, "mine", "exit 1")
    assert run(project, machine, SELAVPR_CHROMIUM=str(machine / "mine")) == ""


def test_root_of_a_continuous_integration_installs_it(project: Path, machine: Path) -> None:
    calls = apt(machine)
    assert "installed" in run(project, machine, CI="true")
    assert calls.read_text().splitlines() == [
        "update", "install -y --no-install-recommends chromium",
    ]  # fmt: skip


def test_an_install_that_fails_is_told_and_does_not_fail_the_build(
    project: Path, machine: Path
) -> None:
    apt(machine, code=100)
    said = run(project, machine, CI="true")
    assert "E: from apt" in said
    assert "will be skipped" in said


@pytest.mark.parametrize("why", ["no CI", "no root", "no apt"])
def test_nobody_elses_machine_is_changed(project: Path, machine: Path, why: str) -> None:
    calls = machine / "calls"
    if why != "no apt":
        apt(machine)
    if why == "no root":
        program(machine, "id", "echo 1000")
    said = run(project, machine, **({} if why == "no CI" else {"CI": "true"}))
    assert not calls.exists()
    assert len(said.splitlines()) == 1
    assert "apt-get install chromium" in said
