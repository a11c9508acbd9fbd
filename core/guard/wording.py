"""What a project does not want spoken of: its own blocked words, and topics known by the words that belong to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from core.guard.findings import Hit, settled
from core.guard.terms import Terms

WORD_NAME, TOPIC_NAME = "word/1", "topic/1"
REACH = 80


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: terms of which at least `needs` different ones must occur near each other."""

    name: str
    terms: tuple[str, ...]
    needs: int = 1


@lru_cache(maxsize=64)
def _compiled(terms: tuple[str, ...], allowed: tuple[str, ...]) -> Terms:
    return Terms(terms, allowed=allowed)


def find_words(
    text: str, words: Mapping[str, str] | tuple[tuple[str, str], ...], allowed: tuple[str, ...]
) -> list[Hit]:
    """Blocked words; `words` maps each to its category, which becomes the kind."""
    kinds = dict(words)
    found = _compiled(tuple(kinds), allowed).find(text)
    return settled(Hit(kinds[one.term], one.start, one.stop, round(0.95 * one.plainness, 2)) for one in found)


def find_topics(text: str, topics: tuple[Topic, ...], allowed: tuple[str, ...]) -> list[Hit]:
    """Topics spoken of: from the first to the last of the words that say so; surer with every word more."""
    hits = []
    for topic in topics:
        found = sorted(_compiled(topic.terms, allowed).find(text), key=lambda one: one.start)
        different = {one.term for one in found}
        if found and len(different) >= topic.needs:
            sure = min(0.5 + 0.15 * len(different) + (0.1 if topic.needs == 1 else 0.0), 0.95)
            hits.append(Hit(topic.name, found[0].start, max(one.stop for one in found), round(sure, 2)))
    return hits
