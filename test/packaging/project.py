"""What the packaging tests read from the project's own files."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any


def calls(tree: ast.AST, function: str) -> list[ast.Call]:
    """All calls of a function by its name, however it is reached."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else None
            if isinstance(node.func, ast.Name):
                name = node.func.id
            if name == function:
                found.append(node)
    return found


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The expression given for a keyword argument."""
    return next((k.value for k in call.keywords if k.arg == name), None)


def console_scripts(project: Path) -> dict[str, str]:
    """Executable -> module:function, as setup.py has them."""
    (setup,) = calls(ast.parse((project / "setup.py").read_text()), "setup")
    entry_points: Any = keyword(setup, "entry_points")
    scripts = ast.literal_eval(entry_points)["console_scripts"]
    return dict(line.split(" = ") for line in scripts)
