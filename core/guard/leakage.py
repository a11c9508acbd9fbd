"""Answers that give away what was only meant for the model: its instructions word by word, a planted word, an echo.

Compared by runs of words, so that punctuation, case and line breaks do not hide a copy; a translation or a paraphrase
does, and is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.guard import folding
from core.guard.findings import Hit, settled

NAME = "leakage/1"
REACH = 120
SHINGLE = 5  # words compared at once
LEAST_RUN = 9  # words in a row that are no coincidence
LEAST_ECHO = 14
MOST_WORDS = 20_000  # of the instructions, so that what is kept stays small

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")


@dataclass(frozen=True)
class Source:
    """What must not come back: runs of words of the instructions and of the question, and planted words."""

    instructions: frozenset[int] = frozenset()
    asked: frozenset[int] = frozenset()
    canaries: tuple[str, ...] = ()
    asked_words: int = 0
    fewest: int = field(default=LEAST_RUN)


def source(instructions: Iterable[str] = (), asked: str = "", canaries: Iterable[str] = ()) -> Source:
    """The instructions (system and developer messages) and the question of a call, ready to compare with."""
    texts = list(instructions)
    shingles: set[int] = set()
    longest = 0
    for text in texts:
        words = _words(text)[0][:MOST_WORDS]
        longest = max(longest, len(words))
        shingles |= _shingles(words)
    asked_words = _words(asked)[0][:MOST_WORDS]
    return Source(
        frozenset(shingles),
        frozenset(_shingles(asked_words)),
        tuple(canary for canary in canaries if canary),
        len(asked_words),
        max(SHINGLE, min(LEAST_RUN, longest)),
    )


def find(text: str, given: Source) -> list[Hit]:
    """Copied runs and planted words in an answer, without overlaps."""
    hits = [Hit("canary", place, place + len(word), 1.0) for word in given.canaries for place in _places(text, word)]
    if given.instructions or given.asked_words >= LEAST_ECHO:
        words, spans = _words(text)
        for first, last in _runs(words, given.instructions):
            length = last - first
            if length >= given.fewest and not _also_asked(words[first:last], given.asked):
                sure = min(0.6 + 0.03 * (length - given.fewest), 0.95)
                hits.append(Hit("instructions", spans[first][0], spans[last - 1][1], round(sure, 2)))
        if given.asked_words >= LEAST_ECHO:
            for first, last in _runs(words, given.asked):
                if last - first >= LEAST_ECHO and last - first >= 0.6 * given.asked_words:
                    hits.append(Hit("echo", spans[first][0], spans[last - 1][1], 0.6))
    return settled(hits)


def _words(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """The words of a text and where they stand; where a script has no spaces, each letter is a word."""
    words: list[str] = []
    spans: list[tuple[int, int]] = []
    for found in _WORD.finditer(text):
        if not found[0].isascii() and _UNSPACED.search(found[0]):
            words += found[0]
            spans += [(place, place + 1) for place in range(found.start(), found.end())]
        else:
            words.append(found[0].lower() if found[0].isascii() else folding.fold(found[0], alike=False).text)
            spans.append(found.span())
    return words, spans


def _shingles(words: list[str]) -> set[int]:
    return {hash(tuple(words[n : n + SHINGLE])) for n in range(len(words) - SHINGLE + 1)}


def _runs(words: list[str], known: frozenset[int]) -> list[tuple[int, int]]:
    """Where runs of known shingles begin and end, in words."""
    runs: list[tuple[int, int]] = []
    for number in range(len(words) - SHINGLE + 1):
        if hash(tuple(words[number : number + SHINGLE])) in known:
            if runs and runs[-1][1] >= number + SHINGLE - 1:
                runs[-1] = (runs[-1][0], number + SHINGLE)
            else:
                runs.append((number, number + SHINGLE))
    return runs


def _also_asked(words: list[str], asked: frozenset[int]) -> bool:
    """Whether the reader said most of it too: then it gives nothing away."""
    own = [hash(tuple(words[n : n + SHINGLE])) in asked for n in range(len(words) - SHINGLE + 1)]
    return sum(own) > 0.7 * len(own)


def _places(text: str, word: str) -> list[int]:
    return [found.start() for found in re.finditer(re.escape(word), text, re.IGNORECASE)]
