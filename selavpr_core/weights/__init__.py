"""Where weights come from: the published files, the hub, our own format, or a fixed seed."""

from selavpr_core.errors import WeightsError, WeightsUnavailableError
from selavpr_core.weights.fingerprint import fingerprint
from selavpr_core.weights.loading import load_model

__all__ = [
    "WeightsError",
    "WeightsUnavailableError",
    "fingerprint",
    "load_model",
]
