"""The localization node: a lifecycle node that finds camera images in a place map.

unconfigured  parameters and diagnostics only; neither model nor map is in memory
inactive      model and map are loaded; nothing is subscribed
active        images are taken in, localized by a worker thread, and published
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import TimeJump
from std_srvs.srv import SetBool, Trigger

from selavpr_core.errors import SelaVPRError
from selavpr_ros.errors import ImageError
from selavpr_ros.images import to_rgb
from selavpr_ros.nodes.camera.mailbox import Frame
from selavpr_ros.nodes.camera.model import describer_facts
from selavpr_ros.nodes.camera.node import ODOMETRY_QOS, CameraNode
from selavpr_ros.nodes.camera.odometry_input import OdometryInput
from selavpr_ros.nodes.camera.timing import describe_seconds
from selavpr_ros.nodes.localization.callers import Answer, Callers
from selavpr_ros.nodes.localization.follower import Follower
from selavpr_ros.nodes.localization.monitor import Monitor
from selavpr_ros.nodes.localization.odom_correction import OdomCorrection
from selavpr_ros.nodes.localization.outcome import (
    Failed,
    Judged,
    Localized,
    Outcome,
    Undecodable,
    Unsettled,
)
from selavpr_ros.nodes.localization.outputs.publishers import Outputs
from selavpr_ros.nodes.localization.outputs.transforms import transform_broadcaster
from selavpr_ros.nodes.localization.parameters import Settings
from selavpr_ros.nodes.localization.recognizer import Recognition, Recognizer
from selavpr_ros.nodes.localization.verdict import verdict_by_filter, verdict_by_image
from selavpr_ros.nodes.ros import messages
from selavpr_ros.nodes.ros.status import Status
from selavpr_ros.planar_pose import PlanarPose

OLDEST_IMAGE = 60.0  # s; an older stamp was taken by another clock


@dataclass(frozen=True)
class _Result:
    """What the worker hands to the executor's thread about one frame."""

    number: int
    outcome: Outcome
    stamp: int
    in_map: PlanarPose | None


