"""The executable localization_node."""

from __future__ import annotations

from typing import Any

from selavpr_ros.nodes.ros.process import run


def main() -> int:
    """Run the node until SIGINT or SIGTERM; returns the exit code."""
    return run(_make_node)


def _make_node() -> Any:
    # Imported here, where a signal that comes during the import is already handled.
    from selavpr_ros.nodes.localization.node import LocalizationNode

    return LocalizationNode()


if __name__ == "__main__":
    raise SystemExit(main())
