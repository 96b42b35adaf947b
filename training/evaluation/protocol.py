"""Everything that decides about an evaluation's figures, in words and numbers."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from selavpr_core import __version__
from selavpr_core.describer import Describer
from training.evaluation.evaluation_set import EvaluationSet
from training.evaluation.settings import EvaluationSettings

_LIBRARIES = ("torch", "timm", "numpy", "faiss-cpu", "pillow")


def describe_protocol(
    describer: Describer,
    evaluation_set: EvaluationSet,
    settings: EvaluationSettings,
    counted: bool,
    latency_queries: int,
) -> dict[str, Any]:
    """Return the protocol as JSON values.

    counted: whether queries without positives are. latency_queries: how many were timed.
    """
    preprocessing = describer.preprocessing.to_json()
    lists = {key: list(value) for key, value in preprocessing.items() if isinstance(value, tuple)}
    shorter = evaluation_set.query_shorter_side
    return {
        "set": evaluation_set.name,
        "variant": evaluation_set.variant,
        "rule": evaluation_set.rule if evaluation_set.scored else "no ground truth",
        "queries_without_positives": "counted" if counted else "left out",
        "query_resize": None
        if shorter is None
        else f"shorter side to {shorter} (Pillow, bilinear, antialiased), never enlarged",
        "preprocessing": preprocessing | lists,
        "ns": list(settings.ns),
        "candidates": list(settings.candidates),
        "stored": "database descriptors as float16, queries as float32, as in a place map",
        "weights": describer.source,
        "preset": describer.preset,
        "trained": describer.pretrained,
        "fingerprint": describer.fingerprint,
        "device": _device(describer.device),
        "precision": describer.precision,
        "latency_queries": latency_queries,
        "versions": {
            "selavpr_ros": __version__,
            "python": platform.python_version(),
            **{library: _version(library) for library in _LIBRARIES},
        },
    }


def _device(device: str) -> str:
    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({torch.get_num_threads()} threads)"


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"  # faiss and torch may come from elsewhere than the package index
