from __future__ import annotations

import pytest

from selavpr_ros.nodes.camera.timing import Latency, Rate, describe_latency


def test_rate_counts_the_window_only() -> None:
    rate = Rate(window=10.0)
    rate.start(0.0)
    for eighth in range(160):
        rate.add(eighth / 8)
    assert rate(19.875) == 8.0
    assert rate(24.875) == 4.0
    assert rate(40.0) == 0.0


def test_rate_before_a_whole_window_has_passed() -> None:
    rate = Rate(window=10.0)
    rate.start(100.0)
    for second in (100.5, 101.0, 101.5, 102.0):
        rate.add(second)
    assert rate(102.0) == pytest.approx(2.0)


def test_one_event_is_no_high_rate() -> None:
    rate = Rate()
    rate.start(5.0)
    rate.add(5.001)
    assert rate(5.002) == 1.0


def test_rate_of_nothing() -> None:
    assert Rate()(3.0) == 0.0
    rate = Rate()
    rate.add(1.0)
    rate.start(2.0)
    assert rate(4.0) == 0.0


def test_latency_summarises_the_recent_frames() -> None:
    latency = Latency(window=3)
    assert latency.summary() is None
    for seconds in (9.0, 0.1, 0.2, 0.3):
        latency.add(seconds)
    summary = latency.summary()
    assert summary is not None
    assert summary == pytest.approx((0.2, 0.3, 3))
    assert describe_latency(summary) == "200.0 ms (max 300.0 ms, 3 frames)"
