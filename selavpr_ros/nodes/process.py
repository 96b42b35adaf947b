"""The process around a node: signals, exit code, and an end within seconds whatever it is doing.

rclpy's own signal handlers shut the context down at once, under the feet of a node that still has
to say and free something. Here a signal only ends the work in the main thread; the context goes
last. Nothing heavy is imported at the top, so that a signal during start-up is handled as well.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rclpy.executors import Executor

# A launch file sends SIGTERM five seconds after SIGINT: by then the process must be gone.
END_WITHIN = 4.0

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Turns the first SIGINT or SIGTERM into KeyboardInterrupt, and sees to it that it ends.

    A thread hears of the signal even while the main thread is inside a library: it wakes the
    executor, and ends the process with code 0 where the main thread has not done so in time.
    """

    def __init__(self, end_within: float = END_WITHIN) -> None:
        self._end_within = end_within
        self._received = False
        self._executor: Executor | None = None
        self._finished = threading.Event()

    @property
    def received(self) -> bool:
        """Whether a signal has come."""
        return self._received

    def install(self) -> None:
        """Take over both signals; call in the main thread."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._handle)
        threading.Thread(target=self._watch, args=(reading,), name="signals", daemon=True).start()

    def wake_on_signal(self, executor: Executor) -> None:
        """Have this executor woken when a signal comes."""
        self._executor = executor

    def ignore(self) -> None:
        """Let no signal raise anything from now on: the process is ending."""
        self._received = True

    def finish(self) -> None:
        """Say that nothing is left that could keep the process from ending."""
        self._finished.set()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # Launch files and impatient people send it twice: the second must not disturb the end.
        if not self._received:
            self._received = True
            raise KeyboardInterrupt

    def _watch(self, reading: int) -> None:
        while True:
            numbers = os.read(reading, 1)
            if not numbers:
                return
            if numbers[0] in _SIGNALS:
                break
        if self._executor is not None:
            self._executor.wake()
        if not self._finished.wait(self._end_within):
            end_at_once()


def end_at_once() -> None:
    """End the process with code 0 without waiting for any thread; the system frees the rest."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def run(make_node: Callable[[], Any], args: list[str] | None = None) -> int:
    """Make a node and spin it in the main thread until SIGINT, SIGTERM or shutdown.

    `make_node` does its own imports. The node has a method `close`, which stops its threads and
    frees what it holds, and returns False where a thread did not stop in time.

    Returns 0; 2 after one line on stderr where ROS refuses to start (a broken parameter file, an
    invalid name).
    """
    stop = StopSignal()
    stop.install()
    node = None
    try:
        import rclpy
        from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions

        try:
            rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
            node = make_node()
        except _start_errors() as error:
            print(f"the node cannot start: {_one_line(error)}", file=sys.stderr)
            return 2
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        stop.wake_on_signal(executor)
        while rclpy.ok() and not stop.received:
            executor.spin_once()
    except KeyboardInterrupt:
        pass
    except ExternalShutdownException:
        pass  # somebody in this process shut the context down
    finally:
        _close(node, stop)
    return 0


def _start_errors() -> tuple[type[Exception], ...]:
    """What ROS raises for arguments and parameter files that it cannot use."""
    from rclpy.exceptions import NameValidationException
    from rclpy.impl.implementation_singleton import rclpy_implementation

    return (
        rclpy_implementation.RCLError,
        rclpy_implementation.UnknownROSArgsError,
        NameValidationException,
    )


def _one_line(error: Exception) -> str:
    """The message of an error of rcl, which may go on for lines and name source files."""
    return str(error).split(", at ")[0].replace("\n", " ").strip()


def _close(node: Any, stop: StopSignal) -> None:
    """Free what the node holds, then the context: in this order it can still speak."""
    stop.ignore()
    threads_ended = True
    if node is not None:
        threads_ended = node.close()
        node.destroy_node()
    rclpy = sys.modules.get("rclpy")
    if rclpy is not None and hasattr(rclpy, "try_shutdown"):
        rclpy.try_shutdown()
    stop.finish()
    if not threads_ended:
        end_at_once()
