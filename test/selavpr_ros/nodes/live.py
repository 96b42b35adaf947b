"""Real nodes in processes of their own, and a probe that talks to them over real DDS."""

from __future__ import annotations

import atexit
import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[3]

# Long enough for a machine that is busy with something else; nothing waits that long by design.
PATIENCE = 180.0


@contextmanager
def own_domain() -> Iterator[int]:
    """A ROS domain that no other test run on this machine uses, for as long as this one lasts."""
    for domain in range(20, 101):
        path = Path(tempfile.gettempdir()) / f"selavpr_ros_test_domain_{domain}"
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield domain
            return
    raise RuntimeError("no free ROS domain")


def ros_environment(domain: int) -> dict[str, str]:
    """The whole environment, with discovery kept on this machine and in this domain."""
    return os.environ | {
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]),
    }


class NodeProcess:
    """A node in a process, with its output kept line by line."""

    def __init__(
        self,
        domain: int,
        arguments: Sequence[str] = (),
        prelude: str = "",
        executable: str = "localization_node",
        **variables: str,
    ) -> None:
        """Start it; `prelude` is Python that runs first, to make go wrong what never should."""
        start = f"from selavpr_ros.nodes.{executable} import main; raise SystemExit(main())"
        command = [sys.executable, "-u", "-c", f"{prelude}\n{start}"]
        self.process = subprocess.Popen(
            [*command, "--ros-args", *arguments],
            env=ros_environment(domain) | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        # A test that fails before it comes to its own `close` must not leave a node to the next.
        atexit.register(self.close)
        self._lines: list[str] = []
        self._arrived = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._arrived:
                self._lines.append(line.rstrip("\n"))
                self._arrived.notify_all()

    @property
    def output(self) -> str:
        with self._arrived:
            return "\n".join(self._lines)

    def wait_for_output(self, pattern: str, after: int = 0) -> str:
        """The first line from number `after` on that matches; fails when the process ends."""

        def found() -> str | None:
            return next((line for line in self._lines[after:] if re.search(pattern, line)), None)

        with self._arrived:
            deadline = time.monotonic() + PATIENCE
            while (line := found()) is None:
                alive = self._reader.is_alive()
                assert alive, f"ended without {pattern!r}:\n" + "\n".join(self._lines)
                left = deadline - time.monotonic()
                assert left > 0, f"no line with {pattern!r}:\n" + "\n".join(self._lines)
                # The end of the output wakes nobody: look for it from time to time.
                self._arrived.wait(min(left, 0.5))
            return line

    @property
    def line_count(self) -> int:
        with self._arrived:
            return len(self._lines)

    def wait_until_it_handles(self, number: int) -> None:
        """Wait until the process has a handler of its own for a signal."""
        status = Path(f"/proc/{self.process.pid}/status")
        deadline = time.monotonic() + PATIENCE
        while True:
            caught = re.search(r"SigCgt:\s*([0-9a-f]+)", status.read_text())
            assert caught is not None
            if int(caught[1], 16) >> (number - 1) & 1:
                return
            assert time.monotonic() < deadline, f"no handler for signal {number}"
            time.sleep(0.001)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal; returns the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def close(self) -> None:
        """End the process if it still runs."""
        atexit.unregister(self.close)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(PATIENCE)


class Probe:
    """A node in the test's own process that publishes, listens and calls services."""

    def __init__(self, domain: int) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        # rclpy reads it when its context is made.
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("probe", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._heard: dict[str, list[Any]] = defaultdict(list)
        self._news = threading.Condition()
        self._publishers: dict[tuple[str, type], Any] = {}
        self._subscriptions: dict[str, Any] = {}
        self._clients: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        from rclpy.executors import ExternalShutdownException

        with suppress(ExternalShutdownException):
            self._executor.spin()

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join(PATIENCE)
        self.node.destroy_node()
        self.context.try_shutdown()

    # Listening

    def listen(self, topic: str, message_type: type, qos: Any = 10) -> None:
        """Keep what comes on a topic from now on."""

        def keep(message: Any) -> None:
            with self._news:
                self._heard[topic].append(message)
                self._news.notify_all()

        self.unlisten(topic)
        self._subscriptions[topic] = self.node.create_subscription(message_type, topic, keep, qos)
        self._executor.wake()

    def listens(self, topic: str) -> bool:
        """Whether messages of this topic are kept."""
        return topic in self._subscriptions

    def unlisten(self, topic: str) -> None:
        if topic in self._subscriptions:
            self.node.destroy_subscription(self._subscriptions.pop(topic))
        with self._news:
            self._heard[topic].clear()

    def heard(self, topic: str) -> list[Any]:
        with self._news:
            return list(self._heard[topic])

    def clear(self) -> None:
        """Forget what was heard so far."""
        with self._news:
            for messages in self._heard.values():
                messages.clear()

    def wait_for(
        self,
        topic: str,
        wanted: Callable[[Any], bool] = lambda message: True,
        doing: Callable[[], Any] = lambda: None,
        why: str = "",
    ) -> Any:
        """The first kept message on a topic for which `wanted` is true.

        `doing` is done now, and again as long as there is no answer: what is published may be lost
        until both sides of a topic know of each other, and nothing tells when they do.
        """
        found: list[Any] = []

        def there() -> bool:
            found[:] = [m for m in self._heard[topic] if wanted(m)][:1]
            return bool(found)

        deadline = time.monotonic() + PATIENCE
        while not found:
            doing()
            with self._news:
                self._news.wait_for(there, min(1.0, PATIENCE))
                late = time.monotonic() > deadline
                assert found or not late, (
                    f"nothing {why} on {topic}; last: {self._heard[topic][-1:]}"
                )
        return found[0]

    # Publishing

    def publisher(self, topic: str, message_type: type, qos: Any = 10) -> Any:
        key = (topic, message_type)
        if key not in self._publishers:
            self._publishers[key] = self.node.create_publisher(message_type, topic, qos)
        return self._publishers[key]

    def publish(self, topic: str, message: Any) -> None:
        """Publish once somebody listens."""
        publisher = self.publisher(topic, type(message))
        self.until(publisher.get_subscription_count, f"subscriber of {topic}")
        publisher.publish(message)

    def unpublish(self, topic: str) -> None:
        for key in [k for k in self._publishers if k[0] == topic]:
            self.node.destroy_publisher(self._publishers.pop(key))

    def until(self, condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> None:
        """Wait for something in the graph, of which DDS gives no event to Python."""
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, f"no {what}"
            time.sleep(0.005)

    # Services

    def call(self, service: str, service_type: Any, request: Any = None) -> Any:
        """Call a service and return its response."""
        return self.call_async(service, service_type, request)()

    def call_async(self, service: str, service_type: Any, request: Any = None) -> Callable[[], Any]:
        """Call a service; the returned function waits for its response."""
        if service not in self._clients:
            self._clients[service] = self.node.create_client(service_type, service)
        client = self._clients[service]
        assert client.wait_for_service(PATIENCE), f"no service {service}"
        done = threading.Event()
        future = client.call_async(request if request is not None else service_type.Request())
        future.add_done_callback(lambda _: done.set())
        self._executor.wake()

        def response() -> Any:
            assert done.wait(PATIENCE), f"no answer from {service}"
            return future.result()

        return response


class RemoteNode:
    """A node as its users see it: lifecycle, parameters, topics below its name."""

    def __init__(
        self, probe: Probe, name: str = "/localization_node", task: str = "localization"
    ) -> None:
        self.probe = probe
        self.name = name
        self.task = task

    def topic(self, name: str) -> str:
        return f"{self.name}/{name}"

    def change_state(self, transition: int) -> bool:
        from lifecycle_msgs.srv import ChangeState

        request = ChangeState.Request()
        request.transition.id = transition
        return bool(self.probe.call(self.topic("change_state"), ChangeState, request).success)

    def configure(self) -> bool:
        return self.change_state(1)

    def cleanup(self) -> bool:
        return self.change_state(2)

    def activate(self) -> bool:
        return self.change_state(3)

    def deactivate(self) -> bool:
        return self.change_state(4)

    def state(self) -> str:
        from lifecycle_msgs.srv import GetState

        return str(self.probe.call(self.topic("get_state"), GetState).current_state.label)

    def unconfigure(self) -> None:
        """Bring it to unconfigured from wherever it is."""
        if self.state() == "active":
            assert self.deactivate()
        if self.state() == "inactive":
            assert self.cleanup()

    def set_parameters(self, **values: Any) -> list[str]:
        """Set parameters one by one; returns the reasons of those that were refused."""
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        request = SetParameters.Request()
        request.parameters = [
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
        ]
        results = self.probe.call(self.topic("set_parameters"), SetParameters, request).results
        return [result.reason for result in results if not result.successful]

    def parameters(self, *names: str) -> dict[str, Any]:
        from rcl_interfaces.srv import GetParameters
        from rclpy.parameter import parameter_value_to_python

        request = GetParameters.Request(names=list(names))
        values = self.probe.call(self.topic("get_parameters"), GetParameters, request).values
        return {n: parameter_value_to_python(v) for n, v in zip(names, values, strict=True)}

    def trigger(self, service: str) -> tuple[bool, str]:
        from std_srvs.srv import Trigger

        response = self.probe.call(self.topic(service), Trigger)
        return response.success, response.message

    def pause(self, paused: bool) -> tuple[bool, str]:
        from std_srvs.srv import SetBool

        response = self.probe.call(self.topic("pause"), SetBool, SetBool.Request(data=paused))
        return response.success, response.message

    def wait_for_status(self, pattern: str, doing: Callable[[], Any] = lambda: None) -> Any:
        """The next diagnostic status of this node whose message matches; see Probe.wait_for."""
        name = f"{self.name.lstrip('/')}: {self.task}"

        def matches(array: Any) -> bool:
            return any(s.name == name and re.search(pattern, s.message) for s in array.status)

        array = self.probe.wait_for("/diagnostics", matches, doing, f"like {pattern!r}")
        return next(s for s in array.status if s.name == name)
