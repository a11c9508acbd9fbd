"""When two examples say the same: to the letter once case and spaces are left out, or nearly. Pure.

Nearly is the resemblance of their sets of five-character shingles (`core.datasets.nearness`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import orjson

LONGEST_WORDS = 4_000
"""Characters of an example that are searched and compared."""


def normal(text: str) -> str:
    """The text without what a reader does not see: compatibility forms, case, runs of spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def input_hash(kind: str, input: Mapping[str, Any]) -> int:  # noqa: A002
    """The same number for inputs that say the same, whatever their case and spaces; 63 bits and a sign.

    The input of a row to fine-tune on is its conversation without the last answer, so that an item and a row made of
    one question meet in one split.
    """
    asked = dict(input)
    if kind == "tuning" and isinstance(asked.get("messages"), list):
        asked["messages"] = asked["messages"][:-1]
    return _number(orjson.dumps(_normal(asked), option=orjson.OPT_SORT_KEYS))


def content_hash(*parts: Any) -> int:
    """The same number for examples that are equal in everything a person can change."""
    return _number(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS))


def words(input: Mapping[str, Any], expected: Mapping[str, Any] | None) -> str:  # noqa: A002
    """What an example says, as it is searched and compared: its texts in order, normalised, the first of them.

    Without what a system is told, which is the same in all and may be longer than all else.
    """
    asked = input.get("messages")
    if isinstance(asked, list) and (spoken := [one for one in asked if not _is_told(one)]):
        input = {**input, "messages": spoken}  # noqa: A001
    said = [text for part in (input, expected or {}) for text in _texts(part)]
    return normal(" ".join(said)[: LONGEST_WORDS * 2])[:LONGEST_WORDS]


def _number(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), signed=True)


def _normal(value: Any) -> Any:
    if isinstance(value, str):
        return normal(value)
    if isinstance(value, dict):
        return {name: _normal(one) for name, one in value.items()}
    return [_normal(one) for one in value] if isinstance(value, list) else value


def _is_told(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "developer")


def _texts(value: Any) -> Iterable[str]:
    """The texts people wrote, in order: what says of itself "role" or "type" is none, nor is a picture's data."""
    if isinstance(value, str):
        if not value.startswith("data:"):
            yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            if name not in ("role", "type", "id", "tool_call_id", "data"):
                yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
