"""builtin/answer: the sentence of a given text that answers a question, with a confidence, or an honest no.

Sentences are ranked by BM25 with a little of their neighbours' score and a bonus for the kind of thing asked for
(a number for “how many”, a name for “who”). The confidence is the share of the question's weight, rare words weighing
more, that the chosen sentence carries, less when the kind of thing is missing. It is not a probability.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.builtin import material
from core.builtin.limits import THRESHOLD
from core.builtin.rank import Index
from core.builtin.request import Request
from core.builtin.sentences import sentences
from core.builtin.words import terms

NO_TEXT = (
    "There is no text to answer from. Put it into the system message, above the question, or into an earlier turn; "
    "I quote the sentence that answers and know nothing else."
)
NO_QUESTION = "I found no question. Ask one about the text, on a line of its own."
_NUMBER_WORD = r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|half|twice|once)\b"
_MONTH = (
    r"\b(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b"
)
_CAPITAL = r"(?<!^)(?<![.!?] )\b[A-Z][a-z]+"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of question, and what a sentence that answers it looks like."""

    asked: re.Pattern[str]
    shown: re.Pattern[str]


KINDS = (
    Kind(
        re.compile(
            r"\bhow (?:much|many|long|old|far|tall|deep|high|often|big|large|heavy|fast)\b|\bprice\b|\bcosts?\b", re.I
        ),
        re.compile(rf"\d|{_NUMBER_WORD}|\bfree\b|\bevery\b|\bdaily\b|\bweekly\b|\bmonthly\b|\byearly\b", re.I),
    ),
    Kind(
        re.compile(r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|time)\b", re.I),
        re.compile(
            rf"\d|{_MONTH}|\b(?:day|week|month|year|morning|evening|noon|night|spring|summer|autumn|winter|after|before|until)",
            re.I,
        ),
    ),
    Kind(
        re.compile(r"\bwho(?:m|se)?\b", re.I),
        re.compile(
            rf"{_CAPITAL}|^[A-Z][a-z]+ [A-Z][a-z]+|\b(?:team|owner|manager|department|staff|office|everyone|anyone|members?|people)\b"
        ),
    ),
    Kind(
        re.compile(r"\bwhere\b", re.I),
        re.compile(
            rf"{_CAPITAL}|https?://|\b(?:in|at|on|under|near|behind|beside|above|inside|from|to) (?:the|a|an|its|our|your)?\b"
        ),
    ),
    Kind(
        re.compile(r"\bwhy\b", re.I),
        re.compile(r"\b(?:because|since|so that|therefore|reason|due to|to \w+|for)\b", re.I),
    ),
)


@dataclass(frozen=True, slots=True)
class Found:
    """The best sentence and how well it covers the question, from 0 to 1."""

    sentence: str
    confidence: float

    @property
    def is_answer(self) -> bool:
        return self.confidence >= THRESHOLD


def reply(request: Request) -> str:
    """The quoted sentence, or why there is none; a JSON object when that was asked for."""
    given = material.to_answer(request)
    if not given.wish or not terms(given.wish):
        return _said(request, NO_QUESTION, None)
    candidates = [s for s in sentences(given.text) if len(s.split()) > 2 and not s.endswith("?")]
    if not candidates:
        return _said(request, NO_TEXT, None)
    found = best(given.wish, candidates)
    if found.is_answer:
        text = f"{found.sentence}\n\n(Quoted from the given text, confidence {found.confidence:.2f}.)"
    else:
        text = (
            f"The given text does not seem to answer this: confidence {found.confidence:.2f}, "
            f"and I answer from {THRESHOLD} on."
        )
    return _said(request, text, found)


def best(question: str, candidates: Sequence[str]) -> Found:
    """The sentence that fits `question` best."""
    asked = terms(question[:2_000])
    cut = [terms(sentence) for sentence in candidates]
    index = Index(cut)
    scores = index.scores(asked)
    kinds = [kind for kind in KINDS if kind.asked.search(question)]
    ranked: dict[int, float] = {}
    for place, score in scores.items():
        near = 0.2 * (scores.get(place - 1, 0.0) + scores.get(place + 1, 0.0))
        fits = all(kind.shown.search(candidates[place][:1_000]) for kind in kinds)
        ranked[place] = (score + near) * (1.25 if kinds and fits else 1.0 if not kinds else 0.7)
    if not ranked:
        return Found("", 0.0)
    place = max(ranked, key=lambda at: (ranked[at], -at))
    weight = {term: math.log(1 + index.size / (1 + index.frequency(term))) for term in set(asked)}
    around = {term for at in (place - 1, place + 1) if 0 <= at < len(cut) for term in cut[at]}
    covered = sum(
        value * (1.0 if term in cut[place] else NEIGHBOUR if term in around else 0.0) for term, value in weight.items()
    )
    confidence = covered / (sum(weight.values()) or 1.0)
    if kinds and not all(kind.shown.search(candidates[place][:1_000]) for kind in kinds):
        confidence *= MISSING_KIND
    return Found(candidates[place], round(min(confidence, 1.0), 2))


NEIGHBOUR = 0.3  # what a word of the question counts in the sentence before or after
MISSING_KIND = 0.7  # what is left of the confidence when “who” is asked and no name is there


def _said(request: Request, text: str, found: Found | None) -> str:
    if not request.wants_json:
        return text
    answered = found is not None and found.is_answer
    return json.dumps(
        {
            "answered": answered,
            "answer": found.sentence if found and answered else None,
            "confidence": found.confidence if found else 0.0,
            "note": "" if answered else text,
        },
        ensure_ascii=False,
    )
