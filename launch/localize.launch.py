"""Localize a camera's images in a place map.

    ros2 launch selavpr_ros localize.launch.py map:=campus image:=/camera/image_raw

The arguments that a user leaves empty keep the values of the parameter file.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.conditions import IfCondition
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from lifecycle_msgs.msg import Transition

SHARE = Path(get_package_share_directory("selavpr_ros"))
BOOLEANS = ["true", "false"]

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


def given_parameters(context: LaunchContext) -> dict:
    """Return the parameters whose argument is not empty; the file has the others."""
    return {
        # Typed, or a map called 2024 would arrive as a number.
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind in PARAMETERS.items()
        if LaunchConfiguration(name).perform(context)
    }


def localization(context: LaunchContext) -> list:
    """Return the node and, with autostart, what configures and activates it."""
    image = LaunchConfiguration("image").perform(context)
    node = LifecycleNode(
        package="selavpr_ros",
        executable="localization_node",
        name="localization_node",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            ParameterFile(LaunchConfiguration("params_file"), allow_substs=True),
            given_parameters(context),
            {"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)},
        ],
        remappings=[
            ("image", image),
            ("image/compressed", f"{image}/compressed"),
            ("odom", LaunchConfiguration("odom")),
        ],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        output="screen",
    )
    autostart = IfCondition(LaunchConfiguration("autostart"))
    activate_when_configured = RegisterEventHandler(
        OnStateTransition(
            target_lifecycle_node=node,
            # Not after `deactivate`, which leads to inactive too.
            start_state="configuring",
            goal_state="inactive",
            entities=[
                EmitEvent(
                    event=ChangeState(
                        lifecycle_node_matcher=matches_action(node),
                        transition_id=Transition.TRANSITION_ACTIVATE,
                    )
                )
            ],
        ),
        condition=autostart,
    )
    configure = EmitEvent(
        event=ChangeState(
            lifecycle_node_matcher=matches_action(node),
            transition_id=Transition.TRANSITION_CONFIGURE,
        ),
        condition=autostart,
    )
    return [activate_when_configured, node, configure]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the node, and RViz where it is asked for."""
    arguments = [
        DeclareLaunchArgument(
            "map",
            default_value="",
            description="Directory of the place map. Empty: the parameter file's.",
        ),
        DeclareLaunchArgument(
            "image",
            default_value="image",
            description="Topic of the camera's images; compressed ones are on <image>/compressed.",
        ),
        DeclareLaunchArgument(
            "image_transport",
            default_value="",
            choices=["", "raw", "compressed"],
            description="Which of the two to subscribe to. Empty: the parameter file's.",
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
        DeclareLaunchArgument(
            "weights",
            default_value="",
            description="tiny, base, large, a file or random:PRESET. Empty: the parameter file's, "
            "by default the ones that the map was made with.",
        ),
        DeclareLaunchArgument(
            "device",
            default_value="",
            choices=["", "auto", "cpu", "cuda"],
            description="Where the model runs. Empty: the parameter file's.",
        ),
        DeclareLaunchArgument(
            "precision",
            default_value="",
            choices=["", "auto", "fp32", "fp16", "bf16"],
            description="Arithmetic of the model. Empty: the parameter file's.",
        ),
        DeclareLaunchArgument(
            "params_file",
            default_value=str(SHARE / "config" / "localize.yaml"),
            description="YAML file with the parameters of the node.",
        ),
        DeclareLaunchArgument(
            "namespace", default_value="", description="Namespace of the node and its topics."
        ),
        DeclareLaunchArgument(
            "use_sim_time",
            default_value="false",
            choices=BOOLEANS,
            description="Take the time from /clock, as with a simulation or a replayed bag.",
        ),
        DeclareLaunchArgument(
            "log_level",
            default_value="info",
            choices=["debug", "info", "warn", "error", "fatal"],
            description="Least severity of what is logged.",
        ),
        DeclareLaunchArgument(
            "autostart",
            default_value="true",
            choices=BOOLEANS,
            description="Configure and activate the node. Otherwise that is up to the user.",
        ),
        DeclareLaunchArgument(
            "rviz",
            default_value="false",
            choices=BOOLEANS,
            description="Start rviz2 with a view of the map, the pose and the matches.",
        ),
    ]
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        name="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", str(SHARE / "config" / "localize.rviz")],
        parameters=[
            {"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}
        ],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription([*arguments, OpaqueFunction(function=localization), rviz])
