"""Numbers as people write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evals import amounts


@pytest.mark.parametrize(
    ("text", "options", "wanted"),
    [
        ("#### 72", {}, "72"),
        ("It costs $1,234.50.", {}, "1234.50"),
        ("−3 °C", {}, "-3"),
        ("-$5", {}, "-5"),
        ("3-5", {}, "5"),
        ("A4 and v2", {}, None),
        ("6.02e23 molecules", {}, "6.02E+23"),
        ("12’500 Fr.", {}, "12500"),
        ("1\u202f000\u202f000 habitants", {}, "1000000"),
        ("1.234,50 €", {"mark": ","}, "1234.50"),
        ("1,2345", {}, "2345"),
        (".5", {}, "0.5"),
        ("5 km in 20 min", {"unit": "km"}, "5"),
        ("5km", {"unit": "km"}, "5"),
        ("5 km", {"unit": "kg"}, None),
        ("1 of 2", {"which": "first"}, "1"),
        ("1 of 2", {"which": "only"}, None),
        ("2, that is 2.0", {"which": "only"}, "2.0"),
        ("9" * 101, {}, None),
        ("٣", {}, None),
        ("", {}, None),
    ],
)
def test_a_number_is_read_from_a_text(text: str, options: dict[str, Any], wanted: str | None) -> None:
    found = amounts.find(text, **options)
    assert found == (None if wanted is None else Decimal(wanted))


def test_near_is_within_the_larger_of_both_allowances() -> None:
    near = amounts.is_close
    assert near(Decimal(101), Decimal(100), absolute=Decimal(0), relative=Decimal("0.01"))
    assert not near(Decimal("101.1"), Decimal(100), absolute=Decimal(1), relative=Decimal("0.01"))
    assert near(Decimal("1e9999"), Decimal("1e9999"), absolute=Decimal(0), relative=Decimal(0))


@given(st.text(alphabet="0123456789.,-−e+$ '\u202fa"), st.sampled_from([".", ","]))
def test_no_text_breaks_it(text: str, mark: Any) -> None:
    amounts.find(text, mark=mark, which="only")


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=4))
def test_a_number_with_thousands_separators_is_itself(number: Decimal) -> None:
    assert amounts.find(f"so it is {number:,} in all") == number
