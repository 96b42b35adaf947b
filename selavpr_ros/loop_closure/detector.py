"""Loop closures while driving: every keyframe is searched for among those before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from selavpr_core.camera import CameraModel
from selavpr_core.place_map import Place, Session
from selavpr_core.retrieval import GrowingIndex, Localizer, Match, Mode
from selavpr_ros.loop_closure.candidate import Candidate, Closure, Rejection, Verdict
from selavpr_ros.loop_closure.consistency import Consistency
from selavpr_ros.loop_closure.drives import DriveLog, ExclusionWindow, Waypoint
from selavpr_ros.loop_closure.geometric import GeometricVerification
from selavpr_ros.loop_closure.geometry import PICTURE_SIDE
from selavpr_ros.loop_closure.keyframes import KeyframeGate
from selavpr_ros.loop_closure.known_map import KnownMap
from selavpr_ros.loop_closure.margin import Margins
from selavpr_ros.loop_closure.plausibility import Plausibility
from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.loop_closure.stretches import Stretch, Stretches
from selavpr_ros.loop_closure.uniqueness import Uniqueness
from selavpr_ros.mapping.geotag import ASSUMED_POSE_SIGMA
from selavpr_ros.mapping.heading import ASSUMED_YAW_SIGMA
from selavpr_ros.mapping.thumbnail import thumbnail
from selavpr_ros.planar_pose import PlanarPose

if TYPE_CHECKING:  # importing torch takes seconds
    from selavpr_core.describer import Description

Describe = Callable[[NDArray[np.uint8]], "Description"]
"""What a Describer does: one picture [H, W, 3] uint8 RGB to its description."""

Check = Callable[[Waypoint, Candidate], Verdict]

DISTINCT = 2
"""Keyframes nearer than this to a better candidate, in their drive's order, show the same place."""


class Keyframe(NamedTuple):
    """What became of a frame that was added.

    waypoint: its number, stamp, odometry and metres along its stretch. new_stretch: the stretch
    that it begins, None where it goes on. searched: how many keyframes and places of the map it was
    compared with. similarity: of the best of them; None where there were none. closure: the place
    that it is at again, None where none was found. rejections: the candidates that were refused,
    best first.
    """

    waypoint: Waypoint
    new_stretch: Stretch | None
    searched: int
    similarity: float | None
    closure: Closure | None
    rejections: tuple[Rejection, ...]


