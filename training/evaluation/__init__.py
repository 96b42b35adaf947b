"""Evaluation by named protocols: sets, retrieval over any number of places, results."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import EvaluationResult, ModeResult, UnreadableImage
from training.evaluation.sets.catalogue import SETS, load_set
from training.evaluation.sets.folders import folders_set
from training.evaluation.sets.pair import pair_set
from training.evaluation.sets.table import table_set
from training.evaluation.settings import EvaluationSettings

if TYPE_CHECKING:
    from training.evaluation.evaluation import evaluate as evaluate
    from training.evaluation.validation import validation_recalls as validation_recalls

__all__ = [
    "SETS",
    "EvaluationResult",
    "EvaluationSet",
    "EvaluationSettings",
    "ModeResult",
    "UnreadableImage",
    "evaluate",
    "folders_set",
    "load_set",
    "pair_set",
    "table_set",
    "validation_recalls",
]

_HOMES = {
    "evaluate": "training.evaluation.evaluation",
    "validation_recalls": "training.evaluation.validation",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for: that takes seconds, sets do without."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
