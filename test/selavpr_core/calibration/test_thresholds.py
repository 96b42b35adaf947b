from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selavpr_core.calibration import (
    Answers,
    Choice,
    choose_thresholds,
    curve,
    times_the_queries,
)
from selavpr_core.place_map import Calibration

SIGMAS = 1.96
TOLERANCE = 0.02


def answers(rows: list[tuple[float, float, bool, bool, int]]) -> Answers:
    """Rows of similarity, margin, right, inside, stretch."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    return Answers(
        np.array(columns[0], float), np.array(columns[1], float), np.array(columns[2], bool),
        np.array(columns[3], bool), np.array(columns[4], np.int64),
    )  # fmt: skip


def drawn(rng: np.random.Generator, stretches: int, each: int = 5) -> Answers:
    """Queries from inside and, of the same stretches, from outside; neighbours fail together."""
    stretch = np.repeat(np.arange(stretches), each)

    def together() -> np.ndarray:
        shared, own = rng.normal(size=stretches)[stretch], rng.normal(size=len(stretch))
        return math.sqrt(0.7) * shared + math.sqrt(0.3) * own

    found = (rng.random(stretches) < 0.9)[stretch]
    similar = np.where(found, 0.7 + 0.12 * together(), 0.45 + 0.08 * together())
    ahead = np.where(found, 0.25 + 0.1 * together(), np.abs(0.03 * together()))
    outside = 0.45 + 0.08 * together()
    nothing = np.zeros(len(stretch), bool)
    return Answers(
        np.concatenate([similar, outside]),
        np.concatenate([ahead, np.abs(0.05 * together())]).clip(0),
        np.concatenate([found, nothing]),
        np.concatenate([~nothing, nothing]),
        np.concatenate([stretch, stretch]),
    )


def precision_of(choice: Choice, held_back: Answers) -> float:
    counts = held_back.similarities >= choice.similarity
    counts &= held_back.margins >= choice.margin
    return float(held_back.right[counts].mean())


def recall_of(choice: Choice, held_back: Answers) -> float:
    counts = held_back.similarities >= choice.similarity
    counts &= held_back.margins >= choice.margin
    return float((held_back.right & counts).sum() / held_back.inside.sum())


rows = st.lists(
    st.tuples(
        st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.7]),
        st.sampled_from([0.0, 0.02, 0.1]),
        st.sampled_from([(True, True), (False, True), (False, False)]),
        st.integers(0, 3),
    ).map(lambda row: (row[0], row[1], *row[2], row[3])),
    max_size=40,
)


@given(rows=rows, margin=st.sampled_from([0.0, 0.02, 0.05]))
@settings(max_examples=50, deadline=None)
def test_the_curve_is_that_of_plain_loops(rows, margin: float) -> None:
    swept = curve(answers(rows), margin)
    kept = [row for row in rows if row[1] >= margin]
    assert list(swept.thresholds) == sorted({row[0] for row in kept}, reverse=True)
    inside = sum(row[3] for row in rows)
    for i, threshold in enumerate(swept.thresholds):
        answered = [row for row in kept if row[0] >= threshold]
        count, right = len(answered), sum(row[2] for row in answered)
        assert swept.answered[i] == count
        assert swept.precisions[i] == pytest.approx(right / count)
        assert swept.recalls[i] == pytest.approx(right / max(1, inside))
        added = SIGMAS**2 / 2
        wrong = min(1.0, (count - right + added) / count)
        spread = added
        for stretch in {row[4] for row in answered}:
            of_stretch = [row for row in answered if row[4] == stretch]
            failed = sum(not row[2] for row in of_stretch)
            spread += (failed - wrong * len(of_stretch)) ** 2
        spread = max(spread, count * wrong * (1 - wrong))
        between_drives = 0.25 * (count - right) / count
        bound = 1 - wrong - SIGMAS * math.hypot(math.sqrt(spread) / count, between_drives)
        assert swept.bounds[i] == pytest.approx(max(0.0, bound))
        assert swept.bounds[i] < swept.precisions[i] or swept.precisions[i] == 0


@given(rows=rows.filter(bool), wanted=st.sampled_from([0.3, 0.8, 1.0]))
@settings(max_examples=50, deadline=None)
def test_a_choice_keeps_its_word(rows, wanted: float) -> None:
    given_answers = answers(rows)
    choice = choose_thresholds(given_answers, wanted)
    swept = curve(given_answers, choice.margin)
    at = list(swept.thresholds).index(choice.similarity)
    assert choice[2:6] == pytest.approx(
        (swept.precisions[at], swept.bounds[at], swept.recalls[at], swept.answered[at])
    )
    good = choice.precision >= wanted and choice.bound >= wanted - TOLERANCE
    assert choice.reached == good
    kept = Calibration(
        choice.similarity, choice.margin, wanted, choice.precision, choice.bound, choice.recall,
        queries=1, outside=0, radius=25.0, mode="float", candidates=100, places=1, source="",
        created="",
    )  # fmt: skip
    assert kept.reached == choice.reached


@pytest.mark.parametrize(("wrong", "count"), [(0, 200), (1, 300), (4, 500), (10, 1000)])
def test_the_bound_is_near_the_exact_one_where_answers_are_independent(
    wrong: int, count: int
) -> None:
    """Clopper and Pearson's, by the binomial distribution itself, at 97.5 %."""
    swept = curve(answers([(0.5, 0.0, n >= wrong, True, n) for n in range(count)]))

    def at_most(share: float) -> float:
        return sum(
            math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(wrong + 1)
        )

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(middle) > 0.025 else (low, middle)
    assert 1 - swept.bounds[0] == pytest.approx(low, rel=0.3)


