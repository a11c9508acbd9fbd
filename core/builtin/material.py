"""Tells the text a person gave from what they want done with it.

The text may stand in the same message as the wish, before or after it, in the system message, in an earlier turn,
or in the result of a tool. What the model itself said before is never taken as a source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.builtin.request import Message, Request
from core.builtin.words import words

SOURCES = ("system", "developer", "user", "tool", "function")
_WISH = re.compile(
    r"\b(?:summar(?:y|i[sz]e[sd]?|ies|i[sz]ing)|tl;?dr|key ?words?|key (?:points?|sentences?|ideas?)|extract(?:ed|s)?"
    r"|main (?:points?|ideas?)|most important|shorten|condense|gist|what is (?:this|the text) about|in short)\b",
    re.I,
)
_LABEL = re.compile(r"^\s*(?:text|context|document|article|passage|source|question|q|frage|kontext)\s*:\s*", re.I)
_LEADING = re.compile(r"^([^\n:]{1,160}):[ \t]+(?=\S)")
_ASKING = re.compile(
    r"^\s*(?:who|whom|whose|what|when|where|which|why|how|is|are|was|were|do|does|did|can|could|may|must|should|will"
    r"|has|have|tell me|name|list|find)\b",
    re.I,
)
_SHORT = 40  # words of an instruction at most


@dataclass(frozen=True, slots=True)
class Material:
    """What is wanted, and the text to take it from."""

    wish: str
    text: str


def to_extract(request: Request) -> Material:
    """For builtin/extract: the wish and the text, where the text is whatever is not a short instruction."""
    wish, text = _without_wish(request.question)
    if len(words(text)) < _SHORT:
        earlier = [text, *_others(request.messages)]
        text = "\n\n".join(part for part in earlier if part.strip())
    return Material(wish, text.strip())


def to_answer(request: Request) -> Material:
    """For builtin/answer: the question is the last asking line of the last message, all else is the text."""
    lines = request.question.strip().splitlines()
    place = next((i for i in _likely(lines) if lines[i].rstrip().endswith("?")), None)
    if place is None:
        place = next((i for i in _likely(lines) if _is_asking(lines[i])), None)
    if place is None:
        place = len(lines) - 1 if lines and len(words(lines[-1])) <= _SHORT else None
    if place is None:
        return Material("", request.question)
    before, question = _last_question(lines[place])
    rest = [_LABEL.sub("", line) for line in (*lines[:place], before, *lines[place + 1 :])]
    text = "\n".join((*_others(request.messages), "", *rest))
    return Material(_LABEL.sub("", question).strip(), text.strip())


def _likely(lines: Sequence[str]) -> Iterator[int]:
    """The last line, then the first, then the others from the end."""
    if lines:
        yield len(lines) - 1
        yield 0
    yield from range(len(lines) - 2, 0, -1)


def _is_asking(line: str) -> bool:
    return len(words(line[:2_000])) <= _SHORT and bool(_ASKING.match(_LABEL.sub("", line)))


def _last_question(line: str) -> tuple[str, str]:
    """What stands before the last sentence of `line`, and that sentence."""
    end = max(line.rfind(mark, 0, len(line.rstrip()) - 1) for mark in (". ", "! ", "? ", "。"))
    return (line[: end + 1], line[end + 1 :]) if end > 0 else ("", line)


def _others(messages: Sequence[Message]) -> list[str]:
    """The texts of all sources but the last message of the person; earlier plain questions are left out."""
    last = max((i for i, m in enumerate(messages) if m.role == "user"), default=-1)
    return [
        message.text
        for place, message in enumerate(messages)
        if place != last and message.role in SOURCES and not _is_question(message)
    ]


def _is_question(message: Message) -> bool:
    text = message.text.strip()
    return message.role == "user" and text.endswith("?") and "\n" not in text and len(text) < 400


def _without_wish(text: str) -> tuple[str, str]:
    """An instruction at the start or end of `text`, and the rest."""
    text = text.strip()
    leading = _LEADING.match(text)
    if leading and _is_wish(leading.group(1)):
        return leading.group(1), text[leading.end() :]
    first, _, rest = text.partition("\n")
    if _is_wish(first):
        return first.strip(), _LABEL.sub("", rest.lstrip())
    rest, _, last = text.rpartition("\n")
    if _is_wish(last):
        return last.strip(), rest
    return "", text


def _is_wish(line: str) -> bool:
    return len(line) < 400 and len(words(line)) <= _SHORT and bool(_WISH.search(line))
