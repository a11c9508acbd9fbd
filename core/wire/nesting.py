"""JSON from strangers, read only as deep as it can be written again.

orjson reads 1,024 levels and writes 254, and Python's own recursion ends in between: what is nested deeper than
`DEEPEST` could be taken in and then neither be passed on nor recorded.
"""

from __future__ import annotations

from typing import Any

import orjson

DEEPEST = 100


class TooDeep(ValueError):
    """It is JSON, but nested too deeply."""


def loads(data: bytes | str, *, deepest: int = DEEPEST) -> Any:
    """The value. Raises: ValueError when it is not JSON, TooDeep when it is nested deeper than `deepest`."""
    value = orjson.loads(data)
    check(value, data, deepest=deepest)
    return value


def check(value: Any, data: bytes | str, *, deepest: int = DEEPEST) -> None:
    """Raises: TooDeep when the value that was read from `data` is nested deeper than `deepest`."""
    opened = data.count(b"[") + data.count(b"{") if isinstance(data, bytes) else data.count("[") + data.count("{")
    if opened > deepest and _is_deeper(value, deepest):
        raise TooDeep(f"it is nested deeper than {deepest} levels")


def _is_deeper(value: Any, deepest: int) -> bool:
    """Level by level: no recursion, each list and object looked at once."""
    level = [value]
    for _ in range(deepest):
        level = [
            item
            for node in level
            if isinstance(node, dict | list)
            for item in (node.values() if isinstance(node, dict) else node)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True
