"""What can go wrong in training and evaluation, each with a message of one line."""

from __future__ import annotations

from pathlib import Path

from selavpr_core.errors import SelaVPRError


class DatasetError(SelaVPRError):
    """A dataset or an index that is missing, damaged or of another layout."""


class UndecodableImageError(DatasetError):
    """One image that is missing or cannot be decoded.

    path: of the image. reason: why, in a few words.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)  # both, so that it survives the way out of a worker process
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"image {self.path} cannot be read: {self.reason}"


class ConfigError(SelaVPRError):
    """A training configuration with an unknown key or an unfit value."""


class TrainingError(SelaVPRError):
    """A training run that cannot start or go on."""


class EvaluationError(SelaVPRError):
    """An evaluation whose set, weights or settings do not fit together."""
