"""What nodes have in common that work on the newest image of a camera.

unconfigured  parameters and diagnostics only; no model is in memory
inactive      everything is loaded; nothing is subscribed
active        images are taken in, and worked on by a thread
"""

from __future__ import annotations

import gc
import logging
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter as RosParameter
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from std_srvs.srv import SetBool

from selavpr_core.errors import SelaVPRError
from selavpr_ros.nodes.camera.frame_monitor import FrameMonitor, Situation
from selavpr_ros.nodes.camera.image_subscription import ImageSubscription
from selavpr_ros.nodes.camera.mailbox import Frame, Mailbox
from selavpr_ros.nodes.camera.parameters import CameraSettings
from selavpr_ros.nodes.camera.worker import Worker
from selavpr_ros.nodes.ros import messages
from selavpr_ros.nodes.ros.declaration import (
    checked_change,
    declare_parameters,
    read_settings,
    undeclared_parameters,
    with_changes,
)
from selavpr_ros.nodes.ros.log_handler import RosLogHandler
from selavpr_ros.nodes.ros.parameter_table import describe_settings, table_of, unknown_parameters
from selavpr_ros.nodes.ros.status import Level, Status
from selavpr_ros.nodes.ros.transitions import answering, survive_impossible_transitions

ODOMETRY_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=50, reliability=ReliabilityPolicy.BEST_EFFORT
)
DIAGNOSTICS_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=10)

DIAGNOSTICS_PERIOD = 1.0  # s
WORKER_STOP = 2.5  # s to wait for the frame in work when the process ends

SettingsT = TypeVar("SettingsT", bound=CameraSettings)


