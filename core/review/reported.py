"""What readers complained about, in front of people: what of it went to review, and sending much of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import distinct, exists, func
from sqlmodel import Session, col, select

from core.calls.feedback_queries import MOOD, Group, within
from core.calls.tables import Feedback
from core.errors import Conflict
from core.ids import Ids
from core.people.rules import Principal
from core.review import actions
from core.review.rules import Source
from core.review.tables import ReviewItem, ReviewQueue

MOST = 200
"""How many answers of a group are sent in one go."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer stands in review."""

    item_id: int
    queue_id: int
    queue_name: str
    state: str
    verdict: str


def places(session: Session, call_ids: Sequence[int], *, project_ids: Sequence[int]) -> dict[int, tuple[Place, ...]]:
    """How these answers stand in review, by call; those that never went there are left out."""
    query = (
        select(ReviewItem, ReviewQueue.name)
        .join(ReviewQueue, col(ReviewQueue.id) == col(ReviewItem.queue_id))
        .where(col(ReviewItem.call_id).in_(call_ids), col(ReviewItem.project_id).in_(project_ids))
        .order_by(col(ReviewItem.id))
    )
    found: dict[int, tuple[Place, ...]] = {}
    for item, name in session.exec(query):
        place = Place(item.id, item.queue_id, name, item.state, item.verdict)
        found[item.call_id] = (*found.get(item.call_id, ()), place)
    return found


def reviewed(
    session: Session, groups: Sequence[Group], *, project_ids: Sequence[int], since: datetime, until: datetime
) -> dict[str, int]:
    """How many answers of each group of a period went to review, whatever became of them; by the group's token."""
    query: Any = (
        select(MOOD, Feedback.reason, func.count(distinct(col(Feedback.call_id))))
        .join(ReviewItem, col(ReviewItem.call_id) == col(Feedback.call_id))
        .where(*within(project_ids, since, until), col(Feedback.reason).in_({group.reason for group in groups}))
        .where(col(ReviewItem.project_id) == col(Feedback.project_id))
        .group_by(MOOD, col(Feedback.reason))
    )
    counts = {(mood, reason): int(count) for mood, reason, count in session.execute(query)}
    return {group.token: counts.get((group.mood, group.reason), 0) for group in groups}


def unsent(
    session: Session,
    group: Group,
    *,
    queue_id: int,
    project_ids: Sequence[int],
    since: datetime,
    until: datetime,
    limit: int = MOST,
) -> tuple[int, ...]:
    """The calls of a group that are not in this queue, those spoken of last first."""
    newest = func.max(col(Feedback.id))
    is_there = exists().where(col(ReviewItem.queue_id) == queue_id, col(ReviewItem.call_id) == col(Feedback.call_id))
    query = (
        select(Feedback.call_id)
        .where(*within(project_ids, since, until), group.mood.value == MOOD, Feedback.reason == group.reason)
        .where(~is_there)
        .group_by(col(Feedback.call_id))
        .order_by(newest.desc())
        .limit(limit)
    )
    return tuple(session.exec(query))


def send_all(
    session: Session, *, queue_id: int, call_ids: Sequence[int], reason: str, by: Principal, at: datetime, ids: Ids
) -> int:
    """Put these answers in front of people; how many were not there yet. Raises: NotFound, NotAllowed."""
    sent = 0
    for call_id in call_ids:
        try:
            actions.send(
                session, queue_id=queue_id, call_id=call_id, source=Source.REPORT, by=by, at=at, ids=ids, reason=reason
            )
        except Conflict:
            continue  # somebody was first, between the reading and this
        sent += 1
    return sent
