"""What a call cost: our own dated price first, else the public list at the call's own time, else unpriced.

Unpriced is not free: an unknown price is None and never 0. The entry that matched goes with the call, because
lists change and retired models vanish from them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from genai_prices import types

from core.catalog import listed
from core.catalog.rules import BUILTIN, BackendView, PriceView, Snapshot

MILLION = Decimal(1_000_000)
UNPRICED = "unpriced"


@dataclass(frozen=True, slots=True)
class Priced:
    """A cost in dollars (None: unpriced), where its price came from, and the matched entry as JSON-able values."""

    cost_usd: Decimal | None
    source: str
    entry: dict[str, Any] | None = None


_FREE = Priced(Decimal(0), "free: builtin")
_UNPRICED = Priced(None, UNPRICED)


def price(
    snapshot: Snapshot,
    *,
    backend: BackendView,
    model: str,
    tokens_in: int,
    tokens_out: int,
    tokens_cached: int = 0,
    tokens_reasoning: int = 0,
    at: datetime,
    service_tier: str | None = None,
) -> Priced:
    """What these tokens cost at this backend at this moment.

    `tokens_in` includes `tokens_cached`, `tokens_out` includes `tokens_reasoning` (OpenAI's counting).
    """
    if backend.kind == BUILTIN:
        return _FREE
    tokens_in, tokens_out = max(tokens_in, 0), max(tokens_out, 0)
    cached = min(max(tokens_cached, 0), tokens_in)
    reasoning = min(max(tokens_reasoning, 0), tokens_out)
    if own := own_price(snapshot, backend.name, model, at):
        cached_usd = own.input_usd if own.cached_input_usd is None else own.cached_input_usd
        cost = ((tokens_in - cached) * own.input_usd + cached * cached_usd + tokens_out * own.output_usd) / MILLION
        return Priced(cost, f"own price of {own.starts_at:%Y-%m-%d}", _own_entry(own))
    provider = listed.provider_for(backend.price_provider, backend.base_url)
    found = listed.entry_for(provider.id, model) if provider else None
    if provider is None or found is None:
        return _UNPRICED
    home, entry = found
    prices = listed.prices_at(home, entry, provider.id, at, service_tier or "")
    if prices is None:
        return _UNPRICED
    cost_usd = _listed_cost(prices, tokens_in, tokens_out, cached, reasoning)
    if cost_usd is None:
        return _UNPRICED
    matched = {"source": listed.SOURCE, "provider": home.id, "model": entry.id, "asked": model}
    if service_tier:
        matched["service_tier"] = service_tier
    return Priced(cost_usd, listed.SOURCE, {**matched, "prices": shown(prices)})


@dataclass(frozen=True, slots=True)
class InEffect:
    """What a model costs now in dollars per million tokens, and whose word that is; None: unpriced."""

    input_usd: Decimal | None
    cached_input_usd: Decimal | None
    output_usd: Decimal | None
    source: str


def in_effect(snapshot: Snapshot, *, backend: BackendView, model: str, at: datetime) -> InEffect:
    """The price a short call would have at this moment; longer ones may cost more where a list has tiers."""
    if backend.kind == BUILTIN:
        return InEffect(Decimal(0), None, Decimal(0), _FREE.source)
    if own := own_price(snapshot, backend.name, model, at):
        source = f"own price of {own.starts_at:%Y-%m-%d}"
        return InEffect(own.input_usd, own.cached_input_usd, own.output_usd, source)
    provider = listed.provider_for(backend.price_provider, backend.base_url)
    found = listed.entry_for(provider.id, model) if provider else None
    prices = listed.prices_at(*found, found[0].id, at, "") if found else None
    if prices is None:
        return InEffect(None, None, None, UNPRICED)
    cached_usd = _rate(prices, 0, "cache_read_mtok", "cache_text_read_mtok")
    input_usd, output_usd = (_rate(prices, 0, f"{way}_mtok", f"{way}_text_mtok") for way in ("input", "output"))
    known = input_usd is not None or output_usd is not None
    return InEffect(input_usd, cached_usd, output_usd, listed.SOURCE if known else UNPRICED)


def own_price(snapshot: Snapshot, backend: str, model: str, at: datetime) -> PriceView | None:
    """Our own price in effect at this moment: the newest that had started."""
    for own in snapshot.own_prices.get((backend, model), ()):
        if own.starts_at <= at:
            return own
    return None


@functools.lru_cache(maxsize=1024)
def _own_entry_of(own: PriceView) -> dict[str, Any]:
    cached = own.cached_input_usd
    return {
        "source": "own price",
        "backend": own.backend,
        "model": own.model,
        "starts_at": own.starts_at.isoformat(),
        "prices": {
            "input_mtok": str(own.input_usd),
            "cache_read_mtok": None if cached is None else str(cached),
            "output_mtok": str(own.output_usd),
        },
    }


def _own_entry(own: PriceView) -> dict[str, Any]:
    return dict(_own_entry_of(own))


def _listed_cost(
    prices: types.ModelPrice, tokens_in: int, tokens_out: int, cached: int, reasoning: int
) -> Decimal | None:
    """The sum, or None when tokens were used that the entry has no price for."""
    input_usd = _rate(prices, tokens_in, "input_mtok", "input_text_mtok")
    cached_usd = _rate(prices, tokens_in, "cache_read_mtok", "cache_text_read_mtok")
    output_usd = _rate(prices, tokens_in, "output_mtok", "output_text_mtok")
    reasoning_usd = _rate(prices, tokens_in, "output_reasoning_mtok")
    per_thousand = _rate(prices, tokens_in, "requests_kcount")
    if input_usd is None and output_usd is None and per_thousand is None:
        return None
    parts = (
        (tokens_in - cached, input_usd),
        (cached, input_usd if cached_usd is None else cached_usd),
        (tokens_out - reasoning, output_usd),
        (reasoning, output_usd if reasoning_usd is None else reasoning_usd),
    )
    total = Decimal(0)
    for tokens, usd in parts:
        if tokens:
            if usd is None:
                return None
            total += tokens * usd
    return total / MILLION + (per_thousand or Decimal(0)) / 1000


def _rate(prices: types.ModelPrice, tokens_in: int, *names: str) -> Decimal | None:
    known = prices.__dict__
    for name in names:
        price = known.get(name)
        if price is not None:
            return listed.rate(price, tokens_in)
    return None


def shown(prices: types.ModelPrice) -> dict[str, Any]:
    """The prices of an entry as JSON-able values: dollars as text, tiers as a list."""
    return {name: _shown(price) for name, price in prices.__dict__.items() if price is not None}


def _shown(price: Decimal | types.TieredPrices) -> Any:
    if not isinstance(price, types.TieredPrices):
        return str(price)
    tiers = [{"above_tokens": tier.start, "usd": str(tier.price)} for tier in price.tiers]
    return {"usd": str(price.base), "tiers": tiers}


def warm() -> None:
    """Read the public list once, in a thread at start: its first use takes a quarter of a second."""
    listed.entry_for("openai", "gpt-4o")
