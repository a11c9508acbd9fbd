"""What reviewers decided in a stretch of time, newest first, as the figures of their quality want it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from core import ids
from core.calls.tables import Call
from core.review.quality import Judgement
from core.review.rules import Lane
from core.review.tables import ReviewDecision, ReviewItem, ReviewQueue, RubricVersion

_OF_DECISION = tuple(
    col(getattr(ReviewDecision, name))
    for name in ("id", "item_id", "reviewer", "verdict", "scores", "seconds", "lane", "at")
)
MOST = 20_000
"""Decisions that are looked at: the newest of the stretch."""


def of_queue(
    session: Session, *, queue_id: int, since: datetime, until: datetime, limit: int = MOST
) -> tuple[Judgement, ...]:
    """The verdicts of a queue that stand, each person's own (not those given to many at once), newest first."""
    query = (
        columns(*_OF_DECISION, col(ReviewItem.gold), col(ReviewItem.gold_at), col(Call.tokens_out))
        .join(ReviewItem, col(ReviewItem.id) == col(ReviewDecision.item_id))
        .join(Call, col(Call.id) == col(ReviewItem.call_id))
        .where(
            col(ReviewDecision.queue_id) == queue_id,
            col(ReviewDecision.id) >= ids.first_at(since),
            col(ReviewDecision.id) < ids.first_at(until),
            col(ReviewDecision.undone_at).is_(None),
            col(ReviewDecision.bulk_id).is_(None),
            col(ReviewDecision.lane).in_((Lane.REVIEW, Lane.GOLD)),
        )
        .order_by(col(ReviewDecision.id).desc())
        .limit(limit)
    )
    return tuple(
        Judgement(
            decision_id=row.id,
            item_id=row.item_id,
            reviewer=row.reviewer,
            verdict=row.verdict,
            scores=row.scores or {},
            seconds=row.seconds,
            is_test=row.lane == Lane.GOLD,
            right=tuple(row.gold["right"]) if row.gold_at is not None and row.gold else None,
            at=row.at,
            tokens=row.tokens_out,
        )
        for row in session.execute(query)
    )


def questions(session: Session, queue_id: int) -> dict[str, str]:
    """What this queue's rubric asks or asked, in any of its wordings, that can be compared: question → kind."""
    query = (
        select(RubricVersion.questions)
        .join(ReviewQueue, col(ReviewQueue.rubric_id) == col(RubricVersion.rubric_id))
        .where(col(ReviewQueue.id) == queue_id)
        .order_by(col(RubricVersion.version))
        .limit(200)
    )
    found: dict[str, str] = {}
    for asked in session.exec(query):
        found |= {str(one["name"]): _kind(one) for one in asked}
    return {name: kind for name, kind in found.items() if kind != "text"}


def _kind(question: Mapping[str, Any]) -> str:
    return str(question.get("kind") or "scale")
