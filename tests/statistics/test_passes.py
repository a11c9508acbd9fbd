"""Passes and failures of two runs, as published."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.statistics.paired import pair
from core.statistics.passes import Passes, mcnemar, newcombe_paired

AIRWAY = Passes(both=1, only_one=1, only_other=7, neither=12)
RESPONSE = Passes(both=59, only_one=6, only_other=16, neither=80)


def test_mcnemar_is_fagerlands_examples() -> None:
    # M. W. Fagerland, S. Lydersen, P. Laake (2013), table 1, airway hyper-responsiveness: exact 0.0703, mid-p 0.0391
    found = mcnemar(AIRWAY)
    assert (found.exact, found.mid) == (pytest.approx(0.0703, abs=5e-5), pytest.approx(0.0391, abs=5e-5))
    # complete response before and after therapy (Cavo et al. 2012), as R's contingencytables prints it for chapter 8 of
    # their "Statistical Analysis of Contingency Tables" (2017): exact 0.052479, mid-p 0.034690
    found = mcnemar(RESPONSE)
    assert (found.exact, found.mid) == (pytest.approx(0.052479, abs=5e-7), pytest.approx(0.034690, abs=5e-7))


def test_newcombes_interval_is_that_of_the_same_table() -> None:
    # the same source, Newcombe square-and-add: −0.0621 (−0.1186 to −0.0046), first minus second
    found = newcombe_paired(RESPONSE)
    assert found is not None
    printed = (pytest.approx(0.0621, abs=5e-5), pytest.approx(0.0046, abs=5e-5), pytest.approx(0.1186, abs=5e-5))
    assert (found.value, found.low, found.high) == printed


def test_as_many_one_way_as_the_other_halve_the_middle() -> None:
    assert mcnemar(Passes(0, 1, 1, 0)).mid == pytest.approx(0.75)  # 1 − ½ · C(2, 1) / 2²


def test_runs_that_never_disagree_are_not_told_apart() -> None:
    found = mcnemar(Passes(5, 0, 0, 3))
    assert (found.exact, found.mid) == (1.0, 1.0)
    interval = newcombe_paired(Passes(8, 0, 0, 0))
    assert interval is not None
    assert interval.low < interval.value == 0 < interval.high
    assert newcombe_paired(Passes(0, 0, 0, 0)) is None


@given(st.integers(0, 60), st.integers(0, 60))
def test_an_exact_p_is_scipys_binomial_test(one: int, other: int) -> None:
    expected = stats.binomtest(one, one + other).pvalue if one + other else 1.0
    found = mcnemar(Passes(3, one, other, 3))
    assert found.exact == pytest.approx(expected)
    assert found.mid <= found.exact
    assert found == mcnemar(Passes(3, other, one, 3))


def test_thousands_of_disagreements_are_counted_exactly() -> None:
    assert mcnemar(Passes(0, 4000, 4200, 0)).exact == pytest.approx(stats.binomtest(4000, 8200).pvalue)


def test_counts_are_taken_from_scores() -> None:
    paired = pair([1, 1, 0, 0, 1, None], [1, 0, 1, 0, 1, 1])
    assert Passes.of(paired) == Passes(both=2, only_one=1, only_other=1, neither=1)
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        Passes.of(pair([0.5], [1]))
    with pytest.raises(ValueError, match="belong together"):
        Passes.of(pair([0, 1], [1, 1], ["a", "a"]))


@given(*[st.integers(0, 40)] * 4)
def test_turning_the_runs_round_turns_the_interval_round(both: int, one: int, other: int, neither: int) -> None:
    there, back = newcombe_paired(Passes(both, one, other, neither)), newcombe_paired(Passes(both, other, one, neither))
    if there and back:
        assert (there.low, there.high) == (pytest.approx(-back.high), pytest.approx(-back.low))
        assert -1 <= there.low <= there.value <= there.high <= 1


def test_an_interval_of_ninety_five_percent_holds_the_truth_as_often() -> None:
    # by complete enumeration of the tables of 20 items, pass rates 0.5 and 0.7
    cells, n = (0.4, 0.1, 0.3, 0.2), 20
    held = 0.0
    for both, one, other in product(range(n + 1), repeat=3):
        if (neither := n - both - one - other) >= 0:
            found = newcombe_paired(Passes(both, one, other, neither))
            assert found is not None
            if found.low <= 0.2 <= found.high:
                held += float(stats.multinomial.pmf([both, one, other, neither], n, np.array(cells)))
    assert 0.93 <= held <= 0.99
