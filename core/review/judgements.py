"""What reviewers decided in a stretch of time, newest first, as the figures of their quality want it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from core import ids
from core.calls.tables import Call
from core.review.quality import Asked, Judgement
from core.review.rules import Lane
from core.review.tables import ReviewDecision, ReviewItem, ReviewQueue, Rubric, RubricVersion

_OF_DECISION = tuple(
    col(getattr(ReviewDecision, name))
    for name in ("id", "item_id", "reviewer", "verdict", "scores", "seconds", "lane", "at")
)
_OF_ITEM = (col(ReviewItem.gold), col(ReviewItem.gold_at), col(ReviewItem.call_id))
# a verdict from before rubrics were noted has a wording alone: of its queue's rubric
_RUBRIC = case(
    (
        and_(col(ReviewDecision.rubric_id).is_(None), col(ReviewDecision.rubric_version).is_not(None)),
        func.coalesce(col(ReviewQueue.rubric_id), 0),
    ),
    else_=func.coalesce(col(ReviewDecision.rubric_id), 0),
).label("rubric_id")
MOST = 20_000
"""Decisions that are looked at: the newest of the stretch."""


def of_queue(
    session: Session, *, queue_id: int, since: datetime, until: datetime, limit: int = MOST
) -> tuple[Judgement, ...]:
    """The verdicts of a queue that stand, each person's own (not those given to many at once), newest first."""
    query = (
        columns(*_OF_DECISION, _RUBRIC, *_OF_ITEM, col(Call.tokens_out))
        .join(ReviewItem, col(ReviewItem.id) == col(ReviewDecision.item_id))
        .join(ReviewQueue, col(ReviewQueue.id) == col(ReviewDecision.queue_id))
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
            rubric_id=row.rubric_id,
            call_id=row.call_id,
        )
        for row in session.execute(query)
    )


def questions(session: Session, rubric_ids: Iterable[int]) -> tuple[Asked, ...]:
    """What these rubrics ask or asked, in any of their wordings, that can be compared."""
    query = (
        select(Rubric.id, Rubric.name, RubricVersion.questions)
        .join(RubricVersion, col(RubricVersion.rubric_id) == col(Rubric.id))
        .where(col(Rubric.id).in_(set(rubric_ids)))
        .order_by(col(Rubric.id), col(RubricVersion.version))
        .limit(1_000)
    )
    names: dict[int, str] = {}
    found: dict[int, dict[str, str]] = {}
    for rubric_id, name, asked in session.exec(query):
        names[rubric_id or 0] = name
        found.setdefault(rubric_id or 0, {}).update({str(one["name"]): _kind(one) for one in asked})
    return tuple(
        Asked(number, names[number], {name: kind for name, kind in kinds.items() if kind != "text"})
        for number, kinds in found.items()
    )


def _kind(question: Mapping[str, Any]) -> str:
    return str(question.get("kind") or "scale")
