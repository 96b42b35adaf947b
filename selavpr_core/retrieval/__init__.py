"""Two-stage search of a place map: Hamming distance over codes, then float descriptors."""

from selavpr_core.retrieval.localizer import Localizer, Match, Mode

__all__ = ["Localizer", "Match", "Mode"]
