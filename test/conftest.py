from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes depends on what else the machine does.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell starts what runs in its background with Ctrl-C ignored, and processes of the tests would
# inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root folder."""
    return PROJECT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference vectors and recorded bags that lie beside a development checkout."""
    folder = PROJECT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared (reference vectors and recorded bags)")
    return folder


@pytest.fixture(scope="session")
def tiny_weights() -> str:
    """The name of the weights that come with the package; an error where they did not."""
    from selavpr_core.weights import shipped

    shipped.shipped_file()
    return shipped.NAME
