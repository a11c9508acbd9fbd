"""JSON in answers, read within bounds."""

from __future__ import annotations

from typing import Any

from core.wire import nesting

MOST_CHARACTERS = 2_000_000


class Unreadable(ValueError):
    """A sentence; `is_too_much` when it may be JSON, and is not read."""

    def __init__(self, said: str, *, is_too_much: bool = False) -> None:
        super().__init__(said)
        self.is_too_much = is_too_much


def unfenced(text: str) -> str:
    """What stands between ``` and ```, when that is all there is."""
    stripped = text.strip()
    if not stripped.startswith("```") or not stripped.endswith("```"):
        return text
    return stripped[3:-3].partition("\n")[2]


def loads(text: str, what: str) -> Any:
    """The value. Raises: Unreadable, a sentence that begins with `what`."""
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"{what} is too long to be read as JSON.", is_too_much=True)
    try:
        return nesting.loads(text)
    except nesting.TooDeep:
        raise Unreadable(f"{what} is nested too deeply.", is_too_much=True) from None
    except ValueError:
        raise Unreadable(f"{what} is not JSON." if text.strip() else f"{what} is empty.") from None
