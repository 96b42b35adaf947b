"""Recall during training."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from selavpr_core.describer import Describer
from selavpr_core.evaluation import recall_at
from selavpr_core.model import SelaVPR
from selavpr_core.retrieval import Mode
from training.evaluation.descriptions import describe_in_memory, image_lists
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.retrieval import check_readable, possible_modes, retrieve
from training.evaluation.settings import EvaluationSettings, default_workers


def validation_recalls(
    model: SelaVPR,
    evaluation_set: EvaluationSet,
    mode: Mode,
    *,
    device: str | torch.device,
    precision: str,
    batch_size: int,
    workers: int = 0,
    ns: Sequence[int] = (1, 5),
) -> dict[int, float]:
    """Return Recall@N of a model in the middle of its training, as `evaluate` would compute it.

    Nothing is kept on the disk, and the model stays as it is, on its device and in its mode.

    Args:
        model: with the branches that the mode needs.
        evaluation_set: with ground truth.
        mode: "float", "code" or "two-stage" (100 candidates).
        device, precision, batch_size: as for `Describer`.
        workers: threads that read images; 0 for as many as there are processors.
        ns: the values of N.

    Raises EvaluationError where no image can be read, descriptors are not finite, or the model
    lacks a branch; DeviceError.
    """
    settings = EvaluationSettings(
        ns=tuple(ns), workers=workers or default_workers(), progress=False
    )
    describer = Describer(model, str(device), precision, batch_size)
    try:
        modes, _ = possible_modes(describer, (mode,))
        database, queries = (
            describe_in_memory(describer, images, settings.workers)
            for images in image_lists(evaluation_set)
        )
        check_readable(database, queries)
        (found,) = retrieve(describer, database, queries, modes, settings)
    finally:
        describer.close()
    return recall_at(
        list(found.rankings),
        evaluation_set.positives,
        ns,
        evaluation_set.count_without_positives,
    )
