"""The chain: each row's hash covers the row and the hash before it, so that no row changes unnoticed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import orjson

from core import clock

GENESIS = "0" * 64
BETWEEN = ',"previous_hash":"'


class Actor(Protocol):
    """Whoever acts, as the trail names them."""

    @property
    def actor(self) -> str: ...


def hash_of(number: int, previous_hash: str, around: tuple[str, str]) -> str:
    """SHA-256 over the row as canonical JSON (keys sorted, no spaces), in hex."""
    front, back = around
    return hashlib.sha256(f"{front}{number}{BETWEEN}{previous_hash}{back}".encode()).hexdigest()


def around(
    *,
    at: datetime,
    actor: str,
    action: str,
    target: str,
    project_id: int | None,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> tuple[str, str]:
    """The canonical JSON before the row's number, and after the hash before it; `BETWEEN` stands between those two.

    They are neighbours in the order of the keys, and the only values that are not known before the row has its place;
    `at` is in whole microseconds.
    """
    first = {"action": action, "actor": actor, "after": after, "at": clock.micros(at), "before": before}
    front = orjson.dumps(first, option=orjson.OPT_SORT_KEYS).decode()[:-1] + ',"number":'
    back = '",' + orjson.dumps({"project_id": project_id, "target": target}).decode()[1:]
    return front, back
