"""Heads: from a branch's refined tokens to one vector of length 1 an image."""

from __future__ import annotations

from selavpr_core.model.heads.boq import BoqHead
from selavpr_core.model.heads.gem import GeM, GeMHead
from selavpr_core.model.heads.head import Head
from selavpr_core.model.heads.salad import SaladHead

__all__ = ["BoqHead", "GeM", "GeMHead", "Head", "SaladHead", "head_named"]

_HEADS: dict[str, type[Head]] = {"gem": GeMHead, "salad": SaladHead, "boq": BoqHead}


def head_named(name: str, embed_dim: int, outputs: int) -> Head:
    """Return a new head; outputs: the length of its vectors."""
    return _HEADS[name](embed_dim, outputs)