def test_failures_that_come_together_are_less_evidence() -> None:
    alone = [(0.5, 0.0, n % 20 != 0, True, n) for n in range(400)]
    together = [(0.5, 0.0, n >= 20, True, n // 20) for n in range(400)]
    (loose,), (tight,) = curve(answers(together)).bounds, curve(answers(alone)).bounds
    assert tight > loose + 0.04


def test_the_lowest_threshold_of_the_wanted_precision_is_chosen() -> None:
    rows = [(0.9 - 0.0005 * n, 0.5, True, True, n) for n in range(600)]
    rows += [(0.55 - 0.001 * n, 0.5, False, True, 600 + n) for n in range(200)]
    choice = choose_thresholds(answers(rows), 0.99)
    assert choice.reached
    assert choice.answered == 606  # 6 wrong ones among 606 are 1 %
    assert choice.recall == pytest.approx(600 / 800)


def test_a_margin_is_asked_for_where_look_alikes_are_similar() -> None:
    """Two places that look alike give high similarities and small margins."""
    rows = [(0.8, 0.2, True, True, n) for n in range(300)]
    rows += [(0.8 + 0.001 * n, 0.005, False, True, 300 + n) for n in range(100)]
    choice = choose_thresholds(answers(rows), 0.99)
    assert choice.reached
    assert 0.005 < choice.margin <= 0.2
    assert choice.recall == pytest.approx(300 / 400)


def test_a_large_margin_is_preferred_where_it_costs_little() -> None:
    rows = [(0.8, 0.2 if n < 380 else 0.01, True, True, n) for n in range(400)]
    assert choose_thresholds(answers(rows), 0.9).margin == 0.2
    rows = [(0.8, 0.2 if n < 340 else 0.01, True, True, n) for n in range(400)]
    assert choose_thresholds(answers(rows), 0.9).margin == 0.01


def test_a_large_margin_is_preferred_among_those_that_come_equally_close() -> None:
    rows = [(0.8, 0.2, True, True, n) for n in range(60)]
    choice = choose_thresholds(answers(rows), 0.99)
    assert not choice.reached
    assert (choice.margin, choice.recall) == (0.2, 1.0)
    rows += [(0.7, 0.01, False, True, 60 + n) for n in range(60)]  # of which nothing more is shown
    assert choose_thresholds(answers(rows), 0.99)[:2] == (0.8, 0.2)


def test_queries_from_outside_raise_the_threshold() -> None:
    inside = [(0.4 + 0.001 * n, 0.1, True, True, n) for n in range(400)]
    outside = [(0.1 + 0.001 * n, 0.1, False, False, n) for n in range(400)]
    alone = choose_thresholds(answers(inside), 0.99)
    both = choose_thresholds(answers(inside + outside), 0.99)
    assert alone.similarity == pytest.approx(0.4)
    assert both.similarity > 0.48


@pytest.mark.parametrize("count", [10, 60, 100])
def test_few_queries_never_show_a_high_precision(count: int) -> None:
    rows = [(0.9, 0.5, True, True, n) for n in range(count)]
    choice = choose_thresholds(answers(rows), 0.99)
    assert not choice.reached
    assert choice.precision == 1.0
    assert choice.bound < 0.97


@pytest.mark.parametrize("wanted", [0.001, 0.02, 0.05, 0.5])
def test_few_queries_show_no_low_precision_either(wanted: float) -> None:
    few = answers([(0.9, 0.5, n < 1, True, n) for n in range(2)])
    choice = choose_thresholds(few, wanted)
    assert choice.bound == 0
    assert not choice.reached
    assert choice.shown == 0


@pytest.mark.parametrize("wanted", [0.001, 0.03, 0.2, 0.5])
def test_a_low_precision_is_reached_where_it_is_shown(wanted: float) -> None:
    many = answers([(0.9, 0.5, n % 10 < 8, True, n) for n in range(1000)])
    choice = choose_thresholds(many, wanted)
    assert choice.reached
    assert choice.bound >= wanted / 2


def test_what_cannot_be_reached_gives_what_comes_closest() -> None:
    rows = [(0.5 + 0.001 * n, 0.1, n % 3 > 0, True, n) for n in range(300)]
    choice = choose_thresholds(answers(rows), 0.99)
    assert not choice.reached
    swept = curve(answers(rows))
    assert choice.shown == max(np.minimum(swept.precisions, swept.bounds + TOLERANCE))
    assert choose_thresholds(answers(rows), choice.shown).reached
    assert not choose_thresholds(answers(rows), choice.shown + 1e-6).reached


@pytest.mark.parametrize("wrong", [0, 1])
def test_so_many_times_the_queries_show_it_and_fewer_do_not(wrong: int) -> None:
    def asked(count: int) -> Answers:
        step = 60 // wrong if wrong else 10**9
        return answers([(0.9, 0.5, n % step > 0 or not wrong, True, n) for n in range(count)])

    wanted = 0.98
    times = times_the_queries(asked(60), wanted)
    assert times is not None
    assert choose_thresholds(asked(60 * math.ceil(times)), wanted).reached
    assert not choose_thresholds(asked(60 * math.floor(times / 1.06)), wanted).reached
    assert times_the_queries(asked(60 * math.ceil(times)), wanted) == 1


def test_no_number_of_queries_shows_what_is_not_so() -> None:
    rows = [(0.5, 0.1, n % 3 > 0, True, n) for n in range(300)]
    assert times_the_queries(answers(rows), 0.99) is None


@pytest.mark.parametrize(("wanted", "stretches"), [(0.9, 100), (0.99, 100), (0.99, 400)])
def test_held_back_the_precision_is_within_two_points(wanted: float, stretches: int) -> None:
    """Not less, with 95 % confidence; what is more costs little of the recall that there is."""
    rng = np.random.default_rng(7)
    held_back = drawn(rng, 10_000)
    choices = [choose_thresholds(drawn(rng, stretches), wanted) for _ in range(40)]
    reached = [choice for choice in choices if choice.reached]
    assert len(reached) > 30
    precisions = np.array([precision_of(choice, held_back) for choice in reached])
    assert np.mean(precisions >= wanted - 0.02) >= 0.9
    assert precisions.mean() >= wanted - 0.005
    swept = curve(held_back)
    possible = swept.recalls[swept.precisions >= wanted].max()
    assert np.mean([recall_of(choice, held_back) for choice in reached]) > 0.8 * possible


def test_bad_arguments_are_refused() -> None:
    one = answers([(0.5, 0.1, True, True, 0)])
    for wanted in (0.0, -1.0, 1.1, math.nan):
        with pytest.raises(ValueError, match="cannot be wanted"):
            choose_thresholds(one, wanted)
    with pytest.raises(ValueError, match="no answer"):
        choose_thresholds(answers([]), 0.9)
    with pytest.raises(ValueError, match="outside"):
        answers([(0.5, 0.1, True, False, 0)])
    with pytest.raises(ValueError, match="every column"):
        Answers(np.zeros(2), *(np.zeros(1, bool),) * 4)  # type: ignore[arg-type]