class CameraNode(LifecycleNode, ABC, Generic[SettingsT]):
    """A lifecycle node that takes in a camera's images and works on the newest in a thread.

    Callbacks, services and transitions run in the executor's one thread; `_work` runs in the
    worker's. What both touch is the mailbox, the monitor, and values that are replaced as a whole,
    such as `_settings`.

    A node implements `_load`, `_begin`, `_take_in`, `_work`, `_failed`, `_facts` and `_status`, and
    extends `_stop` and `_free` for what it holds beyond this.
    """

    def __init__(
        self, name: str, task: str, doing: str, settings: SettingsT, monitor: FrameMonitor
    ) -> None:
        """Declare the parameters and begin to publish diagnostics.

        Args:
            name: of the node, unless it is remapped.
            task: what the node does, in the name of its diagnostic status.
            doing: the same as an answer to `~/pause`.
            settings: the defaults; their class is the table of parameters.
            monitor: counts what becomes of the frames.
        """
        self._state = "unconfigured"
        self._failure: str | None = None
        self._paused = False
        self._task = task
        self._doing = doing
        self._settings = settings
        self._table = table_of(type(settings))
        self._topic = ""
        self._mailbox: Mailbox[Any] = Mailbox()
        self._worker: Worker[Any] | None = None
        self._monitor = monitor
        self._images: ImageSubscription | None = None
        self._subscriptions_while_active: list[Any] = []
        self._announced: tuple[Level, str] | None = None
        super().__init__(name)

        self._problems = declare_parameters(self, self._table)
        for line in unknown_parameters(undeclared_parameters(self), self._table):
            self.get_logger().warning(line)
        for line in self._problems.values():
            self.get_logger().error(line)
        self.add_on_set_parameters_callback(self._on_set_parameters)

        self._log_handler = RosLogHandler(self.get_logger())
        logging.getLogger("selavpr_core").addHandler(self._log_handler)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", DIAGNOSTICS_QOS)
        # A simulated clock may stand still, and diagnostics must say so.
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(DIAGNOSTICS_PERIOD, self._each_second, clock=self._steady_clock)
        self._news = self.create_guard_condition(self._on_news)
        self._jump_handle = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True
            ),
            post_callback=self._on_time_jump,
        )
        self.create_service(SetBool, "~/pause", self._on_pause)
        survive_impossible_transitions(self)

    # What a node does with its images

    @abstractmethod
    def _load(self) -> None:
        """Load everything that `_settings` ask for, when configured; SelaVPRError: it cannot be."""

    @abstractmethod
    def _begin(self) -> None:
        """Prepare for images, when activated; they come as soon as this is done."""

    @abstractmethod
    def _take_in(self, message: Any) -> None:
        """Put an image that has just come into the mailbox, or let it go."""

    @abstractmethod
    def _work(self, frame: Frame[Any]) -> None:
        """Work on a frame of the mailbox, in the worker's thread."""

    @abstractmethod
    def _failed(self, frame: Frame[Any], reason: str) -> None:
        """Note that `_work` raised something that no user's input should cause."""

    def _on_news(self) -> None:
        """Take over what the worker finished, in the executor's thread: `_news` was triggered."""
        status = self._status()
        if self._announce(status):
            self._publish_status(status)

    @abstractmethod
    def _facts(self) -> dict[str, str]:
        """What is loaded, in the words of the log and of diagnostics; empty where nothing is."""

    @abstractmethod
    def _status(self) -> Status:
        """The present state in words and figures."""

    # Transitions

    @answering
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load everything.

        SUCCESS: inactive. FAILURE: one line is logged, nothing stays loaded, and the node can be
        configured again once the cause is mended.
        """
        self._failure = None
        if self._problems:
            raise SelaVPRError("; ".join(self._problems.values()))
        self._settings = read_settings(self, type(self._settings))
        # Before anything can fail: whoever looks for the reason finds the configuration.
        self.get_logger().info("parameters:\n" + describe_settings(vars(self._settings), {}))
        try:
            self._load()
        except SelaVPRError:
            self._free()
            raise
        self._topic = self._image_topic()
        self._state = "inactive"
        facts = self._facts() | {"image topic": self._topic}
        self.get_logger().info("configured:\n" + describe_settings({}, facts))
        return TransitionCallbackReturn.SUCCESS

    @answering
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker and subscribe. Always SUCCESS."""
        super().on_activate(state)
        self._monitor.start(time.monotonic())
        self._announced = None
        self._mailbox = Mailbox()
        self._worker = Worker(self._mailbox, self._work, self._note_failure)
        self._begin()
        settings = self._settings
        self._images = ImageSubscription(
            self,
            self._topic,
            settings.image_transport,
            settings.image_reliability,
            self._on_image,
        )
        self._state = "active"
        self.get_logger().info(f"active: waiting for images on {self._topic}")
        return TransitionCallbackReturn.SUCCESS

    @answering
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and wait for the frame in work. Always SUCCESS."""
        self._stop("the node was deactivated")
        self._state = "inactive"
        super().on_deactivate(state)
        return TransitionCallbackReturn.SUCCESS

    @answering
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything. Always SUCCESS."""
        self._free()
        self._state = "unconfigured"
        return TransitionCallbackReturn.SUCCESS

    @answering
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything from whatever state. Always SUCCESS."""
        self._stop("the node was shut down")
        self._free()
        self._state = "finalized"
        return TransitionCallbackReturn.SUCCESS

    @answering
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything. SUCCESS: unconfigured, and may be configured again."""
        self._stop("the node failed")
        self._free()
        self._state = "unconfigured"
        return TransitionCallbackReturn.SUCCESS

    def fail(self, reason: str) -> None:
        """Note why a transition failed: logged once, and in diagnostics until the next try."""
        self._failure = reason
        self.get_logger().error(reason)
        self._publish_status()

    def close(self) -> bool:
        """Stop and free everything before the process ends.

        Returns False where the worker is still at a frame: then nothing it uses was freed.
        """
        logging.getLogger("selavpr_core").removeHandler(self._log_handler)
        self._jump_handle.unregister()
        stopped = self._stop("the process ends", WORKER_STOP)
        if stopped:
            self._free()
        return stopped

    def _listen(
        self, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile
    ) -> None:
        """Subscribe for as long as the node is active."""
        subscription = self.create_subscription(kind, topic, callback, qos)
        self._subscriptions_while_active.append(subscription)

    def _stop(self, reason: str, timeout: float | None = None) -> bool:
        """End what an active node does; False where the worker does not stop in time.

        reason: for those who wait for something that will not come.
        """
        for subscription in self._subscriptions_while_active:
            self.destroy_subscription(subscription)
        self._subscriptions_while_active = []
        if self._images is not None:
            self._images.destroy()
        self._images = None
        stopped = self._worker is None or self._worker.stop(timeout)
        self._worker = None
        return stopped

    def _free(self) -> None:
        """Let go of what was loaded, and of the GPU's memory."""
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    # Parameters

    def _on_set_parameters(self, parameters: list[RosParameter]) -> SetParametersResult:
        result = checked_change(self._table, self._state == "unconfigured", parameters)
        if result.successful:
            for parameter in parameters:
                self._problems.pop(parameter.name, None)
            self._settings = with_changes(self._settings, parameters)
        return result

    def _image_topic(self) -> str:
        """The resolved topic of the images.

        A remapped `image` carries its compressed images beside it, as image_transport has it,
        unless `image/compressed` is remapped itself.
        """
        if self._settings.image_transport == "raw":
            return self.resolve_topic_name("image")
        own = self.resolve_topic_name("image/compressed")
        if own != self.resolve_topic_name("image/compressed", only_expand=True):
            return own
        return self.resolve_topic_name("image") + "/compressed"

    # Images and time

    def _on_image(self, message: Any) -> None:
        self._monitor.image_arrived(self._now(), time.monotonic())
        self._take_in(message)

    def _now(self) -> int:
        """The node's clock, which may be simulated, in nanoseconds."""
        return int(self.get_clock().now().nanoseconds)

    def _note_failure(self, frame: Frame[Any], error: Exception) -> None:
        """Report what a frame should not have been able to cause; the next one is tried."""
        if isinstance(error, SelaVPRError):  # a full disk, say: it has its reason in it
            text = reason = str(error)
        else:
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            reason = f"{type(error).__name__}: {error}"
        self.get_logger().error(text, throttle_duration_sec=10.0)
        self._failed(frame, reason)

    def _on_time_jump(self, jump: TimeJump) -> None:
        """Time went back, or another clock took over: what was seen before lies in the future."""
        self._monitor.restart_silence()
        self.get_logger().info("time jumped: waiting for new images and odometry")

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> Any:
        """Stop or go on looking at images; the camera stays subscribed."""
        self._paused = request.data
        if self._paused:
            self._mailbox.clear()
        response.success = True
        response.message = "paused" if self._paused else self._doing
        if self._state != "active":
            response.message += f" once the node is active; it is {self._state}"
        self.get_logger().info(response.message)
        self._publish_status()
        return response

    # Diagnostics

    def _situation(self, untrained: bool, problem: str | None, asked: bool = False) -> Situation:
        """What the node knows about itself now.

        problem: what is amiss beside the images. asked: somebody waits for what one of them gives.
        """
        now, images = self._now(), self._images
        facts = dict(self._facts())
        if images is not None:
            facts["image reliability"] = images.reliability
        silent = self._monitor.silence(now) >= self._settings.image_timeout
        return Situation(
            state=self._state,
            failure=self._failure,
            paused=self._paused,
            asked=asked,
            topic=self._topic,
            timeout=self._settings.image_timeout,
            camera_hint=images.hint() if silent and images is not None else "",
            clock_missing=self.get_parameter("use_sim_time").value and now == 0,
            untrained=untrained,
            problem=problem,
            facts=facts,
        )

    def _each_second(self) -> None:
        """Follow the publishers of images, and report."""
        if self._images is not None:
            self._images.follow()
        self._publish_status()

    def _publish_status(self, status: Status | None = None) -> None:
        """Publish diagnostics; called once a second and on change."""
        status = status or self._status()
        self._announce(status)
        stamp = self.get_clock().now().to_msg()
        name = f"{self.get_fully_qualified_name().lstrip('/')}: {self._task}"
        self._diagnostics.publish(messages.diagnostics(stamp, name, status))

    def _announce(self, status: Status) -> bool:
        """Log a status that is of another kind than the last; returns whether it is."""
        kind = (status.level, status.kind)
        changed = kind != self._announced
        if changed and self._state == "active":
            # Two calls: rclpy wants one severity at each place that throttles.
            if status.level is Level.OK:
                self.get_logger().info(status.message, throttle_duration_sec=1.0)
            else:
                self.get_logger().warning(status.message, throttle_duration_sec=1.0)
        self._announced = kind
        return changed
