"""What the README promises exists: targets, commands, parameters, topics, documents."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from selavpr_ros.nodes.parameters import PARAMETERS


@pytest.fixture(scope="module")
def readme(project: Path) -> str:
    return (project / "README.md").read_text()


def test_its_make_targets_exist(readme: str, project: Path) -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z]+)\b", readme, re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", (project / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_its_commands_exist(readme: str) -> None:
    lines = re.findall(r"^selavpr ((?:map )?[a-z-]+)", readme, re.MULTILINE)
    lines += re.findall(r"`selavpr ((?:map )?[a-z-]+)", readme)
    assert lines
    for command in sorted(set(lines)):
        done = subprocess.run(
            [sys.executable, "-m", "selavpr_ros.cli", *command.split(), "--help"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_its_table_has_every_parameter_with_its_default(readme: str) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (?:`(.*)`)? ?\| ", readme, re.MULTILINE))
    defaults = {p.name: str(p.default) for p in PARAMETERS}
    defaults |= {p.name: str(p.default).lower() for p in PARAMETERS if p.type_name == "bool"}
    assert rows == defaults


def test_its_documents_exist(readme: str, project: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", readme)
    assert links
    assert not [link for link in links if not (project / link).exists()]


def test_its_library_example_is_ten_lines_that_import(readme: str) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    tree = ast.parse(example)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), "README.md", "exec"), {})
    assert len([line for line in example.splitlines() if line]) <= 10
