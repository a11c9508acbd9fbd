"""How well people review: do they agree, do they see what is known, do they read, do they stay as strict as they were.

Pure: verdicts in, figures out. Only verdicts that were given independently count for agreement.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from statistics import median
from typing import Any

from core.review import agreement
from core.review.agreement import Pair, Ratings, Scale
from core.review.rules import Verdict
from core.statistics.proportions import Estimate, newcombe, wilson

VERDICT = "Verdict"
"""The criterion that every rubric has."""
STRICT = frozenset({Verdict.EDIT, Verdict.REJECT, Verdict.ESCALATE})
ENOUGH = 20  # verdicts a person needs, in each stretch that is compared
RECENT = timedelta(days=14)
WORDS_PER_TOKEN = 0.75
WORDS_PER_S = 238 / 60
"""The mean silent reading rate of English non-fiction. Source: M. Brysbaert, "How many words do we read per minute? A
review and meta-analysis of reading rate", Journal of Memory and Language 109 (2019)."""
TOO_FAST = 3.0  # times as fast as people read on average: nobody has read it


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One verdict of one person. `right` are the verdicts known to be right, None for an answer that tests nobody;
    `tokens` the length of the answer they looked at; `seconds` how long it was in their hands; `rubric_id` names the
    rubric that asked for `scores`, 0 where none is known."""

    decision_id: int
    item_id: int
    reviewer: str
    verdict: str
    scores: Mapping[str, Any]
    seconds: float
    is_test: bool
    right: tuple[str, ...] | None
    at: datetime
    tokens: int = 0
    rubric_id: int = 0
    call_id: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rubric asks or asked, in any of its wordings, that can be compared: question → kind."""

    rubric_id: int
    name: str
    kinds: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far people agree on one criterion. Without an answer that two people judged, `items` is 0."""

    criterion: str
    items: int
    percent: float | None
    alpha: Estimate | None
    ac1: float | None


@dataclass(frozen=True, slots=True)
class Week:
    """One week (its Monday) of one criterion."""

    monday: date
    items: int
    percent: float | None
    alpha: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """One person's figures. `strict` is the share not approved as it was; `drift` how much larger it has been in the
    last two weeks than before, None while either stretch has too few; `tested` the known answers they saw."""

    reviewer: str
    verdicts: int
    median_s: float
    too_fast: int
    tested: Estimate | None
    strict: Estimate
    drift: Estimate | None

    @property
    def is_too_fast(self) -> bool:
        """More than one in ten given faster than anybody reads."""
        return self.verdicts >= ENOUGH and self.too_fast > 0.1 * self.verdicts

    @property
    def has_drifted(self) -> bool:
        return self.drift is not None and not self.drift.low <= 0 <= self.drift.high


@dataclass(frozen=True, slots=True)
class Difference:
    """An answer that two people judged differently: what each said."""

    item_id: int
    call_id: int
    one: str
    two: str


def told_apart(judged: Sequence[Judgement], rubrics: Sequence[Asked]) -> tuple[list[Judgement], dict[str, str]]:
    """The verdicts, and the questions (name → kind) they can be compared by, whichever rubric asked them.

    A question that two rubrics ask is two questions, each told with its rubric's name: nobody knows that they mean the
    same. An answer to what the verdict's own rubric does not ask is left out.
    """
    asking = Counter(name for one in rubrics for name in one.kinds)
    titles = {
        one.rubric_id: {name: name if asking[name] == 1 else f"{name} ({one.name})" for name in one.kinds}
        for one in rubrics
    }
    questions = {titles[one.rubric_id][name]: kind for one in rubrics for name, kind in one.kinds.items()}
    found = []
    for one in judged:
        own = titles.get(one.rubric_id, {})
        found.append(replace(one, scores={own[name]: said for name, said in one.scores.items() if name in own}))
    return found, questions


def criteria(questions: Mapping[str, str]) -> dict[str, Scale]:
    """What is compared, and on which scale: the verdict, then the questions (name → kind)."""
    return {VERDICT: Scale.NOMINAL} | {
        name: Scale.ORDINAL if kind == "scale" else Scale.NOMINAL for name, kind in questions.items()
    }


def ratings(judged: Iterable[Judgement], criterion: str = VERDICT) -> Ratings:
    """One mapping per answer, person → what they said; tests and unanswered questions are left out."""
    return list(_by_item(judged, criterion).values())


def agree(judged: Sequence[Judgement], criterion: str, scale: Scale) -> Agreement:
    """How far people agree on a criterion."""
    found = [item for item in ratings(judged, criterion) if len(item) > 1]
    return Agreement(
        criterion,
        len(found),
        agreement.percent(found),
        agreement.interval(found, scale),
        agreement.ac1(found),
    )


def agreed(judged: Iterable[Judgement]) -> tuple[int, float | None]:
    """How many answers two people or more judged, and how often they gave the same verdict."""
    found = [item for item in ratings(judged) if len(item) > 1]
    return len(found), agreement.percent(found)


def weeks(judged: Iterable[Judgement], criterion: str, scale: Scale, *, zone: tzinfo) -> list[Week]:
    """The same by week of the reader's calendar, oldest first; an answer belongs to the week of its first verdict."""
    began: dict[int, date] = {}
    for one in judged:
        day = one.at.astimezone(zone).date()
        monday = day - timedelta(days=day.weekday())
        began[one.item_id] = min(monday, began.get(one.item_id, monday))
    weekly: dict[date, list[Mapping[str, Any]]] = defaultdict(list)
    for item_id, item in _by_item(judged, criterion).items():
        if len(item) > 1:
            weekly[began[item_id]].append(item)
    return [
        Week(monday, len(found), agreement.percent(found), agreement.alpha(found, scale))
        for monday, found in sorted(weekly.items())
    ]


