"""Guardrails against their margins."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics.margins import Margin, Standing, Worse, standing
from core.statistics.proportions import Estimate

NUMBERS = st.floats(-10, 10)


def between(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 100)


def test_an_interval_inside_holds_beyond_breaks_and_across_is_not_yet_known() -> None:
    margin = Margin(2, Worse.HIGHER)
    assert standing(between(-1, 1), margin) is Standing.HELD
    assert standing(between(1, 2), margin) is Standing.HELD
    assert standing(between(2.1, 3), margin) is Standing.BROKEN
    assert standing(between(1, 3), margin) is Standing.UNKNOWN
    assert standing(between(2, 3), margin) is Standing.UNKNOWN


def test_worse_but_within_the_margin_is_held() -> None:
    assert standing(between(-1.9, -0.5), Margin(2, Worse.LOWER)) is Standing.HELD
    assert standing(between(-1.9, -0.5), Margin(0, Worse.LOWER)) is Standing.BROKEN


def test_one_limit_is_enough_to_hold_and_none_is_never() -> None:
    margin = Margin(2, Worse.HIGHER)
    assert standing(Estimate(0, -math.inf, 1, 100), margin) is Standing.HELD
    assert standing(Estimate(0, -math.inf, math.inf, 0), margin) is Standing.UNKNOWN


@given(NUMBERS, NUMBERS, st.floats(0, 10))
def test_directions_mirror_each_other(one: float, two: float, limit: float) -> None:
    low, high = min(one, two), max(one, two)
    assert standing(between(low, high), Margin(limit, Worse.HIGHER)) is standing(
        between(-high, -low), Margin(limit, Worse.LOWER)
    )


def test_a_margin_below_zero_is_refused() -> None:
    for limit in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match="accepts nothing"):
            Margin(limit, Worse.HIGHER)
