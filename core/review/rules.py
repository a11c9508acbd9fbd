"""What reviewing decides, as pure rules: who is next, when verdicts agree, what a caller gets in the end."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from core.calls import rows
from core.errors import Invalid

LONGEST = 100_000  # characters of an edit, a comment, a reason
SEVERE = 3  # the gravest
WEIGHTS = (9, 6, 4, 3, 2, 1)  # every product of risk and severity, each 1…3


class Source(StrEnum):
    """Why an answer waits."""

    POLICY = "policy"
    SAMPLE = "sample"
    REPORT = "report"
    SCORE = "score"
    MANUAL = "manual"
    EXPERIMENT = "experiment"


class State(StrEnum):
    """Where an item stands; a settled one can be undone until its release."""

    WAITING = "waiting"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Lane(StrEnum):
    """Who may decide: reviewers first; the next three want somebody who had no part in it. The last is no way to a
    verdict: an answer whose verdict is known, given to a reviewer who is not told (`gold`)."""

    REVIEW = "review"
    ESCALATION = "escalation"
    ADJUDICATION = "adjudication"
    APPEAL = "appeal"
    GOLD = "gold"


class Verdict(StrEnum):
    """What a reviewer can say. Escalating and passing on settle nothing."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    UNREVIEWABLE = "unreviewable"
    ESCALATE = "escalate"


class FailSafe(StrEnum):
    """What a caller gets when nobody decided in time."""

    SAFE_TEXT = "safe text"
    RULES = "rule-based answer"
    PASS = "pass"  # noqa: S105
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Said:
    """What a reviewer says: the verdict and everything that explains it."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    scores: Mapping[str, Any] | None = None
    comment: str = ""
    severity: int = 1
    edited: str | None = None
    seconds: float = 0.0


def checked(said: Said, *, lane: Lane = Lane.REVIEW) -> Said:
    """The verdict with its texts as they can be stored. Raises: Invalid."""
    if said.verdict is Verdict.ESCALATE and lane is not Lane.REVIEW:
        raise Invalid("There is nobody further up to ask.", hint="Decide it, or pass it on to another lead.")
    edited = said.edited
    if said.verdict is Verdict.EDIT:
        if edited is None or not edited.strip():
            raise Invalid("An edit needs the edited answer.", hint="Change the text, or reject the answer.")
        if len(edited) > LONGEST:
            raise Invalid(f"The edited answer is longer than {LONGEST:,} characters.", hint="Shorten it.")
        edited = rows.text(edited)
    else:
        edited = None
    if said.verdict in (Verdict.REJECT, Verdict.ESCALATE) and not said.reasons and not rows.text(said.comment).strip():
        raise Invalid(f"To {said.verdict} an answer, say why.", hint="Choose a reason or write a sentence.")
    if not 1 <= said.severity <= 3:
        raise Invalid("Severity is 1 (low), 2 or 3 (high).", param="severity")
    return Said(
        said.verdict,
        tuple(rows.text(one)[:64] for one in said.reasons)[:16],
        rows.plain(dict(said.scores)) if said.scores else None,
        rows.text(said.comment).strip()[:LONGEST],
        said.severity,
        edited,
        max(0.0, min(said.seconds, 86_400.0)),
    )


@dataclass(frozen=True, slots=True)
class Cast:
    """One verdict of one person; `edited` is the text of an edit."""

    decision_id: int
    reviewer: str
    verdict: Verdict
    edited: str | None = None

    @property
    def outcome(self) -> tuple[Verdict, str | None]:
        """What would happen: two edits agree only when they are the same text."""
        return self.verdict, self.edited if self.verdict is Verdict.EDIT else None


class Next(StrEnum):
    """What follows from the verdicts so far."""

    WAIT = "wait"
    ONE_MORE = "one more"
    ESCALATE = "escalate"
    ADJUDICATE = "adjudicate"
    SETTLE = "settle"


@dataclass(frozen=True, slots=True)
class Step:
    """`by` is the decision that takes effect when the item is settled."""

    what: Next
    by: Cast | None = None


def weight(risk: int, severity: int) -> int:
    """Risk × severity, each 1 (low) to 3 (high)."""
    return min(max(risk, 1), 3) * min(max(severity, 1), 3)


def covered(call_id: int, percent: int) -> bool:
    """Whether an answer is among the `percent` that several people look at: chance that every process repeats.

    Raising the percentage adds answers and moves none out.
    """
    digest = hashlib.blake2b(f"coverage:{call_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) * 100 < percent * 2**64


def order(oldest: Mapping[int, datetime], *, at: datetime) -> list[int]:
    """The weights in the order in which they are served: weight × age of the oldest item of each, greatest first.

    `oldest` maps a weight to the moment its oldest item came in. Within a weight the oldest has the greatest priority,
    so this is the exact order by risk × severity × age. At age 0 the weight decides.
    """

    def priority(one: int) -> tuple[float, int]:
        return one * max((at - oldest[one]).total_seconds(), 0.0), one

    return sorted(oldest, key=priority, reverse=True)


def due_at(created_at: datetime, *, service_level_s: int, weight: int) -> datetime:
    """When the queue's service level wants the item decided: the heavier, the sooner: a third at weight 9."""
    return created_at + timedelta(seconds=service_level_s / (1 + (weight - 1) / 4))


