"""What the launch files share: arguments, and a lifecycle node that configures itself.

Needs launch and launch_ros, which come with ROS 2 alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launch import LaunchContext
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.condition import Condition
from launch.conditions import IfCondition
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue
from lifecycle_msgs.msg import Transition

# As YAML and as Python spell them: launch files that include these pass on either.
BOOLEANS = ["true", "false", "True", "False"]

_SIM_TIME: dict[str, type] = {"use_sim_time": bool}


def camera_arguments(params_file: str) -> list[DeclareLaunchArgument]:
    """The arguments of every node that takes in a camera's images; `params_file`: the default."""
    return [
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
            default_value=params_file,
            description="YAML file with the parameters of the node.",
        ),
        DeclareLaunchArgument(
            "namespace", default_value="", description="Namespace of the node and its topics."
        ),
        DeclareLaunchArgument(
            "use_sim_time",
            default_value="",
            choices=["", *BOOLEANS],
            description="Take the time from /clock, as with a simulation or a replayed bag. Empty: "
            "the parameter file's, by default false.",
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
            description="Start rviz2 with a view of what the node publishes.",
        ),
    ]


def rviz(context: LaunchContext, view: str) -> Node:
    """RViz with a view of the node, where it is asked for; `view`: the file."""
    return Node(
        package="rviz2",
        executable="rviz2",
        name="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", view],
        parameters=[_given_parameters(context, _SIM_TIME)],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )


def _given_parameters(
    context: LaunchContext, kinds: Mapping[str, type]
) -> dict[str, ParameterValue]:
    """The parameters whose argument is not empty; the file has the others."""
    return {
        # Typed, or a map called 2024 would arrive as a number.
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind in kinds.items()
        if LaunchConfiguration(name).perform(context)
    }


def lifecycle_node(
    context: LaunchContext, executable: str, parameters: dict[str, type], topics: Sequence[str]
) -> list[Any]:
    """A node of this package and, with autostart, what configures and activates it.

    Args:
        context: of the launch.
        executable: which is the node's name, too.
        parameters: launch arguments that are parameters of the node, with the parameter's type.
        topics: launch arguments that are names of topics, beside `image`.
    """
    image = LaunchConfiguration("image").perform(context)
    node = LifecycleNode(
        package="selavpr_ros",
        executable=executable,
        name=executable,
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            ParameterFile(LaunchConfiguration("params_file"), allow_substs=True),
            _given_parameters(context, parameters | _SIM_TIME),
        ],
        remappings=[
            ("image", image),
            ("image/compressed", f"{image}/compressed"),
            *((topic, LaunchConfiguration(topic)) for topic in topics),
        ],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        output="screen",
    )
    autostart = IfCondition(LaunchConfiguration("autostart"))

    def activate(context: LaunchContext) -> list[EmitEvent]:
        # Ended while it is being configured, a node may still become inactive. To ask it for more
        # then would raise in launch.
        return [] if context.is_shutdown else [_request(node, Transition.TRANSITION_ACTIVATE)]

    activate_when_configured = RegisterEventHandler(
        OnStateTransition(
            target_lifecycle_node=node,
            # Not after `deactivate`, which leads to inactive too.
            start_state="configuring",
            goal_state="inactive",
            entities=[OpaqueFunction(function=activate)],
        ),
        condition=autostart,
    )
    configure = _request(node, Transition.TRANSITION_CONFIGURE, autostart)
    return [activate_when_configured, node, configure]


def _request(node: LifecycleNode, transition: int, condition: Condition | None = None) -> EmitEvent:
    """What asks the node for a transition."""
    event = ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition)
    return EmitEvent(event=event, condition=condition)
