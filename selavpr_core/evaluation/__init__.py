"""How good retrieval is: recall@N, and precision against recall over a threshold."""

from selavpr_core.evaluation.precision_recall import PrecisionRecall, precision_recall
from selavpr_core.evaluation.recall import positives_within, recall_at

__all__ = ["PrecisionRecall", "positives_within", "precision_recall", "recall_at"]