def next_step(casts: Sequence[Cast], *, lane: Lane, needed: int, most: int) -> Step:
    """What follows from the verdicts of this lane, oldest first.

    More than half of at least `needed` verdicts settle an item; while they do not, one more person is asked, up to
    `most`; then somebody else adjudicates. In the other lanes one verdict settles.
    """
    if not casts:
        return Step(Next.WAIT)
    if casts[-1].verdict is Verdict.ESCALATE:
        return Step(Next.ESCALATE if lane is Lane.REVIEW else Next.WAIT)
    if lane is not Lane.REVIEW:
        return Step(Next.SETTLE, casts[-1])
    if len(casts) < needed:
        return Step(Next.WAIT)
    outcome, count = Counter(cast.outcome for cast in casts).most_common(1)[0]
    if 2 * count > len(casts):
        return Step(Next.SETTLE, next(cast for cast in casts if cast.outcome == outcome))
    return Step(Next.ONE_MORE if len(casts) < most else Next.ADJUDICATE)


def sample_size(population: int) -> int:
    """How many of so many items are looked at before one verdict may count for all: the square root, 5 to 30.

    When 30 of 30 agree, at most one in ten of the rest is otherwise, with 95 % confidence (Hanley and
    Lippman-Hand's rule of three, 1983).
    """
    return min(max(5, math.isqrt(max(population - 1, 0)) + 1), 30)


@dataclass(frozen=True, slots=True)
class Final:
    """What the caller of a held answer gets: state, text (None: none), and the reason where it is incomplete."""

    state: str
    text: str | None
    reason: str = ""


def decided(verdict: Verdict, *, answer: str, edited: str | None, reason: str) -> Final:
    """The end of a held answer by a person's verdict; what cannot be judged is not shown."""
    if verdict is Verdict.APPROVE:
        return Final("completed", answer)
    if verdict is Verdict.EDIT:
        return Final("completed", edited if edited is not None else answer)
    return Final("incomplete", None, reason or "content_filter")


def expired(fail_safe: FailSafe, *, answer: str, safe_text: str, by_rules: str) -> Final:
    """The end of a held answer that nobody decided on: as declared, never anything else."""
    if fail_safe is FailSafe.PASS:
        return Final("completed", answer)
    if fail_safe is FailSafe.SAFE_TEXT:
        return Final("completed", safe_text)
    if fail_safe is FailSafe.RULES:
        return Final("completed", by_rules)
    return Final("incomplete", None, "review_deadline")
