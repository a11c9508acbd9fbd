"""The exact-match cache: the same question to the same alias within its time gets the answer that was given.

Off unless an alias has a time to live. Keyed by project, alias and its version, so nothing crosses projects and a
changed alias starts anew. In memory, bounded in bytes, oldest out first.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import orjson

from core.wire.openai import Tokens

MAX_BYTES = 64 * 1024 * 1024
LARGEST_ENTRY = 1024 * 1024
NOT_PART_OF_THE_QUESTION = frozenset({"stream", "stream_options", "user", "safety_identifier", "metadata", "store"})

Key = tuple[int, str, int | None, bytes]


@dataclass(frozen=True, slots=True)
class Known:
    """An answer given before: the whole completion, who gave it, and what it consumed then."""

    completion: dict[str, Any]
    backend: str
    model: str
    tokens: Tokens
    size: int
    until_s: float


def key_of(project_id: int, alias: str, version: int | None, route: str, body: dict[str, Any]) -> Key | None:
    """What makes two questions the same: everything the model would see. None for what is nested too deeply to say."""
    question = {name: value for name, value in body.items() if name not in NOT_PART_OF_THE_QUESTION}
    try:
        canonical = orjson.dumps([route, question], option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return None
    return project_id, alias, version, hashlib.sha256(canonical).digest()


class Cache:
    """Answers by question, within `MAX_BYTES`."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max = max_bytes
        self._known: OrderedDict[Key, Known] = OrderedDict()
        self._bytes = 0

    def find(self, key: Key, *, now_s: float) -> Known | None:
        known = self._known.get(key)
        if known is None:
            return None
        if known.until_s <= now_s:
            self._drop(key)
            return None
        self._known.move_to_end(key)
        return known

    def keep(self, key: Key, known: Known) -> None:
        if known.size > LARGEST_ENTRY:
            return
        if key in self._known:
            self._drop(key)
        self._known[key] = known
        self._bytes += known.size
        while self._bytes > self._max:
            self._drop(next(iter(self._known)))

    def _drop(self, key: Key) -> None:
        self._bytes -= self._known.pop(key).size
