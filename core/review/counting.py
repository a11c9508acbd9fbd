"""How much waits in the queues, for everybody and for one person, and how fast it is decided.

Everything here counts open rows or those of the last day, so that its cost does not grow with what was ever decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, case, func, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from core import ids
from core.people.rules import Principal
from core.review import queries
from core.review.rules import Lane, State
from core.review.tables import (
    ReviewAway,
    ReviewDecision,
    ReviewItem,
    ReviewSlot,
)
from core.review.views import QueueRow

PACE_HOURS = 24
MOST_COUNTED = 500


def board(
    session: Session, *, project_ids: Sequence[int], at: datetime, by: Principal, since: datetime
) -> tuple[QueueRow, ...]:
    """Every queue with what waits in it now, and the pace of the last day.

    For who looks, what tests them counts as one of the answers that wait (see `left_for`), with tests since then.
    """
    found = queries.queues(session, project_ids=project_ids)
    numbers = [queue.id or 0 for queue in found]
    if not numbers:
        return ()
    waiting, hands, tested_now = _places(session, numbers, at, by)
    tested = _tested(session, numbers, by, since)
    ages = _ages(session, numbers, at)
    since = at - timedelta(hours=PACE_HOURS)
    arrivals = _arrivals(session, numbers, since)
    pace = _pace(session, numbers, since)
    rows = []
    for queue in found:
        number = queue.id or 0
        oldest, overdue = ages.get(number, (None, 0))
        decided, seconds = pace.get(number, (0, None))
        rows.append(
            QueueRow(
                id=number,
                name=queue.name,
                is_open=queue.is_open,
                reviewers=queue.reviewers,
                service_level_s=queue.service_level_s,
                waiting=_for_the_tested(waiting.get(number, {}), tested_now.get(number, 0), tested.get(number, 0)),
                hands=hands.get(number, {}),
                oldest_at=oldest,
                overdue=overdue,
                arrivals=arrivals.get(number, 0),
                decided=decided,
                handling_s=seconds,
            )
        )
    return tuple(rows)


def done_since(session: Session, *, by: Principal, since: datetime, queue_id: int) -> int:
    """How many verdicts a person gave in a queue since then."""
    query = (
        select(func.count())
        .select_from(ReviewDecision)
        .where(
            ReviewDecision.reviewer == by.actor,
            ReviewDecision.queue_id == queue_id,
            col(ReviewDecision.id) >= ids.first_at(since),
            col(ReviewDecision.undone_at).is_(None),
        )
    )
    return int(session.exec(query).one())


def left_for(
    session: Session, *, queue_id: int, lane: Lane, by: Principal, at: datetime, since: datetime
) -> tuple[int, bool]:
    """How many answers of a queue wait in a lane for this person, with those they have in hand, none twice; and whether
    these are all: `MOST_COUNTED` places are looked at, however long the queue is.

    An answer that tests them takes the place of one that waits, in hand and once decided (since then): so this number
    and what they have done add up as if it were any other, and nobody can tell which it was. What the queue really has
    more shows when its end is near, as if it had just come.
    """
    of_item = col(ReviewSlot.item_id)
    other = aliased(ReviewSlot)
    is_mine = col(ReviewSlot.reviewer) == by.actor
    has_part = select(other.item_id).where(
        other.item_id == of_item, other.reviewer == by.actor, other.number != col(ReviewSlot.number)
    )
    is_away = select(ReviewAway.item_id).where(ReviewAway.item_id == of_item, ReviewAway.reviewer == by.actor)
    is_free = or_(col(ReviewSlot.lease_until).is_(None), col(ReviewSlot.lease_until) <= at)
    places = select(of_item).where(
        ReviewSlot.queue_id == queue_id,
        col(ReviewSlot.lane).in_((lane, Lane.GOLD) if lane is Lane.REVIEW else (lane,)),
        col(ReviewSlot.decided_at).is_(None),
        col(ReviewSlot.closed_at).is_(None),
        or_(is_mine, and_(is_free, col(ReviewSlot.lane) == lane, ~has_part.exists(), ~is_away.exists())),
    )
    found = places.add_columns(col(ReviewSlot.lane)).limit(MOST_COUNTED).subquery()
    in_test = func.count(func.distinct(case((found.c.lane == Lane.GOLD, found.c.item_id), else_=None)))
    counted = select(func.count(func.distinct(found.c.item_id)), in_test, func.count())
    items, now, looked_at = session.execute(counted).one()
    if lane is Lane.REVIEW and items:
        tested = int(now) + _tested(session, [queue_id], by, since).get(queue_id, 0)
        items = max(items - tested, 1)
    return int(items), looked_at < MOST_COUNTED


def _places(
    session: Session, numbers: Sequence[int], at: datetime, by: Principal
) -> tuple[dict[int, dict[Lane, int]], dict[int, dict[str, int]], dict[int, int]]:
    """Open places by queue: free ones by lane, held ones by reviewer, and those that test this person now."""
    held = case((col(ReviewSlot.lease_until) > at, col(ReviewSlot.reviewer)), else_=None)
    query = (
        select(ReviewSlot.queue_id, ReviewSlot.lane, held, func.count())
        .where(
            col(ReviewSlot.queue_id).in_(numbers),
            col(ReviewSlot.decided_at).is_(None),
            col(ReviewSlot.closed_at).is_(None),
        )
        .group_by(col(ReviewSlot.queue_id), col(ReviewSlot.lane), held)
    )
    waiting: dict[int, dict[Lane, int]] = {}
    hands: dict[int, dict[str, int]] = {}
    tested: dict[int, int] = {}
    for queue_id, lane, reviewer, count in session.exec(query):
        if reviewer is None and lane == Lane.GOLD:
            continue  # a test that was left: nobody waits for it
        if reviewer is None:
            lanes = waiting.setdefault(queue_id, {})
            lanes[Lane(lane)] = lanes.get(Lane(lane), 0) + int(count)
        else:
            people = hands.setdefault(queue_id, {})
            people[reviewer] = people.get(reviewer, 0) + int(count)
            if reviewer == by.actor and lane == Lane.GOLD:
                tested[queue_id] = int(count)
    return waiting, hands, tested


def _tested(session: Session, numbers: Sequence[int], by: Principal, since: datetime) -> dict[int, int]:
    """How many answers that test this person they have decided since then, by queue."""
    query = (
        select(ReviewDecision.queue_id, func.count())
        .where(
            ReviewDecision.reviewer == by.actor,
            col(ReviewDecision.queue_id).in_(numbers),
            col(ReviewDecision.id) >= ids.first_at(since),
            ReviewDecision.lane == Lane.GOLD,
            col(ReviewDecision.undone_at).is_(None),
        )
        .group_by(col(ReviewDecision.queue_id))
    )
    return {queue_id: int(count) for queue_id, count in session.exec(query)}


def _for_the_tested(waiting: dict[Lane, int], now: int, decided: int) -> dict[Lane, int]:
    """What waits, as who is tested sees it: what really waits is never said to be nothing once the test is over."""
    free = waiting.get(Lane.REVIEW, 0)
    if not free or not now + decided:
        return waiting
    return {**waiting, Lane.REVIEW: max(free - now - decided, 0 if now else 1)}


def _ages(session: Session, numbers: Sequence[int], at: datetime) -> dict[int, tuple[datetime | None, int]]:
    overdue = func.sum(case((col(ReviewItem.due_at) < at, 1), else_=0))
    query = (
        select(ReviewItem.queue_id, func.min(ReviewItem.created_at), overdue)
        .where(col(ReviewItem.queue_id).in_(numbers), ReviewItem.state == State.WAITING)
        .group_by(col(ReviewItem.queue_id))
    )
    return {queue_id: (oldest, int(late or 0)) for queue_id, oldest, late in session.exec(query)}


def _arrivals(session: Session, numbers: Sequence[int], since: datetime) -> dict[int, int]:
    counted = (
        select(ReviewItem.queue_id, func.count())
        .where(col(ReviewItem.queue_id).in_(numbers), col(ReviewItem.id) >= ids.first_at(since))
        .group_by(col(ReviewItem.queue_id))
    )
    return {queue_id: int(count) for queue_id, count in session.exec(counted)}


def _pace(session: Session, numbers: Sequence[int], since: datetime) -> dict[int, tuple[int, float | None]]:
    query = (
        select(ReviewDecision.queue_id, func.count(), func.avg(ReviewDecision.seconds))
        .where(
            col(ReviewDecision.queue_id).in_(numbers),
            col(ReviewDecision.id) >= ids.first_at(since),
            col(ReviewDecision.undone_at).is_(None),
        )
        .group_by(col(ReviewDecision.queue_id))
    )
    return {
        queue_id: (int(count), None if mean is None else float(mean)) for queue_id, count, mean in session.exec(query)
    }
