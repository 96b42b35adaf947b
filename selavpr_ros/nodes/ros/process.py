"""The process around a node: signals, exit code, and an end within seconds whatever it is doing.

rclpy's own signal handlers shut the context down at once, under the feet of a node that still has
to say and free something. Here a signal only ends the work in the main thread; the context goes
last. Nothing heavy is imported at the top, so that a signal during start-up is handled as well.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

# A launch file sends SIGTERM five seconds after SIGINT: by then the process must be gone.
END_WITHIN = 4.0

INTERRUPT_AFTER = 0.5  # s that the callback in work is left to end by itself

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Turns SIGINT and SIGTERM into the end of the work in the main thread, and sees to it.

    Until the node spins, and in a callback that goes on for INTERRUPT_AFTER seconds, that is a
    KeyboardInterrupt. While the node spins, it is a flag: an exception at any line of rclpy would
    leave what it was at half done, and with it the node in the graph.

    A thread hears of the signal even while the main thread is inside a library: it wakes the
    executor, and ends the process with code 0 where the main thread has not done so in time.
    """

    def __init__(self, end_within: float) -> None:
        self._end_within = end_within
        self._signalled = False
        self._overdue = False
        self._ignored = False
        self._wake: Callable[[], None] | None = None

    @property
    def signalled(self) -> bool:
        """Whether a signal has come."""
        return self._signalled

    def install(self) -> None:
        """Take over both signals; call in the main thread."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._handle)
        threading.Thread(target=self._watch, args=(reading,), name="signals", daemon=True).start()

    @contextlib.contextmanager
    def spinning(self, wake: Callable[[], None]) -> Iterator[None]:
        """Within, the main thread looks at `signalled` after each callback, and once woken."""
        self._wake = wake
        try:
            yield
        finally:
            self._wake = None

    def ignore(self) -> None:
        """Let no further signal disturb the end of the process."""
        self._ignored = True
        for number in _SIGNALS:
            # Not by a handler of Python's: it is taken away before the interpreter has ended.
            signal.signal(number, signal.SIG_IGN)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # Launch files and impatient people send it twice: the second must not disturb the end.
        first = not self._signalled
        self._signalled = True
        if self._ignored:
            return
        if self._wake is None:
            interrupted = first
        else:
            interrupted, self._overdue = self._overdue, False
        if interrupted:
            raise KeyboardInterrupt

    def _watch(self, reading: int) -> None:
        while os.read(reading, 1)[0] not in _SIGNALS:
            pass
        began = time.monotonic()
        self._wake_up()
        time.sleep(min(INTERRUPT_AFTER, self._end_within))
        self._overdue = self._wake_up()
        if self._overdue:
            with contextlib.suppress(ProcessLookupError):
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        time.sleep(max(began + self._end_within - time.monotonic(), 0.0))
        end_at_once()

    def _wake_up(self) -> bool:
        """Wake the main thread; False where it spins no longer, or not yet."""
        wake = self._wake
        if wake is None:
            return False
        # The main thread may be taking ROS down already; the deadline holds all the same.
        with contextlib.suppress(Exception):
            wake()
        return True


def end_at_once() -> None:
    """End the process with code 0 without waiting for any thread; the system frees the rest."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def run(
    make_node: Callable[[], Any],
    args: list[str] | None = None,
    end_within: float = END_WITHIN,
) -> int:
    """Make a node and spin it in the main thread until SIGINT, SIGTERM or shutdown.

    `make_node` does its own imports. The node has a method `close`, which stops its threads and
    frees what it holds, and returns False where a thread did not stop in time; the process then
    ends at once. After a signal this
    does not return: the process ends with code 0, after `end_within` seconds whatever happens.

    Returns 0; 2 after one line on stderr where ROS is not there or refuses to start (a broken
    parameter file, an invalid name).
    """
    stop = StopSignal(end_within)
    running: list[Any] = []
    code = 0
    try:
        stop.install()
        code = _spin(make_node, args, stop, running)
    except KeyboardInterrupt:
        pass
    finally:
        stop.ignore()
        for node in running:
            if not node.close():
                end_at_once()  # a thread still uses what would be taken away now
            node.destroy_node()
        running.clear()
        node = None
        # What still refers to the node in a circle keeps it in the graph: others would take it
        # for alive until its lease runs out.
        gc.collect()
        if "rclpy" in sys.modules and hasattr(sys.modules["rclpy"], "try_shutdown"):
            sys.modules["rclpy"].try_shutdown()
        if stop.signalled:
            # With torch and CUDA in it, an interpreter takes seconds to take itself apart.
            end_at_once()
    return code


def _spin(
    make_node: Callable[[], Any], args: list[str] | None, stop: StopSignal, running: list[Any]
) -> int:
    """Do what `run` says; the node is left in `running` for it to be closed."""
    try:
        import rclpy
        from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions
    except ImportError as error:
        print(
            f"the node cannot start: {error}; source ROS 2, or pip install 'selavpr_ros[ros]'",
            file=sys.stderr,
        )
        return 2
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = make_node()
    except _start_errors() as error:
        print(f"the node cannot start: {_one_line(error)}", file=sys.stderr)
        return 2
    running.append(node)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    # An executor that is merely woken goes on waiting; a guard condition is something to handle.
    woken = node.create_guard_condition(lambda: None)
    try:
        with stop.spinning(woken.trigger):
            while rclpy.ok() and not stop.signalled:
                executor.spin_once()
    except ExternalShutdownException:
        pass  # somebody in this process shut the context down
    finally:
        # An interrupted executor holds the task it was at, and with it the node.
        executor.remove_node(node)
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
