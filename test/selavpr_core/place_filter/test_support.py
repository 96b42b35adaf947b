from __future__ import annotations

import pytest

from selavpr_core.place_filter.support import LOOKS, SECONDS, Support


def watched(leads: list[float], seconds: float = 0.5, sure: bool = True) -> Support:
    support = Support()
    for lead in leads:
        support.look(lead, sure, seconds)
    return support


def test_it_is_lost_after_some_looks_with_less_than_half_the_lead() -> None:
    seen = [0.4] * 20
    assert not watched([*seen, *[0.1] * (LOOKS - 1)]).lost
    assert watched([*seen, *[0.1] * LOOKS]).lost
    assert not watched([*seen, *[0.21] * 50]).lost


def test_one_look_with_the_lead_is_enough_to_have_it_again() -> None:
    assert not watched([*[0.4] * 20, *[0.1] * 50, 0.4]).lost


def test_a_look_shows_a_place_with_most_of_the_usual_lead() -> None:
    support = watched([0.4] * 20)
    assert (support.shows(0.31), support.shows(0.33)) == (False, True)
    assert watched([]).shows(0.01)  # nothing is usual yet
    assert not watched([]).shows(-0.01)


def test_it_lasts_at_least_a_second_at_any_rate() -> None:
    rate = 30
    few = [*[0.4] * 20, *[0.0] * (rate - 1)]
    assert not watched(few, 1 / rate).lost
    assert watched([*few, 0.0, 0.0], 1 / rate).lost
    assert SECONDS == 1.0


def test_the_usual_lead_is_that_of_sure_looks() -> None:
    assert not watched([0.4] * 20 + [0.1] * 20, sure=False).lost
    assert not watched([]).lost


@pytest.mark.parametrize(("step", "lost"), [(0.005, False), (0.05, True)])
def test_a_lead_that_fades_slowly_is_followed(step: float, lost: bool) -> None:
    leads = [max(0.4 - step * n, 0.05) for n in range(100)]
    found = Support()
    ever = False
    for lead in leads:
        found.look(lead, True, 0.5)
        ever = ever or found.lost
    assert ever is lost
