"""The bar reads what people type, refuses with a reason, and survives the URL."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calls import filters
from core.calls.filters import Filters
from core.errors import Invalid

AT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def test_the_bar_is_read() -> None:
    found = filters.parse(
        'model:gpt-4o status:error cost:>0.01 latency:>2s tag.team:search key:"my app" refund "blue lamp"'
    )
    assert found == Filters(
        model="gpt-4o", status="error", cost_usd=Decimal("0.01"), latency_ms=2000.0,
        tags=(("team", "search"),), key="my app", words='refund "blue lamp"',
    )  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "param", "hint"),
    [
        ("modle:gpt-4o", "modle", "Did you mean “model”?"),
        ("status:eror", "status", "Did you mean “error”?"),
        ("latency:fast", "latency", "latency:>2s"),
        ("cost:>much", "cost", "cost:>0.01"),
        ("cost:>-1", "cost", "cost:>0.01"),
        ("since:yesterday", "since", "Write 7d"),
        ("model:", "model", ""),
        ("tag:team", "tag", "tag.NAME"),
        ("https://example.com", "https", "quotes"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(typed: str, param: str, hint: str) -> None:
    with pytest.raises(Invalid) as told:
        filters.parse(typed)
    assert told.value.param == param
    assert hint in told.value.hint


def test_a_quoted_text_with_a_colon_is_searched_for() -> None:
    assert filters.parse('"https://example.com"').words == '"https://example.com"'


def test_last_seven_days_stays_relative() -> None:
    found = filters.parse("since:7d")
    assert filters.to_params(found) == {"since": "7d"}
    assert filters.span(found, AT) == (datetime(2026, 10, 26, 9, 30, tzinfo=UTC), None)


def test_until_a_date_includes_that_day() -> None:
    found = filters.parse("since:2026-11-01 until:2026-11-01")
    assert filters.span(found, AT) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))


WORD = st.text(st.characters(whitelist_categories=("Ll", "Nd")), min_size=1, max_size=12)
PHRASE = st.lists(WORD, min_size=1, max_size=3).map(" ".join)
FILTERS = st.builds(
    Filters,
    since=st.sampled_from(("", "7d", "24h", "2026-11-01", "2026-11-01T10:00:00+01:00")),
    model=st.just("") | PHRASE,
    status=st.sampled_from(("", *filters.STATUS_WORDS)),
    key=st.just("") | PHRASE,
    cost_usd=st.none() | st.decimals(min_value=0, max_value=10, places=6),
    latency_ms=st.none() | st.integers(0, 99_999).map(float),
    tags=st.dictionaries(WORD, PHRASE, max_size=3).map(lambda pairs: tuple(pairs.items())),
    judges=st.booleans(),
    words=st.just("") | PHRASE,
)


@given(FILTERS)
def test_filters_come_back_from_the_url_and_from_the_bar(given_filters: Filters) -> None:
    assert filters.from_params(filters.to_params(given_filters)) == given_filters
    assert filters.parse(filters.text(given_filters)) == given_filters


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_and_never_breaks(typed: str) -> None:
    try:
        filters.parse(typed)
    except Invalid as told:
        assert told.message  # noqa: PT017


def test_the_calls_of_judges_are_asked_for_by_one_word() -> None:
    with pytest.raises(Invalid, match="judges") as told:
        filters.parse("judges:perhaps")
    assert "judges:yes" in told.value.hint


def test_foreign_parameters_are_left_alone() -> None:
    assert filters.from_params({"project": "3", "embed": "true", "q": " hello "}) == Filters(words="hello")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cost", "1e999999"),
        ("cost", "1e30"),
        ("cost", "NaN"),
        ("since", "9999-12-31"),
        ("until", "9999-12-31"),
        ("until", "0001-01-01T00:00+14:00"),
        ("user", "u" * 601),
        ("tag." + "t" * 601, "x"),
        ("q", "word " * 65),
        ("q", "w" * 5_000),
    ],
)
def test_what_no_store_could_look_for_is_refused(name: str, value: str) -> None:
    with pytest.raises(Invalid) as told:
        filters.from_params({name: value})
    assert told.value.hint


@pytest.mark.parametrize("typed", ["w" * 5_000, "a:" * 5_000, '"' * 5_000, "word " * 65])
def test_a_bar_longer_than_anyone_types_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        filters.parse(typed)


def test_a_zero_byte_is_not_looked_for() -> None:
    assert filters.from_params({"user": "a\0b", "tag.x\0": "y\0", "q": "\0w"}) == Filters(
        user="ab", tags=(("x", "y"),), words="w"
    )


def test_a_latency_beyond_all_is_kept_in_the_url() -> None:
    found = filters.from_params({"latency": "9" * 400})
    assert filters.from_params(filters.to_params(found)) == found
