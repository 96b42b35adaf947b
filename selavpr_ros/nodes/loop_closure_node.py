"""The executable loop_closure_node."""

from __future__ import annotations

from importlib import import_module

from selavpr_ros.nodes.ros.process import run


def main() -> int:
    """Look for loops until SIGINT or SIGTERM; returns the exit code."""
    # Not imported above: a signal that comes meanwhile is handled only once `run` has begun.
    return run(lambda: import_module("selavpr_ros.nodes.loop_closure.node").LoopClosureNode())


if __name__ == "__main__":
    raise SystemExit(main())
