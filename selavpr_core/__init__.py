"""SelaVPR++ as a library: model, weights, place map, retrieval. Imports no ROS.

What most programs need is importable from here: SelaVPR, Describer, PlaceMap, Localizer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selavpr_core.describer import Describer as Describer
    from selavpr_core.model import SelaVPR as SelaVPR
    from selavpr_core.place_map import PlaceMap as PlaceMap
    from selavpr_core.retrieval import Localizer as Localizer

__version__ = "0.1.0"

_HOMES = {
    "SelaVPR": "selavpr_core.model",
    "Describer": "selavpr_core.describer",
    "PlaceMap": "selavpr_core.place_map",
    "Localizer": "selavpr_core.retrieval",
}

__all__ = ["Describer", "Localizer", "PlaceMap", "SelaVPR"]


def __getattr__(name: str) -> Any:
    """Import a public class when it is first asked for: torch alone takes seconds to import."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
