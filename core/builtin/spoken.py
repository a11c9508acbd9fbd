"""Turns bytes of tokens into text that may leave: whole characters only, and nothing of a stop text.

Text that might be the beginning of a stop text is held back until the next token decides. The log probabilities of a
token leave with the text they belong to; a token that reaches into the stop text is not reported.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Said:
    """Text that may leave now, with the reports of the tokens that are whole in it."""

    text: str = ""
    tokens: tuple[dict[str, Any], ...] = ()


class Speaker:
    """The text of one answer as it grows."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._released = 0
        self._waiting: deque[tuple[int, dict[str, Any]]] = deque()
        self.is_stopped = False

    def add(self, piece: bytes, report: dict[str, Any] | None = None) -> Said:
        """What may leave after one more token."""
        self._held += self._decoder.decode(piece)
        if report is not None:
            is_open = bool(self._decoder.getstate()[0])
            self._waiting.append((self._released + len(self._held) + is_open, report))
        return self._release(final=False)

    def end(self) -> Said:
        """What is left when the model is done."""
        if self.is_stopped:
            return Said()
        self._held += self._decoder.decode(b"", final=True)
        return self._release(final=True)

    def _release(self, *, final: bool) -> Said:
        found = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if found:
            self.is_stopped = True
            free = min(found)
        else:
            free = len(self._held) - (0 if final else self._doubtful())
        text, self._held = self._held[:free], self._held[free:]
        self._released += free
        tokens = []
        while self._waiting and (self._waiting[0][0] <= self._released or (final and not found)):
            tokens.append(self._waiting.popleft()[1])
        if found:
            self._held = ""
            self._waiting.clear()
        return Said(text, tuple(tokens))

    def _doubtful(self) -> int:
        """How many last characters could be the beginning of a stop text."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for size in range(min(longest, len(self._held)), 0, -1):
            tail = self._held[-size:]
            if any(stop.startswith(tail) for stop in self._stops):
                return size
        return 0
