from __future__ import annotations

from pathlib import Path

import pytest
import torch

from selavpr_core.model import SelaVPR

from ..lively import lively_model
from .published_files import published_state, training_dictionary


@pytest.fixture(scope="package")
def model() -> SelaVPR:
    return lively_model()


@pytest.fixture(scope="package")
def published(model: SelaVPR, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in a file as its authors' training writes it."""
    path = tmp_path_factory.mktemp("published") / "SelaVPRplusplus_tiny_rerank.pth"
    torch.save(training_dictionary(published_state(model)), path)
    return path
