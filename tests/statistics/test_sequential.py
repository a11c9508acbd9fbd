"""Confidence sequences: their formulas against each other and brute force, and A/A tests that are watched."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.statistics.means import Contrast, apart, at_one_look, difference, moments
from core.statistics.proportions import Estimate
from core.statistics.sequential import (
    START,
    Plan,
    Side,
    always_valid_p,
    always_valid_p_side,
    both_sides,
    careful,
    clipped,
    mean_difference,
    one_side,
    share,
    share_difference,
    tuned,
    watched,
    watched_relative,
    watched_side,
)
from tests.bench.aa import any_look, arms, chance, heavy

PLANS = st.builds(Plan, st.integers(100, 100_000), st.floats(0.8, 0.999))
FOUND = st.builds(Contrast, st.floats(-1, 1), st.floats(1e-4, 1), st.integers(2 * START, 10**6), st.just(START))


@given(st.integers(10, 10**6), st.floats(0.001, 0.3))
def test_the_sequence_is_narrowest_at_its_planned_size(n: int, alpha: float) -> None:
    best = both_sides(n, tuned(n, alpha), alpha)
    for other in (n * 0.7, n * 0.9, n * 1.1, n * 1.4):
        rho_squared = tuned(n, alpha) * n / other
        assert both_sides(n, rho_squared, alpha) >= best


@given(st.integers(1, 10**6), st.floats(0.001, 0.3))
def test_the_boundary_is_where_the_mixture_reaches_one_over_alpha(n: int, alpha: float) -> None:
    # oracle: the normal mixture of exp(λS − λ²n/2) over λ ~ N(0, ρ²), summed over a grid of λ
    rho = math.sqrt(tuned(1_000, alpha))
    total = both_sides(n, rho * rho, alpha) * math.sqrt(n)
    centre, spread = rho**2 * total / (n * rho**2 + 1), rho / math.sqrt(n * rho**2 + 1)
    grid = np.linspace(centre - 10 * spread, centre + 10 * spread, 4_001)
    logs = grid * total - grid**2 * n / 2 - grid**2 / (2 * rho**2) - math.log(rho * math.sqrt(2 * math.pi))
    mixture = float(np.trapezoid(np.exp(logs), grid))
    assert mixture == pytest.approx(1 / alpha, rel=1e-6)


@given(FOUND, PLANS)
def test_a_sequence_holds_the_interval_of_one_look(found: Contrast, plan: Plan) -> None:
    always, once = watched(found, plan), at_one_look(found, level=plan.level)
    assert always.low < once.low < once.high < always.high


@given(FOUND, PLANS)
def test_one_side_reaches_less_far_than_two(found: Contrast, plan: Plan) -> None:
    if not plan.n / 5 < found.n < 5 * plan.n:  # each is tuned for the planned size; far away they may cross
        found = Contrast(found.value, found.standard_error, 2 * START + plan.n, START)
    both = watched(found, plan)
    least, most = watched_side(found, plan, Side.AT_LEAST), watched_side(found, plan, Side.AT_MOST)
    assert both.low < least.low < found.value < most.high < both.high
    assert (least.high, most.low) == (math.inf, -math.inf)


@given(FOUND, PLANS)
def test_p_is_below_alpha_exactly_where_the_interval_excludes_the_claim(found: Contrast, plan: Plan) -> None:
    both = watched(found, plan)
    assert (always_valid_p(found, plan) < plan.alpha * (1 - 1e-9)) <= (not both.low <= 0 <= both.high)
    assert (not both.low <= 0 <= both.high) <= (always_valid_p(found, plan) < plan.alpha * (1 + 1e-9))
    for side in Side:
        one = watched_side(found, plan, side)
        p = always_valid_p_side(found, plan, side)
        assert (p < plan.alpha * (1 - 1e-9)) <= (not one.low <= 0 <= one.high)
        assert (not one.low <= 0 <= one.high) <= (p < plan.alpha * (1 + 1e-9))


@given(st.integers(START, 10**6), st.floats(0.001, 0.3))
def test_an_interval_shrinks_with_every_unit(n: int, alpha: float) -> None:
    rho_squared = tuned(5_000, alpha)
    for reach in (both_sides, one_side):
        assert reach(n + 1, rho_squared, alpha) / math.sqrt(n + 1) < reach(n, rho_squared, alpha) / math.sqrt(n)


def test_before_the_start_nothing_is_claimed() -> None:
    early = Contrast(0.9, 0.001, 10_000, START - 1)
    assert watched(early, Plan(10_000)).low == -math.inf
    assert always_valid_p(early, Plan(10_000)) == 1
    assert always_valid_p_side(early, Plan(10_000), Side.AT_LEAST) == 1
    begun = Contrast(0.9, 0.001, 10_000, START)
    assert watched(begun, Plan(10_000)).low > 0.8


def test_a_metric_that_never_varied_is_known_exactly() -> None:
    found = mean_difference(moments([2.0] * 60), moments([2.0] * 60))
    assert always_valid_p(found, Plan(100)) == 1
    assert always_valid_p(mean_difference(moments([3.0] * 60), moments([2.0] * 60)), Plan(100)) == 0


def test_a_share_of_nothing_hit_is_not_taken_for_impossible() -> None:
    found = watched(share(0, 200), Plan(1_000))
    assert found.high > 0.01
    assert clipped(found, 0, 1).low == 0


def test_a_small_arm_cannot_make_the_interval_narrower_than_both_arms_vary() -> None:
    calm, wild = moments([1.0, 1.1] * 30), moments([1.0, 5.0] * 300)
    careful, own = mean_difference(calm, wild), difference(calm, wild)
    assert careful.standard_error > 2 * own.standard_error
    assert careful.value == own.value


def test_where_arms_have_one_size_care_costs_nothing() -> None:
    calm, wild = moments([1.0, 1.1] * 300), moments([1.0, 5.0] * 300)
    assert mean_difference(calm, wild).standard_error == pytest.approx(difference(calm, wild).standard_error)


def one(value: float, error: float) -> Contrast:
    return Contrast(value, error, 500, 500)


def changed(arm: Contrast, control: Contrast, plan: Plan = Plan(1_000)) -> Estimate:
    return watched_relative((arm, control), (arm, control), plan)


@given(
    st.floats(0.01, 10), st.floats(0.001, 1), st.floats(0.01, 10), st.floats(0.001, 1), st.floats(0.001, 1), PLANS
)  # fmt: skip
def test_no_change_is_kept_exactly_where_no_difference_is(
    value: float, error: float, control: float, own: float, pooled: float, plan: Plan
) -> None:
    both = (one(value, error), one(control, own)), (one(value, pooled), one(control, pooled))
    absolute, relative = watched(careful(apart, *both), plan), watched_relative(*both, plan)
    if math.isinf(relative.low):
        assert reach(plan) * max(own, pooled) >= control
        return
    assume(min(abs(absolute.low), abs(absolute.high)) > 1e-9)
    assert (relative.low <= 0 <= relative.high) is (absolute.low <= 0 <= absolute.high)
    assert relative.low <= relative.value <= relative.high


def reach(plan: Plan) -> float:
    return both_sides(1_000, tuned(plan.n, plan.alpha), plan.alpha)


def test_a_change_is_kept_where_its_own_difference_is() -> None:
    # oracle: the sequence of arm − (1 + c) · control for a grid of c
    arm, control, plan = one(5.0, 0.3), one(4.0, 0.4), Plan(1_000)
    grid = np.linspace(-0.9, 3, 40_001)
    kept = [c for c in grid if abs(5.0 - (1 + c) * 4.0) <= reach(plan) * math.hypot(0.3, (1 + c) * 0.4)]
    found = changed(arm, control, plan)
    assert (found.value, found.low, found.high) == pytest.approx((0.25, kept[0], kept[-1]), abs=2e-4)
    assert found.high - found.value > 1.5 * (found.value - found.low)  # not symmetric


def test_a_control_that_may_be_nothing_has_no_change_that_is_excluded() -> None:
    for control in (one(0.2, 0.1), one(0.0, 0.0), one(1.0, math.inf)):
        assert (changed(one(1.0, 0.1), control).low, changed(one(1.0, 0.1), control).high) == (-math.inf, math.inf)
    early = Contrast(1.0, 0.001, 500, START - 1)
    assert changed(early, early).high == math.inf


def test_of_a_negative_control_less_negative_is_up() -> None:
    up, mirrored = changed(one(-1.0, 0.05), one(-2.0, 0.05)), changed(one(1.0, 0.05), one(2.0, 0.05))
    assert (up.value, up.low, up.high) == (0.5, -mirrored.high, -mirrored.low)
    assert up.low > 0


@pytest.mark.parametrize(("truth", "chance_of_control"), [(0.0, 0.1), (0.5, 0.1), (-0.6, 0.3), (1.0, 0.05)])
def test_a_change_that_is_there_is_held_at_every_look(truth: float, chance_of_control: float) -> None:
    dice, plan, missed, runs = np.random.default_rng(54), Plan(2_000), 0, 400
    looks = range(60, 1_001, 20)
    for _ in range(runs):
        hits = np.cumsum(dice.random(1_000) < chance_of_control * (1 + truth))
        of_control = np.cumsum(dice.random(1_000) < chance_of_control)
        missed += any(
            not found.low <= truth <= found.high
            for n in looks
            for own in ((share(int(hits[n - 1]), n), share(int(of_control[n - 1]), n)),)
            for found in (watched_relative(own, own, plan),)
        )
    assert missed <= 0.05 * runs


def test_a_plan_of_nothing_is_refused() -> None:
    for n, level, start in ((0, 0.95, 50), (100, 1.0, 50), (100, 0.95, 1)):
        with pytest.raises(ValueError, match=r"no level|is none"):
            Plan(n, level, start)


def test_the_benchs_looks_at_once_are_ours_one_by_one() -> None:
    for draw, shares in ((chance(0.1), True), (heavy, False)):
        size, _, error, fewest = arms(draw, 0.3, 400, np.random.default_rng(5), shares=shares)
        generator = np.random.default_rng(5)
        values = draw(generator, 400)
        mine = generator.random(400) < 0.3
        for look in (150, 399):
            one, two = values[: look + 1][mine[: look + 1]], values[: look + 1][~mine[: look + 1]]
            if shares:
                found = share_difference(int(one.sum()), len(one), int(two.sum()), len(two))
            else:
                found = mean_difference(moments(one), moments(two))
            assert abs(found.value) == pytest.approx(size[look])
            assert found.standard_error == pytest.approx(error[look])
            assert found.fewest == fewest[look]


@pytest.mark.parametrize("small", [0.5, 0.1])
@pytest.mark.parametrize(
    ("draw", "shares"), [(chance(0.01), True), (chance(0.1), True), (chance(0.5), True), (heavy, False)]
)
def test_of_watched_tests_of_nothing_at_most_one_in_twenty_finds_something(draw, shares, small) -> None:
    found = any_look(draw, small=small, n=2_000, runs=300, seed=11, shares=shares)
    assert found.ours <= 0.05 * found.runs
    assert found.naive > 0.15 * found.runs


def test_what_is_there_is_found() -> None:
    plan = Plan(4_000)
    assert watched(share_difference(1_200, 2_000, 1_000, 2_000), plan).low > 0
    assert always_valid_p(share_difference(1_200, 2_000, 1_000, 2_000), plan) < 0.001
    # not worse by more than 5 points: 40 more failures in 2,000 would be 2 points
    assert watched_side(share_difference(140, 2_000, 100, 2_000), plan, Side.AT_MOST).high < 0.05
