from __future__ import annotations

import numpy as np
import pytest

from selavpr_ros.nodes.localization.outcome import (
    Ambiguous,
    Judged,
    Localized,
    NotInMap,
    Unsettled,
    describe_probability,
    state_of,
)
from selavpr_ros.nodes.localization.pose_estimate import PoseEstimate

HERE = PoseEstimate(np.array([12.3, 4.56, 0.0]), 0.0, 1.44 * np.eye(6), 1.0)


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
    said = str(Ambiguous(0.9, similarity, threshold))
    assert said == f"not localised: another place looks as alike (margin {shown})"


@pytest.mark.parametrize(
    ("outcome", "state", "said"),
    [
        (
            Localized(0.83, 87, "drive", HERE),
            "localised",
            "localised at (12.30, 4.56) m, sigma 1.20 m: place 87 of drive, similarity 0.83",
        ),
        (
            Localized(0.83, 87, "drive", HERE, 0.998),
            "localised",
            "localised at (12.30, 4.56) m, sigma 1.20 m: place 87 of drive, probability 0.998",
        ),
        (
            Unsettled("candidate", 0.83, 87, "drive", HERE, 0.71),
            "candidate",
            "not localised: candidate, place 87 of drive has probability 0.71, sigma 1.20 m",
        ),
        (
            Unsettled("candidate", 0.13, 87, "drive", HERE, 0.95, seen=False),
            "candidate",
            "not localised: candidate, place 87 of drive has probability 0.95, sigma 1.20 m, "
            "but the last images show it less than usual",
        ),
        (
            Unsettled("lost", 0.83, 87, "drive", HERE, 0.12),
            "lost",
            "not localised: lost, at best place 87 of drive has probability 0.12",
        ),
        (
            Unsettled("lost", 0.83, -1, "", None, 0.0),
            "lost",
            "not localised: lost, no place is likely",
        ),
        (NotInMap(0.42, 0.5), "lost", "not localised: below threshold (0.42 < 0.50)"),
        (
            Ambiguous(0.8, 0.01, 0.05),
            "lost",
            "not localised: another place looks as alike (margin 0.01 < 0.05)",
        ),
    ],
)
def test_state_and_words(outcome: Judged, state: str, said: str) -> None:
    assert (state_of(outcome), str(outcome)) == (state, said)


@pytest.mark.parametrize(
    ("probability", "shown"),
    [(0.0, "0.00"), (0.5, "0.50"), (0.97, "0.97"), (0.995, "0.995"), (1.0, "1.0000")],
)
def test_nearly_certain_is_told_from_certain(probability: float, shown: str) -> None:
    assert describe_probability(probability) == shown
