from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from test.selavpr_ros.nodes.live import PATIENCE, ros_environment

pytest.importorskip("rclpy", reason="needs rclpy: source ROS 2 or install the extra ros")

pytestmark = pytest.mark.ros

SCRIPT = """
import sys, time
from selavpr_ros.nodes.ros.process import run

def make():
    import rclpy.node

    class Small(rclpy.node.Node):
        def __init__(self):
            super().__init__("small")
            self.create_timer(0.01, self.tick)

        def tick(self):
            {tick}

        def close(self):
            print("closed", flush=True)
            {close}
            return True

    return Small()

sys.exit(run(make, end_within={end_within}))
"""


def ended(
    domain: int,
    tmp_path: Path,
    tick: str = "print('ready', flush=True)",
    close: str = "pass",
    signals: int = 1,
    end_within: float = PATIENCE,
) -> tuple[int, str]:
    """Exit code and output of a small node that is signalled once it is `ready`."""
    script = tmp_path / "small.py"
    script.write_text(SCRIPT.format(tick=tick, close=close, end_within=end_within))
    process = subprocess.Popen(
        [sys.executable, "-u", str(script)],
        env=ros_environment(domain),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    output = ""
    try:
        for line in process.stdout:
            output += line
            if "ready" in line:
                break
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
        output += process.communicate(timeout=PATIENCE)[0]
    finally:
        process.kill()
    return process.returncode, output


def test_a_signal_closes_the_node_and_ends_with_0(domain: int, tmp_path: Path) -> None:
    code, output = ended(domain, tmp_path)
    assert (code, output.splitlines()[-1]) == (0, "closed")


def test_a_signal_wakes_a_node_that_has_nothing_to_do(domain: int, tmp_path: Path) -> None:
    idle = "self.destroy_timer(next(iter(self.timers))); print('ready', flush=True)"
    code, output = ended(domain, tmp_path, tick=idle)
    assert (code, output.splitlines()[-1]) == (0, "closed")


def test_a_callback_in_work_ends_by_itself(domain: int, tmp_path: Path) -> None:
    # An exception in the middle of it would leave rclpy what it was at, and say so.
    work = "print('ready', flush=True); time.sleep(0.2); print('done', flush=True)"
    patient = "from selavpr_ros.nodes.ros import process; process.INTERRUPT_AFTER = 3600.0"
    code, output = ended(domain, tmp_path, tick=f"{patient}; {work}", signals=2)
    assert (code, output.splitlines()[-2:]) == (0, ["done", "closed"])


def test_a_callback_that_goes_on_is_interrupted(domain: int, tmp_path: Path) -> None:
    # The hour is not waited out, and the node is closed.
    code, output = ended(domain, tmp_path, tick="print('ready', flush=True); time.sleep(3600)")
    assert (code, output.splitlines()[-1]) == (0, "closed")
    assert "Traceback" not in output


def test_more_signals_do_not_disturb_the_end(domain: int, tmp_path: Path) -> None:
    code, output = ended(domain, tmp_path, close="time.sleep(0.3)", signals=5)
    assert code == 0
    assert output.count("closed") == 1
    assert "Traceback" not in output


@pytest.mark.parametrize("place", ["tick", "close"])
def test_whatever_hangs_the_process_ends_in_time(domain: int, tmp_path: Path, place: str) -> None:
    # What a library does that catches everything; no test waits out the hour.
    swallowing = r"try: time.sleep(3600)\nexcept BaseException: time.sleep(3600)"
    hang = f"print('ready', flush=True); exec('{swallowing}')"
    code, output = ended(domain, tmp_path, end_within=0.3, **{place: hang})
    assert code == 0
    assert "Traceback" not in output


def test_an_error_of_the_program_is_not_hidden(domain: int, tmp_path: Path) -> None:
    code, output = ended(domain, tmp_path, tick="raise ZeroDivisionError", signals=0)
    assert code == 1
    assert "closed" in output
    assert "ZeroDivisionError" in output
