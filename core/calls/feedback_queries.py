"""What readers said of answers: grouped by mood and reason, day by day, and one by one.

Everything is a range of ids within a project, so a period costs what happened in it, however long the history is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, String, case, distinct, func, literal_column
from sqlmodel import Session, col, select

from core.calls.tables import CallPayload, Feedback
from core.ids import EPOCH, first_at

MOST_GROUPS = 50
_HOUR = timedelta(hours=1)


class Mood(StrEnum):
    """What a reader thought. The thumb says it; without one a rating of 1 or 2 is down, 4 or 5 is up."""

    DOWN = "down"
    UP = "up"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What was said for one reason ("": none was given): how often, of how many answers, and in the time before."""

    mood: Mood
    reason: str
    count: int
    calls: int
    before: int

    @property
    def token(self) -> str:
        """A short name for an address: a reason may be as long as its writer liked."""
        return f"{self.mood}-{hashlib.sha256(self.reason.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The feedback of a period, and of the equally long one before it. `unlisted` is in no group shown."""

    count: int
    down: int
    up: int
    corrected: int
    before: int
    down_before: int
    groups: tuple[Group, ...]

    @property
    def unlisted(self) -> int:
        return self.count - sum(group.count for group in self.groups)


@dataclass(frozen=True, slots=True)
class Day:
    """One day in the reader's time zone, and what was said in it."""

    at: datetime
    down: int
    up: int
    neither: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one reader said, with the first words of question and answer ("" when the answer's text is gone)."""

    id: int
    call_id: int
    at: datetime
    actor: str
    end_user: str
    mood: Mood
    thumb: int | None
    rating: int | None
    reason: str
    comment: str
    correction: str
    asked: str
    answered: str


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries, newest first; `next_before` asks for the page after."""

    rows: tuple[Entry, ...]
    next_before: int | None


# literals, not parameters: Postgres groups by an expression only where it is the same to the letter
MOOD: Any = literal_column(
    "CASE WHEN feedback.thumb < 0 THEN 'down' WHEN feedback.thumb > 0 THEN 'up' "
    "WHEN feedback.rating <= 2 THEN 'down' WHEN feedback.rating >= 4 THEN 'up' ELSE 'neither' END",
    String(),
)
_HOURS: Any = literal_column(f"feedback.id / {first_at(EPOCH + _HOUR)}", BigInteger())


def within(project_ids: Sequence[int], since: datetime, until: datetime) -> tuple[Any, ...]:
    """The conditions of a period, `until` not included."""
    return (
        col(Feedback.project_id).in_(project_ids),
        col(Feedback.id) >= first_at(since),
        col(Feedback.id) < first_at(until),
    )


def summary(session: Session, *, project_ids: Sequence[int], since: datetime, until: datetime) -> Summary:
    """What was said in a period, by mood and reason, the most frequent first (at most `MOST_GROUPS`)."""
    start = first_at(since)
    is_now = case((col(Feedback.id) >= start, 1), else_=0)
    is_before = 1 - is_now
    counted = (func.coalesce(func.sum(is_now), 0), func.coalesce(func.sum(is_before), 0))
    corrected = func.coalesce(func.sum(case((col(Feedback.correction) != "", is_now), else_=0)), 0)
    both = within(project_ids, since - (until - since), until)
    moods: dict[str, tuple[int, int, int]] = {
        mood: (int(now), int(before), int(better))
        for mood, now, before, better in session.execute(select(MOOD, *counted, corrected).where(*both).group_by(MOOD))
    }
    calls = func.count(distinct(case((col(Feedback.id) >= start, col(Feedback.call_id)))))
    columns: tuple[Any, ...] = (MOOD, col(Feedback.reason), counted[0], calls, counted[1])
    grouped = session.execute(
        select(*columns)
        .where(*both)
        .group_by(MOOD, col(Feedback.reason))
        .having(counted[0] > 0)
        .order_by(counted[0].desc(), MOOD, col(Feedback.reason))
        .limit(MOST_GROUPS)
    )
    nothing = (0, 0, 0)
    return Summary(
        count=sum(now for now, _, _ in moods.values()),
        down=moods.get(Mood.DOWN, nothing)[0],
        up=moods.get(Mood.UP, nothing)[0],
        corrected=sum(better for _, _, better in moods.values()),
        before=sum(before for _, before, _ in moods.values()),
        down_before=moods.get(Mood.DOWN, nothing)[1],
        groups=tuple(
            Group(mood=Mood(mood), reason=reason, count=int(now), calls=int(of), before=int(before))
            for mood, reason, now, of, before in grouped
        ),
    )


def days(
    session: Session, *, project_ids: Sequence[int], since: datetime, until: datetime, zone: str = "UTC"
) -> tuple[Day, ...]:
    """One row per day of the reader from the one `since` lies in, empty ones too.

    An hour belongs to the day in which it begins.
    """
    tz = ZoneInfo(zone)
    found = session.execute(
        select(_HOURS, MOOD, func.count()).where(*within(project_ids, since, until)).group_by(_HOURS, MOOD)
    )
    begin = since.astimezone(tz).replace(hour=0, minute=0, second=0, microsecond=0)
    sums: dict[datetime, dict[str, int]] = {}
    while begin < until:
        sums[begin] = dict.fromkeys(Mood, 0)
        begin += timedelta(days=1)  # by the wall clock: a local day has 23 or 25 hours twice a year
    for number, mood, count in found:
        at = (EPOCH + int(number) * _HOUR).astimezone(tz).replace(hour=0, minute=0, second=0, microsecond=0)
        if at in sums:
            sums[at][mood] += int(count)
    return tuple(
        Day(at=at, down=part[Mood.DOWN], up=part[Mood.UP], neither=part[Mood.NEITHER]) for at, part in sums.items()
    )


def entries(
    session: Session,
    *,
    project_ids: Sequence[int],
    since: datetime,
    until: datetime,
    mood: Mood | None = None,
    reason: str | None = None,
    has_correction: bool | None = None,
    before: int | None = None,
    limit: int = 50,
) -> Entries:
    """What readers said, newest first, older than the entry `before`; one mood, one reason, or all."""
    query: Any = (
        select(Feedback, MOOD, func.coalesce(CallPayload.asked, ""), func.coalesce(CallPayload.answered, ""))
        .outerjoin(CallPayload, col(CallPayload.call_id) == col(Feedback.call_id))
        .where(*within(project_ids, since, until))
        .order_by(col(Feedback.id).desc())
        .limit(limit + 1)
    )
    if mood is not None:
        query = query.where(mood.value == MOOD)
    if reason is not None:
        query = query.where(Feedback.reason == reason)
    if has_correction is not None:
        said = col(Feedback.correction)
        query = query.where(said != "" if has_correction else said == "")
    if before is not None:
        query = query.where(col(Feedback.id) < before)
    found = [
        Entry(
            mood=Mood(felt),
            asked=asked,
            answered=answered,
            **{name: getattr(row, name) for name in _STORED},
        )
        for row, felt, asked, answered in session.execute(query)
    ]
    return Entries(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)


def is_any(session: Session, *, project_ids: Sequence[int]) -> bool:
    """Whether anybody ever said anything of an answer here."""
    query = select(Feedback.id).where(col(Feedback.project_id).in_(project_ids)).limit(1)
    return session.exec(query).first() is not None


_STORED = tuple(name for name in Entry.__dataclass_fields__ if name in Feedback.model_fields)
