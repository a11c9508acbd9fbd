"""A cost is our own dated price, else the list's at that time for exactly this model, else unpriced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson
import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from core.catalog import listed
from core.catalog.prices import Priced, price
from core.catalog.rules import BackendView
from tests.catalog.catalogs import BUILTIN, LOCAL, MARCH, OPENAI, catalog, own

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def priced(
    model: str, backend: BackendView = OPENAI, *, at: datetime = NOW, cached: int = 0, tier: str | None = None
) -> Priced:
    return price(
        catalog(),
        backend=backend,
        model=model,
        tokens_in=10_000,
        tokens_out=1_000,
        tokens_cached=cached,
        at=at,
        service_tier=tier,
    )


def test_cached_tokens_are_part_of_the_input_and_cheaper() -> None:
    assert priced("gpt-4o").cost_usd == Decimal("0.035")
    assert priced("gpt-4o", cached=8_000).cost_usd == Decimal("0.025")


def test_more_cached_than_given_is_never_a_negative_cost() -> None:
    assert priced("gpt-4o", cached=99_999).cost_usd == Decimal("0.0225")


def test_the_matched_entry_goes_with_the_cost_as_json() -> None:
    found = priced("gpt-4o-2024-08-06")
    entry = orjson.loads(orjson.dumps(found.entry))
    assert (entry["provider"], entry["model"], entry["asked"]) == ("openai", "gpt-4o", "gpt-4o-2024-08-06")
    assert entry["prices"]["input_mtok"] == "2.5"
    assert entry["source"] == found.source == listed.SOURCE


def test_the_price_is_the_one_of_the_requests_own_time() -> None:
    assert priced("o3", at=datetime(2025, 3, 1, tzinfo=UTC)).cost_usd == Decimal("0.14")
    assert priced("o3").cost_usd == Decimal("0.028")


def test_a_price_of_the_night_holds_at_night() -> None:
    deepseek = BackendView(9, "deepseek", "openai", "https://api.deepseek.com/v1")
    noon, night = (datetime(2025, 4, 1, hour, tzinfo=UTC) for hour in (12, 20))
    assert priced("deepseek-chat", deepseek, at=noon).cost_usd == Decimal("0.0038")
    assert priced("deepseek-chat", deepseek, at=night).cost_usd == Decimal("0.0019")


@pytest.mark.parametrize(
    "model", ["gpt-4o-cyber", "gpt-5-nano-cyber", "o3-cyber", "gpt-4o-2024-08-06-x", "no-such-model", ""]
)
def test_a_sibling_is_never_priced_as_the_model_it_resembles(model: str) -> None:
    assert priced(model) == Priced(None, "unpriced")


def test_no_listed_model_lends_its_price_to_a_longer_name() -> None:
    wrong = []
    for provider in get_snapshot().providers:
        for model in provider.models:
            found = listed.entry_for(provider.id, f"{model.id}-zz9")
            if found is not None:
                wrong.append((provider.id, model.id, found[1].id))
    assert wrong == []


def test_every_listed_model_is_found_under_its_own_id() -> None:
    for provider in get_snapshot().providers:
        for model in provider.models:
            found = listed.entry_for(provider.id, model.id)
            assert found is not None, model.id
            assert found[1].id == model.id


@pytest.mark.parametrize(
    ("backend", "model", "entry"),
    [
        ("https://api.anthropic.com/v1", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("https://openrouter.ai/api/v1", "openai/gpt-4o", "openai/gpt-4o"),
        ("https://team.openai.azure.com/openai/v1", "gpt-4o-mini", "gpt-4o-mini"),
        ("https://api.mistral.ai/v1", "mistral-large-2411", "mistral-large"),
        ("https://api.openai.com/v1", "ft:gpt-4o-2024-08-06:acme::x1", "ft:gpt-4o"),
    ],
)
def test_a_date_or_version_behind_the_name_is_the_same_model(backend: str, model: str, entry: str) -> None:
    found = priced(model, BackendView(9, "b", "openai", backend)).entry
    assert found is not None
    assert found["model"] == entry


def test_a_local_server_has_no_list_price_whatever_its_models_are_called() -> None:
    assert priced("gpt-4o", LOCAL) == Priced(None, "unpriced")
    assert priced("gpt-4o", BackendView(9, "lan", "openai", "http://gpu-box:8000/v1")).cost_usd is None
    assert priced("gpt-4o", BackendView(9, "ip", "openai", "http://10.1.2.3:8000/v1")).cost_usd is None


def test_a_named_price_provider_prices_a_proxy() -> None:
    proxy = BackendView(9, "proxy", "openai", "http://10.0.0.5/v1", price_provider="openai")
    assert priced("gpt-4o", proxy).cost_usd == Decimal("0.035")


def test_builtin_costs_nothing_and_says_why() -> None:
    assert priced("answer", BUILTIN) == Priced(Decimal(0), "free: builtin")


def test_a_service_tier_has_its_own_price_and_an_unknown_one_none() -> None:
    assert priced("gpt-4o", tier="default").cost_usd == Decimal("0.035")
    assert priced("gpt-4o", tier="priority").cost_usd == Decimal("0.0595")
    assert priced("gpt-4o", tier="scale").cost_usd is None


def test_our_own_price_counts_from_its_date_and_the_newest_wins() -> None:
    may = MARCH + timedelta(days=61)
    store = catalog(prices=(own(1, MARCH, "1", cached="0.5"), own(2, may, "2"), own(3, may, "3")))

    def cost(at: datetime) -> Decimal | None:
        return price(
            store, backend=LOCAL, model="llama3.2:1b", tokens_in=1_000_000, tokens_out=0, tokens_cached=400_000, at=at
        ).cost_usd

    assert cost(MARCH - timedelta(microseconds=1)) is None
    assert cost(MARCH) == Decimal("0.8")
    assert cost(may) == Decimal(3)


def test_an_embedding_has_no_output_to_pay() -> None:
    found = price(catalog(), backend=OPENAI, model="text-embedding-3-small", tokens_in=1_000_000, tokens_out=0, at=NOW)
    assert found.cost_usd == Decimal("0.02")


@given(st.integers(-5, 10**9), st.integers(-5, 10**9), st.integers(-5, 10**9), st.integers(-5, 10**9))
def test_no_usage_however_lying_makes_a_negative_or_inexact_cost(
    given_in: int, out: int, cached: int, thought: int
) -> None:
    found = price(
        catalog(),
        backend=OPENAI,
        model="gpt-4o",
        tokens_in=given_in,
        tokens_out=out,
        tokens_cached=cached,
        tokens_reasoning=thought,
        at=NOW,
    )
    assert isinstance(found.cost_usd, Decimal)
    assert found.cost_usd >= 0
