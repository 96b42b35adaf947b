"""Where weights come from: this package, published files, the hub, our format, a fixed seed."""

from selavpr_core.errors import WeightsError, WeightsUnavailableError
from selavpr_core.weights.fingerprint import fingerprint
from selavpr_core.weights.loading import convert_weights, load_backbone, load_model

__all__ = [
    "WeightsError",
    "WeightsUnavailableError",
    "convert_weights",
    "fingerprint",
    "load_backbone",
    "load_model",
]
