"""The design effect: the delta method's variance where everything was seen, and the most there can be where not."""

from __future__ import annotations

import numpy as np
import pytest

from core.statistics import means
from core.statistics.clusters import design_effect
from core.statistics.means import Joint, Moments


def units(hits: list[float], calls: list[float]) -> Joint:
    return means.joint(hits, calls)


def drawn(seed: int, *, alike: float, n: int = 400) -> Joint:
    """Units of 1 to 19 calls, each unit with a chance of its own."""
    dice = np.random.default_rng(seed)
    calls = dice.integers(1, 20, n)
    chance = dice.beta(0.2 / alike, 0.8 / alike, n) if alike else np.full(n, 0.2)
    return units(dice.binomial(calls, chance).tolist(), calls.tolist())


def test_it_is_what_the_delta_method_says_over_independent_calls() -> None:
    for seed in range(5):
        seen = drawn(seed, alike=0.5)
        ratio, calls = means.ratio(seen), seen.n * seen.second.mean
        plain = ratio.value * (1 - ratio.value) / calls
        assert design_effect(seen, seen.second) == pytest.approx(ratio.standard_error**2 / plain, rel=0.02)


def test_calls_that_are_all_of_one_kind_per_unit_are_worth_as_many_units() -> None:
    seen = units([10.0] * 20 + [0.0] * 380, [10.0] * 400)
    assert design_effect(seen, seen.second) == pytest.approx(10, rel=0.01)


def test_independent_calls_are_worth_what_they_are() -> None:
    found = [design_effect(one, one.second) for one in (drawn(seed, alike=0) for seed in range(20))]
    assert max(found) < 1.3
    assert min(found) == 1


def test_one_call_each_is_no_cluster_whatever_was_seen() -> None:
    assert design_effect(Joint(), means.moments([1.0] * 50)) == 1
    assert design_effect(Joint(), Moments()) == 1


def test_where_no_pair_was_seen_calls_of_a_unit_are_taken_for_one() -> None:
    sizes = means.moments([5.0] * 50)
    for seen in (Joint(), units([1.0] + [0.0] * 30, [1.0] * 31), units([0.0] * 30, [2.0] * 30)):
        assert design_effect(seen, sizes) == 5


def test_from_a_part_of_the_calls_it_is_nearly_that_of_all() -> None:
    """A window sees fewer calls of each unit: what is alike in them is the same, how many there are is known."""
    dice = np.random.default_rng(9)
    chance = dice.beta(0.3, 1.2, 600)
    whole = dice.binomial(20, chance)
    part = dice.hypergeometric(whole, 20 - whole, 4)
    all_ = design_effect(units(whole.tolist(), [20.0] * 600), means.moments([20.0] * 600))
    some = design_effect(units(part.tolist(), [4.0] * 600), means.moments([20.0] * 600))
    assert all_ > 6
    assert some == pytest.approx(all_, rel=0.15)
