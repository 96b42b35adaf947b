"""Evaluation by named protocols: sets, retrieval over any number of places, results."""

from training.evaluation.evaluation import evaluate
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.result import EvaluationResult, ModeResult, UnreadableImage
from training.evaluation.sets.catalogue import SETS, load_set
from training.evaluation.sets.folders import folders_set
from training.evaluation.sets.pair import pair_set
from training.evaluation.sets.table import table_set
from training.evaluation.settings import EvaluationSettings
from training.evaluation.validation import validation_recalls

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