class LocalizationNode(CameraNode[Settings]):
    """Localizes camera images in a place map (topics, services and parameters: docs/node.md).

    The worker's thread localizes and publishes. What it shares with the executor's is, beyond that
    of a CameraNode, `_results`, the odometry, and `_recognizer` and `_follower`, which are replaced
    between two frames.
    """

    _monitor: Monitor

    def __init__(self) -> None:
        self._recognizer: Recognizer | None = None
        self._follower: Follower | None = None  # with the filter
        self._outputs: Outputs | None = None
        self._between_frames = threading.Lock()
        self._results: deque[_Result] = deque()
        self._forgotten = 0  # number of the last frame whose result no longer counts
        self._callers = Callers()
        self._broadcaster: Any = None
        self._correction = OdomCorrection()
        self._odometry = OdometryInput(self._check_frames, self._take_odometry)
        super().__init__("localization_node", "localization", "localising", Settings(), Monitor())
        self.create_service(Trigger, "~/load_map", self._on_load_map)
        # Waits for a frame: in a group of its own it holds up no other callback.
        self.create_service(
            Trigger,
            "~/relocalize",
            self._on_relocalize,
            callback_group=ReentrantCallbackGroup(),
        )
        self.get_logger().info("unconfigured: configure and activate it to localize")

    def _load(self) -> None:
        """Load map and weights."""
        settings = self._settings
        if settings.publish_tf and self._broadcaster is None:
            self._broadcaster = transform_broadcaster(self)
        self.get_logger().info(f"loading map {settings.map!r} and its model")
        self._recognizer = Recognizer.load(settings)
        self._follower = self._follower_in(self._recognizer)
        self._outputs = Outputs(self)

    def _begin(self) -> None:
        """Publish the map's places and subscribe to odometry."""
        outputs, recognizer = self._loaded()
        self._correction = OdomCorrection()
        self._forgotten = 0
        if self._follower is not None:
            self._follower.begin()
        outputs.publish_map(recognizer.place_map, self._settings)
        if self._needs_odometry:
            self._odometry = OdometryInput(self._check_frames, self._take_odometry)
            self._listen(Odometry, "odom", self._odometry.hear, ODOMETRY_QOS)

    def _stop(self, reason: str, timeout: float | None = None) -> bool:
        stopped = super()._stop(reason, timeout)
        self._results.clear()
        self._callers.answer_all(Answer(False, reason))
        return stopped

    def _free(self) -> None:
        """Let go of model, map and publishers."""
        if self._outputs is not None:
            self._outputs.destroy()
        self._outputs = self._recognizer = self._follower = None
        super()._free()

    def _loaded(self) -> tuple[Outputs, Recognizer]:
        """What on_configure made."""
        assert self._outputs is not None
        assert self._recognizer is not None
        return self._outputs, self._recognizer

    def _follower_in(self, recognizer: Recognizer) -> Follower | None:
        """What follows the robot through a map; None without the filter."""
        return Follower(recognizer.place_map) if self._settings.filter == "sequence" else None

    @property
    def _needs_odometry(self) -> bool:
        return self._settings.publish_tf or self._settings.filter == "sequence"

    def _facts(self) -> dict[str, str]:
        if self._recognizer is None:
            return {}
        place_map, describer = self._recognizer.place_map, self._recognizer.describer
        facts = {
            "map in use": str(place_map.path),
            "places": f"{len(place_map)}, in {len(place_map.segments)} segments",
            **describer_facts(describer),
        }
        if self._settings.filter == "none":
            thresholds = self._recognizer.thresholds(self._settings)
            facts |= thresholds.facts()
            if thresholds.problem is not None:
                facts["calibration"] = thresholds.problem
        else:
            facts["filter"] = f"{self._settings.filter}, in the place of thresholds"
        if self._needs_odometry:
            facts["odometry topic"] = self.resolve_topic_name("odom")
        return facts

    # Images, in the executor's thread

    def _take_in(self, message: Any) -> None:
        # A paused node still looks at a frame for somebody who asks where it is.
        if not self._paused or self._callers:
            self._mailbox.put(message)

    def _on_news(self) -> None:
        """Take over what the worker finished."""
        while self._results:
            result = self._results.popleft()
            if result.in_map is not None and result.number > self._forgotten:
                self._correction.add_pose(result.stamp, result.in_map)
                self._broadcast()
            answer = Answer(isinstance(result.outcome, Localized), str(result.outcome))
            if isinstance(result.outcome, Unsettled):
                self._callers.note(result.number, answer)  # the next images will tell
            else:
                self._callers.answer(result.number, answer)
        super()._on_news()

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

        judging = time.perf_counter()
        outcome = self._judged(frame, recognition, recognizer)
        publishing = time.perf_counter()
        if self._follower is not None:
            durations["filter"] = publishing - judging
        header, place_map = message.header, recognizer.place_map
        outputs.publish_frame(header, rgb, recognition, outcome, place_map, settings)
        ended = time.perf_counter()
        durations |= {"publish": ended - publishing, "whole frame": ended - started}
        age = (self._now() - messages.stamp_nanoseconds(header.stamp)) / 1e9
        if 0.0 <= age < OLDEST_IMAGE:
            durations["image stamp to result"] = age
        self._hand_over(frame, outcome, durations)

    def _judged(
        self, frame: Frame[Any], recognition: Recognition, recognizer: Recognizer
    ) -> Judged:
        """What follows from a frame, by its image alone or by the filter."""
        place_map = recognizer.place_map
        if self._follower is None:
            return verdict_by_image(recognition, recognizer.thresholds(self._settings), place_map)
        # Of a camera that leaves its stamps empty, the time of arrival at least is known.
        stamp = messages.stamp_nanoseconds(frame.item.header.stamp) or self._now()
        run = self._correction.odometry.jumps
        odometry = self._correction.odometry.guess_at(stamp)
        belief = self._follower.follow(
            frame.number, self._forgotten, stamp, recognition.matches, odometry, run
        )
        return verdict_by_filter(belief, recognition, place_map)

    def _failed(self, frame: Frame[Any], reason: str) -> None:
        self._hand_over(frame, Failed(reason), {})

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

    def _check_frames(self, parent: str, child: str) -> None:
        """Raise ValueError for odometry that the transform does not belong to."""
        settings = self._settings
        if (parent, child) != (settings.odom_frame, settings.base_frame):
            raise ValueError(
                f"it is of {child!r} in {parent!r}, not of {settings.base_frame!r} in "
                f"{settings.odom_frame!r}: set odom_frame and base_frame"
            )

    def _take_odometry(self, stamp: int, pose: PlanarPose) -> None:
        if self._correction.add_odometry(stamp, pose):
            self.get_logger().warning(str(self._correction.odometry.jump))
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
        self._forget()
        super()._on_time_jump(jump)

    # Services

    def _on_load_map(self, request: Trigger.Request, response: Trigger.Response) -> Any:
        """Read the parameter map again; a map that cannot be used leaves the old one in place."""
        if self._recognizer is None or self._outputs is None:
            response.message = f"the node is {self._state}: configure it, which loads the map"
            return response
        path = self.get_parameter("map").value
        try:
            recognizer = self._recognizer.with_map(path)
            follower = self._follower_in(recognizer)
        except Exception as error:  # outermost frame: beyond it the error would end the node
            reason = str(error)
            if not isinstance(error, SelaVPRError):
                reason = f"loading {path} failed: {type(error).__name__}: {error}"
                self.get_logger().error(traceback.format_exc())
            response.message = f"{reason}; still using {self._recognizer.place_map.path}"
            self.get_logger().error(response.message)
            return response
        with self._between_frames:
            self._recognizer, self._follower = recognizer, follower
            self._forget()
        if self._state == "active":
            self._outputs.publish_map(recognizer.place_map, self._settings)
        response.success = True
        segments = len(recognizer.place_map.segments)
        response.message = f"loaded {path}: {len(recognizer.place_map)} places, {segments} segments"
        self.get_logger().info(response.message)
        self._publish_status()
        return response

    async def _on_relocalize(self, request: Trigger.Request, response: Trigger.Response) -> Any:
        """Forget the last result and answer with that of the next image, even while paused.

        With the filter, it is the next images that tell, for as long as image_timeout.
        """
        if self._state != "active":
            response.message = f"the node is {self._state}: activate it first"
            return response
        self._mailbox.clear()
        self._forget()
        response.success, response.message = await self._callers.wait(
            self._forgotten, time.monotonic()
        )
        return response

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> Any:
        """Stop or go on looking at images; what was seen before is no news any more."""
        # Somebody who waits made it forget already, and what has come for them since counts.
        if request.data != self._paused and not self._callers:
            self._monitor.forget_outcome(self._mailbox.received)
        return super()._on_pause(request, response)

    def _forget(self) -> None:
        """Forget where the robot was, and with it the transform, until the next frame tells.

        A frame that has come by now was taken before: it is counted but tells nothing any more.
        """
        self._forgotten = self._mailbox.received
        self._correction.forget()
        self._monitor.forget_outcome(self._forgotten)

    # Diagnostics

    def _status(self) -> Status:
        recognizer = self._recognizer
        situation = self._situation(
            untrained=recognizer is not None and not recognizer.describer.pretrained,
            problem="; ".join(self._amiss()) or None,
            asked=bool(self._callers),
        )
        received, dropped = self._mailbox.received, self._mailbox.dropped
        status = self._monitor.status(situation, received, dropped, self._now(), time.monotonic())
        if self._state == "active" and self._needs_odometry:
            status.values["odometry jumps"] = str(self._correction.odometry.jumps)
            if self._odometry.heard is None:
                status.values["odometry"] = "none was heard"
        return status

    def _amiss(self) -> Iterator[str]:
        """What is amiss beside the images."""
        settings = self._settings
        if settings.publish_tf:
            problem = self._odometry.problem or self._correction.problem
            if problem is not None:
                yield f"no transform: {problem}"
        elif settings.filter == "sequence":
            problem = self._odometry.problem or self._odometry_stopped()
            if problem is not None:
                yield f"the filter goes without odometry: {problem}"
        if self._needs_odometry and self._correction.odometry.jump is not None:
            yield self._correction.odometry.jump
        if settings.filter == "none" and self._recognizer is not None:
            problem = self._recognizer.thresholds(settings).problem
            if problem is not None:
                yield problem

    def _odometry_stopped(self) -> str | None:
        """Say that odometry, which was heard, has come to an end; a robot may do without any."""
        heard = self._odometry.heard
        silence = 0.0 if heard is None else time.monotonic() - heard
        if silence < self._settings.image_timeout:
            return None
        return f"none on {self.resolve_topic_name('odom')} for {describe_seconds(silence)}"

    def _publish_status(self, status: Status | None = None) -> None:
        """Publish diagnostics, and tell those who have waited too long for a frame."""
        timeout = self._settings.image_timeout
        waited = f"no image on {self._topic} for {describe_seconds(timeout)}"
        self._callers.give_up(
            self._mailbox.newest, time.monotonic() - timeout, Answer(False, waited)
        )
        super()._publish_status(status)
