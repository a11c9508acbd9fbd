"""The sentence never says more than the intervals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics.compared import Compared, verdict
from core.statistics.paired import Difference


def found(value: float, low: float | None, high: float | None, n: int = 50, clusters: int | None = None) -> Difference:
    return Difference(value, None if low is None else 0.1, low, high, None if low is None else 0.01, n, clusters or n)


HELPFULNESS = Compared(scorer="helpfulness", difference=found(0.12, 0.03, 0.21), adjusted_p=0.02)
EXACT = Compared(scorer="exact", difference=found(0.01, -0.05, 0.07), adjusted_p=0.7)


def test_what_is_better_what_is_not_seen_and_what_was_left_out_is_one_sentence() -> None:
    assert verdict([HELPFULNESS, EXACT], failed_one=2) == (
        "B is better on helpfulness: +0.12 (95 % +0.03 to +0.21, 50 items, adjusted p 0.02); "
        "no difference seen on exact; 2 items failed in A and were left out."
    )


def test_the_first_run_may_be_the_better() -> None:
    worse = Compared(scorer="tone", difference=found(-0.2, -0.3, -0.1, 20, 5))
    assert verdict([worse], failed_other=1, one="old", other="new") == (
        "old is better on tone: −0.20 (95 % −0.30 to −0.10, 20 items in 5 clusters); "
        "1 item failed in new and was left out."
    )


def test_where_less_is_better_the_sign_says_so() -> None:
    seconds = Compared(scorer="seconds", difference=found(1.5, 0.5, 2.5), higher_is_better=False)
    assert verdict([seconds]).startswith("A is better on seconds: +1.50")


def test_a_difference_that_the_number_of_scorers_explains_is_not_claimed() -> None:
    chance = Compared(scorer="tone", difference=found(0.12, 0.01, 0.23), adjusted_p=0.12)
    assert verdict([chance]) == (
        "tone +0.12 (95 % +0.01 to +0.23, 50 items, adjusted p 0.12) "
        "is not clear once the number of scorers is allowed for."
    )


def test_equal_scores_are_not_called_a_difference_not_seen() -> None:
    assert verdict([Compared(scorer="exact", difference=found(0.0, None, None))]) == (
        "The same scores throughout on exact."
    )


def test_what_does_not_vary_is_no_proof() -> None:
    assert verdict([Compared(scorer="exact", difference=found(1.0, None, None, 3))]) == (
        "exact changed by +1.00 on 3 items, which do not vary enough to say how sure that is."
    )


def alike(value: float, n: int, *, adjusted: float | None = None, higher: bool = True) -> str:
    gap = Difference(value, None, None, None, 2.0 ** (1 - n), n, n)
    return verdict([Compared(scorer="kinder", difference=gap, adjusted_p=adjusted, higher_is_better=higher)])


def test_what_goes_the_same_way_every_time_is_better_by_the_sign_test() -> None:
    assert alike(1.0, 31) == "B is better on kinder: +1.00 on every one of 31 items (p below 0.001 by the sign test)."
    assert alike(1.0, 31, higher=False).startswith("A is better on kinder: +1.00 on every one of 31 items")
    assert alike(-1.0, 31, adjusted=0.02) == (
        "A is better on kinder: −1.00 on every one of 31 items (adjusted p 0.02 by the sign test)."
    )


def test_what_goes_the_same_way_a_few_times_is_not_called_better() -> None:
    assert alike(1.0, 3) == "kinder +1.00 on every one of 3 items (p 0.25 by the sign test), too few to be sure."
    assert alike(1.0, 6, adjusted=0.2) == (
        "kinder +1.00 on every one of 6 items (adjusted p 0.20 by the sign test) "
        "is not clear once the number of scorers is allowed for."
    )


def many(first: Compared, *others: Compared, same: int = 11) -> str:
    return verdict([first, *others, *(Compared(scorer=f"s{n}", difference=EXACT.difference) for n in range(same))])


def test_of_many_scorers_those_that_differ_are_named_and_the_others_counted() -> None:
    cost = Compared(scorer="cost (USD)", difference=found(0.001, 0.0005, 0.0015), higher_is_better=False)
    chance = Compared(scorer="tone", difference=found(0.12, 0.01, 0.23), adjusted_p=0.12)
    assert many(HELPFULNESS, cost, chance) == (
        "B is better on helpfulness +0.12; A is better on cost (USD) +0.001; 1 other is not clear; "
        "11 others show no difference."
    )
    assert many(EXACT, HELPFULNESS, Compared(scorer="gone", difference=None), same=2) == (
        "B is better on helpfulness +0.12; no difference seen on exact; 2 others show no difference; "
        "1 other scored no item in both."
    )


def test_nothing_compared_is_a_sentence() -> None:
    assert verdict([]) == "No scorer was compared."
    assert verdict([Compared(scorer="exact", difference=None)]) == "No item was scored in both on exact."


def test_a_limit_beside_zero_is_not_printed_as_zero() -> None:
    near = Compared(scorer="tone", difference=found(0.01, 0.0004, 0.0196), adjusted_p=0.0499)
    assert verdict([near]) == "B is better on tone: +0.0100 (95 % +0.0004 to +0.0196, 50 items, adjusted p 0.050)."


def test_a_tiny_p_is_below_a_thousandth() -> None:
    assert "adjusted p below 0.001" in verdict(
        [Compared(scorer="tone", difference=found(0.3, 0.2, 0.4), adjusted_p=1e-9)]
    )


LIMITS = st.tuples(st.floats(-1, 1), st.floats(-1, 1)).map(sorted)


@given(LIMITS, st.one_of(st.none(), st.floats(0, 1)))
def test_better_is_said_only_where_interval_and_p_agree(limits: list[float], p: float | None) -> None:
    low, high = limits
    said = verdict([Compared(scorer="tone", difference=found((low + high) / 2, low, high), adjusted_p=p)])
    assert ("is better" in said) == (not low <= 0 <= high and (p is None or p < 1 - 0.95))


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_the_level_is_named(level: float) -> None:
    assert f"({100 * level:g} % " in verdict([Compared(scorer="tone", difference=found(0.3, 0.2, 0.4))], level=level)
