from __future__ import annotations

import pytest

from selavpr_core.describer import Describer, load_describer


@pytest.fixture(scope="session")
def tiny() -> Describer:
    """The smallest real network, untrained."""
    return load_describer("random:tiny", device="cpu")
