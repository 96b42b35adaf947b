from __future__ import annotations

import pytest

from selavpr_ros.nodes.outcome import NotInMap


@pytest.mark.parametrize(
    ("similarity", "threshold", "shown"),
    [
        (0.42, 0.5, "0.42 < 0.50"),
        (0.4996, 0.5, "0.4996 < 0.5000"),
        (0.5 - 1e-12, 0.5, "0.500000 < 0.500000"),
        (-0.1, 0.0, "-0.10 < 0.00"),
    ],
)
def test_shows_the_digits_that_tell_the_two_apart(
    similarity: float, threshold: float, shown: str
) -> None:
    assert str(NotInMap(similarity, threshold)) == f"not localised: below threshold ({shown})"
