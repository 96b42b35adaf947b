"""The folders of the nodes import each other in one direction: never one node the other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import selavpr_ros.nodes

NODES = Path(selavpr_ros.nodes.__path__[0])
ALLOWED: dict[str, set[str]] = {
    "ros": set(),
    "camera": {"ros"},
    "localization": {"ros", "camera"},
    "loop_closure": {"ros", "camera"},
}


def folders_imported(file: Path) -> set[str]:
    """The folders of the nodes that a file imports, wherever in the file."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    prefix = "selavpr_ros.nodes."
    return {m.removeprefix(prefix).split(".")[0] for m in modules if m.startswith(prefix)}


def test_every_folder_is_named() -> None:
    assert {path.parent.name for path in NODES.glob("*/__init__.py")} == set(ALLOWED)


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_go_one_way(folder: str) -> None:
    files = sorted((NODES / folder).rglob("*.py"))
    imports = {str(file.relative_to(NODES)): folders_imported(file) for file in files}
    assert len(imports) > 5
    allowed = ALLOWED[folder] | {folder}
    assert not {file: found - allowed for file, found in imports.items() if found - allowed}
    assert set().union(*imports.values()) >= ALLOWED[folder]
