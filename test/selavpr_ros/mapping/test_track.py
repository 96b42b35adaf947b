from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selavpr_ros.mapping.track import Drop, Location, Track

SECOND = 1_000_000_000
MAX_SIGMA = 10.0


def track(rows: list[tuple[float, float, float, float]], start: int = 0) -> Track:
    """Rows of (seconds, x, y, sigma); x NaN for a message without a fix."""
    return Track.of(
        np.array([start + round(t * SECOND) for t, *_ in rows], dtype=np.int64),
        np.array([(x, y, 0.0) for _, x, y, _ in rows]).reshape(-1, 3),
        np.array([sigma for *_, sigma in rows], dtype=float),
        MAX_SIGMA,
    )


def oracle(
    rows: list[tuple[int, float, float]], stamp: int, max_gap: float
) -> tuple[float, float] | Drop:
    """Rows of (stamp, x, sigma), one step after the other as the documentation has them."""
    good = [(t, x, s) for t, x, s in rows if not math.isnan(x) and s <= MAX_SIGMA]
    bad = [
        (t, Drop.NO_FIX if math.isnan(x) else Drop.COVARIANCE)
        for t, x, s in rows
        if math.isnan(x) or s > MAX_SIGMA
    ]
    for t, x, s in good:
        if t == stamp:
            return x, s
    before = [row for row in good if row[0] < stamp]
    after = [row for row in good if row[0] > stamp]
    low = before[-1][0] if before else -math.inf
    high = after[0][0] if after else math.inf
    between = [(abs(t - stamp), t, reason) for t, reason in bad if low < t < high]
    nearest = min(between)[2] if between else None
    if not before or not after:
        reached = (before or any(t <= stamp for _, t, _ in between)) and (
            after or any(t >= stamp for _, t, _ in between)
        )
        return nearest if nearest is not None and reached else Drop.OUTSIDE
    (t0, x0, s0), (t1, x1, s1) = before[-1], after[0]
    if (t1 - t0) * 1e-9 > max_gap:
        return nearest or Drop.GAP
    share = (stamp - t0) / (t1 - t0)
    return x0 + share * (x1 - x0), s0 + share * (s1 - s0)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 60),
            st.one_of(st.just(math.nan), st.floats(-1e4, 1e4)),
            st.floats(0.1, 14.0),
        ),
        max_size=12,
        unique_by=lambda row: row[0],
    ),
    st.floats(-5, 65),
    st.floats(0.5, 20),
)
def test_locate_agrees_with_plain_steps(
    rows: list[tuple[int, float, float]], time: float, max_gap: float
) -> None:
    start = 1_700_000_000 * SECOND
    rows = sorted(rows)
    stamp = start + round(time * SECOND)
    built = track([(t, x, 2 * x, s) for t, x, s in rows], start)
    expected = oracle([(start + t * SECOND, x, s) for t, x, s in rows], stamp, max_gap)
    found = built.locate(stamp, max_gap)
    if isinstance(expected, Drop):
        assert found is expected
    else:
        assert isinstance(found, Location)
        np.testing.assert_allclose(
            found.position, [expected[0], 2 * expected[0], 0], rtol=1e-9, atol=1e-6
        )
        assert found.sigma == pytest.approx(expected[1])


def test_a_position_lies_between_its_neighbours_in_proportion_to_time() -> None:
    found = track([(0, 0, 10, 1.0), (2, 8, 20, 3.0)]).locate(SECOND // 2, 2.5)
    assert isinstance(found, Location)
    np.testing.assert_allclose(found.position, [2, 12.5, 0])
    assert found.sigma == pytest.approx(1.5)


@pytest.mark.parametrize("time", [-0.001, 10.001])
def test_nothing_is_clamped_to_the_ends_of_the_track(time: float) -> None:
    built = track([(0, 0, 0, 1), (10, 5, 0, 1)])
    assert built.locate(round(time * SECOND), 60) is Drop.OUTSIDE


def test_the_ends_of_the_track_belong_to_it() -> None:
    built = track([(0, 0, 0, 1), (10, 5, 0, 1)])
    for stamp in (0, 10 * SECOND):
        assert isinstance(built.locate(stamp, 1), Location)


@pytest.mark.parametrize(
    ("middle", "expected"),
    [
        ([], Drop.GAP),
        ([(2, math.nan, 0, 1)], Drop.NO_FIX),
        ([(2, 1, 0, 11)], Drop.COVARIANCE),
        ([(1, 1, 0, 11), (3, math.nan, 0, 1)], Drop.COVARIANCE),
        ([(2, 1, 0, 9)], None),
    ],
)
def test_the_reason_of_a_gap_is_what_lies_in_it(
    middle: list[tuple[float, float, float, float]], expected: Drop | None
) -> None:
    built = track([(0, 0, 0, 1), *middle, (4, 2, 0, 1)])
    found = built.locate(round(1.9 * SECOND), 2.5)
    assert found is expected if expected else isinstance(found, Location)


def test_a_single_bad_fix_between_near_good_ones_is_bridged() -> None:
    found = track([(0, 0, 0, 1), (1, math.nan, 0, 1), (2, 4, 0, 1)]).locate(SECOND, 2.5)
    assert isinstance(found, Location)
    assert found.position[0] == pytest.approx(2)


def test_a_track_without_any_good_fix_drops_everything() -> None:
    built = track([(1, math.nan, 0, 1), (2, math.nan, 0, 1)])
    assert len(built) == 0
    assert built.length() == 0
    assert built.locate(round(1.5 * SECOND), 5) is Drop.NO_FIX
    assert built.locate(3 * SECOND, 5) is Drop.OUTSIDE


def test_stamps_of_today_lose_no_precision() -> None:
    start = 1_700_000_000 * SECOND + 1
    built = track([(0, 0, 0, 1), (1, 1e9, 0, 1)], start)
    found = built.locate(start + 7, 2)  # 7 ns at 1 m a nanosecond
    assert isinstance(found, Location)
    assert found.position[0] == pytest.approx(7, abs=1e-6)


def test_length_counts_movement_and_not_the_noise_of_standing() -> None:
    rng = np.random.default_rng(2)
    moving = [(t, 3.0 * t, 0.0, 1.0) for t in range(101)]
    standing = [(101 + t, 300 + x, y, 1.0) for t, (x, y) in enumerate(rng.normal(0, 0.2, (500, 2)))]
    assert track([*moving, *standing]).length() == pytest.approx(300, abs=3)
