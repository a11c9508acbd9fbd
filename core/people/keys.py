"""API keys: made once, shown once, kept as a keyed hash; found again in constant time."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from core.errors import NotSignedIn
from core.people.rules import Principal
from core.vault import Vault

PREFIX = "gr_"
SECRET_BYTES = 24
SHOWN = len(PREFIX) + 6


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What is known of a key that may be used."""

    id: int
    project_id: int
    project: str
    name: str
    expires_at: datetime | None
    principal: Principal = field(repr=False)


def mint(vault: Vault) -> tuple[str, str, bytes]:
    """A new key: its text (shown once), its prefix (shown always), its keyed hash (kept). 192 random bits."""
    plain = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    return plain, plain[:SHOWN], vault.digest(plain)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Every key that is not revoked, by its keyed hash, as the store had them a moment ago."""

    vault: Vault = field(repr=False)
    by_digest: Mapping[bytes, KeyRow] = field(repr=False)

    def find(self, authorization: str | None, at: datetime) -> KeyRow:
        """The key in an `Authorization: Bearer …` header. Raises: NotSignedIn."""
        scheme, _, plain = (authorization or "").strip().partition(" ")
        plain = plain.strip()
        if scheme.lower() != "bearer" or not plain:
            raise NotSignedIn(
                "You did not provide an API key.",
                hint="Send it as 'Authorization: Bearer gr_…'; keys are made on the Home page.",
            )
        row = self.by_digest.get(self.vault.digest(plain)) if len(plain) <= 200 else None
        if row is None:
            raise NotSignedIn(
                f"Incorrect API key provided: {_shown(plain)}.",
                hint="Check it for typing errors, or make a new one under People and keys.",
            )
        if row.expires_at is not None and row.expires_at <= at:
            raise NotSignedIn(
                f"The API key {row.name!r} has expired.",
                code="expired_api_key",
                hint="Make a new one under People and keys.",
            )
        return row


def _shown(plain: str) -> str:
    return f"{plain[:6]}…" if len(plain) > 12 and plain.isascii() and plain.isprintable() else "(unreadable)"
