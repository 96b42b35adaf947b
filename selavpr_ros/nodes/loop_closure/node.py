"""The loop closure node: a lifecycle node that notices when the robot is back where it was.

unconfigured  parameters and diagnostics only; no model is in memory
inactive      the model, the map of earlier sessions and this session; nothing is subscribed
active        images become keyframes, which a worker thread compares with those before
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillSaving
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import TimeJump
from rclpy.task import Future as Waiting
from sensor_msgs.msg import CameraInfo
from std_srvs.srv import Trigger

from selavpr_core.camera import CameraModel
from selavpr_core.errors import SelaVPRError
from selavpr_ros.camera_info import camera_model
from selavpr_ros.errors import ImageError
from selavpr_ros.images import to_rgb
from selavpr_ros.nodes.camera.image_subscription import CAMERA_QOS
from selavpr_ros.nodes.camera.mailbox import Frame
from selavpr_ros.nodes.camera.model import describer_facts
from selavpr_ros.nodes.camera.node import ODOMETRY_QOS, CameraNode
from selavpr_ros.nodes.camera.odometry_input import OdometryInput
from selavpr_ros.nodes.camera.timing import describe_seconds
from selavpr_ros.nodes.loop_closure.monitor import LoopMonitor, describe_closure, describe_stretch
from selavpr_ros.nodes.loop_closure.outputs import LoopOutputs
from selavpr_ros.nodes.loop_closure.parameters import LoopSettings
from selavpr_ros.nodes.loop_closure.session import LoopSession
from selavpr_ros.nodes.loop_closure.waiting_frames import PosedFrame, WaitingFrames
from selavpr_ros.nodes.ros import messages
from selavpr_ros.nodes.ros.status import Status
from selavpr_ros.planar_pose import PlanarPose

LOOK_AGAIN = 0.1  # s, after which frames are looked at that wait for odometry
LAST_SAVE = 1.0  # s that the last save may take when the process ends; parts are saved whole


class LoopClosureNode(CameraNode[LoopSettings]):
    """Finds loop closures while driving (topics, services and parameters: docs/loop_closure.md).

    The worker's thread adds keyframes and publishes closures; a third thread saves. What they
    share beyond that of a CameraNode is the session's keeper, `_camera` and `_saved`.
    """

    _monitor: LoopMonitor

    def __init__(self) -> None:
        self._session: LoopSession | None = None
        self._outputs: LoopOutputs | None = None
        self._frames: WaitingFrames[Any] = WaitingFrames(0.0, time.monotonic())
        self._odometry_frame = ""
        self._odometry = OdometryInput(self._check_frame, self._take_odometry)
        self._camera: CameraModel | None = None
        self._camera_problem = ""
        self._camera_misfit = ""  # what the last keyframe's image has against the camera
        self._save_problem: str | None = None
        self._timers_beside: list[Any] = []
        self._saving = ThreadPoolExecutor(1, "saving")
        self._autosave: Future[None] | None = None
        self._saved: list[tuple[Waiting, bool, str]] = []  # answers that are to be given
        super().__init__(
            "loop_closure_node",
            "loop closure",
            "looking for loops",
            LoopSettings(),
            LoopMonitor(),
        )
        # Waits for the disk: in a group of its own it holds up no other callback.
        self.create_service(
            Trigger,
            "~/save_map",
            self._on_save_map,
            callback_group=ReentrantCallbackGroup(),
        )
        self.get_logger().info("unconfigured: configure and activate it to look for loops")

    def _load(self) -> None:
        """Load the map and the weights, and begin a session."""
        settings = self._settings
        self.get_logger().info(
            f"loading the model{f' and map {settings.map}' * bool(settings.map)}"
        )
        source = f"{self.get_fully_qualified_name()}, images of {self._image_topic()}"
        self._session = LoopSession.load(settings, source)
        self._monitor.begin_session()
        self._outputs = LoopOutputs(self)
        self._save_problem = None
        self._odometry_frame = ""  # one for the whole session
        # What was heard before may be another camera's, or read of another matrix.
        self._camera, self._camera_problem, self._camera_misfit = None, "", ""
        if not self._session.keeper.possible:
            self.get_logger().warning(
                "the session will not be saved: set the parameter save_to to a folder"
            )

    def _begin(self) -> None:
        """Subscribe to odometry and camera_info, and begin to save now and then."""
        settings = self._settings
        run = self._frames.run  # the session goes on after a deactivation
        self._frames = WaitingFrames(settings.odometry_timeout, time.monotonic(), run)
        self._odometry = OdometryInput(self._check_frame, self._take_odometry)
        self._listen(Odometry, "odom", self._odometry.hear, ODOMETRY_QOS)
        if settings.geometry:
            self._listen(CameraInfo, "camera_info", self._on_camera_info, CAMERA_QOS)
        self._repeat(LOOK_AGAIN, self._hand_on)
        if settings.autosave_seconds and self._loaded()[1].keeper.possible:
            self._repeat(settings.autosave_seconds, self._save_now_and_then)

    def _repeat(self, period: float, callback: Callable[[], None]) -> None:
        # By a steady clock: a simulated one may stand still.
        self._timers_beside.append(self.create_timer(period, callback, clock=self._steady_clock))

    def _stop(self, reason: str, timeout: float | None = None) -> bool:
        for timer in self._timers_beside:
            self.destroy_timer(timer)
        self._timers_beside = []
        stopped = super()._stop(reason, timeout)
        if stopped and self._session is not None and self._state == "active":
            stopped = self._save_the_rest(None if timeout is None else LAST_SAVE)
        return stopped

    def _free(self) -> None:
        """Let go of the model, the map, the publishers and what of the session was not saved."""
        if self._session is not None:
            self._session.close()
        if self._outputs is not None:
            self._outputs.destroy()
        self._outputs = self._session = None
        super()._free()

    def _loaded(self) -> tuple[LoopOutputs, LoopSession]:
        """What on_configure made."""
        assert self._outputs is not None
        assert self._session is not None
        return self._outputs, self._session

    def _facts(self) -> dict[str, str]:
        session = self._session
        if session is None:
            return {}
        facts = describer_facts(session.describer)
        if session.place_map is not None:
            use = "extended once tied" if self._settings.extend_map else "only read"
            facts["map in use"] = f"{session.place_map.path}, {use}"
            facts["places"] = str(len(session.place_map))
        facts |= session.thresholds.facts()
        facts["odometry topic"] = self.resolve_topic_name("odom")
        if self._settings.geometry:
            facts["camera info topic"] = self.resolve_topic_name("camera_info")
        return facts

    # Images, odometry and camera, in the executor's thread

    def _take_in(self, message: Any) -> None:
        if not self._paused:
            stamp = messages.stamp_nanoseconds(message.header.stamp)
            self._frames.add(stamp, message, time.monotonic())
            self._hand_on()

    def _hand_on(self) -> None:
        """Hand the frames to the worker that wait for odometry no longer."""
        for frame in self._frames.take(time.monotonic()):
            self._mailbox.put(frame)

    def _check_frame(self, parent: str, child: str) -> None:
        """Keep the frame of the first odometry; raise ValueError for one in another or in none."""
        if not parent:
            raise ValueError("it is in no frame: its header has no frame_id")
        before = self._odometry_frame or parent
        if parent != before:
            raise ValueError(f"it is in frame {parent!r} now, and was in {before!r}")
        self._odometry_frame = parent

    def _take_odometry(self, stamp: int, pose: PlanarPose) -> None:
        if self._frames.add_odometry(stamp, pose, time.monotonic()):
            self.get_logger().warning(str(self._frames.odometry.jump))
        self._hand_on()

    def _on_camera_info(self, message: CameraInfo) -> None:
        try:
            self._camera = camera_model(message, self._settings.image_rectified)
            self._camera_problem = ""
        except ValueError as error:
            self._camera, self._camera_problem = None, str(error)

    def _on_time_jump(self, jump: TimeJump) -> None:
        super()._on_time_jump(jump)
        self._frames.clear()

    # Keyframes, in the worker's thread

    def _work(self, frame: Frame[Any]) -> None:
        """Make a keyframe of a frame that is worth it, and publish what it is found at."""
        started = time.perf_counter()
        outputs, session = self._loaded()
        posed: PosedFrame[Any] = frame.item
        if posed.stamp == 0:  # to take it for a jump back would split the session
            self._monitor.unusable("the image has no stamp: that of its header is 0")
            self._news.trigger()
            return
        if session.jumps_back(posed.stamp):
            self._begin_run(session)
        if not session.wants(posed.stamp, posed.pose, posed.run):
            self._monitor.passed(session.detector.rejected)
            return
        try:
            picture = to_rgb(posed.item)
        except ImageError as error:
            self._monitor.unusable(f"image cannot be decoded: {error}")
            self._news.trigger()
            return
        decoded = time.perf_counter()
        camera = self._camera
        self._compare_shapes(camera, picture)
        keyframe = session.add(posed.stamp, posed.pose, picture, camera)
        searched = time.perf_counter()
        if session.keeper.note(keyframe):
            saved = ": it will be saved there" if self._settings.extend_map else ""
            self.get_logger().info(f"the session is tied to the map{saved}")
        outputs.publish(
            keyframe,
            posed.item.header,
            picture,
            session,
            self._odometry_frame,
            self._settings.map_frame,
        )
        ended = time.perf_counter()
        durations = {
            "decode": decoded - started,
            "describe": session.describing,
            "search and verify": searched - decoded - session.describing,
            "publish": ended - searched,
            "whole keyframe": ended - started,
        }
        self._monitor.kept(keyframe, session.detector.rejected, durations, time.monotonic())
        if keyframe.new_stretch is not None and keyframe.waypoint.number:
            told = describe_stretch(keyframe.new_stretch, keyframe.waypoint.number)
            self.get_logger().warning(f"new stretch: {told}")
        if keyframe.closure is not None:
            self.get_logger().info(f"loop closed: {describe_closure(keyframe)}")
        self._news.trigger()

    def _compare_shapes(self, camera: CameraModel | None, picture: NDArray[np.uint8]) -> None:
        """Say where the session will not use camera_info for this picture [H, W, 3]."""
        size, misfit = (picture.shape[1], picture.shape[0]), ""
        if camera is not None and not camera.fits(size):
            misfit = (
                f"camera_info is of {camera.width} x {camera.height} pixels, "
                f"which the image, {size[0]} x {size[1]}, is not a smaller copy of"
            )
            if misfit != self._camera_misfit:
                self.get_logger().warning(f"{misfit}: closures have no relative rotation")
        self._camera_misfit = misfit

    def _begin_run(self, session: LoopSession) -> None:
        """Save what was before time jumped back: odometry may begin anew now."""
        try:
            session.keeper.begin_run()
        except SelaVPRError as error:
            self._save_problem = f"the session before time jumped back was not saved: {error}"
            self.get_logger().error(self._save_problem)

    def _failed(self, frame: Frame[Any], reason: str) -> None:
        self._monitor.failed(reason)
        self._news.trigger()

    # Saving

    async def _on_save_map(self, request: Trigger.Request, response: Trigger.Response) -> Any:
        """Save the session as one segment; answers where it is, or why it is nowhere."""
        if self._session is None:
            response.message = f"the node is {self._state}: configure it, which begins a session"
            return response
        keeper, answer = self._session.keeper, Waiting()

        def done(saving: Future[str]) -> None:
            self._saved.append((answer, *_outcome(saving)))
            self._news.trigger()

        self._saving.submit(keeper.save).add_done_callback(done)
        response.success, response.message = await answer
        if response.success:
            self._save_problem = None
            self.get_logger().info(response.message)
        else:
            self._save_problem = f"saving failed: {response.message}"
            self.get_logger().error(self._save_problem)
        self._publish_status()
        return response

    def _on_news(self) -> None:
        while self._saved:
            answer, success, text = self._saved.pop(0)
            answer.set_result((success, text))
        super()._on_news()

    def _save_now_and_then(self) -> None:
        """Save what is new, unless the last save still runs."""
        if self._autosave is None or self._autosave.done():
            self._autosave = self._submit_autosave()

    def _submit_autosave(self) -> Future[None]:
        """Let the third thread save what is new."""
        keeper = self._loaded()[1].keeper

        def done(saving: Future[None]) -> None:
            success, text = _outcome(saving)
            problem = None if success else f"autosave failed: {text}"
            if problem is not None and problem != self._save_problem:
                self.get_logger().error(problem)
            self._save_problem = problem

        autosave = self._saving.submit(keeper.autosave)
        autosave.add_done_callback(done)
        return autosave

    def _save_the_rest(self, timeout: float | None) -> bool:
        """Save what the last autosave did not have; False where the disk is still at it."""
        if self._settings.autosave_seconds:
            try:
                # Behind whatever is being saved: that may have begun before the last keyframe.
                self._submit_autosave().exception(timeout)
            except StillSaving:
                return False
        session = self._loaded()[1]
        keeper = session.keeper
        if keeper.where is not None:  # which may be beside the folder asked for
            told = f"saved {keeper.saved} of {len(session)} keyframes, the last to {keeper.where}"
            self.get_logger().info(told)
        unsaved = len(session) - keeper.saved
        if unsaved:
            how = "~/save_map saves them" if keeper.possible else "set save_to to a folder"
            told = f"{unsaved} of {len(session)} keyframes are not saved, and lost when this ends"
            self.get_logger().warning(f"{told}: {how}")
        return True

    # Diagnostics

    def _status(self) -> Status:
        session, seconds = self._session, time.monotonic()
        situation = self._situation(
            untrained=session is not None and not session.describer.pretrained,
            problem=self._problem(seconds),
        )
        received = self._mailbox.received + self._frames.without
        dropped = self._mailbox.dropped
        status = self._monitor.status(situation, received, dropped, self._now(), seconds)
        if session is None or self._state != "active":
            return status
        keeper = session.keeper
        status.values["images without odometry"] = str(self._frames.without)
        status.values["odometry jumps"] = str(self._frames.odometry.jumps)
        status.values["keyframes saved"] = f"{keeper.saved} of {len(session)}"
        if keeper.where is not None:
            status.values["saved to"] = str(keeper.where)
        if keeper.tied is not None:
            status.values["tied to the map"] = (
                f"by {keeper.tied.agreeing} of {keeper.tied.closures} closures, "
                f"{keeper.tied.rms:.1f} m apart"
            )
        if self._settings.geometry:
            known = "" if self._camera is None else self._camera_misfit or "known"
            status.values["camera"] = known or self._camera_problem or "unknown: no camera_info"
        return status

    def _problem(self, seconds: float) -> str | None:
        """What is amiss although keyframes are taken; of all that is wrong the first."""
        if self._save_problem is not None:
            return self._save_problem
        if self._state != "active":
            return None
        if self._odometry.problem is not None:
            return self._odometry.problem
        if self._frames.silent(seconds):
            topic = self.resolve_topic_name("odom")
            waited = describe_seconds(self._frames.silence(seconds))
            return f"no odometry on {topic} for {waited}: keyframes by time"
        if self._frames.odometry.jump is not None:
            return self._frames.odometry.jump
        session = self._session
        return None if session is None else session.thresholds.problem


def _outcome(saving: Future[Any]) -> tuple[bool, str]:
    """Whether a save succeeded, and what it said."""
    error = saving.exception()
    if error is None:
        return True, saving.result() or ""
    if isinstance(error, SelaVPRError):
        return False, str(error)
    return False, f"{type(error).__name__}: {error}"
