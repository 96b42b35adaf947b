"""The set that decides which epoch is the best."""

from __future__ import annotations

import torch

from selavpr_core.model import SelaVPR
from selavpr_core.retrieval import Mode
from training.errors import ConfigError
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.sets.catalogue import load_set
from training.evaluation.sets.pair import pair_set
from training.evaluation.validation import validation_recalls
from training.run.config import Config, ValidationConfig
from training.run.network import Branch

_PRECISIONS = {"16-mixed": "fp16", "bf16-mixed": "bf16", "32": "fp32"}


def load_validation_set(config: ValidationConfig) -> EvaluationSet:
    """Return the set of a configuration; ConfigError, DatasetError, EvaluationError."""
    heading = config.heading
    if config.set is not None and config.root is not None:
        named = load_set(config.set, config.root, radius=config.radius, heading=heading)
        if not named.scored:
            raise ConfigError(
                f"validation.set {config.set} has no ground truth here: choose another"
            )
        return named
    assert config.database is not None
    assert config.queries is not None
    return pair_set(config.database, config.queries, radius=config.radius, heading=heading)


def validate(
    model: SelaVPR,
    evaluation_set: EvaluationSet,
    config: Config,
    trained: tuple[Branch, ...],
    device: torch.device,
    precision: str,
) -> dict[int, float]:
    """Return R@1 and R@5, 0 to 1, in the mode that what is trained is for.

    precision: of the run, "16-mixed", "bf16-mixed" or "32".
    """
    assert config.validation is not None
    return validation_recalls(
        model,
        evaluation_set,
        validation_mode(trained),
        device=device,
        precision=_PRECISIONS[precision],
        batch_size=config.validation.batch_size,
        workers=config.data.workers or 0,
    )


def validation_mode(trained: tuple[Branch, ...]) -> Mode:
    """Return the mode of retrieval: the branch alone, or two stages where both are trained."""
    if len(trained) == 2:
        return "two-stage"
    return "float" if trained == ("float",) else "code"
