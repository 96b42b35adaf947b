"""The localization node: a lifecycle node that finds camera images in a place map.

unconfigured  parameters and diagnostics only; neither model nor map is in memory
inactive      model and map are loaded; nothing is subscribed
active        images are taken in, localized by a worker thread, and published
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter as RosParameter
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool, Trigger

from selavpr_core.errors import SelaVPRError
from selavpr_ros.errors import ImageError
from selavpr_ros.images import to_rgb
from selavpr_ros.nodes import messages
from selavpr_ros.nodes.callers import Answer, Callers
from selavpr_ros.nodes.declaration import (
    checked_change,
    declare_parameters,
    read_settings,
    undeclared_parameters,
    with_changes,
)
from selavpr_ros.nodes.log_handler import RosLogHandler
from selavpr_ros.nodes.mailbox import Frame, Mailbox
from selavpr_ros.nodes.monitor import Level, Monitor, Situation, Status
from selavpr_ros.nodes.odometry import OdomCorrection, PlanarPose
from selavpr_ros.nodes.outcome import Failed, Localized, NotInMap, Outcome, Undecodable
from selavpr_ros.nodes.outputs import Outputs
from selavpr_ros.nodes.parameters import (
    PARAMETERS,
    Settings,
    describe_settings,
    unknown_parameters,
)
from selavpr_ros.nodes.recognizer import Recognizer
from selavpr_ros.nodes.timing import describe_seconds
from selavpr_ros.nodes.transforms import transform_broadcaster
from selavpr_ros.nodes.transitions import answering, survive_impossible_transitions
from selavpr_ros.nodes.worker import Worker

# The newest image is all that matters, and a camera may be reliable or not: this hears both.
CAMERA_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)
ODOMETRY_QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=50, reliability=ReliabilityPolicy.BEST_EFFORT
)
DIAGNOSTICS_QOS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=10)

DIAGNOSTICS_PERIOD = 1.0  # s
WORKER_STOP = 2.5  # s to wait for the frame in work when the process ends
OLDEST_IMAGE = 60.0  # s; an older stamp was taken by another clock


@dataclass(frozen=True)
class _Result:
    """What the worker hands to the executor's thread about one frame."""

    number: int
    outcome: Outcome
    stamp: int
    in_map: PlanarPose | None