class LoopDetector:
    """Keeps keyframes in a session and finds the places that the robot comes back to.

    Ask `wants` for every frame; describing and adding those that it wants costs the same however
    many there are, apart from the search itself. For one thread.

    Attributes:
        closures: keyframes that closed a loop.
        rejected: candidates refused, by the verification that refused them: "plausibility" (too
            far by odometry), "margin" (a place elsewhere looks as alike), "geometry",
            "consistency", "uniqueness" (the picture of a place elsewhere fits as well),
            "witnesses" (contradicts the last closures). "similarity" counts the keyframes whose
            best candidate was below the threshold, and "late" the frames that came out of order.
    """

    def __init__(
        self,
        describe: Describe,
        session: Session,
        settings: LoopClosureSettings,
        known_map: Localizer | None = None,
        mode: Mode = "two-stage",
        candidates: int = 100,
    ) -> None:
        """Begin with an empty session.

        Args:
            describe: a Describer, or what answers a picture as one.
            session: takes the keyframes; still empty.
            settings: what is compared and verified.
            known_map: a map of the same model, in which the session finds itself, too.
            mode, candidates: of the search, as for a Localizer.

        Raises:
            MapError: a mode that the model has no descriptions for.
        """
        self.closures = 0
        self.rejected: Counter[str] = Counter()
        self._describe = describe
        self._session = session
        self._settings = settings
        self._index = GrowingIndex(session, mode, candidates)
        self._map = None if known_map is None else KnownMap(known_map)
        self._stretches = Stretches(settings.max_gap)
        self._gate = KeyframeGate(settings)
        self._log = DriveLog()
        self._window = ExclusionWindow(
            self._log, settings.exclusion_seconds, settings.exclusion_metres
        )
        self._margins = Margins(settings)
        self._consistency = Consistency(settings)
        self._plausibility = Plausibility(settings)
        self._geometry = GeometricVerification(settings, session, self._map)
        self._uniqueness = Uniqueness(settings, self._geometry.inliers)
        # Witnesses last, since what they refuse may become one of them.
        checks: dict[str, tuple[bool, Check]] = {
            "plausibility": (settings.plausibility, self._plausibility.check_drift),
            "margin": (settings.margin_threshold > -2, self._margins.check),
            "geometry": (settings.geometry, self._geometry.check),
            "consistency": (settings.consistency, self._consistency.check),
            "uniqueness": (settings.geometry, self._uniqueness.check),
            "witnesses": (settings.plausibility, self._plausibility.check_witnesses),
        }
        self._checks = {name: check for name, (wanted, check) in checks.items() if wanted}

    def wants(self, stamp: int, pose: PlanarPose | None, run: int | None = None) -> bool:
        """Tell whether a frame should be added: at `stamp` (ns) and `pose` in the odometry frame.

        To be asked for every frame, in the order they come: a gap in them begins a new stretch, and
        so does another run, the number of times that odometry has jumped. A frame that is late by
        up to a second is not wanted.
        """
        seen = self._stretches.see(stamp, run)
        if seen == "late":
            self.rejected["late"] += 1
            return False
        if seen == "new":
            self._gate.reset()
        return self._gate.wants(stamp, pose)

    def add_keyframe(
        self,
        stamp: int,
        pose: PlanarPose | None,
        picture: NDArray[np.uint8],
        camera: CameraModel | None = None,
    ) -> Keyframe:
        """Describe a frame, search for it among what was seen before, and add it.

        Args:
            stamp: ns, not older than the newest frame; where time jumped back it may be.
            pose: the robot in the odometry frame; None without odometry.
            picture: [H, W, 3] uint8 RGB.
            camera: what took it, where that is known. One whose picture has another shape is as
                good as none: its rotations would be wrong.

        Raises:
            ValueError: a frame that is late by up to a second.
            MapError: a description that does not fit the session's model, or a full disk.
        """
        if self._stretches.see(stamp) == "late":
            raise ValueError(f"the frame at {stamp} ns is older than the newest one")
        stretch = self._stretches.current
        assert stretch is not None
        codes, descriptors = self._describe(picture)
        code = None if codes is None else codes[0]
        descriptor = None if descriptors is None else descriptors[0]
        if camera is not None and not camera.fits((picture.shape[1], picture.shape[0])):
            camera = None
        self._session.append(_place(code, descriptor, stamp, pose, picture, camera))
        new = not len(self._log) or self._log.stretch(len(self._log) - 1) != stretch
        query = self._log.append(stretch, stamp, pose)
        self._gate.keep(stamp, pose)
        self._geometry.begin(picture)

        released = self._window.released(query)
        self._index.release(released)
        found = self._own(self._index.localize(code, descriptor)) if released else []
        if self._map is not None:
            found += self._map.find(code, descriptor)
            found.sort(key=lambda candidate: -candidate.similarity)
        closure, rejections = self._verified(query, found)
        return Keyframe(
            query,
            stretch if new else None,
            released + (0 if self._map is None else len(self._map)),
            found[0].similarity if found else None,
            closure,
            rejections,
        )

    def _own(self, matches: Iterable[Match]) -> list[Candidate]:
        return [
            Candidate(self._log.waypoint(match.place), match.similarity, match.hamming)
            for match in matches
        ]

    def _verified(
        self, query: Waypoint, found: Sequence[Candidate]
    ) -> tuple[Closure | None, tuple[Rejection, ...]]:
        """Return the best candidate that passes everything, and those that did not before it."""
        settings = self._settings
        similar = [c for c in found if c.similarity >= settings.similarity_threshold]
        rejections = []
        if found and not similar:
            evidence = {"threshold": settings.similarity_threshold}
            rejections.append(Rejection(found[0], "similarity", evidence))
        self._margins.begin(found)
        candidates = _distinct(similar, settings.max_candidates)
        self._uniqueness.begin([c for c in candidates if self._allowed(query, c)])
        closure, disputed = None, None
        for candidate in candidates:
            reason, verification = self._failure(query, candidate)
            if reason is None:
                closure = Closure(
                    candidate.waypoint,
                    query,
                    candidate.similarity,
                    candidate.hamming,
                    verification,
                    self._margins.of(candidate),
                )
                self.closures += 1
                self._plausibility.remember(query, candidate)
                self._uniqueness.remember(query, candidate)
                break
            rejections.append(Rejection(candidate, reason, verification[reason]))
            if reason == "witnesses":
                disputed = disputed or candidate
        if closure is None and disputed is not None:
            self._plausibility.remember(query, disputed)
        if settings.geometry:
            candidates = [c for c in candidates if self._geometry.verified(c)]
        self._consistency.remember(query, candidates)
        self.rejected.update(rejection.reason for rejection in rejections)
        return closure, tuple(rejections)

    def _allowed(self, query: Waypoint, candidate: Candidate) -> bool:
        """Tell whether odometry allows a candidate, as far as it is asked."""
        return not self._settings.plausibility or (
            self._plausibility.check_drift(query, candidate).passed
            and self._plausibility.check_witnesses(query, candidate).passed
        )

    def _failure(
        self, query: Waypoint, candidate: Candidate
    ) -> tuple[str | None, dict[str, dict[str, Any]]]:
        """Return the first verification that a candidate fails, and what all until then found."""
        verification: dict[str, dict[str, Any]] = {}
        for name, check in self._checks.items():
            passed, verification[name] = check(query, candidate)
            if not passed:
                return name, verification
        return None, verification


def _place(
    code: NDArray[np.uint8] | None,
    descriptor: NDArray[np.float32] | None,
    stamp: int,
    pose: PlanarPose | None,
    picture: NDArray[np.uint8],
    camera: CameraModel | None,
) -> Place:
    """Return a keyframe for the session; without odometry it lies in the origin, sigma unknown."""
    place = Place(
        code,
        descriptor,
        (0.0, 0.0, 0.0),
        stamp,
        thumbnail=thumbnail(picture, PICTURE_SIDE),
        camera=camera,
        picture_size=(picture.shape[1], picture.shape[0]),
    )
    if pose is None:
        return place
    return replace(
        place,
        position=pose[:3],
        heading=pose.yaw,
        heading_sigma=ASSUMED_YAW_SIGMA,
        position_sigma=ASSUMED_POSE_SIGMA,
    )


def _distinct(candidates: Sequence[Candidate], count: int) -> list[Candidate]:
    """Return the first `count` candidates that are not next to a better one on the same drive."""
    chosen: list[Candidate] = []
    for candidate in candidates:
        here = candidate.waypoint
        if len(chosen) == count:
            break
        if all(
            other.waypoint.drive != here.drive
            or abs(other.waypoint.number - here.number) >= DISTINCT
            for other in chosen
        ):
            chosen.append(candidate)
    return chosen
