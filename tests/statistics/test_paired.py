"""Two runs over the same items."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.statistics.bootstrap import bootstrap
from core.statistics.paired import Difference, changes, difference, needed, pair

GAPS = [0.2, -0.1, 0.4, 0.3, 0.0, 0.5, -0.2, 0.1, 0.6, 0.2]
CLUSTERS = [0, 0, 0, 1, 1, 2, 3, 3, 4, 5]
ZERO = [0.0] * 10


def test_a_missing_score_is_no_zero() -> None:
    paired = pair([0.5, None, 0.5, None, 0.5], [1.0, 1.0, math.nan, None, 0.0])
    assert paired.at == (0, 4)
    assert (paired.missing_one, paired.missing_other, paired.missing_both, paired.left_out) == (1, 1, 1, 3)
    found = difference(paired)
    assert found is not None
    assert (found.value, found.n) == (pytest.approx(0.0), 2)


def test_independent_items_have_the_paired_t_interval() -> None:
    # oracle: scipy.stats.ttest_rel
    one = [0.1, 0.5, 0.2, 0.6, 0.3, 0.3, 0.9, 0.4, 0.2, 0.7]
    other = [a + gap for a, gap in zip(one, GAPS, strict=True)]
    found, expected = difference(pair(one, other)), stats.ttest_rel(other, one)
    limits = expected.confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(limits.low), pytest.approx(limits.high))
    assert found.p == pytest.approx(expected.pvalue)


def test_students_own_example_of_ten_patients() -> None:
    # "Student" (1908), additional hours of sleep by two drugs; R's `sleep`: t = 4.0621, p = 0.002833, 0.7001 to 2.4599
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = difference(pair(first, second))
    assert found is not None
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    assert (found.low, found.high) == (pytest.approx(0.7001, abs=1e-4), pytest.approx(2.4599, abs=1e-4))


def test_scores_that_belong_together_have_the_clustered_interval() -> None:
    # oracle: statsmodels 0.15, OLS on a constant, cov_type="cluster", use_t=True
    found = difference(pair(ZERO, GAPS, CLUSTERS))
    assert found is not None
    assert (found.value, found.se) == (pytest.approx(0.2), pytest.approx(0.07899367063252596))
    assert (found.low, found.high) == (pytest.approx(-0.00305969, abs=5e-9), pytest.approx(0.40305969, abs=5e-9))
    assert found.p == pytest.approx(0.052411742391640655)
    assert (found.n, found.clusters) == (10, 6)


def test_repeating_every_item_makes_nobody_surer() -> None:
    once = difference(pair(ZERO, GAPS))
    thrice = difference(pair(ZERO * 3, GAPS * 3, [*range(10)] * 3))
    assert once is not None
    assert thrice is not None
    assert (thrice.low, thrice.high) == (pytest.approx(once.low), pytest.approx(once.high))


def test_where_nothing_varies_no_interval_is_claimed() -> None:
    for one, other, clusters, p in (
        ([0.1, 0.2, 0.3], [0.2, 0.3, 0.4], None, 0.25),
        ([1.0, 1.0], [1.0, 1.0], None, None),
        ([0.0], [1.0], None, None),
        ([0.0, 0.0, 0.0], [1.0, 0.0, 0.5], ["a", "a", "a"], None),
        ([0.0, 0.0, 0.0, 0.0], [1.0, 0.5, 1.0, 0.5], ["a", "a", "b", "b"], None),
    ):
        found = difference(pair(one, other, clusters))
        assert found is not None
        assert (found.se, found.low, found.high, found.p, found.is_seen) == (None, None, None, p, False)
        assert bootstrap(pair(one, other, clusters), seed=1) is None


@pytest.mark.parametrize("count", range(2, 12))
def test_where_all_differ_alike_p_is_the_sign_tests_by_going_through_all_signs(count: int) -> None:
    as_far = sum(abs(sum(signs)) >= count for signs in product((-1, 1), repeat=count))
    for value in (1.0, -0.25):
        found = difference(pair([0.0] * count, [value] * count))
        assert found is not None
        assert found.p == as_far / 2**count
    often = difference(pair([0.0] * 3 * count, [1.0] * 3 * count, [*range(count)] * 3))
    assert often is not None
    assert often.p == as_far / 2**count


def test_six_alike_settle_it_at_five_percent_and_five_do_not() -> None:
    # Dixon and Mood (1946): at 5 % none of 6 may go the other way, and of 5 nothing is significant; at 1 % 8 and 7
    for count, level, more in ((5, 0.95, None), (6, 0.95, 0), (7, 0.99, None), (8, 0.99, 0)):
        assert needed(difference(pair([0.0] * count, [1.0] * count)), level=level).more == more


def test_one_side_preferred_in_all_of_thirty_one_comparisons_is_decided() -> None:
    # oracle: scipy.stats.binomtest
    found = difference(pair([0.0] * 31, [1.0] * 31))
    assert found is not None
    assert found.p == pytest.approx(stats.binomtest(31, 31).pvalue)


def test_nothing_in_common_is_no_difference() -> None:
    nothing = pair([None, 1.0], [1.0, None])
    assert difference(nothing) is None
    assert bootstrap(nothing, seed=1) is None
    assert difference(pair([], [])) is None


def test_what_is_not_one_entry_per_item_is_refused() -> None:
    for one, other, clusters in (([1.0], [], None), ([1.0], [1.0], [])):
        with pytest.raises(ValueError, match="one entry per item"):
            pair(one, other, clusters)
    with pytest.raises(ValueError, match="infinite"):
        pair([math.inf], [1.0])


def test_items_are_listed_by_what_became_of_them() -> None:
    found = changes([0.5, 0.5, 0.5, None, 0.5], [0.9, 0.1, 0.55, 1.0, 0.5], tolerance=0.1)
    assert (found.better, found.worse, found.same, found.left_out) == ((0,), (1,), (2, 4), (3,))
    assert changes([0.5], [0.55]).better == (0,)


def test_an_interval_around_zero_says_how_many_more_items_would_settle_it() -> None:
    # 10 items, mean 0.1, standard deviation 0.4: (1.959964 + 0.841621)² · 0.4² / 0.1² = 125.6 items in all
    found = Difference(0.1, 0.4 / math.sqrt(10), -0.19, 0.39, 0.45, 10, 10)
    assert needed(found).more == 116
    assert needed(found).sentence == "About 116 more examples would settle a difference this large, if it is real."


def test_what_is_settled_never_or_unknown_is_said() -> None:
    assert needed(None).more is None
    assert needed(Difference(0.2, 0.05, 0.1, 0.3, 0.001, 50, 50)).more == 0
    assert needed(Difference(0.0, 0.05, -0.1, 0.1, 1.0, 50, 50)).sentence == (
        "The two are equal on average: no number of examples like these would set them apart."
    )
    assert needed(Difference(0.0, None, None, None, None, 5, 5)).more is None
    assert needed(Difference(1.0, None, None, None, None, 5, 1)).more is None


def test_a_bootstrap_interval_is_scipys_but_for_chance() -> None:
    # oracle: scipy.stats.bootstrap, method="BCa", of skewed differences; both with many draws
    gaps = np.random.default_rng(2).exponential(1.0, 40)
    found = bootstrap(pair([0.0] * 40, list(gaps)), seed=3, draws=40_000)
    limits = stats.bootstrap((gaps,), np.mean, n_resamples=40_000, rng=4, method="BCa").confidence_interval
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(limits.low, abs=0.01), pytest.approx(limits.high, abs=0.01))


def test_a_bootstrap_interval_depends_on_its_seed_alone() -> None:
    paired = pair(ZERO, GAPS, CLUSTERS)
    assert bootstrap(paired, seed=1) == bootstrap(paired, seed=1)
    assert bootstrap(paired, seed=1) != bootstrap(paired, seed=2)


SCORES = st.lists(st.tuples(st.one_of(st.none(), st.floats(0, 1)), st.one_of(st.none(), st.floats(0, 1))), max_size=30)


@given(SCORES)
def test_turning_the_runs_round_turns_the_difference_round(scores: list[tuple[float | None, float | None]]) -> None:
    one, other = [a for a, _ in scores], [b for _, b in scores]
    there, back = difference(pair(one, other)), difference(pair(other, one))
    assert (there is None) == (back is None)
    if there and back:
        assert there.value == pytest.approx(-back.value)
        assert (there.low is None) == (back.low is None)
        if there.low is not None and back.high is not None:
            assert there.low == pytest.approx(-back.high)


def simulated(dice: np.random.Generator, groups: int, size: int) -> tuple[list[float], list[int]]:
    """Differences around 0.3 whose clusters shift together."""
    shift = np.repeat(dice.normal(0, 0.5, groups), size)
    return list(0.3 + shift + dice.normal(0, 0.5, groups * size)), [n // size for n in range(groups * size)]


def test_an_interval_of_ninety_five_percent_holds_the_truth_as_often_and_without_clusters_it_would_not() -> None:
    dice = np.random.default_rng(21)
    held = dict.fromkeys(("clustered", "bootstrap", "naive"), 0)
    for seed in range(400):
        gaps, clusters = simulated(dice, 25, 4)
        zero = [0.0] * len(gaps)
        found, drawn = (
            difference(pair(zero, gaps, clusters)),
            bootstrap(pair(zero, gaps, clusters), seed=seed, draws=600),
        )
        naive = difference(pair(zero, gaps))
        for name, one in (("clustered", found), ("bootstrap", drawn), ("naive", naive)):
            assert one is not None
            assert one.low is not None
            assert one.high is not None
            held[name] += one.low <= 0.3 <= one.high
    assert 0.92 <= held["clustered"] / 400 <= 0.98
    assert 0.89 <= held["bootstrap"] / 400 <= 0.98
    assert held["naive"] / 400 < 0.85
