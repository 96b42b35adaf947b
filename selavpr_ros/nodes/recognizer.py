"""Model and map together: from the pixels of one frame to ranked places and a pose."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from selavpr_core.errors import MapError, SelaVPRError, WeightsError
from selavpr_ros.nodes.parameters import Settings
from selavpr_ros.nodes.pose_estimate import PoseEstimate, estimate_pose

if TYPE_CHECKING:  # importing torch takes seconds: only a node that is configured pays for it
    from selavpr_core.describer import Describer
    from selavpr_core.place_map import PlaceMap
    from selavpr_core.retrieval import Localizer
    from selavpr_core.retrieval.localizer import Match, Mode


@dataclass(frozen=True)
class Recognition:
    """What the map says about one frame.

    matches: at least one, best first. positions: `[K, 3]` float64 metres in the map frame and
    headings: `[K]` radians (nan unknown), row for row those of the matches. margin: similarity of
    the best match minus that of the best candidate elsewhere (selavpr_core.retrieval.margin).
    estimate: the pose that follows from them. durations: seconds of each stage, in the order they
    ran.
    """

    matches: list[Match]
    positions: NDArray[np.float64]
    headings: NDArray[np.float64]
    margin: float
    estimate: PoseEstimate
    durations: dict[str, float]

    @property
    def similarity(self) -> float:
        """Similarity of the best match."""
        return self.matches[0].similarity


@dataclass(frozen=True)
class Recognizer:
    """A describer and the map that its descriptions are looked up in; for one thread at a time."""

    describer: Describer
    place_map: PlaceMap
    localizer: Localizer

    @classmethod
    def load(cls, settings: Settings) -> Recognizer:
        """Load the map and the weights, and run the model once so that the first frame is quick.

        Empty weights are those that the map was made with.

        Raises:
            MapError: the map is missing, damaged, empty, or made with other weights.
            WeightsError: the weights cannot be loaded.
            DeviceError: this machine cannot serve the device or the precision.
            SelaVPRError: a library that the model needs is not installed.
        """
        try:
            from selavpr_core.describer import load_describer
            from selavpr_core.retrieval import Localizer
        except ImportError as error:
            raise SelaVPRError(
                f"the model's libraries cannot be imported ({error}): install torch, timm, "
                "faiss-cpu and safetensors for the Python that runs the node"
            ) from error

        place_map = _load_map(settings.map)
        # One frame at a time: room for more would only take memory.
        weights = settings.weights or place_map.model.source
        try:
            describer = load_describer(weights, settings.device, settings.precision, batch_size=1)
        except WeightsError as error:
            if settings.weights:
                raise
            raise type(error)(
                f"{error} (the map was made with {weights}: set the parameter weights)"
            ) from None
        _check_same_model(place_map, describer)
        mode: Mode = settings.mode  # type: ignore[assignment]  # one of its choices
        localizer = Localizer(place_map, mode, settings.candidates)
        recognizer = cls(describer, place_map, localizer)
        height, width = describer.preprocessing.size
        recognizer.recognize(np.zeros((height, width, 3), np.uint8))
        return recognizer

    def with_map(self, map_path: str) -> Recognizer:
        """Return a recognizer with the same model and settings, and another map.

        Raises MapError as `load` does.
        """
        from selavpr_core.retrieval import Localizer

        place_map = _load_map(map_path)
        _check_same_model(place_map, self.describer)
        localizer = Localizer(place_map, self.localizer.mode, self.localizer.candidates)
        return replace(self, place_map=place_map, localizer=localizer)

    def recognize(self, rgb: NDArray[np.uint8]) -> Recognition:
        """Find an image, `[H, W, 3]` uint8 RGB, in the map."""
        from selavpr_core.retrieval import margin

        started = time.perf_counter()
        codes, descriptors = self.describer(rgb)
        described = time.perf_counter()
        matches = self.localizer.localize(
            None if codes is None else codes[0], None if descriptors is None else descriptors[0]
        )
        stages = dict(self.localizer.last_timings)
        searched = time.perf_counter()
        places = [match.place for match in matches]
        best = places[0]
        place_map = self.place_map
        positions = place_map.positions[places]
        headings = place_map.headings[places].astype(np.float64)
        estimate = estimate_pose(
            np.array([match.similarity for match in matches]),
            positions,
            headings,
            float(place_map.position_sigmas[best]),
            float(place_map.heading_sigmas[best]),
            place_map.spacing(best),
        )
        durations = {
            "describe": described - started,
            **stages,
            "estimate": time.perf_counter() - searched,
        }
        lead = margin(matches, place_map.positions)
        return Recognition(matches, positions, headings, lead, estimate, durations)


def describer_facts(describer: Describer) -> dict[str, str]:
    """What describes the images, in the words of the log and of diagnostics."""
    trained = "" if describer.pretrained else " (untrained)"
    return {
        "weights in use": f"{describer.source}, preset {describer.preset}{trained}",
        "fingerprint": describer.fingerprint,
        "runs on": f"{describer.device}, {describer.precision}",
    }


def _load_map(map_path: str) -> PlaceMap:
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


def _check_same_model(place_map: PlaceMap, describer: Describer) -> None:
    """Raise MapError where queries would be described in another way than the map's places."""
    if place_map.model.fingerprint == describer.fingerprint:
        return
    raise MapError(
        f"map made with other weights: {place_map.path} with {place_map.model.source} "
        f"({place_map.model.short_fingerprint}), loaded are {describer.source} "
        f"({describer.fingerprint[:12]}); set the parameter weights to those of the map, or build "
        "the map again"
    )
