"""Answers that exist as a whole before they are sent (extract, answer, rules): cut them by limit and stop text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.builtin import answer, extract, rulebook
from core.builtin.request import Request
from core.builtin.tokenizer import Tokenizer

WRITERS: Mapping[str, Callable[[Request], str]] = {
    "extract": extract.reply,
    "answer": answer.reply,
    "rules": rulebook.reply,
}
_PIECE = re.compile(r"\s*\S{1,80}|\s+")


@dataclass(frozen=True, slots=True)
class Written:
    """A finished answer: its text in pieces for a stream, why it ended, what it counts."""

    pieces: tuple[str, ...]
    reason: str
    prompt_tokens: int
    tokens: int


def write(request: Request, tokenizer: Tokenizer) -> Written:
    """The answer of a model that does not sample. May take a second for a megabyte of text."""
    text = WRITERS[request.model](request)
    reason = "stop"
    ids = tokenizer.encode(text)
    if request.limit is not None and len(ids) > request.limit:
        ids, reason = ids[: request.limit], "length"
        text = b"".join(tokenizer.bytes_of(token) for token in ids).decode("utf-8", "ignore")
    found = [place for stop in request.stops if (place := text.find(stop)) >= 0]
    if found:
        text, reason = text[: min(found)], "stop"
        ids = tokenizer.encode(text)
    return Written(
        pieces=tuple(_PIECE.findall(text)),
        reason=reason,
        prompt_tokens=len(tokenizer.prompt(request.messages)),
        tokens=len(ids),
    )
