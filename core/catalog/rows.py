"""What the audit trail may know of a row, and what moving a backend to another address takes. No SQL here."""

from __future__ import annotations

from typing import Any

from core.catalog.rules import BUILTIN
from core.catalog.tables import AliasVersion, Backend, Price
from core.errors import Invalid


def public(row: Backend) -> dict[str, Any]:
    """A backend without its key: only whether there is one and where it lies."""
    return {
        "base_url": row.base_url,
        "key": f"${row.key_env}" if row.key_env else "stored" if row.key_cipher else "none",
        "is_enabled": row.is_enabled,
        "price_provider": row.price_provider,
        "timeouts_s": [row.connect_s, row.first_token_s, row.between_tokens_s, row.total_s],
        "version": row.version,
    }


def meaning(row: AliasVersion) -> dict[str, Any]:
    """One version of an alias."""
    return {
        "version": row.version,
        "steps": [f"{step['backend']}/{step['model']}" for step in row.steps],
        "cache_ttl_s": row.cache_ttl_s,
        "answers_by_rules": row.answers_by_rules,
        "note": row.note,
    }


def price(row: Price) -> dict[str, Any]:
    """A dated price, as text: JSON has no exact decimals."""
    cached = row.cached_input_usd
    return {
        "starts_at": row.starts_at.isoformat(),
        "input_usd": str(row.input_usd),
        "cached_input_usd": None if cached is None else str(cached),
        "output_usd": str(row.output_usd),
        "note": row.note,
    }


def move(row: Backend, base_url: str, *, has_key: bool) -> None:
    """Give a backend another address; its stored key does not go along."""
    if base_url == row.base_url:
        return
    if row.kind == BUILTIN:
        raise Invalid("The embedded backend has no address.", param="base_url")
    if (row.key_cipher or row.key_env) and not has_key:
        raise Invalid(
            "A new address needs the key again.",
            code="key_required",
            param="key",
            hint="Enter the key that belongs to the new address; the stored one is not sent there.",
        )
    row.base_url, row.checked_at, row.check_result = base_url, None, ""
