"""Summaries that merge, and differences of means and ratios as published or as brute force finds them."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics.means import (
    Joint,
    Moments,
    at_one_look,
    difference,
    joint,
    moments,
    moments_of_sums,
    one_mean,
    p_at_one_look,
    ratio,
    winsorised,
)

NUMBERS = st.lists(st.floats(-1e6, 1e6), max_size=40)
PAIRS = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), max_size=40)

# Wikipedia, "Welch's t-test", examples 1 and 2 (statistic, degrees of freedom and p value as printed there)
FIRST = (
    (27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4),
    (27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4),
)
SECOND = (
    (17.2, 20.9, 22.6, 18.1, 21.7, 21.4, 23.5, 24.2, 14.7, 21.8),
    (
        *(21.5, 22.8, 21.0, 23.0, 21.6, 23.6, 22.5, 20.7, 23.4, 21.8),
        *(20.7, 21.7, 21.5, 22.5, 23.6, 21.5, 22.5, 23.5, 21.5, 21.8),
    ),
)


def close(one: Moments, other: Moments) -> bool:
    scale = 1 + abs(one.mean) ** 2 * one.n + one.squares
    return (
        one.n == other.n
        and math.isclose(one.mean, other.mean, rel_tol=1e-9, abs_tol=1e-9)
        and math.isclose(one.squares, other.squares, rel_tol=1e-9, abs_tol=1e-9 * scale)
    )


@given(NUMBERS, NUMBERS)
def test_summaries_of_two_parts_are_the_summary_of_the_whole(one: list[float], two: list[float]) -> None:
    assert close(moments(one) + moments(two), moments(one + two))


@given(PAIRS, PAIRS)
def test_joint_summaries_of_two_parts_are_the_one_of_the_whole(
    one: list[tuple[float, float]], two: list[tuple[float, float]]
) -> None:
    parts = [joint([a for a, _ in part], [b for _, b in part]) for part in (one, two, one + two)]
    merged, whole = parts[0] + parts[1], parts[2]
    assert close(merged.first, whole.first)
    assert close(merged.second, whole.second)
    assert merged.products == pytest.approx(whole.products, rel=1e-9, abs=1e-9 * (1 + 1e6 * whole.n))


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=30))
def test_sums_of_whole_numbers_give_the_exact_variance(values: list[int]) -> None:
    found = moments_of_sums(len(values), sum(values), sum(value * value for value in values))
    assert found.mean == pytest.approx(statistics.fmean(values))
    assert found.variance == pytest.approx(float(statistics.variance(values)), rel=1e-12)


def test_sums_that_no_numbers_have_are_refused() -> None:
    with pytest.raises(ValueError, match="no 2 whole numbers"):
        moments_of_sums(2, 10, 3)


def test_welch_is_wikipedias_table() -> None:
    for (one, two), t, freedom, p in ((FIRST, -2.46, 25.0, 0.021), (SECOND, -1.57, 9.9, 0.149)):
        found = difference(moments(one), moments(two))
        assert found.value / found.standard_error == pytest.approx(t, abs=5e-3)
        assert found.freedom == pytest.approx(freedom, abs=0.05)
        assert p_at_one_look(found) == pytest.approx(p, abs=5e-4)


def test_welchs_interval_is_scipys() -> None:
    # scipy 1.17, ttest_ind(equal_var=False).confidence_interval(0.95): an independent oracle
    found = at_one_look(difference(moments(FIRST[0]), moments(FIRST[1])))
    assert (found.low, found.high) == (pytest.approx(-3.984096267140929), pytest.approx(-0.3492370661924069))
    assert found.n == 30


def test_an_arm_of_one_value_leaves_the_difference_open() -> None:
    found = at_one_look(difference(moments([3.0]), moments([1.0, 2.0])))
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert p_at_one_look(difference(moments([3.0]), moments([1.0, 2.0]))) == 1


@given(st.floats(0.5, 0.9), st.floats(0.91, 0.999))
def test_a_higher_level_makes_a_wider_interval(low: float, high: float) -> None:
    found = difference(moments(FIRST[0]), moments(FIRST[1]))
    narrow, wide = at_one_look(found, level=low), at_one_look(found, level=high)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_level_beyond_one_is_refused() -> None:
    for level in (0.0, 1.0, 95.0):
        with pytest.raises(ValueError, match="no level"):
            at_one_look(one_mean(moments([1.0, 2.0])), level=level)


def sessions(generator: random.Random) -> Joint:
    """Failed calls and calls of 200 sessions, each with a quality of its own, so that its calls are alike."""
    failed, calls = [], []
    for _ in range(200):
        chance, length = generator.betavariate(1, 4), generator.randint(1, 12)
        calls.append(float(length))
        failed.append(float(sum(generator.random() < chance for _ in range(length))))
    return joint(failed, calls)


def test_a_ratio_varies_as_brute_force_says_and_more_than_calls_alone_would() -> None:
    # oracle: 500 drawn sets of sessions, their ratios' own spread
    generator = random.Random(7)
    found = [ratio(sessions(generator)) for _ in range(500)]
    spread = statistics.stdev(one.value for one in found)
    assert statistics.fmean(one.standard_error for one in found) == pytest.approx(spread, rel=0.1)
    calls = 200 * 6.5
    assert spread > 1.3 * math.sqrt(0.2 * 0.8 / calls)


def test_a_ratio_over_nothing_is_not_known() -> None:
    assert math.isinf(ratio(joint([1.0, 2.0], [0.0, 0.0])).standard_error)
    with pytest.raises(ValueError, match="not of the same units"):
        joint([1.0], [])


def test_winsorising_moves_only_what_is_beyond_the_limits() -> None:
    assert winsorised([-5.0, 1.0, 900.0], low=0, high=60) == [0, 1.0, 60]
    with pytest.raises(ValueError, match="above the upper"):
        winsorised([1.0], low=2, high=1)
