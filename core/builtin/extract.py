"""builtin/extract: the most central sentences and the keywords of a text, copied, never rewritten."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.builtin import material, rank
from core.builtin.request import Request
from core.builtin.sentences import sentences
from core.builtin.words import FILLERS, stem, terms, words

LEAST_WORDS = 20
_COUNT = re.compile(
    r"\b(\d{1,3}|one|two|three|four|five|six|seven|eight|nine|ten)[ -]+(?:\w+ ){0,2}?"
    r"(sentences?|points?|bullets?|lines?|ideas?|keywords?|key words|phrases?)",
    re.I,
)
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ONLY_WORDS = re.compile(r"\bkey ?words?|\bphrases?|\btopics\b", re.I)
_ANY_SENTENCES = re.compile(r"\bsummar|\bsentence|\bpoint|\bidea|\btl;?dr|\bshort|\bgist|\bcondense", re.I)
_CLOSED = re.compile(r"[.!?。！？][\"'”’)\]]*$")
NO_TEXT = (
    "There is not enough text to extract from. Paste a text of at least two sentences below your instruction; "
    "I copy its most central sentences and keywords, I do not write any."
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many sentences and keywords; zero leaves the section out."""

    sentences: int = 3
    keywords: int = 8


def reply(request: Request) -> str:
    """The extract as Markdown, or as a JSON object when that was asked for."""
    given = material.to_extract(request)
    every = sentences(given.text)
    if len(every) < 2 or len(words(given.text[:5_000])) < LEAST_WORDS:
        return json.dumps({"error": NO_TEXT}) if request.wants_json else NO_TEXT
    wanted = _wanted(given.wish)
    chosen = summary(every, wanted.sentences)
    found = keywords(every, wanted.keywords)
    if request.wants_json:
        return json.dumps({"summary": " ".join(chosen), "key_sentences": chosen, "keywords": found}, ensure_ascii=False)
    parts = []
    if chosen:
        parts.append("\n".join(f"- {sentence}" for sentence in chosen))
    if found:
        parts.append(f"Keywords: {', '.join(found)}")
    return "\n\n".join(parts)


def summary(every: Sequence[str], count: int) -> list[str]:
    """The `count` most central sentences in the order of the text."""
    if count == 0:
        return []
    usable = [s for s in every if 5 <= len(s.split()) <= 60 and _CLOSED.search(s[-8:])]
    usable = list(dict.fromkeys(usable if len(usable) >= count else every))
    return [usable[place] for place in rank.central([terms(s) for s in usable], count)]


def keywords(every: Sequence[str], count: int) -> list[str]:
    """The `count` most repeated words and phrases of up to three words, longer ones first among equals."""
    weight: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for sentence in every if count else ():
        for run in _runs(sentence):
            for start in range(len(run)):
                for length in range(1, min(3, len(run) - start) + 1):
                    phrase = run[start : start + length]
                    key = " ".join(stem(word.lower()) for word in phrase)
                    weight[key] += round(100 * length**1.3)
                    shown.setdefault(key, " ".join(phrase))
    found: list[str] = []
    for key, _ in weight.most_common(40 * count):
        if len(key) > 2 and not any(key in other or other in key for other in found):
            found.append(key)
        if len(found) == count:
            break
    return [shown[key] for key in found]


def _runs(sentence: str) -> list[list[str]]:
    """Stretches of words that are neither fillers nor numbers; punctuation between words ends a stretch."""
    runs: list[list[str]] = []
    for part in re.split(r"[,;:()\"“”!?|/]|\.\s|\.$", sentence):
        run: list[str] = []
        for word in words(part):
            if word.lower() in FILLERS or word.isdigit():
                runs.append(run)
                run = []
            else:
                run.append(word)
        runs.append(run)
    return [run for run in runs if run]


def _wanted(wish: str) -> Wanted:
    counts = {"sentences": 3, "keywords": 8}
    for number, what in _COUNT.findall(wish[:400]):
        kind = "keywords" if what.lower().startswith(("key", "phrase")) else "sentences"
        counts[kind] = max(1, min(50, int(number) if number.isdigit() else _NUMBERS.index(number.lower())))
    asks_words, asks_sentences = bool(_ONLY_WORDS.search(wish)), bool(_ANY_SENTENCES.search(wish))
    return Wanted(
        sentences=0 if asks_words and not asks_sentences else counts["sentences"],
        keywords=0 if asks_sentences and not asks_words else counts["keywords"],
    )
