"""Adjusted p values as published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics.several import benjamini_hochberg, holm

VALUES = st.lists(st.floats(0, 1), max_size=20)
# Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995), §3.2
THROMBOLYSIS = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
]


def test_holm_is_wikipedias_example() -> None:
    # Wikipedia, "Holm–Bonferroni method": of 0.01, 0.04, 0.03, 0.005 at 0.05 the first and the last are rejected
    found = holm([0.01, 0.04, 0.03, 0.005])
    assert [value <= 0.05 for value in found] == [True, False, False, True]
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_and_hochbergs_own_example_rejects_four_and_holm_three() -> None:
    assert sum(value <= 0.05 for value in benjamini_hochberg(THROMBOLYSIS)) == 4
    assert sum(value <= 0.05 for value in holm(THROMBOLYSIS)) == 3


def test_adjusted_values_are_statsmodels() -> None:
    # statsmodels 0.14, multipletests(method="fdr_bh" and "holm"): an independent oracle
    found = benjamini_hochberg(THROMBOLYSIS)
    assert found[:6] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.06385714285714286])
    assert found[6:10] == pytest.approx([0.06385714285714286, 0.0645, 0.0765, 0.486])
    assert holm(THROMBOLYSIS)[:5] == pytest.approx([0.0015, 0.0056, 0.0247, 0.114, 0.2211])


@given(VALUES)
def test_adjusting_keeps_the_order_and_never_makes_a_claim_easier(values: list[float]) -> None:
    for adjusted, strict in ((benjamini_hochberg(values), False), (holm(values), True)):
        assert all(before <= after <= 1 for before, after in zip(values, adjusted, strict=True))
        pairs = sorted(zip(values, adjusted, strict=True))
        assert [after for _, after in pairs] == sorted(adjusted)
        if strict:
            others = benjamini_hochberg(values)
            assert all(one >= other - 1e-12 for one, other in zip(adjusted, others, strict=True))


def test_what_is_no_p_value_is_refused() -> None:
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(ValueError, match="not all p values"):
            adjust([0.2, 1.2])
