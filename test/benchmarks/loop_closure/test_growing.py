from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.loop_closure import growing
from benchmarks.loop_closure.growing import AGAIN, NEW, described, measure, picture, pose, route


def test_places_are_new_and_then_some_are_seen_again() -> None:
    visits = list(islice(route(5000, 0), 2 * (NEW + AGAIN)))
    new = [visit.place for visit in visits if visit.first is None]
    assert new == list(range(2 * NEW))
    for number, visit in enumerate(visits):
        if visit.first is not None:
            assert visits[visit.first].place == visit.place
            assert number - visit.first > AGAIN  # outside of any window
    again = [visit.place for visit in visits[NEW : NEW + AGAIN]]
    assert np.diff(again).tolist() == [1] * (AGAIN - 1)


def test_a_place_is_like_itself_and_like_no_other() -> None:
    here, again, other = (
        described(growing.Visit(place, first), number, 2048)[1]
        for place, first, number in ((7, None, 7), (7, 7, 900), (8, None, 8))
    )
    assert here is not None
    assert again is not None
    assert other is not None
    assert 0.8 < float(here[0] @ again[0]) < 0.95
    assert abs(float(here[0] @ other[0])) < 0.1
    np.testing.assert_array_equal(picture(7, 64), picture(7, 64))
    assert picture(7, 64).shape == (48, 64, 3)
    assert pose(1001) == (2.0, 20.0, 0.0, 0.0)


def test_a_drive_is_reported_as_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "NEW", 60)
    monkeypatch.setattr(growing, "AGAIN", 20)
    shown: list[dict[str, Any]] = []
    result = measure(90, [70], 512, 128, tmp_path, shown.append)
    assert [report["keyframes"] for report in shown] == [70, 90]
    assert shown == result["reports"]
    assert shown[0]["resident_mb"]["anonymous"] > 0
    assert shown[0]["ms"]["again"]["median"] > 0
    assert result["seen_again"] == 20
    assert result["false"] == 0
    assert 15 <= result["closures"] <= 20
