"""Intervals of quantiles: known ranks, what brute force covers, and a watcher that is not fooled."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics.quantiles import each_of_two, quantile, quantile_difference, watched_quantile
from core.statistics.sequential import Plan


def ranks(n: int) -> list[float]:
    return [float(one) for one in range(1, n + 1)]


def test_fifty_nine_values_bound_a_p95_as_wilks_says() -> None:
    # S. S. Wilks, "Determination of sample sizes for setting tolerance limits", Ann. Math. Stat. 12 (1941): the largest
    # of 59 values is above the 95th percentile with 95 %; here one limit of a 90 % interval
    assert quantile(ranks(59), 0.95, level=0.9).high == 59
    assert quantile(ranks(58), 0.95, level=0.9).high == math.inf


def test_ranks_are_scipys() -> None:
    # scipy 1.17, quantile_test(range(1, 101), p).confidence_interval(0.95): an independent oracle
    for share, low, high in ((0.95, 90, 100), (0.5, 40, 61)):
        found = quantile(ranks(100), share)
        assert (found.low, found.high) == (low, high)


@given(st.integers(1, 120), st.floats(0.05, 0.95))
def test_the_interval_covers_at_least_its_level(n: int, share: float) -> None:
    # oracle: the binomial law summed term by term
    found = quantile(ranks(n), share)
    low = 0 if math.isinf(found.low) else int(found.low)
    high = n + 1 if math.isinf(found.high) else int(found.high)
    chance = sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(low, high))
    assert chance >= 0.95 - 1e-9


@given(st.integers(1, 2_000), st.floats(0.02, 0.98))
def test_a_watched_interval_holds_the_one_of_a_single_look(n: int, share: float) -> None:
    once, always = quantile(ranks(n), share), watched_quantile(ranks(n), share, Plan(1_000))
    assert always.low <= once.low <= once.value <= once.high <= always.high


def test_a_watched_median_is_missed_at_any_look_less_often_than_promised() -> None:
    # oracle: 400 rows of 400 values, a look after each; one look's interval beside it
    generator = random.Random(3)
    plan = Plan(400, level=0.9)
    kept = [watched_quantile(ranks(n), 0.5, plan) for n in range(1, 401)]
    once = [quantile(ranks(n), 0.5, level=0.9) for n in range(1, 401)]
    missed = naive = 0
    for _ in range(400):
        below, any_missed, any_naive = 0, False, False
        for n in range(400):
            below += generator.random() < 0.5
            any_missed |= not kept[n].low <= below < kept[n].high
            any_naive |= not once[n].low <= below < once[n].high
        missed += any_missed
        naive += any_naive
    assert missed <= 0.1 * 400
    assert naive > 0.2 * 400


def test_a_difference_spans_what_both_intervals_allow() -> None:
    level = each_of_two(0.95)
    assert level**2 == pytest.approx(0.95)
    arm, control = quantile(ranks(200), 0.5, level=level), quantile(ranks(100), 0.5, level=level)
    found = quantile_difference(arm, control)
    assert (found.low, found.value, found.high) == (arm.low - control.high, 50, arm.high - control.low)


def test_a_quantile_of_nothing_is_refused() -> None:
    for values, share in (([], 0.5), ([1.0], 0.0), ([1.0], 1.0)):
        with pytest.raises(ValueError, match="no quantile"):
            quantile(values, share)
