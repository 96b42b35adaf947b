"""Two-stage search of a place map: Hamming distance over codes, then float descriptors."""

from selavpr_core.retrieval.growing import GrowingIndex
from selavpr_core.retrieval.localizer import Localizer, Match, Mode, best_mode
from selavpr_core.retrieval.margin import margin

__all__ = ["GrowingIndex", "Localizer", "Match", "Mode", "best_mode", "margin"]
