"""The small trained model that comes with the package."""

from __future__ import annotations

from pathlib import Path

from selavpr_core.errors import WeightsError

NAME = "tiny"
FILE = Path(__file__).with_name("tiny.safetensors")


def shipped_file() -> Path:
    """Return the path of the trained weights inside the package; WeightsError if they are gone."""
    if not FILE.is_file():
        raise WeightsError(
            f"weights {NAME!r} should have come with selavpr_ros, but there is no {FILE}: "
            "install selavpr_ros again, from a complete checkout or wheel"
        )
    return FILE
