from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.place_filter import Motion

pose = st.tuples(*[st.floats(-100, 100)] * 2, st.floats(-10, 10))


@settings(deadline=None)  # the first call may be slow
@given(pose, pose)
def test_a_motion_leads_from_the_first_pose_to_the_second(
    start: tuple[float, float, float], end: tuple[float, float, float]
) -> None:
    motion = Motion.between(start, end)
    cos, sin = math.cos(start[2]), math.sin(start[2])
    reached = (
        start[0] + cos * motion.dx - sin * motion.dy,
        start[1] + sin * motion.dx + cos * motion.dy,
    )
    np.testing.assert_allclose(reached, end[:2], atol=1e-9)
    assert math.cos(start[2] + motion.dyaw - end[2]) == pytest.approx(1.0)
    assert -math.pi <= motion.dyaw <= math.pi


def test_errors_pile_up_alike_in_small_and_in_large_steps() -> None:
    # 100 m in steps of 1 m, and in one.
    small = Motion.between((0, 0, 0), (1, 0, 0))
    large = Motion.between((0, 0, 0), (100, 0, 0))
    assert math.sqrt(100) * small.sigma == pytest.approx(large.sigma, rel=0.6)
    assert math.sqrt(100) * small.sigma_yaw == pytest.approx(large.sigma_yaw, rel=0.8)


def test_standing_still_is_known_almost_exactly() -> None:
    motion = Motion.between((3, 4, 1), (3, 4, 1))
    assert (motion.distance, motion.dyaw) == (0.0, 0.0)
    assert 0 < motion.sigma < 0.05
    assert 0 < motion.sigma_yaw < 0.01
