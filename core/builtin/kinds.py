"""What kind of thing a question asks for (a number, a price, a time, a name), and how a sentence shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.builtin.words import terms

_COUNTS = (
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fifteen|twenty|thirty|forty"
    r"|fifty|sixty|seventy|eighty|ninety|dozen|hundreds?|thousands?|millions?|half|twice|once|every|daily|weekly"
    r"|monthly|yearly|several|no)\b"
)
_MONEY = (
    r"[$€£¥]|\b(?:free|dollars?|euros?|pounds?|francs?|cents?|yen|usd|eur|gbp|chf|per cent|percent|crowns?|rupees?)\b"
)
_TIMES = (
    r"\d|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|monday|tuesday"
    r"|wednesday|thursday|friday|saturday|sunday|morning|evening|noon|midnight|night|spring|summer|autumn|winter"
    r"|after|before|until|today|tomorrow|yesterday)\b|\b(?:minute|hour|day|week|month|year)s?\b"
)
_CAPITAL = r"(?<!^)(?<![.!?] )\b[A-Z][a-z]+|^[A-Z][a-z]+ [A-Z][a-z]+"
_PEOPLE = (
    r"\b(?:team|owner|manager|department|staff|office|every\w*|any\w*|administrators?|members?|people|parents?"
    r"|engineers?|users?|customers?|guests?|visitors?|teachers?|children)\b"
)
_PLACES = r"https?://|\b(?:in|at|on|under|near|behind|beside|above|inside|from|to|opposite)\b"
_REASONS = r"\b(?:because|since|so that|therefore|reasons?|due to|in order|to|for|as)\b"
_METRES = r"\b(?:k?m|c?m|(?:kilo|centi|milli)?met(?:re|er)s?|miles?|f(?:oo|ee)t|inch(?:es)?|tall|high|deep|wide)\b"
_SPANS = r"\b(?:second|minute|hour|day|week|month|year|decade|centur|night)"
_WEIGHTS = r"\b(?:k?g|kilo(?:gram)?s?|grams?|tons?|tonnes?|pounds?|ounces?|weigh\w*)\b"
_SPEEDS = r"\b(?:km/h|mph|an hour|per hour|per second|a second)\b"
_MEASURE = r"\bhow (much|many|long|old|far|tall|deep|high|often|big|large|heavy|fast|wide|soon|late|early)\b"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of question, and what a sentence that answers it looks like."""

    asked: re.Pattern[str]
    shown: re.Pattern[str]


def _kind(asked: str, shown: str, *, exact: bool = False) -> Kind:
    return Kind(re.compile(asked, re.I), re.compile(shown, 0 if exact else re.I))


KINDS = (
    _kind(r"\bprices?\b|\bcosts?\b|\bfees?\b|\bhow much (?:is|are|does|do i pay)\b", _MONEY),
    _kind(_MEASURE, _COUNTS),
    _kind(r"\bhow (?:tall|high|deep|wide|far)\b", _METRES),
    _kind(r"\bhow (?:long|old|soon)\b", f"{_SPANS}|{_METRES}"),
    _kind(r"\bhow heavy\b", _WEIGHTS),
    _kind(r"\bhow fast\b", f"{_SPEEDS}|{_SPANS}"),
    _kind(r"\bhow often\b", rf"{_SPANS}|\b(?:every|daily|times|once|twice|weekly|monthly|yearly)\b"),
    _kind(r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|time)\b", _TIMES),
    _kind(r"\bwho(?:m|se)?\b", f"{_CAPITAL}|{_PEOPLE}", exact=True),
    _kind(r"\bwhere\b", f"{_CAPITAL}|{_PLACES}", exact=True),
    _kind(r"\bwhy\b", _REASONS),
)
_MEASURE_WORDS = re.compile(_MEASURE, re.I)
_SAID_BY_KIND = re.compile(rf"{_MEASURE}|\b(?:what|which) (?:time|date)\b", re.I)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question taken apart: what a sentence should share with it, may share with it, and must look like.

    “tall” in “how tall” is no must: “one metre” answers as well.
    """

    terms: list[str]
    optional: list[str]
    kinds: list[Kind]

    def fits(self, sentence: str) -> bool:
        """Whether the sentence shows every kind of thing that was asked for."""
        return all(kind.shown.search(sentence[:1_000]) for kind in self.kinds)


def of(question: str) -> Asked:
    """What `question` asks."""
    measures = [word for word in _MEASURE_WORDS.findall(question) if word.lower() not in ("much", "many")]
    return Asked(
        terms=terms(_SAID_BY_KIND.sub(" ", question)),
        optional=terms(" ".join(measures)),
        kinds=[kind for kind in KINDS if kind.asked.search(question)],
    )
