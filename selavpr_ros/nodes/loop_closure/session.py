"""A session under way: the model, the detection of loops, and what keeps the keyframes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.loop_closure.stretches import OUT_OF_ORDER
from selavpr_ros.nodes.camera.model import load_map, load_model
from selavpr_ros.nodes.camera.thresholds import Thresholds, thresholds_in_force
from selavpr_ros.nodes.loop_closure.parameters import LoopSettings, detector_settings
from selavpr_ros.nodes.loop_closure.session_keeper import SessionKeeper

if TYPE_CHECKING:  # importing torch takes seconds: only a node that is configured pays for it
    from selavpr_core.describer import Describer, Description
    from selavpr_core.place_map import PlaceMap, Session
    from selavpr_core.retrieval.localizer import Mode
    from selavpr_ros.loop_closure import CameraModel, Keyframe, LoopDetector, Waypoint
    from selavpr_ros.planar_pose import PlanarPose


class LoopSession:
    """Everything between a frame with its odometry and a verified closure; for one thread.

    Attributes:
        describer, place_map: the model, and the map of earlier sessions (None without).
        thresholds: those in force.
        detector: finds the closures.
        keeper: saves the session, which any thread may ask for.
        describing: seconds that the last keyframe was described for.
    """

    def __init__(
        self, settings: LoopSettings, describer: Describer, place_map: PlaceMap | None, source: str
    ) -> None:
        """Begin a session without keyframes; see `load`."""
        from selavpr_core.place_map import ModelInfo, Session
        from selavpr_core.retrieval import Localizer
        from selavpr_ros.loop_closure import LoopDetector

        mode: Mode = settings.mode  # type: ignore[assignment]  # one of its choices
        self.describer = describer
        self.place_map = place_map
        self.thresholds = _thresholds(settings, place_map)
        chosen = detector_settings(settings, self.thresholds)
        localizer = None if place_map is None else Localizer(place_map, mode, settings.candidates)
        spool = Path(os.path.expanduser(settings.spool_folder)) if settings.spool_folder else None
        self._session: Session = Session(ModelInfo.from_describer(describer), spool)
        try:
            self.detector: LoopDetector = LoopDetector(
                self._describe, self._session, chosen, localizer, mode, settings.candidates
            )
        except BaseException:
            self._session.close()
            raise
        self.keeper = SessionKeeper(
            self._session,
            place_map,
            settings.extend_map,
            settings.save_to,
            source,
            chosen.match_distance,
            chosen.match_angle,
        )
        self.describing = 0.0
        self._newest: int | None = None

    @classmethod
    def load(cls, settings: LoopSettings, source: str) -> LoopSession:
        """Load the map and the weights, and run the model once so that the first frame is quick.

        source: where the images come from, for people who ask what is in a map.

        Raises:
            MapError: the map is missing, damaged, empty, or made with other weights.
            WeightsError: the weights cannot be loaded.
            DeviceError: this machine cannot serve the device or the precision.
            SelaVPRError: a library is missing, or parameters contradict each other.
        """
        place_map = load_map(settings.map) if settings.map else None
        # What contradicts itself is refused before the weights are loaded, which takes seconds.
        detector_settings(settings, _thresholds(settings, place_map))
        describer = load_model(settings, place_map)
        height, width = describer.preprocessing.size
        describer(np.zeros((height, width, 3), np.uint8))
        return cls(settings, describer, place_map, source)

    def __len__(self) -> int:
        """Return how many keyframes there are."""
        return len(self._session)

    def jumps_back(self, stamp: int) -> bool:
        """Tell whether time jumped back before a frame with this stamp (ns)."""
        return self._newest is not None and stamp < self._newest - OUT_OF_ORDER

    def wants(self, stamp: int, pose: PlanarPose | None, run: int | None = None) -> bool:
        """Tell whether a frame should become a keyframe; to be asked for every frame.

        run: of odometry, as for LoopDetector.wants.
        """
        if self._newest is None or stamp > self._newest or self.jumps_back(stamp):
            self._newest = stamp
        return self.detector.wants(stamp, pose, run)

    def add(
        self,
        stamp: int,
        pose: PlanarPose | None,
        picture: NDArray[np.uint8],
        camera: CameraModel | None,
    ) -> Keyframe:
        """Add a keyframe and look for it among those before it (see LoopDetector)."""
        return self.detector.add_keyframe(stamp, pose, picture, camera)

    def picture(self, waypoint: Waypoint) -> bytes | None:
        """The picture kept of a keyframe or of a place of the map, as JPEG; None without one."""
        if waypoint.drive.segment is None:
            return self._session.thumbnail(waypoint.number)
        assert self.place_map is not None  # only it has segments
        return self.place_map.thumbnail(waypoint.number)

    def close(self) -> None:
        """Let go of everything that was not saved."""
        self._session.close()

    def _describe(self, picture: NDArray[np.uint8]) -> Description:
        started = time.perf_counter()
        description = self.describer(picture)
        self.describing = time.perf_counter() - started
        return description


def _thresholds(settings: LoopSettings, place_map: PlaceMap | None) -> Thresholds:
    """The thresholds in force: the parameters', the map's, or the usual ones of loop closures."""
    usual = LoopClosureSettings()
    return thresholds_in_force(
        settings.similarity_threshold,
        settings.margin_threshold,
        None if place_map is None else place_map.calibration,
        settings.mode,
        settings.candidates,
        0 if place_map is None else len(place_map),
        (usual.similarity_threshold, usual.margin_threshold),
    )
