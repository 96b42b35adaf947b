from __future__ import annotations

import pytest

from examples.streets import World, build_world


@pytest.fixture(scope="session")
def quarter() -> World:
    """A small quarter: four blocks around the crossing (1, 1)."""
    return build_world(7, rows=3, columns=3)
