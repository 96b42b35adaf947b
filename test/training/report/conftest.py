from __future__ import annotations

from pathlib import Path

import pytest

from selavpr_core import SelaVPR
from test.chromium import browser  # noqa: F401 - a fixture
from test.training.report.sample import sample_result, sample_set
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import EvaluationResult
from training.report import write_report


@pytest.fixture(scope="session")
def evaluation_set(tmp_path_factory: pytest.TempPathFactory) -> EvaluationSet:
    return sample_set(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def result(evaluation_set: EvaluationSet) -> EvaluationResult:
    return sample_result(evaluation_set)


@pytest.fixture(scope="session")
def tiny() -> SelaVPR:
    return SelaVPR.from_pretrained("random:tiny")


@pytest.fixture(scope="session")
def page(
    tmp_path_factory: pytest.TempPathFactory,
    evaluation_set: EvaluationSet,
    result: EvaluationResult,
    tiny: SelaVPR,
) -> Path:
    """The page with every section that there is."""
    return write_report(tmp_path_factory.mktemp("report"), result, evaluation_set, tiny)
