from __future__ import annotations

import numpy as np
import pytest

from selavpr_core.calibration import Answers, answers_needed, choose_thresholds


def right_answers(count: int) -> Answers:
    every = np.ones(count, bool)
    alike = np.linspace(0.9, 0.8, count)
    return Answers(alike, np.ones(count), every, every, np.arange(count))


@pytest.mark.parametrize("wanted", [0.5, 0.9, 0.99, 1.0])
def test_so_many_right_answers_show_it_and_one_less_does_not(wanted: float) -> None:
    needed = answers_needed(wanted)
    assert choose_thresholds(right_answers(needed), wanted).reached
    assert not choose_thresholds(right_answers(needed - 1), wanted).reached


def test_what_the_documentation_says() -> None:
    assert answers_needed(0.99) == 156
