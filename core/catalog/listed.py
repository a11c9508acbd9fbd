"""The public price list (genai-prices, in the wheel, no network): which entry is truly this model's.

The list matches names loosely, so that a sibling's price can be taken for a model it does not know yet. Here an
entry counts only when the name asked for is the entry's id, a name the entry spells out, or one of these
with a date or version behind it. Anything else is unpriced.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from genai_prices import types
from genai_prices.data_snapshot import get_snapshot

from core.catalog import address

SOURCE = f"genai-prices {version('genai-prices')}"
STANDARD_TIERS = frozenset({"", "auto", "default", "standard", "on_demand"})

# a date (2024-08-06, 20240806), a release of three or more digits (0613, 2411, 002), bedrock's v1:0, or "latest"
_SUFFIX = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{3,4}|v\d+(?:-\d+)?|latest)$")
_PUNCTUATION = re.compile(r"[.:_@]")


@functools.lru_cache(maxsize=4096)
def provider_for(price_provider: str, base_url: str) -> types.Provider | None:
    """Whose prices a backend charges: the provider named, else the one whose API this address is.

    A server on this machine or network has no list price, whatever its models are called.
    """
    snapshot = get_snapshot()
    try:
        if price_provider:
            return snapshot.find_provider(None, price_provider, None)
        if not base_url or address.is_local(base_url):
            return None
        return snapshot.find_provider(None, None, base_url)
    except LookupError:
        return None


@functools.lru_cache(maxsize=16384)
def entry_for(provider_id: str, model: str) -> tuple[types.Provider, types.ModelInfo] | None:
    """The provider and the list entry whose price this model has, or None."""
    asked = model.lower().removeprefix("models/")
    if asked.startswith("ft:"):  # ft:gpt-4o-2024-08-06:team::id is billed as ft:gpt-4o
        asked = ":".join(asked.split(":")[:2])
    providers = get_snapshot().providers
    provider = next((p for p in providers if p.id == provider_id), None)
    if provider is None:
        return None
    homes = [provider, *(p for p in providers if p.id in (provider.fallback_model_providers or ()))]
    for home in homes:
        for entry in home.models:
            if entry.id.lower() == asked:
                return home, entry
    for home in homes:
        found = home.find_model(asked)
        if found is not None:
            return (home, found) if _agrees(asked, found) else None
    return None


def _agrees(asked: str, entry: types.ModelInfo) -> bool:
    """Whether the name is the entry's own up to a date or version."""
    spelled = {_folded(name) for name in (entry.id, *_spelled(entry.match))}
    name = _folded(asked)
    return name in spelled or _bare(name) in spelled | {_bare(other) for other in spelled}


def _spelled(match: Any) -> Iterator[str]:
    """Every whole name a matching rule spells out; what it only requires to be contained is no name."""
    if isinstance(match, types.ClauseEquals):
        yield match.equals
    elif isinstance(match, types.ClauseStartsWith):
        yield match.starts_with
    elif isinstance(match, types.ClauseOr):
        for clause in match.or_:
            yield from _spelled(clause)


def _folded(name: str) -> str:
    return _PUNCTUATION.sub("-", name.lower()).strip("-")


def _bare(name: str) -> str:
    """The name without the dates and versions behind it."""
    while (shorter := _SUFFIX.sub("", name)) != name:
        name = shorter
    return name


def prices_at(
    home: types.Provider, entry: types.ModelInfo, provider_id: str, at: datetime, tier: str
) -> types.ModelPrice | None:
    """The prices in effect at this moment (season and time of day included) in this service tier.

    None when the tier is not a standard one and the list has no price for it.
    """
    if tier in STANDARD_TIERS:
        return entry.get_prices(at)
    known = home.id == provider_id and any(v.when == {"service_tier": tier} for v in entry.price_variants or ())
    return entry.get_prices(at, {"service_tier": tier}) if known else None


def rate(price: Decimal | types.TieredPrices | None, tokens_in: int) -> Decimal | None:
    """Dollars per million at this length of input; a tier, once crossed, holds for every token."""
    if not isinstance(price, types.TieredPrices):
        return price
    reached = [tier.price for tier in price.tiers if tokens_in > tier.start]
    return reached[-1] if reached else price.base


def context_window(provider_id: str, model: str) -> int | None:
    """How many tokens the model takes, as far as the list knows."""
    found = entry_for(provider_id, model)
    return found[1].context_window if found else None
