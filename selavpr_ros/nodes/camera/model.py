"""The model that describes a node's images, and the map that it is to fit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from selavpr_core.errors import MapError, SelaVPRError, WeightsError
from selavpr_ros.nodes.camera.parameters import CameraSettings

if TYPE_CHECKING:  # importing torch takes seconds: only a node that is configured pays for it
    from selavpr_core.describer import Describer
    from selavpr_core.place_map import PlaceMap

DEFAULT_WEIGHTS = "tiny"  # they come with selavpr_ros


def load_model(settings: CameraSettings, place_map: PlaceMap | None) -> Describer:
    """Load the weights that describe one image at a time.

    Empty weights are those that the map was made with; without a map, those that come along.

    Raises:
        MapError: the map was made with other weights.
        WeightsError: the weights cannot be loaded.
        DeviceError: this machine cannot serve the device or the precision.
        SelaVPRError: a library that the model needs is not installed.
    """
    try:
        from selavpr_core.describer import load_describer
    except ImportError as error:
        raise SelaVPRError(
            f"the model's libraries cannot be imported ({error}): install torch, timm, "
            "faiss-cpu and safetensors for the Python that runs the node"
        ) from error

    weights = settings.weights or (place_map.model.source if place_map else DEFAULT_WEIGHTS)
    try:
        # One frame at a time: room for more would only take memory.
        describer = load_describer(weights, settings.device, settings.precision, batch_size=1)
    except WeightsError as error:
        if settings.weights or place_map is None:
            raise
        raise type(error)(
            f"{error} (the map was made with {weights}: set the parameter weights)"
        ) from None
    if place_map is not None:
        check_same_model(place_map, describer)
    return describer


def describer_facts(describer: Describer) -> dict[str, str]:
    """What describes the images, in the words of the log and of diagnostics."""
    trained = "" if describer.pretrained else " (untrained)"
    return {
        "weights in use": f"{describer.source}, preset {describer.preset}{trained}",
        "fingerprint": describer.fingerprint,
        "runs on": f"{describer.device}, {describer.precision}",
    }


def load_map(map_path: str) -> PlaceMap:
    """Open a map that holds at least one place."""
    from selavpr_core.place_map import PlaceMap

    if not map_path:
        raise MapError(
            "no map is given: set the parameter map to the folder that `selavpr build-map` wrote"
        )
    # Path.expanduser raises RuntimeError for an unknown user's home.
    place_map = PlaceMap.load(Path(os.path.expanduser(map_path)))
    if not len(place_map):
        raise MapError(f"{map_path} has no places: add a bag with `selavpr build-map`")
    return place_map


def check_same_model(place_map: PlaceMap, describer: Describer) -> None:
    """Raise MapError where queries would be described in another way than the map's places."""
    if place_map.model.fingerprint == describer.fingerprint:
        return
    raise MapError(
        f"map made with other weights: {place_map.path} with {place_map.model.source} "
        f"({place_map.model.short_fingerprint}), loaded are {describer.source} "
        f"({describer.fingerprint[:12]}); set the parameter weights to those of the map, or build "
        "the map again"
    )
