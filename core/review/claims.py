"""Taking an item in hand: one conditional statement, so that of two people exactly one has it.

A slot is free when nobody holds it, or the holder's lease ran out. SQLite has one writer; Postgres passes over rows
that somebody else is just taking (`FOR UPDATE SKIP LOCKED`).
"""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from core.db.types import UtcDateTime
from core.review import rules
from core.review.rules import Lane

_TRIES = 5
_FREE = """
FROM review_slot AS s
WHERE s.queue_id = :queue AND s.lane = :lane AND s.weight = {weight}
  AND s.decided_at IS NULL AND s.closed_at IS NULL AND (s.lease_until IS NULL OR s.lease_until <= :at)
  AND NOT EXISTS (SELECT 1 FROM review_slot AS o
                  WHERE o.item_id = s.item_id AND o.reviewer = :reviewer AND o.number <> s.number)
  AND NOT EXISTS (SELECT 1 FROM review_away AS a WHERE a.item_id = s.item_id AND a.reviewer = :reviewer)
"""
_OLDEST = "SELECT " + ", ".join(
    f"(SELECT s.created_at {_FREE.format(weight=weight)} ORDER BY s.created_at LIMIT 1) AS w{weight}"
    for weight in rules.WEIGHTS
)
_TAKE = """
UPDATE review_slot SET reviewer = :reviewer, claimed_at = :at, lease_until = :until
WHERE (item_id, number) = (SELECT s.item_id, s.number {free} ORDER BY s.created_at, s.item_id LIMIT 1 {lock})
  AND decided_at IS NULL AND closed_at IS NULL AND (lease_until IS NULL OR lease_until <= :at)
RETURNING item_id, number
"""


def take(
    session: Session, *, queue_id: int, lane: Lane, reviewer: str, lease_s: int, at: datetime
) -> tuple[int, int] | None:
    """The next item (id, slot) for this person, the greatest risk × severity × age first; None when nothing waits."""
    told: dict[str, Any] = {"queue": queue_id, "lane": lane, "reviewer": reviewer, "at": at}
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    lock = "" if is_sqlite else "FOR UPDATE OF s SKIP LOCKED"
    for _ in range(_TRIES):
        row = session.execute(_moments(_OLDEST, *(f"w{weight}" for weight in rules.WEIGHTS)), told).one()
        oldest = {weight: moment for weight, moment in zip(rules.WEIGHTS, row, strict=True) if moment is not None}
        if not oldest:
            return None
        for weight in rules.order(oldest, at=at):
            statement = _TAKE.format(free=_FREE.format(weight=weight), lock=lock)
            try:
                # a statement that fails is undone alone by SQLite, and with its whole transaction by Postgres
                with nullcontext() if is_sqlite else session.begin_nested():
                    taken = session.execute(
                        _moments(statement), {**told, "until": at + timedelta(seconds=lease_s)}
                    ).one_or_none()
            except IntegrityError:  # the same person in two windows: one of them has this item already
                continue
            if taken is not None:
                return int(taken[0]), int(taken[1])
    return None


def _moments(statement: str, *columns: str) -> Any:
    made: TextClause = text(statement).bindparams(bindparam("at", type_=UtcDateTime))
    if ":until" in statement:
        made = made.bindparams(bindparam("until", type_=UtcDateTime))
    return made.columns(**dict.fromkeys(columns, UtcDateTime())) if columns else made
