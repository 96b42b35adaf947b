"""What can go wrong with bags and messages; the base is selavpr_core.errors.SelaVPRError."""

from selavpr_core.errors import SelaVPRError


class BagError(SelaVPRError):
    """A bag that is missing, unreadable or lacks a needed topic."""


class ImageError(SelaVPRError):
    """An image message that cannot be converted; the message names encoding, step and size."""