def pairs(judged: Iterable[Judgement], criterion: str) -> list[Pair]:
    """Every two people with an answer in common."""
    return agreement.pairs(ratings(judged, criterion))


def differences(judged: Sequence[Judgement], criterion: str, one: str, two: str) -> list[Difference]:
    """The answers two people see differently, newest first."""
    calls = {given.item_id: given.call_id for given in judged}
    return [
        Difference(item_id, calls[item_id], str(item[one]), str(item[two]))
        for item_id, item in sorted(_by_item(judged, criterion).items(), reverse=True)
        if one in item and two in item and item[one] != item[two]
    ]


def is_too_fast(one: Judgement) -> bool:
    """Whether the answer cannot have been read in the time: less than a third of what reading takes on average."""
    words = one.tokens * WORDS_PER_TOKEN
    return one.seconds < max(1.0, words / (WORDS_PER_S * TOO_FAST))


def reviewers(judged: Iterable[Judgement], *, at: datetime) -> list[Reviewer]:
    """The figures of each person, those who decided most first."""
    mine: dict[str, list[Judgement]] = defaultdict(list)
    for one in judged:
        mine[one.reviewer].append(one)
    made = [_reviewer(who, theirs, at) for who, theirs in mine.items()]
    return sorted(made, key=lambda one: (-one.verdicts, one.reviewer))


def in_words(found: Agreement) -> str:
    """What an α means: from 0.8 on reliable, from 0.667 for tentative conclusions, below for none; by its lower limit.

    Source: K. Krippendorff, "Content Analysis" (2nd edition, 2004), page 241.
    """
    if not found.items:
        return "Nothing was judged by two people."
    if found.alpha is None:
        return "Everybody always says the same, so agreement beyond chance cannot be told."
    if found.alpha.low >= 0.8:
        return "Reliable: two reviewers can stand for each other."
    if found.alpha.low >= 0.667:
        return "Good enough for tentative conclusions."
    if found.alpha.high < 0.667:
        return "Not reliable: verdicts depend on who looks."
    return "Not settled: it may be good or bad, more answers judged twice would tell."


def _by_item(judged: Iterable[Judgement], criterion: str) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for one in judged:
        if one.is_test:
            continue
        said = one.verdict if criterion == VERDICT else one.scores.get(criterion)
        if said not in (None, ""):
            found[one.item_id][one.reviewer] = said
    return found


def _reviewer(who: str, mine: Sequence[Judgement], at: datetime) -> Reviewer:
    tests = [one for one in mine if one.is_test and one.right is not None]
    own = [one for one in mine if not one.is_test]
    recent = [one for one in own if one.at > at - RECENT]
    before = [one for one in own if one.at <= at - RECENT]
    drift = None
    if len(recent) >= ENOUGH and len(before) >= ENOUGH:
        drift = newcombe(_strict(recent), len(recent), _strict(before), len(before))
    return Reviewer(
        reviewer=who,
        verdicts=len(mine),
        median_s=median(one.seconds for one in mine),
        too_fast=sum(is_too_fast(one) for one in mine),
        tested=wilson(sum(one.verdict in (one.right or ()) for one in tests), len(tests)) if tests else None,
        strict=wilson(_strict(mine), len(mine)),
        drift=drift,
    )


def _strict(judged: Iterable[Judgement]) -> int:
    return sum(one.verdict in STRICT for one in judged)
