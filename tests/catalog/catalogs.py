"""Small catalogs for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from core.catalog.rules import AliasView, BackendView, ModelView, PriceView, Snapshot

OPENAI = BackendView(1, "openai", "openai", "https://api.openai.com/v1", key="sk-secret")
LOCAL = BackendView(2, "ollama", "openai", "http://127.0.0.1:11434/v1")
ROUTER = BackendView(3, "router", "openai", "https://openrouter.ai/api/v1")
OFF = BackendView(4, "off", "openai", "https://off.example/v1", is_enabled=False)
BUILTIN = BackendView(5, "builtin", "builtin", "")


def catalog(*, aliases: tuple[AliasView, ...] = (), prices: tuple[PriceView, ...] = ()) -> Snapshot:
    """Five backends with a few models each."""
    models = (
        ("openai", "gpt-4o"),
        ("openai", "shared"),
        ("ollama", "llama3.2:1b"),
        ("ollama", "shared"),
        ("router", "openai/o3"),
        ("router", "meta-llama/llama-3"),
        ("off", "only-here"),
        ("builtin", "answer"),
    )
    return Snapshot(
        backends={view.name: view for view in (OPENAI, LOCAL, ROUTER, OFF, BUILTIN)},
        models=tuple(ModelView(number, backend, name) for number, (backend, name) in enumerate(models)),
        aliases={alias.name: alias for alias in aliases},
        prices=prices,
    )


def own(number: int, start: datetime, usd: str, *, cached: str | None = None) -> PriceView:
    """A price of our own for ollama's llama3.2:1b, the same for input and output."""
    cached_usd = None if cached is None else Decimal(cached)
    return PriceView(number, "ollama", "llama3.2:1b", start, Decimal(usd), Decimal(usd), cached_usd)


MARCH = datetime(2026, 3, 1, tzinfo=UTC)
