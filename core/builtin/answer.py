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

from core.builtin import kinds, material
from core.builtin.limits import THRESHOLD
from core.builtin.rank import Index
from core.builtin.request import Request
from core.builtin.sentences import sentences
from core.builtin.words import terms

NEIGHBOUR = 0.5  # what a word of the question counts in the sentence before or after
BESIDE = 0.2  # how much of its neighbours' score a sentence gets
UNSEEN = 2.0  # how much more a word of the question weighs that the whole text lacks
MISSING_KIND = 0.5  # what is left when “who” is asked and no name is there, or a number of the question is missing
_INSTRUCTION = re.compile(
    r"you are (?:an?|the)\b"
    r"|(?:please )?(?:answer|reply|respond|use)\b.*\b(?:text|context|question|briefly|only|below)\b"
    r"|be (?:brief|concise|polite|helpful)\b",
    re.I,
)
NO_TEXT = (
    "There is no text to answer from. Put it into the system message, above the question, or into an earlier turn; "
    "I quote the sentence that answers and know nothing else."
)
NO_QUESTION = "I found no question. Ask one about the text, on a line of its own."


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
    if not given.wish or not kinds.of(given.wish).terms:
        return _said(request, NO_QUESTION, None)
    candidates = [s for s in sentences(given.text) if _may_answer(s)]
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


def _may_answer(sentence: str) -> bool:
    """Questions, headings of a word or two and instructions to a model are no answers."""
    return len(sentence.split()) > 2 and not sentence.endswith("?") and not _INSTRUCTION.match(sentence)


def best(question: str, candidates: Sequence[str]) -> Found:
    """The sentence that fits `question` best."""
    asked = kinds.of(question[:2_000])
    cut = [terms(sentence) for sentence in candidates]
    index = Index(cut)
    scores = index.scores([*asked.terms, *asked.optional])
    if not scores:
        return Found("", 0.0)

    def score(place: int) -> float:
        near = BESIDE * (scores.get(place - 1, 0.0) + scores.get(place + 1, 0.0))
        likely = (1.25 if asked.fits(candidates[place]) else 0.7) if asked.kinds else 1.0
        return (scores.get(place, 0.0) + near) * likely

    places = {near for place in scores for near in (place - 1, place, place + 1) if 0 <= near < len(cut)}
    place = max(places, key=lambda at: (score(at), -at))
    confidence = _covered(asked, cut, place, index)
    if not asked.fits(candidates[place]):
        confidence *= MISSING_KIND
    if any(term.isdigit() and term not in cut[place] for term in asked.terms):
        confidence *= MISSING_KIND
    return Found(candidates[place], round(confidence, 2))


def _covered(asked: kinds.Asked, cut: Sequence[Sequence[str]], place: int, index: Index) -> float:
    """The share of the question's weight in the sentence at `place`; what only its neighbours say counts less."""
    own = set(cut[place])
    around = {term for at in (place - 1, place + 1) if 0 <= at < len(cut) for term in cut[at]}
    weight = {
        term: math.log(1 + index.size / (1 + index.frequency(term))) * (1.0 if index.frequency(term) else UNSEEN)
        for term in {*asked.terms, *(term for term in asked.optional if term in own)}
    }
    covered = sum(
        value * (1.0 if term in own else NEIGHBOUR if term in around else 0.0) for term, value in weight.items()
    )
    return min(1.0, covered / (sum(weight.values()) or 1.0))


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
