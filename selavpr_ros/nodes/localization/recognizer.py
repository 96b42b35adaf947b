"""Model and map together: from the pixels of one frame to ranked places and a pose."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from selavpr_ros.nodes.camera.model import check_same_model, load_map, load_model
from selavpr_ros.nodes.camera.thresholds import Thresholds, thresholds_in_force
from selavpr_ros.nodes.localization.parameters import Settings
from selavpr_ros.nodes.localization.pose_estimate import PoseEstimate, estimate_pose

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
        place_map = load_map(settings.map)
        describer = load_model(settings, place_map)
        from selavpr_core.retrieval import Localizer

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

        place_map = load_map(map_path)
        check_same_model(place_map, self.describer)
        localizer = Localizer(place_map, self.localizer.mode, self.localizer.candidates)
        return replace(self, place_map=place_map, localizer=localizer)

    def thresholds(self, settings: Settings) -> Thresholds:
        """The thresholds that are in force with this map."""
        return thresholds_in_force(
            settings.similarity_threshold,
            settings.margin_threshold,
            self.place_map.calibration,
            self.localizer.mode,
            self.localizer.candidates,
            len(self.place_map),
        )

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
