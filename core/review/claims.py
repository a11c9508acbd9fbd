"""Taking an item in hand: one conditional statement, so that of two people exactly one has it.

A slot is free when nobody holds it, or the holder's lease ran out. SQLite has one writer; Postgres passes over rows
that somebody else is just taking (`FOR UPDATE SKIP LOCKED`), and lets one person take one thing at a time, in however
many windows they sit.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from core.db.rows import run
from core.db.types import UtcDateTime
from core.review import rules
from core.review.rules import Lane

_TRIES = 5
_MAY = """
  AND s.decided_at IS NULL AND s.closed_at IS NULL AND (s.lease_until IS NULL OR s.lease_until <= :at)
  AND NOT EXISTS (SELECT 1 FROM review_slot AS o
                  WHERE o.item_id = s.item_id AND o.reviewer = :reviewer AND o.number <> s.number)
  AND NOT EXISTS (SELECT 1 FROM review_away AS a WHERE a.item_id = s.item_id AND a.reviewer = :reviewer)
"""
_FREE = "FROM review_slot AS s WHERE s.queue_id = :queue AND s.lane = :lane AND s.weight = {weight}" + _MAY
_FREE_OF_ITEM = "FROM review_slot AS s WHERE s.item_id = :item AND s.lane = :lane" + _MAY
_OLDEST = ", ".join(
    f"(SELECT s.created_at {_FREE.format(weight=weight)} ORDER BY s.created_at LIMIT 1) AS w{weight}"
    for weight in rules.WEIGHTS
)
_LOOK = """
SELECT q.project_id, q.lease_s, q.gold_percent, {lock} AS locked, {oldest} FROM review_queue AS q WHERE q.id = :queue
"""
_ONE_AT_A_TIME = "(SELECT 1 FROM pg_advisory_xact_lock(hashtextextended(:reviewer, :queue)))"
_TAKE = """
UPDATE review_slot SET reviewer = :reviewer, claimed_at = :at, lease_until = :until,
  (rubric_id, rubric_version) = (
    SELECT COALESCE(i.rubric_id, q.rubric_id), COALESCE(i.rubric_version, r.version, 0)
    FROM review_item AS i JOIN review_queue AS q ON q.id = i.queue_id LEFT JOIN rubric AS r ON r.id = q.rubric_id
    WHERE i.id = review_slot.item_id)
WHERE (item_id, number) = (SELECT s.item_id, s.number {free} ORDER BY s.created_at, s.item_id LIMIT 1 {lock})
RETURNING item_id, number
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A queue as somebody who reaches into it finds it: `oldest` maps a weight to its oldest free slot's moment."""

    project_id: int
    lease_s: int
    gold_percent: int
    oldest: Mapping[int, datetime]


def look(session: Session, *, queue_id: int, lane: Lane, reviewer: str, at: datetime) -> Seen | None:
    """What is free for this person in a queue; None when there is no such queue."""
    told = {"queue": queue_id, "lane": lane, "reviewer": reviewer, "at": at}
    row = run(session, _LOOKS[_is_sqlite(session)], told).mappings().one_or_none()
    if row is None:
        return None
    oldest = {weight: row[f"w{weight}"] for weight in rules.WEIGHTS if row[f"w{weight}"] is not None}
    return Seen(row["project_id"], row["lease_s"], row["gold_percent"], oldest)


def take(
    session: Session, seen: Seen, *, queue_id: int, lane: Lane, reviewer: str, at: datetime
) -> tuple[int, int] | None:
    """The next item (id, slot) for this person, the greatest risk × severity × age first; None when nothing waits."""
    found: Seen | None = seen
    told: dict[str, Any] = {"queue": queue_id, "lane": lane, "reviewer": reviewer, "at": at}
    for _ in range(_TRIES):
        if found is None or not found.oldest:
            return None
        for weight in rules.order(found.oldest, at=at):
            statement = _TAKES[_is_sqlite(session)][weight]
            until = at + timedelta(seconds=found.lease_s)
            taken = run(session, statement, {**told, "until": until}).mappings().one_or_none()
            if taken is not None:
                return int(taken["item_id"]), int(taken["number"])
        found = look(session, queue_id=queue_id, lane=lane, reviewer=reviewer, at=at)  # others took what was there
    return None


def take_item(
    session: Session, *, item_id: int, lane: Lane, reviewer: str, lease_s: int, at: datetime
) -> tuple[int, int] | None:
    """This item (id, slot) for this person; None when no slot of it is free, or it is not offered to them."""
    told = {"item": item_id, "lane": lane, "reviewer": reviewer, "at": at, "until": at + timedelta(seconds=lease_s)}
    is_sqlite = _is_sqlite(session)
    try:
        # a statement that fails is undone alone by SQLite, and with its whole transaction by Postgres
        with nullcontext() if is_sqlite else session.begin_nested():
            taken = run(session, _TAKE_ITEM[is_sqlite], told).mappings().one_or_none()
    except IntegrityError:  # the same person in two windows: one of them has this item already
        return None
    return None if taken is None else (int(taken["item_id"]), int(taken["number"]))


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _moments(statement: str, *columns: str) -> Any:
    made: TextClause = text(statement).bindparams(bindparam("at", type_=UtcDateTime))
    if ":until" in statement:
        made = made.bindparams(bindparam("until", type_=UtcDateTime))
    return made.columns(**dict.fromkeys(columns, UtcDateTime())) if columns else made


_LOOKS = {
    is_sqlite: _moments(
        _LOOK.format(lock="1" if is_sqlite else _ONE_AT_A_TIME, oldest=_OLDEST),
        *(f"w{weight}" for weight in rules.WEIGHTS),
    )
    for is_sqlite in (True, False)
}
_TAKES = {
    is_sqlite: {
        weight: _moments(
            _TAKE.format(free=_FREE.format(weight=weight), lock="" if is_sqlite else "FOR UPDATE OF s SKIP LOCKED")
        )
        for weight in rules.WEIGHTS
    }
    for is_sqlite in (True, False)
}
_TAKE_ITEM = {
    is_sqlite: _moments(_TAKE.format(free=_FREE_OF_ITEM, lock="" if is_sqlite else "FOR UPDATE OF s SKIP LOCKED"))
    for is_sqlite in (True, False)
}
