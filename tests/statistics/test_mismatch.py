"""Splits of the traffic: a published mismatch, arms without traffic, and a watcher that is not fooled."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics.mismatch import CONCENTRATIONS, final_split, watched_split


def test_pearson_is_kohavis_example() -> None:
    # R. Kohavi, D. Tang, Y. Xu, "Trustworthy Online Controlled Experiments" (2020), chapter 3: 821,588 users in the
    # control and 815,482 in the treatment, p = 1.8E-6
    assert final_split((821_588, 815_482), (1, 1)).p == pytest.approx(1.8e-6, abs=5e-8)


def test_arms_without_weight_are_no_degrees_of_freedom() -> None:
    two = final_split((5_100, 4_900), (0.5, 0.5))
    assert final_split((5_100, 0, 4_900), (0.5, 0.0, 0.5)).p == two.p
    assert watched_split((5_100, 0, 4_900), (0.5, 0.0, 0.5)).p == watched_split((5_100, 4_900), (1, 1)).p
    # scipy 1.17, chisquare([5100, 4900]): an independent oracle
    assert two.p == pytest.approx(0.04550026389635857)


def test_one_unit_in_an_arm_without_weight_is_a_mismatch() -> None:
    for split in (final_split, watched_split):
        found = split((5_000, 1, 5_000), (0.5, 0.0, 0.5))
        assert found.p == 0
        assert found.is_off()
        assert found.expected == (5_000.5, 0, 5_000.5)


def test_the_only_arm_cannot_be_off() -> None:
    assert final_split((70, 0), (1, 0)).p == 1
    assert watched_split((70, 0), (1, 0)).p == 1


def test_before_anything_came_nothing_is_off() -> None:
    assert watched_split((0, 0), (1, 1)).p == 1


@given(st.lists(st.integers(0, 1), min_size=1, max_size=40))
def test_the_bayes_factor_is_that_of_the_units_one_by_one(units: list[int]) -> None:
    # oracle: the product of predictive chances over the chances under the weights, unit by unit
    weights, total = (0.3, 0.7), 0.0
    for concentration in CONCENTRATIONS:
        counts, factor = [0, 0], 1.0
        for unit in units:
            predicted = (concentration * weights[unit] + counts[unit]) / (concentration + sum(counts))
            factor *= predicted / weights[unit]
            counts[unit] += 1
        total += factor / len(CONCENTRATIONS)
    found = watched_split((units.count(0), units.count(1)), weights)
    assert found.p == pytest.approx(min(1.0, 1 / total))


def test_a_broken_split_is_seen_within_hundreds_and_a_small_shift_in_the_end() -> None:
    assert watched_split((60, 0), (1, 1)).is_off()
    assert watched_split((360, 240), (1, 1)).is_off()
    assert not watched_split((5_100, 4_900), (1, 1)).is_off()
    assert watched_split((51_000, 49_000), (1, 1)).is_off()


def test_a_right_split_that_is_watched_is_called_off_less_often_than_promised() -> None:
    # oracle: 1,000 rows of 300 units, 90/10, a look after each; Pearson's beside it
    generator = np.random.default_rng(9)
    weights = (0.9, 0.1)
    smallest = [[watched_split((n - few, few), weights).p for few in range(n + 1)] for n in range(301)]
    watched = naive = 0
    for _ in range(1_000):
        few = np.cumsum(generator.random(300) < 0.1)
        watched += any(smallest[n + 1][count] < 0.05 for n, count in enumerate(few.tolist()))
        sizes = np.arange(1, 301)
        naive += bool((np.abs(few - 0.1 * sizes)[50:] > 1.96 * np.sqrt(0.09 * sizes)[50:]).any())
    assert watched <= 50
    assert naive > 150


def test_counts_and_weights_that_do_not_belong_together_are_refused() -> None:
    for counts, weights in (((1, 2), (1,)), ((1, 2), (0, 0)), ((1, -2), (1, 1)), ((1, 2), (1, -1)), ((), ())):
        with pytest.raises(ValueError, match="of no test"):
            watched_split(counts, weights)
    assert math.isclose(sum(final_split((3, 4, 5), (1, 2, 3)).expected), 12)
