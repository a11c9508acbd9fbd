"""Numbers on pages: with their unit, small money readable, unknown never shown as zero."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.parts import amounts, moments


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        ("0.000123", "$0.00012"),
        ("0.0184", "$0.0184"),
        ("0.5", "$0.50"),
        ("1234.5", "$1,234.50"),
        ("0.00000012", "$0.00000012"),
        ("0.999999", "$1.00"),
        ("0", "$0"),
        ("-3", "-$3.00"),
    ],
)
def test_money_shows_the_digits_that_mean_something(cost: str, shown: str) -> None:
    assert amounts.money(Decimal(cost)) == shown


@given(st.decimals("0.000000001", "1000000", places=9))
def test_money_that_was_spent_is_never_shown_as_nothing(cost: Decimal) -> None:
    shown = Decimal(amounts.money(cost).removeprefix("$").replace(",", ""))
    assert shown > 0
    assert abs(shown - cost) <= cost * Decimal("0.05")


def test_an_unknown_price_is_unpriced_and_an_estimate_says_so() -> None:
    assert amounts.money(None) == "unpriced"
    assert amounts.money(Decimal("0.01"), is_estimated=True) == "est. $0.01"
    assert amounts.tokens(1, is_estimated=True) == "est. 1 token"


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (None, "–"),
        (0.03, "< 0.1 ms"),
        (0.44, "0.4 ms"),
        (48.2, "48 ms"),
        (999.7, "1.00 s"),
        (1840, "1.84 s"),
        (61_000, "1 min 1 s"),
        (7_260_000, "2 h 1 min"),
    ],
)
def test_a_duration_has_the_unit_that_fits(ms: float | None, shown: str) -> None:
    assert amounts.duration(ms) == shown


def test_shares_and_counts_do_not_round_to_a_lie() -> None:
    assert amounts.share(1, 3000) == "< 0.1 %"
    assert amounts.share(2999, 3000) == "> 99.9 %"
    assert amounts.share(0, 0) == "–"
    assert amounts.count(2_410_000, "call") == "2.41 M calls"
    assert amounts.count(1, "call") == "1 call"
    assert amounts.change(5, 0) is None


def test_a_moment_is_relative_in_a_list_and_exact_in_the_readers_zone() -> None:
    at = datetime(2026, 11, 23, 13, 5, 9, 123_000, tzinfo=UTC)
    assert moments.exact(at, in_zone=ZoneInfo("Europe/Berlin")) == "Mon 23 Nov 2026, 14:05:09.123 CET"
    assert moments.relative(at, at + timedelta(minutes=5, seconds=59)) == "5 min ago"
    assert moments.relative(at, at - timedelta(minutes=5)) == "in 5 min"
    assert moments.relative(at, at + timedelta(hours=47)) == "47 h ago"


def test_the_readers_day_begins_at_their_midnight() -> None:
    at = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert moments.day_start(at, in_zone=ZoneInfo("Asia/Tokyo")) == datetime(2026, 11, 23, 15, tzinfo=UTC)
