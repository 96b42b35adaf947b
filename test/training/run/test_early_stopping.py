from __future__ import annotations

from dataclasses import asdict

from training.run.early_stopping import BestEpoch


def test_the_best_epoch_has_the_greatest_sum_and_equal_ones_do_not_count() -> None:
    best = BestEpoch()
    scores = [(0.5, 0.7), (0.6, 0.6), (0.4, 0.9), (0.9, 0.4), (0.2, 0.3)]
    better = [best.update(n, {1: a, 5: b}) for n, (a, b) in enumerate(scores, start=1)]
    assert better == [True, False, True, False, False]
    assert (best.epoch, best.recalls, best.waited) == (3, {1: 0.4, 5: 0.9}, 2)
    assert best.exhausted(2)
    assert not best.exhausted(3)


def test_without_a_validation_set_the_last_epoch_is_the_best() -> None:
    best = BestEpoch()
    assert all(best.update(n, {}) for n in (1, 2, 3))
    assert (best.epoch, best.waited) == (3, 0)


def test_a_score_of_zero_is_a_score() -> None:
    best = BestEpoch()
    assert best.update(1, {1: 0.0, 5: 0.0})
    assert not best.update(2, {1: 0.0, 5: 0.0})


def test_it_goes_on_from_what_was_saved() -> None:
    best = BestEpoch()
    best.update(1, {1: 0.5, 5: 0.5})
    best.update(2, {1: 0.1, 5: 0.1})
    assert BestEpoch(**asdict(best)) == best
