from __future__ import annotations

import math

import pytest

from training.datasets.at_names import candidate_or_reason
from training.datasets.source import BAD_ENTRY, Excluded

WHOLE = "@0540000.00@4170000.00@10@S@037.70000@-122.43590@pano@003@271.5@@@@20131107@note@.jpg"


def test_a_name_that_says_everything() -> None:
    found = candidate_or_reason(f"folder@home/{WHOLE}", "city")
    assert not isinstance(found, Excluded)
    name, candidate = found
    assert candidate.path == f"folder@home/{WHOLE}"
    assert (candidate.city, candidate.zone, candidate.date) == ("city", "10S", "2013-11")
    assert (candidate.easting, candidate.northing) == (540000.0, 4170000.0)
    assert candidate.heading == 271.5
    # Read by the sets that group cuts of a panorama, not by the index.
    assert (name.pano_id, name.tile) == ("pano", 3)
    assert math.isnan(candidate.latitude)


def test_what_a_name_leaves_out_is_unknown() -> None:
    found = candidate_or_reason("@1.0@2.0@.jpg", "city")
    assert not isinstance(found, Excluded)
    _, candidate = found
    assert (candidate.zone, candidate.date) == ("", "")
    assert math.isnan(candidate.heading)


@pytest.mark.parametrize("name", ["a.jpg", "@.jpg", "@nan@2@.jpg", "@1@inf@.jpg", "@@2@.jpg", ""])
def test_a_name_without_a_position_is_left_out_with_the_reason(name: str) -> None:
    found = candidate_or_reason(name, "city")
    assert isinstance(found, Excluded)
    assert (found.path, found.city, found.reason, found.faulty) == (name, "city", BAD_ENTRY, True)
    assert "is no name of the form @easting@northing@" in found.detail
