"""How an item stands: who has it, who decided, and what follows from the verdicts so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from core.calls import rows
from core.calls import said as read
from core.calls.tables import CallPayload
from core.errors import Conflict, NotFound
from core.people.rules import Permission, Principal
from core.review import rules
from core.review.rules import Cast, Lane, Next, State, Verdict
from core.review.tables import Appeal, ReviewDecision, ReviewItem, ReviewQueue, ReviewSlot, Rubric


def slot(item: ReviewItem, number: int, at: datetime) -> ReviewSlot:
    return ReviewSlot(
        item_id=item.id, number=number, queue_id=item.queue_id, lane=item.lane, weight=item.weight, created_at=at
    )


def last_slot(session: Session, item_id: int) -> int:
    return session.exec(select(func.max(ReviewSlot.number)).where(ReviewSlot.item_id == item_id)).one() or 0


def mine(item_id: int, by: Principal) -> tuple[Any, ...]:
    return (
        col(ReviewSlot.item_id) == item_id,
        col(ReviewSlot.reviewer) == by.actor,
        col(ReviewSlot.decided_at).is_(None),
        col(ReviewSlot.closed_at).is_(None),
    )


def item(
    session: Session,
    item_id: int,
    by: Principal,
    *,
    locked: bool = False,
    permission: Permission = Permission.REVIEW_DECIDE,
) -> tuple[ReviewItem, ReviewQueue]:
    """The item and its queue, for somebody who may see them. Raises: NotFound."""
    query = select(ReviewItem).where(ReviewItem.id == item_id).execution_options(populate_existing=True)
    item = session.exec(query.with_for_update() if locked else query).one_or_none()
    if item is None or not by.may(permission, item.project_id):
        raise NotFound("There is no such item.", hint="Open the queue again.")
    queue = session.get(ReviewQueue, item.queue_id)
    assert queue is not None
    return item, queue


def gone(session: Session, item: ReviewItem, by: Principal) -> Conflict:
    """Why an item is not in this person's hands: who was first, and when."""
    decision = session.exec(
        select(ReviewDecision)
        .where(ReviewDecision.item_id == item.id, col(ReviewDecision.undone_at).is_(None))
        .order_by(col(ReviewDecision.id).desc())
        .limit(1)
    ).first()
    if item.state == State.EXPIRED:
        return Conflict("The deadline of this item has passed.", code="expired", hint="Your draft was kept.")
    if item.state == State.WITHDRAWN:
        return Conflict("The application withdrew this answer.", code="withdrawn", hint="Go on with the next one.")
    if decision is not None:
        who = "you" if decision.reviewer == by.actor else decision.reviewer
        return Conflict(
            f"Decided by {who} at {decision.at:%H:%M:%S} UTC: {decision.verdict}.",
            code="already_decided",
            hint="Your draft was kept; appeal if you see it differently.",
        )
    holder = session.exec(
        select(ReviewSlot.reviewer)
        .where(ReviewSlot.item_id == item.id, col(ReviewSlot.reviewer).is_not(None), ReviewSlot.reviewer != by.actor)
        .limit(1)
    ).first()
    return Conflict(
        f"This item is in the hands of {holder} now." if holder else "This item is not in your hands.",
        code="claim_lost",
        hint="Your draft was kept; take the next one.",
    )


def rubric_version(session: Session, queue: ReviewQueue) -> int | None:
    """The wording an item is sent under: it is judged by it, however the rubric is worded later."""
    if queue.rubric_id is None:
        return None
    return session.exec(select(Rubric.version).where(Rubric.id == queue.rubric_id)).one_or_none()


def answer(session: Session, call_id: int) -> str:
    packed = session.exec(select(CallPayload.response).where(CallPayload.call_id == call_id)).one_or_none()
    return "\n".join(message.text for message in read.answered(read.value(rows.unpack(packed))))


def casts(session: Session, item: ReviewItem) -> list[Cast]:
    found = session.exec(
        select(ReviewDecision)
        .where(
            ReviewDecision.item_id == item.id,
            ReviewDecision.lane == item.lane,
            col(ReviewDecision.undone_at).is_(None),
        )
        .order_by(col(ReviewDecision.id))
    ).all()
    if item.lane == Lane.APPEAL:  # every appeal begins anew
        found = found[-1:]
    return [Cast(one.id, one.reviewer, Verdict(one.verdict), one.edited) for one in found]


def asked(session: Session, item_id: int) -> int:
    """How many reviewers the item has room for: so many verdicts it needs."""
    count = select(func.count()).where(ReviewSlot.item_id == item_id, ReviewSlot.lane == Lane.REVIEW)
    return int(session.exec(count).one())


def appealed_since(session: Session, item_id: int, at: datetime) -> bool:
    return session.exec(select(Appeal.id).where(Appeal.item_id == item_id, Appeal.made_at >= at)).first() is not None


def follow(session: Session, item: ReviewItem, queue: ReviewQueue, *, at: datetime) -> None:
    """Do what the verdicts so far ask for."""
    said = casts(session, item)
    step = rules.next_step(said, lane=Lane(item.lane), needed=item.needed, most=max(queue.most_reviewers, item.needed))
    if step.what is Next.WAIT:
        return
    if step.what is Next.SETTLE:
        assert step.by is not None
        item.state, item.verdict = State.SETTLED, step.by.verdict
        item.decided_by, item.decision_id = step.by.reviewer, step.by.decision_id
        item.settled_at, item.release_at = at, at + timedelta(seconds=queue.undo_s)
        if item.lane != Lane.REVIEW or len(said) != item.needed:  # else every place is decided
            close_slots(session, [item.id], at)
    elif step.what is Next.ONE_MORE:
        item.needed += 1
        session.add(slot(item, last_slot(session, item.id) + 1, at))
    else:
        close_slots(session, [item.id], at)
        item.lane = Lane.ESCALATION if step.what is Next.ESCALATE else Lane.ADJUDICATION
        session.add(slot(item, last_slot(session, item.id) + 1, at))
    session.add(item)
    session.flush()


def close_slots(session: Session, item_ids: Sequence[int], at: datetime) -> None:
    """Nobody else is asked. Whoever had it in hand had no part in it: another lane may ask them again."""
    session.execute(
        update(ReviewSlot)
        .where(
            col(ReviewSlot.item_id).in_(item_ids),
            col(ReviewSlot.decided_at).is_(None),
            col(ReviewSlot.closed_at).is_(None),
        )
        .values(closed_at=at, reviewer=None, claimed_at=None, lease_until=None)
    )
