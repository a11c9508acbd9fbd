"""Judges against people and against themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics.judging import Confusion, correct, swapped, trust
from core.statistics.proportions import wilson


def test_a_judge_is_counted_against_people() -> None:
    labels = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    confusion = Confusion.of(labels)
    assert confusion == Confusion(20, 5, 10, 15)
    found = trust(confusion)
    assert (found.tpr, found.tnr, found.agreement) == (wilson(20, 25), wilson(15, 25), wilson(35, 50))
    assert found.kappa == pytest.approx(0.4)  # Wikipedia, "Cohen's kappa", simple example


def test_a_judge_nobody_was_compared_with_has_no_rates() -> None:
    found = trust(Confusion(0, 0, 0, 0))
    assert (found.tpr, found.tnr, found.agreement, found.kappa, found.kappa_interval) == (None, None, None, None, None)


def test_a_corrected_rate_is_the_brucellosis_example() -> None:
    # the manual of R's epiR, `epi.prev`: 23 of 150 positive, sensitivity 96 %, specificity 89 % → 5.1 per 100
    found = correct(23, 150, Confusion(96, 4, 11, 89)).corrected
    assert found is not None
    assert found.value == pytest.approx(0.051, abs=5e-4)
    assert found.low == 0


def test_a_corrected_interval_is_that_of_its_authors_script() -> None:
    # oracle: Lang and Reiczigel's R script of 15 March 2013, transcribed, run once: 130 of 200, 52 of 60, 44 of 50
    found = correct(130, 200, Confusion(52, 8, 6, 44)).corrected
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(0.586566242), pytest.approx(0.848724899))


def test_a_perfect_judge_is_hardly_corrected() -> None:
    found = correct(60, 100, Confusion(50_000, 0, 0, 50_000)).corrected
    assert found is not None
    assert (found.value, found.low, found.high) == (
        pytest.approx(0.6),
        pytest.approx(wilson(60, 100).low, abs=0.005),
        pytest.approx(wilson(60, 100).high, abs=0.005),
    )


def test_a_judge_no_better_than_chance_cannot_be_corrected_for() -> None:
    for confusion in (Confusion(5, 5, 5, 5), Confusion(1, 9, 9, 1), Confusion(10, 0, 10, 0)):
        found = correct(30, 100, confusion)
        assert found.corrected is None
        assert found.sentence == ("Cannot be corrected: the judge tells passes from failures no better than chance.")
        assert found.observed == wilson(30, 100)


def test_without_known_passes_or_failures_nothing_can_be_corrected() -> None:
    assert correct(3, 10, Confusion(9, 1, 0, 0)).sentence == (
        "Cannot be corrected: people failed none of the answers that were compared."
    )
    assert correct(3, 10, Confusion(0, 0, 0, 0)).corrected is None


@given(*[st.integers(0, 30)] * 4, st.integers(0, 50), st.integers(1, 50))
def test_a_corrected_rate_is_a_share_within_its_interval(
    hits: int, misses: int, alarms: int, rejections: int, passed: int, n: int
) -> None:
    found = correct(min(passed, n), n, Confusion(hits, misses, alarms, rejections)).corrected
    if found is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize(("rate", "tpr", "tnr"), [(0.7, 0.9, 0.8), (0.95, 0.85, 0.7), (0.3, 0.8, 0.95)])
def test_a_corrected_interval_holds_the_truth_as_often_as_it_says_and_the_reported_rate_does_not(
    rate: float, tpr: float, tnr: float
) -> None:
    dice = np.random.default_rng(17)
    held = naive = 0
    for _ in range(1500):
        hits, rejections = int(dice.binomial(60, tpr)), int(dice.binomial(50, tnr))
        passed = int(dice.binomial(200, rate * tpr + (1 - rate) * (1 - tnr)))
        found = correct(passed, 200, Confusion(hits, 60 - hits, 50 - rejections, rejections))
        assert found.corrected is not None
        held += found.corrected.low <= rate <= found.corrected.high
        naive += found.observed.low <= rate <= found.observed.high
    assert 0.93 <= held / 1500 <= 0.99
    assert naive < held


def test_a_judge_that_follows_the_side_is_seen() -> None:
    verdicts = [("a", "b")] * 3 + [("b", "a")] + [("a", "a")] * 5 + [(None, "b"), (None, None)]
    found = swapped(verdicts, one="a")
    assert found is not None
    assert found.flips == wilson(5, 11)
    assert (found.first, found.second, found.to_tie) == (3, 1, 1)


def test_no_verdicts_are_no_consistency() -> None:
    assert swapped([], one="a") is None
