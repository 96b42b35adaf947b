"""The parameters of the loop closure node (see parameter_table)."""

from __future__ import annotations

from dataclasses import dataclass, fields

from selavpr_core.errors import SelaVPRError
from selavpr_ros.candidates import CANDIDATE_LIMITS, USUAL_CANDIDATES
from selavpr_ros.loop_closure.settings import LoopClosureSettings
from selavpr_ros.nodes.camera.parameters import CameraSettings
from selavpr_ros.nodes.camera.thresholds import LEFT_TO_THE_MAP, Thresholds
from selavpr_ros.nodes.ros.parameter_table import Parameter, parameter, table_of

_USUAL = LoopClosureSettings()
_COUNTS = (1, 1000)
_METRES = (0.0, 10_000.0)
_SECONDS = (0.0, 86_400.0)
_ANGLES = (0.0, 3.2)


@dataclass(frozen=True)
class LoopSettings(CameraSettings):
    """The values of all parameters, and through its fields the table of them."""

    weights: str = parameter(
        "",
        "Weights of the model: tiny (they come with selavpr_ros), base, large, a file (.pth or "
        ".safetensors) or random:PRESET. "
        "Empty: the ones that the map was made with; without a map, tiny.",
    )
    candidates: int = parameter(
        USUAL_CANDIDATES,
        "Keyframes that the first stage hands to re-ranking.",
        bounds=CANDIDATE_LIMITS,
    )
    map: str = parameter(
        "",
        "Directory of a place map of earlier sessions, in which this one finds itself, too. Empty: "
        "begin without one.",
    )
    extend_map: bool = parameter(
        True,
        "Save the session into the map, once closures tell how its odometry lies in it; false: "
        "the map is only read.",
    )
    save_to: str = parameter(
        "",
        "Directory of the session's own map; where it exists already, a number is added. Empty: "
        "<map>-session; without a map, nothing is saved.",
    )
    autosave_seconds: float = parameter(
        60.0,
        "Seconds between autosaves; 0.0: save with ~/save_map alone, and what was before a jump "
        "back in time.",
        bounds=_SECONDS,
    )
    spool_folder: str = parameter(
        "",
        "Folder on a disk for what the session keeps while it drives, up to 40 kB a keyframe. "
        "Empty: the system's folder for temporary files.",
    )
    keyframe_distance: float = parameter(
        _USUAL.keyframe_distance,
        "Metres of odometry after which an image becomes a keyframe.",
        bounds=_METRES,
    )
    keyframe_heading: float = parameter(
        round(_USUAL.keyframe_heading, 3),
        "Radians of turning, by odometry, after which it does.",
        bounds=_ANGLES,
    )
    keyframe_seconds: float = parameter(
        _USUAL.keyframe_seconds,
        "Seconds after which it does where there is no odometry.",
        bounds=_SECONDS,
    )
    odometry_timeout: float = parameter(
        5.0,
        "Seconds without odometry after which images are taken without it; before, images without "
        "odometry around their stamp are let go.",
        bounds=_SECONDS,
    )
    max_gap: float = parameter(
        _USUAL.max_gap,
        "Seconds without an image after which a new stretch begins.",
        bounds=(0.1, 86_400.0),
    )
    exclusion_seconds: float = parameter(
        _USUAL.exclusion_seconds,
        "A keyframe is compared with those that are older than this, in seconds.",
        bounds=_SECONDS,
    )
    exclusion_metres: float = parameter(
        _USUAL.exclusion_metres,
        "And farther back than this, in metres along the track.",
        bounds=_METRES,
    )
    similarity_threshold: float = parameter(
        LEFT_TO_THE_MAP,
        "Least similarity of a candidate. Below -1.0 it is that of the map's calibration, and "
        f"{_USUAL.similarity_threshold} without one.",
        bounds=(LEFT_TO_THE_MAP, 1.0),
    )
    margin_threshold: float = parameter(
        LEFT_TO_THE_MAP,
        "Least similarity by which a candidate must exceed the best one elsewhere: more than 25 m, "
        "and farther than odometry may drift, from it. Below -1.0 it is that of the map's "
        "calibration, and none is asked for without one.",
        bounds=(LEFT_TO_THE_MAP, 2.0),
    )
    max_candidates: int = parameter(
        _USUAL.max_candidates,
        "Distinct places, best first, that are verified until one passes.",
        bounds=_COUNTS,
    )
    plausibility: bool = parameter(
        _USUAL.plausibility, "Verify that odometry allows the closure, and the closures before."
    )
    consistency: bool = parameter(
        _USUAL.consistency, "Verify that the keyframes before found the same surroundings."
    )
    geometry: bool = parameter(
        _USUAL.geometry,
        "Verify that the two pictures fit one epipolar geometry, and clearly better than that of "
        "any place elsewhere.",
    )
    odometry_drift: float = parameter(
        _USUAL.odometry_drift,
        "Metres by which odometry may be wrong for each metre along the track.",
        bounds=(0.0, 10.0),
    )
    odometry_yaw_drift: float = parameter(
        round(_USUAL.odometry_yaw_drift, 5),
        "Radians by which its yaw may be wrong for each metre.",
        bounds=_ANGLES,
    )
    match_distance: float = parameter(
        _USUAL.match_distance,
        "Metres that two cameras may be apart that see the same place.",
        bounds=_METRES,
    )
    match_angle: float = parameter(
        round(_USUAL.match_angle, 3), "Radians that they may look another way.", bounds=_ANGLES
    )
    agreeing: int = parameter(
        _USUAL.agreeing,
        "How many of the keyframes asked must have found the same surroundings.",
        bounds=_COUNTS,
    )
    agreement_window: int = parameter(
        _USUAL.agreement_window, "How many keyframes before are asked.", bounds=_COUNTS
    )
    agreement_reach: int = parameter(
        _USUAL.agreement_reach,
        "Keyframes by which their matches may lie apart for each keyframe between them.",
        bounds=_COUNTS,
    )
    min_inliers: int = parameter(
        _USUAL.min_inliers,
        "Least number of points that must agree with one epipolar geometry.",
        bounds=(1, 10_000),
    )
    min_coverage: float = parameter(
        _USUAL.min_coverage,
        "Least share of both pictures that those points must spread over.",
        bounds=(0.0, 1.0),
    )
    image_rectified: bool = parameter(
        False, "The images are rectified: of camera_info the matrix P holds, not K and D."
    )
    map_frame: str = parameter(
        "map", "Frame of the map: that of a match that is a place of it.", is_frame=True
    )


LOOP_PARAMETERS: tuple[Parameter, ...] = table_of(LoopSettings)


def detector_settings(settings: LoopSettings, thresholds: Thresholds) -> LoopClosureSettings:
    """What of the parameters the detection takes, with the thresholds in force.

    Raises SelaVPRError where parameters contradict each other.
    """
    values = {f.name: getattr(settings, f.name) for f in fields(LoopClosureSettings)}
    in_force = {
        "similarity_threshold": thresholds.similarity,
        "margin_threshold": thresholds.margin,
    }
    try:
        return LoopClosureSettings(**(values | in_force))
    except ValueError as error:
        raise SelaVPRError(f"parameters contradict each other: {error}") from None
