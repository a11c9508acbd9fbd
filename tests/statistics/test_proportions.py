"""Shares and their differences as published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics.proportions import newcombe, wilson


def test_wilson_is_newcombes_table() -> None:
    # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998),
    # table I, method 3: 81/263, 15/148, 0/20, 1/29
    for hits, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(hits, n)
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_newcombe_is_his_own_table() -> None:
    # R. G. Newcombe, "Interval estimation for the difference …", Statistics in Medicine 17 (1998), table II, method 10:
    # 56/70 − 48/80, 9/10 − 3/10, 10/10 − 0/20
    for one, two, low, high in (
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ):
        found = newcombe(*one, *two)
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_what_is_no_share_is_refused() -> None:
    for hits, n in ((0, 0), (3, 2), (-1, 4)):
        with pytest.raises(ValueError, match="no share"):
            wilson(hits, n)


@given(st.integers(1, 500), st.data())
def test_an_interval_holds_its_share_and_stays_one(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    found = wilson(hits, n)
    assert 0 <= found.low <= found.value <= found.high <= 1
    mirrored = wilson(n - hits, n)
    assert (mirrored.low, mirrored.high) == (pytest.approx(1 - found.high), pytest.approx(1 - found.low))
