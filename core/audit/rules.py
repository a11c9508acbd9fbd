"""The chain: each row's hash covers the row and the hash before it, so that no row changes unnoticed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import orjson

from core import clock

GENESIS = "0" * 64


class Actor(Protocol):
    """Whoever acts, as the trail names them."""

    @property
    def actor(self) -> str: ...


def hash_of(
    *,
    number: int,
    at: datetime,
    actor: str,
    action: str,
    target: str,
    project_id: int | None,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    previous_hash: str,
) -> str:
    """SHA-256 over the row as canonical JSON (keys sorted, no spaces), in hex; `at` in whole microseconds."""
    row = {
        "number": number,
        "at": clock.micros(at),
        "actor": actor,
        "action": action,
        "target": target,
        "project_id": project_id,
        "before": before,
        "after": after,
        "previous_hash": previous_hash,
    }
    return hashlib.sha256(orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).hexdigest()