class LocalizationNode(LifecycleNode):
    """Localizes camera images in a place map (topics, services and parameters: docs/node.md).

    Callbacks, services and transitions run in the executor's one thread; the worker's thread
    localizes and publishes. What both touch is the mailbox, the monitor, `_results`, and values
    that are replaced as a whole: `_settings` at any time, `_recognizer` between two frames.
    """

    def __init__(self) -> None:
        self._state = "unconfigured"
        self._failure: str | None = None
        self._paused = False
        self._settings = Settings()
        self._topic = ""
        self._recognizer: Recognizer | None = None
        self._outputs: Outputs | None = None
        self._mailbox: Mailbox[Any] = Mailbox()
        self._worker: Worker[Any] | None = None
        self._between_frames = threading.Lock()
        self._monitor = Monitor()
        self._results: deque[_Result] = deque()
        self._forgotten = 0  # number of the last frame whose result no longer counts
        self._callers = Callers()
        self._image_subscription: Any = None
        self._odometry_subscription: Any = None
        self._broadcaster: Any = None
        self._correction = OdomCorrection()
        self._odometry_problem: str | None = None
        self._announced: tuple[Level, str] | None = None
        super().__init__("localization_node")

        self._problems = declare_parameters(self)
        for line in unknown_parameters(undeclared_parameters(self)):
            self.get_logger().warning(line)
        for line in self._problems.values():
            self.get_logger().error(line)
        self.add_on_set_parameters_callback(self._on_set_parameters)

        self._log_handler = RosLogHandler(self.get_logger())
        logging.getLogger("selavpr_core").addHandler(self._log_handler)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", DIAGNOSTICS_QOS)
        # A simulated clock may stand still, and diagnostics must say so.
        self.create_timer(
            DIAGNOSTICS_PERIOD,
            self._publish_status,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self._news = self.create_guard_condition(self._on_results)
        self._jump_handle = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True
            ),
            post_callback=self._on_time_jump,
        )
        self.create_service(Trigger, "~/load_map", self._on_load_map)
        self.create_service(SetBool, "~/pause", self._on_pause)
        # Waits for a frame: in a group of its own it holds up no other callback.
        self.create_service(
            Trigger,
            "~/relocalize",
            self._on_relocalize,
            callback_group=ReentrantCallbackGroup(),
        )
        survive_impossible_transitions(self)
        self.get_logger().info("unconfigured: configure and activate it to localize")

    # Transitions

    @answering
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load map and weights.

        SUCCESS: inactive, everything is loaded. FAILURE: one line is logged, nothing stays loaded,
        and the node can be configured again once the cause is mended.
        """
        self._failure = None
        if self._problems:
            raise SelaVPRError("; ".join(self._problems.values()))
        settings = self._settings = read_settings(self)
        values = {p.name: self.get_parameter(p.name).value for p in PARAMETERS}
        # Before anything can fail: whoever looks for the reason finds the configuration.
        self.get_logger().info("parameters:\n" + describe_settings(values, {}))
        try:
            if settings.publish_tf and self._broadcaster is None:
                self._broadcaster = transform_broadcaster(self)
            self.get_logger().info(f"loading map {settings.map!r} and its model")
            self._recognizer = Recognizer.load(settings)
        except SelaVPRError:
            self._free()
            raise
        self._outputs = Outputs(self)
        self._topic = self._image_topic()
        self._state = "inactive"
        self._log_facts(self._recognizer)
        return TransitionCallbackReturn.SUCCESS

    @answering
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Publish the map's places, start the worker, subscribe. Always SUCCESS."""
        super().on_activate(state)
        outputs, recognizer = self._loaded()
        self._monitor.start(time.monotonic())
        self._correction.reset()
        self._announced = None
        self._mailbox = Mailbox()
        self._forgotten = 0
        self._worker = Worker(self._mailbox, self._work, self._note_failure)
        outputs.publish_map(recognizer.place_map, self._settings)
        raw = self._settings.image_transport == "raw"
        self._image_subscription = self.create_subscription(
            Image if raw else CompressedImage, self._topic, self._on_image, CAMERA_QOS
        )
        if self._settings.publish_tf:
            self._odometry_subscription = self.create_subscription(
                Odometry, "odom", self._on_odometry, ODOMETRY_QOS
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
        """Free model and map. Always SUCCESS."""
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

    def _stop(self, reason: str, timeout: float | None = None) -> bool:
        """End what an active node does; False where the worker does not stop in time."""
        for subscription in (self._image_subscription, self._odometry_subscription):
            if subscription is not None:
                self.destroy_subscription(subscription)
        self._image_subscription = self._odometry_subscription = None
        stopped = self._worker is None or self._worker.stop(timeout)
        self._worker = None
        self._results.clear()
        self._callers.answer_all(Answer(False, reason))
        return stopped

    def _free(self) -> None:
        """Let go of model, map and publishers, and of the GPU's memory."""
        if self._outputs is not None:
            self._outputs.destroy()
        self._outputs = self._recognizer = None
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def _loaded(self) -> tuple[Outputs, Recognizer]:
        """What on_configure made."""
        assert self._outputs is not None
        assert self._recognizer is not None
        return self._outputs, self._recognizer

    # Parameters

    def _on_set_parameters(self, parameters: list[RosParameter]) -> SetParametersResult:
        result = checked_change(self._state == "unconfigured", parameters)
        if result.successful:
            for parameter in parameters:
                self._problems.pop(parameter.name, None)
            self._settings = with_changes(self._settings, parameters)
        return result

    def _log_facts(self, recognizer: Recognizer) -> None:
        facts = self._facts(recognizer) | {"image topic": self._topic}
        if self._settings.publish_tf:
            facts["odometry topic"] = self.resolve_topic_name("odom")
        self.get_logger().info("configured:\n" + describe_settings({}, facts))

    @staticmethod
    def _facts(recognizer: Recognizer) -> dict[str, str]:
        """What is loaded, in the words of the log and of diagnostics."""
        place_map, describer = recognizer.place_map, recognizer.describer
        trained = "" if describer.pretrained else " (untrained)"
        return {
            "map in use": str(place_map.path),
            "places": f"{len(place_map)}, in {len(place_map.segments)} segments",
            "weights in use": f"{describer.source}, preset {describer.preset}{trained}",
            "fingerprint": describer.fingerprint,
            "runs on": f"{describer.device}, {describer.precision}",
        }

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

    # Images, in the executor's thread

    def _on_image(self, message: Any) -> None:
        self._monitor.image_arrived(self._now(), time.monotonic())
        # A paused node still looks at a frame for somebody who asks where it is.
        if not self._paused or self._callers:
            self._mailbox.put(message)

    def _on_results(self) -> None:
        """Take over what the worker finished."""
        while self._results:
            result = self._results.popleft()
            if result.in_map is not None and result.number > self._forgotten:
                self._correction.add_pose(result.stamp, result.in_map)
                self._broadcast()
            found = isinstance(result.outcome, Localized)
            self._callers.answer(result.number, Answer(found, str(result.outcome)))
        status = self._status()
        if self._announce(status):
            self._publish_status(status)

    def _now(self) -> int:
        """The node's clock, which may be simulated, in nanoseconds."""
        return int(self.get_clock().now().nanoseconds)

    # Images, in the worker's thread

    def _work(self, frame: Frame[Any]) -> None:
        """Localize one image; the map does not change meanwhile."""
        with self._between_frames:
            self._localize(frame)

    def _localize(self, frame: Frame[Any]) -> None:
        """Publish what came of one image, and hand it over to the executor's thread."""
        started = time.perf_counter()
        outputs, recognizer = self._loaded()
        settings, message = self._settings, frame.item
        durations: dict[str, float] = {}
        try:
            rgb = to_rgb(message)
        except ImageError as error:
            self._hand_over(frame, Undecodable(str(error)), durations)
            return
        durations["decode"] = time.perf_counter() - started
        recognition = recognizer.recognize(rgb)
        durations |= recognition.durations

        outcome: Localized | NotInMap
        similarity, place_map = recognition.similarity, recognizer.place_map
        if similarity >= settings.similarity_threshold:
            place = recognition.matches[0].place
            segment = place_map.segment_of(place).name
            outcome = Localized(similarity, place, segment, recognition.estimate)
        else:
            outcome = NotInMap(similarity, settings.similarity_threshold)
        publishing = time.perf_counter()
        header = message.header
        outputs.publish_frame(header, rgb, recognition, outcome, place_map, settings)
        ended = time.perf_counter()
        durations |= {"publish": ended - publishing, "whole frame": ended - started}
        age = (self._now() - messages.stamp_nanoseconds(header.stamp)) / 1e9
        if 0.0 <= age < OLDEST_IMAGE:
            durations["image stamp to result"] = age
        self._hand_over(frame, outcome, durations)

    def _note_failure(self, frame: Frame[Any], error: Exception) -> None:
        """Report what a frame should not have been able to cause; the next one is tried."""
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.get_logger().error(text, throttle_duration_sec=10.0)
        self._hand_over(frame, Failed(f"{type(error).__name__}: {error}"), {})

    def _hand_over(self, frame: Frame[Any], outcome: Outcome, durations: dict[str, float]) -> None:
        """Count a frame and wake the executor's thread for the rest."""
        self._monitor.processed(frame.number, outcome, durations, time.monotonic())
        in_map = None
        if isinstance(outcome, Localized):
            x, y, z = (float(value) for value in outcome.estimate.position)
            in_map = PlanarPose(x, y, z, outcome.estimate.yaw)
        stamp = messages.stamp_nanoseconds(frame.item.header.stamp)
        self._results.append(_Result(frame.number, outcome, stamp, in_map))
        self._news.trigger()

    # Odometry and time

    def _on_odometry(self, message: Odometry) -> None:
        settings = self._settings
        parent, child = message.header.frame_id, message.child_frame_id
        if (parent, child) != (settings.odom_frame, settings.base_frame):
            self._odometry_problem = (
                f"odometry is of {child!r} in {parent!r}, not of {settings.base_frame!r} in "
                f"{settings.odom_frame!r}: set odom_frame and base_frame"
            )
            return
        try:
            pose = messages.planar_pose(message.pose.pose)
        except ValueError as error:
            # One such pose would make every transform after it nan, and tf2 drops those.
            self._odometry_problem = f"odometry cannot be used: {error}"
            return
        self._odometry_problem = None
        stamp = messages.stamp_nanoseconds(message.header.stamp)
        self._correction.add_odometry(stamp, pose)
        self._broadcast()

    def _broadcast(self) -> None:
        """Send map -> odom with the newest odometry's stamp, so that both are known up to there."""
        stamp, correction = self._correction.newest, self._correction.current
        settings = self._settings
        if stamp is None or correction is None or not settings.publish_tf:
            return
        self._broadcaster.sendTransform(
            messages.transform(
                messages.time_of(stamp), settings.map_frame, settings.odom_frame, correction
            )
        )

    def _on_time_jump(self, jump: TimeJump) -> None:
        """Time went back, or another clock took over: what was seen before lies in the future."""
        self._correction.reset()
        self._monitor.restart_silence()
        self.get_logger().info("time jumped: waiting for new images and odometry")

    # Services

    def _on_load_map(self, request: Trigger.Request, response: Trigger.Response) -> Any:
        """Read the parameter map again; a map that cannot be used leaves the old one in place."""
        if self._recognizer is None or self._outputs is None:
            response.message = f"the node is {self._state}: configure it, which loads the map"
            return response
        path = self.get_parameter("map").value
        try:
            recognizer = self._recognizer.with_map(path)
        except Exception as error:  # outermost frame: beyond it the error would end the node
            reason = str(error)
            if not isinstance(error, SelaVPRError):
                reason = f"loading {path} failed: {type(error).__name__}: {error}"
                self.get_logger().error(traceback.format_exc())
            response.message = f"{reason}; still using {self._recognizer.place_map.path}"
            self.get_logger().error(response.message)
            return response
        with self._between_frames:
            self._recognizer = recognizer
            self._forget()
        if self._state == "active":
            self._outputs.publish_map(recognizer.place_map, self._settings)
        response.success = True
        segments = len(recognizer.place_map.segments)
        response.message = f"loaded {path}: {len(recognizer.place_map)} places, {segments} segments"
        self.get_logger().info(response.message)
        self._publish_status()
        return response

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> Any:
        """Stop or go on looking at images; the camera stays subscribed."""
        self._paused = request.data
        if self._paused:
            self._mailbox.clear()
        response.success = True
        response.message = "paused" if self._paused else "localising"
        if self._state != "active":
            response.message += f" once the node is active; it is {self._state}"
        self.get_logger().info(response.message)
        self._publish_status()
        return response

    async def _on_relocalize(self, request: Trigger.Request, response: Trigger.Response) -> Any:
        """Forget the last result and answer with that of the next image, even while paused."""
        if self._state != "active":
            response.message = f"the node is {self._state}: activate it first"
            return response
        self._mailbox.clear()
        self._forget()
        response.success, response.message = await self._callers.wait(
            self._forgotten, time.monotonic()
        )
        return response

    def _forget(self) -> None:
        """Forget where the robot was, and with it the transform, until the next frame tells.

        A frame that has come by now was taken before: it is counted but tells nothing any more.
        """
        self._forgotten = self._mailbox.received
        self._correction.forget()
        self._monitor.forget_outcome(self._forgotten)

    # Diagnostics

    def _status(self) -> Status:
        """The present state in words and figures."""
        recognizer, now = self._recognizer, self._now()
        sim_time = self.get_parameter("use_sim_time").value
        silent = self._monitor.silence(now) >= self._settings.image_timeout
        tf_problem = None
        if self._settings.publish_tf:
            tf_problem = self._odometry_problem or self._correction.problem
        situation = Situation(
            state=self._state,
            failure=self._failure,
            paused=self._paused,
            topic=self._topic,
            timeout=self._settings.image_timeout,
            camera_hint=self._camera_hint() if silent else "",
            clock_missing=sim_time and now == 0,
            untrained=recognizer is not None and not recognizer.describer.pretrained,
            transform_problem=tf_problem,
            facts={} if recognizer is None else self._facts(recognizer),
        )
        received, dropped = self._mailbox.received, self._mailbox.dropped
        return self._monitor.status(situation, received, dropped, now, time.monotonic())

    def _camera_hint(self) -> str:
        """What the graph says about the image topic, for a camera that is silent."""
        if self._image_subscription is None:
            return ""
        expected = messages.type_name(self._image_subscription.msg_type)
        types = {info.topic_type for info in self.get_publishers_info_by_topic(self._topic)}
        if not types:
            return "nobody publishes it"
        if expected not in types:
            return f"it is published as {sorted(types)[0]}, not {expected}: set image_transport"
        return "it has a publisher that sends nothing"

    def _publish_status(self, status: Status | None = None) -> None:
        """Publish diagnostics; called once a second and on change."""
        status = status or self._status()
        self._announce(status)
        timeout = self._settings.image_timeout
        waited = f"no image on {self._topic} for {describe_seconds(timeout)}"
        self._callers.give_up(
            self._mailbox.newest, time.monotonic() - timeout, Answer(False, waited)
        )
        stamp = self.get_clock().now().to_msg()
        name = f"{self.get_fully_qualified_name().lstrip('/')}: localization"
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
