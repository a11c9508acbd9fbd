"""Prompts in prompts: `{% include "support/tone@production" %}` stands for the text of another prompt.

Which version is meant is settled when a version is saved: what was sent yesterday can be said to the letter today,
and nothing can include itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from jinja2 import TemplateSyntaxError

from core.errors import Invalid
from core.prompts import sandbox

MOST_DEEP = 5
MOST_INCLUDED = 20
_MARK = re.compile(r"\{%[-+]?\s*include\b")
_ENGINE = sandbox.Sandbox()
_QUOTES = "\"'"


@dataclass(frozen=True, slots=True)
class Reference:
    """A prompt as it is asked for: `support/refund`, `support/refund@staging`, `support/refund@3`."""

    name: str
    label: str = ""
    number: int | None = None

    def __str__(self) -> str:
        return self.name + (f"@{self.number}" if self.number is not None else f"@{self.label}" if self.label else "")


def reference(text: str) -> Reference:
    """Read a reference; what follows the @ is a version when it is a number, else a label."""
    name, _, wanted = text.strip().partition("@")
    if wanted.isdecimal() and len(wanted) < 10:
        return Reference(name, number=int(wanted))
    return Reference(name, wanted)


def references(texts: Iterable[str]) -> tuple[str, ...]:
    """What the texts include, as it is written there, each once; a text with a mistake includes nothing."""
    found: dict[str, None] = {}

    def note(written: str) -> str:
        found.setdefault(written)
        return ""

    for text in texts:
        _replaced(text, note)
    return tuple(found)


def expanded(text: str, fragments: Mapping[str, str]) -> str:
    """The text with every included prompt's text in its place.

    Raises: Invalid (code "include") when one is not among the fragments.
    """

    def put(written: str) -> str:
        if written not in fragments:
            raise Invalid(
                f"The included prompt “{written[:140]}” is not there.",
                hint="Choose another, or make it first, under Prompts.",
                code="include",
            )
        return fragments[written]

    return _replaced(text, put)


def blanked(text: str) -> str:
    """The text without what it includes: what is left is a template that can be checked on its own."""
    return _replaced(text, lambda written: "")


def _replaced(text: str, put: Callable[[str], str]) -> str:
    """The text with each include tag replaced; in raw blocks and comments there are none."""
    if _MARK.search(text) is None:
        return text
    try:
        tokens = list(_ENGINE.lexer.tokeniter(text, None))
    except TemplateSyntaxError:
        return text
    pieces: list[str] = []
    place = 0
    while place < len(tokens):
        end, written = _tag(tokens, place)
        if end:
            pieces.append(put(written))
            place = end
        else:
            pieces.append(tokens[place][2])
            place += 1
    return "".join(pieces)


def _tag(tokens: list[tuple[int, str, str]], place: int) -> tuple[int, str]:
    """Where the include tag that begins here ends, and what it names; (0, "") when none does."""
    if tokens[place][1] != "block_begin":
        return 0, ""
    meant: list[tuple[str, str]] = []
    for end in range(place + 1, len(tokens)):
        _, kind, value = tokens[end]
        if kind == "whitespace":
            continue
        if kind == "block_end":
            kinds = [one for one, _ in meant]
            if kinds == ["name", "string"] and meant[0][1] == "include":
                return end + 1, meant[1][1].strip(_QUOTES)
            return 0, ""
        meant.append((kind, value))
        if len(meant) > 2:
            return 0, ""
    return 0, ""
