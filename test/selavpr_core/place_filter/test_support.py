from __future__ import annotations

import pytest

from selavpr_core.place_filter.support import LOOKS, RECENT, SECONDS, WEAK, Support


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


def test_half_of_the_usual_lead_supports_and_most_of_it_shows() -> None:
    support = watched([0.4] * 20)
    assert (support.supports(0.19), support.supports(0.21)) == (False, True)
    assert (support.shows(0.25), support.shows(0.27)) == (False, True)
    assert watched([]).supports(0.01)  # nothing is usual yet


def test_looks_with_less_than_usual_on_average_do_not_show_the_place() -> None:
    usual = [0.4] * 20
    assert watched(usual).seen
    assert watched([*usual, *[0.21, 0.45] * 10]).seen
    less = watched([*usual, *[0.1, 0.21] * 10], sure=True)
    assert (less.lost, less.seen) == (False, False)
    mean = 1.0  # what it should be, look by look
    for share in [0.25, 0.525] * 10:
        mean += (share - mean) / RECENT
    assert mean < WEAK < mean + 0.2


def test_one_outstanding_look_makes_up_for_no_others() -> None:
    support = watched([0.4] * 20)
    for lead in [0.1] * 20:
        support.look(lead, False, 0.5)
    support.look(100.0, False, 0.5)
    assert not support.seen


def test_another_pose_is_seen_after_four_usual_looks() -> None:
    support = watched([0.4] * 20)
    support.begin()
    seen = []
    for _ in range(4):
        seen.append(support.seen)
        support.look(0.4, False, 0.5)
    assert (seen, support.seen) == ([False] * 4, True)
    nothing_is_usual = watched([])
    nothing_is_usual.begin()
    assert nothing_is_usual.seen


def test_looks_at_the_same_say_nothing_new() -> None:
    support = watched([0.4] * 20)
    for _ in range(100):
        support.look(0.21, False, 0.03, part=0.0)
    assert support.seen


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
