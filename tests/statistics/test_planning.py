"""Sizes, powers and effects as published, and against each other."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics.planning import (
    Aim,
    days_left,
    effect_for_means,
    effect_for_shares,
    power_for_means,
    power_for_shares,
    size_for_means,
    size_for_shares,
    size_when_watched,
)
from core.statistics.sequential import Plan, share_difference, watched

AIMS = st.builds(Aim, st.floats(0.8, 0.999), st.floats(0.5, 0.99), st.floats(0.1, 10))


def test_shares_are_those_of_rs_manual() -> None:
    # R, help("power.prop.test"): p1 = .50, p2 = .75 needs n = 76.7 for a power of .90 and has 0.740 with n = 50
    assert size_for_shares(0.5, 0.25, Aim(power=0.9)).arm == 77
    assert power_for_shares(0.5, 0.25, 50, Aim()).value == pytest.approx(0.740, abs=5e-4)


def test_means_with_unequal_arms_are_statsmodels() -> None:
    # statsmodels 0.14, NormalIndPower().solve_power(effect_size=0.3, alpha=0.05, power=0.8, ratio=9): 96.8995
    found = size_for_means(1, 0.3, Aim(control_per_arm=9))
    assert (found.arm, found.control, found.total) == (97, 873, 970)


def test_means_follow_lehrs_rule() -> None:
    # R. Lehr, "Sixteen S-squared over D-squared", Statistics in Medicine 11 (1992): n = 16 σ² / δ² for a power of 80 %
    for variance, difference in ((1, 0.1), (9, 0.5), (0.25, 0.02)):
        assert size_for_means(variance, difference, Aim()).arm == pytest.approx(
            16 * variance / difference**2, rel=0.025
        )


@given(st.floats(0.02, 0.9), st.floats(0.01, 0.09), AIMS)
def test_with_the_planned_size_a_share_is_found_with_the_power(control: float, difference: float, aim: Aim) -> None:
    size = size_for_shares(control, difference, aim)
    assert power_for_shares(control, difference, size.arm, aim).value >= aim.power - 1e-9
    if size.arm > 2:
        assert power_for_shares(control, difference, size.arm - 1, aim).value < aim.power + 1e-9
    assert effect_for_shares(control, size.arm, aim).value <= difference + 1e-8


@given(st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0.01, 1), AIMS)
def test_with_the_planned_size_a_mean_is_found_with_the_power(
    variance: float, other: float, difference: float, aim: Aim
) -> None:
    size = size_for_means(variance, difference, aim, variance_control=other)
    assert power_for_means(variance, difference, size.arm, aim, variance_control=other).value >= aim.power - 1e-9
    assert effect_for_means(variance, size.arm, aim, variance_control=other).value <= difference * (1 + 1e-9)


def test_a_few_units_find_no_share_that_there_could_be() -> None:
    assert math.isnan(effect_for_shares(0.95, 10, Aim()).value)


def test_a_sequence_planned_by_its_size_reaches_the_difference_there() -> None:
    size = size_when_watched(0.25, 0.05, Aim())
    half = size.total // 2
    found = watched(share_difference(half // 2, half, half // 2, half), Plan(size.total))
    assert found.high == pytest.approx(0.05, rel=2e-3)


@given(st.floats(0.01, 10), st.floats(0.01, 1), AIMS)
def test_watching_costs_units_and_power_costs_more(variance: float, difference: float, aim: Aim) -> None:
    once, always = (
        size_for_means(variance, difference, aim),
        size_when_watched(variance, difference, aim, with_power=True),
    )
    assert always.total >= once.total
    assert always.total >= size_when_watched(variance, difference, aim).total


def test_every_answer_names_its_formula() -> None:
    for answer in (
        size_for_shares(0.1, 0.02, Aim()),
        power_for_shares(0.1, 0.02, 100, Aim()),
        effect_for_shares(0.1, 100, Aim()),
    ):
        assert "Fleiss" in answer.formula
    assert "two means" in size_for_means(1, 1, Aim()).formula
    assert "confidence sequence" in size_when_watched(1, 1, Aim()).formula


def test_days_are_whole_and_none_without_traffic() -> None:
    assert days_left(10_000, 9_000, 400) == 3
    assert days_left(10_000, 12_000, 0) == 0
    assert days_left(10_000, 9_000, 0) is None


def test_what_plans_no_test_is_refused() -> None:
    with pytest.raises(ValueError, match="two different shares"):
        size_for_shares(0.95, 0.1, Aim())
    with pytest.raises(ValueError, match="no number of units"):
        size_for_means(1, 0, Aim())
    with pytest.raises(ValueError, match="not variances"):
        size_when_watched(0, 1, Aim())
    with pytest.raises(ValueError, match="plan no test"):
        Aim(power=1)
