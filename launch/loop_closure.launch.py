"""Look for loop closures while driving.

    ros2 launch selavpr_ros loop_closure.launch.py save_to:=campus image:=/camera/image_raw

Arguments that are left empty keep the values of the parameter file.
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
    "extend_map": bool,
    "save_to": str,
    "weights": str,
    "device": str,
    "precision": str,
    "image_transport": str,
}


def loop_closure(context: LaunchContext) -> list:
    """Return the node, what configures and activates it, and RViz, where these are asked for."""
    node = lifecycle_node(context, "loop_closure_node", PARAMETERS, ["odom", "camera_info"])
    return [*node, rviz(context, str(SHARE / "config" / "loop_closure.rviz"))]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, and what is launched with them."""
    arguments = [
        *camera_arguments(str(SHARE / "config" / "loop_closure.yaml")),
        DeclareLaunchArgument("odom", default_value="odom", description="Topic of the odometry."),
        DeclareLaunchArgument(
            "camera_info",
            default_value="camera_info",
            description="Topic of the camera's calibration; used to verify closures.",
        ),
        DeclareLaunchArgument(
            "map",
            default_value="",
            description="Directory of a map of earlier sessions. Empty: the parameter file's, by "
            "default none.",
        ),
        DeclareLaunchArgument(
            "extend_map",
            default_value="",
            choices=["", *BOOLEANS],
            description="Save the session into that map. Empty: the parameter file's.",
        ),
        DeclareLaunchArgument(
            "save_to",
            default_value="",
            description="Directory of the session's own map. Empty: the parameter file's, by "
            "default <map>-session.",
        ),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=loop_closure)])
