from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

INTERRUPTED_IMPORT = """
import runpy, sys

class CtrlC:
    def find_spec(self, name, path, target=None):
        if name == "selavpr_ros.cli.{module}":
            raise KeyboardInterrupt

sys.meta_path.insert(0, CtrlC())
"""


@pytest.mark.parametrize("module", ["command", "build_map"])
@pytest.mark.parametrize(
    "start",
    [
        "from selavpr_ros.cli.main import main; sys.exit(main())",  # what pip installs
        "runpy.run_module('selavpr_ros.cli', run_name='__main__')",
    ],
    ids=["selavpr", "python -m"],
)
def test_an_interrupt_of_the_imports_is_one_line(project: Path, module: str, start: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT.format(module=module) + start, "map", "--help"],
        capture_output=True, text=True, cwd=project, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "selavpr: interrupted\n")


def test_little_is_imported_before_an_interrupt_is_one_line(project: Path) -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import selavpr_ros.cli.main\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=project, check=True
    )
    assert set(done.stdout.split()) <= {
        "__future__",
        "selavpr_ros",
        "selavpr_ros.cli",
        "selavpr_ros.cli.exit_codes",
        "selavpr_ros.cli.main",
    }
