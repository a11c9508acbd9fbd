"""Answers whose right verdict is known, asked again among the others: how often reviewers see what is there.

Any answer whose verdict took effect can be declared known by a lead. It is then given, once, to each reviewer who has
not seen it, and looks like any other until they have decided. Their verdict on it changes nothing but their figures.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, exists, func
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.db.rows import insert
from core.errors import Conflict, Invalid
from core.ids import shown
from core.people.rules import Permission, Principal, require
from core.review import standing
from core.review.rules import Lane, State, Verdict
from core.review.tables import ReviewAway, ReviewItem, ReviewQueue, ReviewSlot

RIGHT = (Verdict.APPROVE, Verdict.EDIT, Verdict.REJECT, Verdict.UNREVIEWABLE)


def declare(session: Session, *, item_id: int, right: Collection[Verdict], by: Principal, at: datetime) -> None:
    """Let a decided answer test reviewers from now on; `right` are the verdicts that count as right.

    Raises: NotFound, NotAllowed, Invalid without a verdict, Conflict while the answer has no verdict that took effect.
    """
    item, queue = standing.item(session, item_id, by, locked=True, permission=Permission.CALLS_READ)
    require(by, Permission.REVIEW_LEAD, item.project_id)
    if not right or not set(right) <= set(RIGHT):
        raise Invalid("Say which verdicts are right.", hint="Choose at least one.")
    if item.state != State.RELEASED:
        raise Conflict(
            "Only an answer whose verdict took effect can test others.",
            hint="Decide it first, and wait for its release.",
        )
    before = item.gold if item.gold_at is not None else None
    item.gold = {"right": [str(one) for one in RIGHT if one in right], "by": by.actor}
    item.gold_at = at
    asked = standing.wording(session, queue.rubric_id)  # the queue may have another rubric by now
    item.rubric_id, item.rubric_version = asked.rubric_id, asked.version
    session.add(item)
    session.flush()
    _tell(session, item, "review.gold_declared", by, at, before=before, after=item.gold)


def retire(session: Session, *, item_id: int, by: Principal, at: datetime) -> None:
    """Test nobody with this answer any longer, and count no longer what was said of it. Raises: as `declare`."""
    item, _ = standing.item(session, item_id, by, locked=True, permission=Permission.CALLS_READ)
    require(by, Permission.REVIEW_LEAD, item.project_id)
    if item.gold_at is None:
        raise Conflict("This answer tests nobody.", hint="Nothing needs to be done.")
    item.gold_at = None
    session.add(item)
    session.flush()
    _tell(session, item, "review.gold_retired", by, at, before=item.gold, after=None)


def take(session: Session, *, queue_id: int, reviewer: str, until: datetime, at: datetime) -> tuple[int, int] | None:
    """A known item (id, slot) this person has not seen, by chance; None when they have seen them all."""
    seen = exists().where(col(ReviewSlot.item_id) == col(ReviewItem.id), col(ReviewSlot.reviewer) == reviewer)
    away = exists().where(col(ReviewAway.item_id) == col(ReviewItem.id), col(ReviewAway.reviewer) == reviewer)
    item = session.exec(
        select(ReviewItem)
        .where(
            ReviewItem.queue_id == queue_id,
            col(ReviewItem.gold_at).is_not(None),
            ReviewItem.state == State.RELEASED,
            ~seen,
            ~away,
        )
        .order_by(func.random())
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if item is None:
        return None
    slot = standing.slot(item, standing.last_slot(session, item.id) + 1, at)
    slot.lane, slot.reviewer, slot.claimed_at, slot.lease_until = Lane.GOLD, reviewer, at, until
    asked = standing.judged_by(session, item, session.get_one(ReviewQueue, queue_id).rubric_id)
    slot.rubric_id, slot.rubric_version = asked.rubric_id, asked.version or 0
    insert(session, slot)
    return item.id, slot.number


def drop(session: Session, *, item_id: int) -> None:
    """Tests that were left undone are gone: nobody else is to take them over."""
    session.execute(
        delete(ReviewSlot)
        .where(
            col(ReviewSlot.item_id) == item_id, col(ReviewSlot.lane) == Lane.GOLD, col(ReviewSlot.reviewer).is_(None)
        )
        .execution_options(synchronize_session=False)
    )


def _tell(
    session: Session,
    item: ReviewItem,
    action: str,
    by: Principal,
    at: datetime,
    *,
    before: dict[str, object] | None,
    after: dict[str, object] | None,
) -> None:
    audit.append(
        session,
        by=by,
        at=at,
        action=action,
        target=shown("item", item.id),
        project_id=item.project_id,
        before=before,
        after=after,
    )
