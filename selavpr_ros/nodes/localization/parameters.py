"""The parameters of the localization node (see parameter_table)."""

from __future__ import annotations

from dataclasses import dataclass

from selavpr_ros.nodes.camera.parameters import CameraSettings
from selavpr_ros.nodes.camera.thresholds import LEFT_TO_THE_MAP
from selavpr_ros.nodes.ros.parameter_table import Change, Parameter, parameter, table_of


@dataclass(frozen=True)
class Settings(CameraSettings):
    """The values of all parameters, and through its fields the table of them."""

    map: str = parameter(
        "",
        "Directory of the place map to localize in, as written by `selavpr build-map`.",
        Change.ON_LOAD_MAP,
    )
    filter: str = parameter(
        "none",
        "none judges every image by itself, sequence by the images before it, too, and by the "
        "odometry between them.",
        choices=("none", "sequence"),
    )
    similarity_threshold: float = parameter(
        LEFT_TO_THE_MAP,
        "Least similarity of the best match for a pose to be published, without the filter; below "
        "it the answer is that the robot is not in the map. Below -1.0: the map's calibration "
        "decides, or 0.5 where it has none.",
        Change.AT_ONCE,
        bounds=(LEFT_TO_THE_MAP, 1.0),
    )
    margin_threshold: float = parameter(
        LEFT_TO_THE_MAP,
        "Least similarity by which the best match must exceed that of every candidate more than "
        "25 m from it, without the filter. Below -1.0: the map's calibration decides, or 0.0 where "
        "it has none.",
        Change.AT_ONCE,
        bounds=(LEFT_TO_THE_MAP, 2.0),
    )
    candidates_published: int = parameter(
        10,
        "Best candidates that ~/candidates, ~/candidate_cloud and ~/markers show.",
        Change.AT_ONCE,
        bounds=(1, 1000),
    )
    map_frame: str = parameter(
        "map", "Frame of the map: that of all poses and candidates published.", is_frame=True
    )
    odom_frame: str = parameter(
        "odom", "Frame of the odometry: the child of the published transform.", is_frame=True
    )
    base_frame: str = parameter(
        "base_link",
        "Frame of the robot: the child frame that odometry must have, and the frame of ~/fix.",
        is_frame=True,
    )
    publish_tf: bool = parameter(
        False,
        "Publish the transform map_frame -> odom_frame; needs tf2_ros, odometry on `odom` and a "
        "map with headings.",
    )


PARAMETERS: tuple[Parameter, ...] = table_of(Settings)
