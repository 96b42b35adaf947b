"""What the branches are trained with."""

from training.losses.floating import float_loss
from training.losses.hashing import HASH_METHODS, hash_loss
from training.losses.terms import Loss, LossTerms

__all__ = ["HASH_METHODS", "Loss", "LossTerms", "float_loss", "hash_loss"]
