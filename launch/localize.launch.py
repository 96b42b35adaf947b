"""Localize a camera's images in a place map.

    ros2 launch selavpr_ros localize.launch.py map:=campus image:=/camera/image_raw

The arguments that a user leaves empty keep the values of the parameter file.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from selavpr_ros.nodes.ros.launching import BOOLEANS, camera_arguments, lifecycle_node, rviz

SHARE = Path(get_package_share_directory("selavpr_ros"))

# Launch arguments that are parameters of the node, with the parameter's type.
PARAMETERS = {
    "map": str,
    "weights": str,
    "device": str,
    "precision": str,
    "image_transport": str,
    "filter": str,
    "publish_tf": bool,
}


def localization(context: LaunchContext) -> list:
    """Return the node, what configures and activates it, and RViz, where these are asked for."""
    node = lifecycle_node(context, "localization_node", PARAMETERS, ["odom"])
    return [*node, rviz(context, str(SHARE / "config" / "localize.rviz"))]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, and what is launched with them."""
    arguments = [
        *camera_arguments(str(SHARE / "config" / "localize.yaml")),
        DeclareLaunchArgument(
            "map",
            default_value="",
            description="Directory of the place map. Empty: the parameter file's.",
        ),
        DeclareLaunchArgument(
            "odom",
            default_value="odom",
            description="Topic of the odometry; used with the filter and with publish_tf.",
        ),
        DeclareLaunchArgument(
            "filter",
            default_value="",
            choices=["", "none", "sequence"],
            description="sequence joins images with odometry. Empty: the parameter file's.",
        ),
        DeclareLaunchArgument(
            "publish_tf",
            default_value="",
            choices=["", *BOOLEANS],
            description="Publish the transform map -> odom. Empty: the parameter file's.",
        ),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=localization)])
