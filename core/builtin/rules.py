"""builtin/rules: answers a person wrote, chosen by phrases. Pure; `rulebook` reads the table.

Phrases are words, not regular expressions: no entry can make the server slow, whatever an editor types.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.builtin.words import stem, words
from core.errors import Invalid

GAP = 3  # words that a `*` may stand for
MOST_WORDS = 400  # of a question that are looked at


class Rule(BaseModel):
    """One intent: the phrases that show it and the answer it gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    intent: str = Field(min_length=1, max_length=80)
    phrases: tuple[str, ...] = Field(min_length=1)
    answer: str = Field(min_length=1, max_length=10_000)

    @field_validator("phrases")
    @classmethod
    def _has_words(cls, phrases: tuple[str, ...]) -> tuple[str, ...]:
        for phrase in phrases:
            if not _pattern(phrase):
                raise ValueError(f"the phrase {phrase!r} has no word in it")
        return phrases


class Table(BaseModel):
    """All rules, and the sentence for what fits none of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unknown: str = Field(min_length=1)
    rule: tuple[Rule, ...] = Field(min_length=1)

    def find(self, question: str) -> Rule | None:
        """The rule with the longest phrase in `question`; the upper one among equals."""
        said = [stem(word) for word in words(question.lower()[:20_000])[:MOST_WORDS]]
        best: tuple[int, Rule] | None = None
        for rule in self.rule:
            length = max((_fit(_pattern(phrase), said) for phrase in rule.phrases), default=0)
            if length and (best is None or length > best[0]):
                best = (length, rule)
        return best[1] if best else None

    def answer(self, question: str) -> str:
        rule = self.find(question)
        if rule:
            return rule.answer
        return self.unknown.replace("{topics}", ", ".join(rule.intent for rule in self.rule))


def parse(text: str, *, name: str) -> Table:
    """The table in the text of a file. Raises Invalid with a sentence that names the file, the rule and the field."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{name} cannot be read: {error}.", code="bad_rules") from error
    try:
        return Table.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(f"{name}: {_place(first['loc'], raw)}: {first['msg']}.", code="bad_rules") from error


def _place(where: Sequence[int | str], raw: dict[str, object]) -> str:
    """`rule 3 (refund), phrases` for a person who edits the file."""
    names = [str(step) for step in where if not isinstance(step, int) and step != "rule"]
    number = next((step for step in where if isinstance(step, int)), None)
    if where[:1] != ("rule",) or number is None:
        return ", ".join(str(step) for step in where) or "the table"
    rules = raw.get("rule")
    rule = rules[number] if isinstance(rules, list) else {}
    intent = f" ({rule['intent']})" if isinstance(rule, dict) and rule.get("intent") else ""
    return ", ".join([f"rule {number + 1}{intent}", *names])


def _pattern(phrase: str) -> tuple[str, ...]:
    """Stemmed words and `*`; stars at the ends mean nothing and are dropped."""
    parts = [part for piece in phrase.lower().split() for part in (["*"] if piece == "*" else words(piece))]
    while parts and parts[0] == "*":
        parts.pop(0)
    while parts and parts[-1] == "*":
        parts.pop()
    return tuple(part if part == "*" else stem(part) for part in parts)


def _fit(pattern: Sequence[str], said: Sequence[str]) -> int:
    """How many words of `pattern` were found in `said`, in order; zero unless all were."""
    reached: set[int] = set(range(len(said)))
    gap = 0
    for number, part in enumerate(pattern):
        if part == "*":
            gap += GAP
            continue
        reached = {at for at in reached if at < len(said) and said[at] == part}
        if not reached:
            return 0
        following = pattern[number + 1 : number + 2] == ("*",)
        reached = {at + 1 + skip for at in reached for skip in range((GAP if following else 0) + 1)}
    return sum(part != "*" for part in pattern) + (1 if gap == 0 and len(pattern) > 1 else 0)
