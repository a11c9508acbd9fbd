"""What the clock does with answers that wait: verdicts take effect, deadlines pass, callers withdraw.

Each end is one conditional statement; what it returns, nobody else gets, whichever process looks first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.ids import shown
from core.people.rules import SYSTEM
from core.review import standing
from core.review.rules import Lane, State
from core.review.tables import Appeal, ReviewDecision, ReviewItem


@dataclass(frozen=True, slots=True)
class Closed:
    """An item whose end takes effect now: by `verdict`, or expired without one (`verdict` "")."""

    item_id: int
    project_id: int
    call_id: int
    verdict: str
    edited: str | None
    reasons: tuple[str, ...]
    decided_by: str


def release_due(session: Session, *, at: datetime, limit: int = 200) -> list[Closed]:
    """Verdicts whose time to undo is over take effect, each exactly once, whichever process looks first."""
    due = (
        select(col(ReviewItem.id))
        .where(ReviewItem.state == State.SETTLED, col(ReviewItem.release_at) <= at)
        .order_by(col(ReviewItem.release_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    released = _close(session, due, State.SETTLED, State.RELEASED, at)
    for one in released:
        session.execute(
            update(Appeal)
            .where(col(Appeal.item_id) == one.item_id, col(Appeal.decided_at).is_(None))
            .values(decided_at=at, outcome=one.verdict)
        )
    return released


def expire_due(session: Session, *, at: datetime, limit: int = 200) -> list[Closed]:
    """Items nobody decided by their deadline end, each exactly once; what was settled by then is released instead."""
    due = (
        select(col(ReviewItem.id))
        .where(
            col(ReviewItem.deadline_at) <= at,
            col(ReviewItem.closed_at).is_(None),
            ReviewItem.state == State.WAITING,
        )
        .order_by(col(ReviewItem.deadline_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ended = _close(session, due, State.WAITING, State.EXPIRED, at)
    if ended:
        standing.close_slots(session, [one.item_id for one in ended], at)
        for one in ended:
            audit.append(
                session,
                by=SYSTEM,
                at=at,
                action="review.expired",
                target=shown("item", one.item_id),
                project_id=one.project_id,
            )
    return ended


def withdraw(session: Session, *, item_id: int, at: datetime) -> bool:
    """The caller wants the answer no longer; True when the item was still open. What they have had stays theirs."""
    gone = session.execute(
        update(ReviewItem)
        .where(col(ReviewItem.id) == item_id, col(ReviewItem.closed_at).is_(None), col(ReviewItem.lane) != Lane.APPEAL)
        .values(state=State.WITHDRAWN, closed_at=at)
        .returning(col(ReviewItem.id))
    ).first()
    if gone is None:
        return False
    standing.close_slots(session, [item_id], at)
    return True


def _close(session: Session, due: Any, before: State, after: State, at: datetime) -> list[Closed]:
    """Move what is due to its end in one statement; what it returns, nobody else gets."""
    ended = session.execute(
        update(ReviewItem)
        .where(col(ReviewItem.id).in_(due), col(ReviewItem.state) == before)
        .values(state=after, closed_at=at)
        .returning(
            col(ReviewItem.id),
            col(ReviewItem.project_id),
            col(ReviewItem.call_id),
            col(ReviewItem.verdict),
            col(ReviewItem.decided_by),
            col(ReviewItem.decision_id),
        )
    ).all()
    made = {}
    if numbers := [row.decision_id for row in ended if row.decision_id is not None]:
        query = select(ReviewDecision).where(col(ReviewDecision.id).in_(numbers))
        made = {decision.id: decision for decision in session.exec(query)}
    closed = []
    for row in ended:
        decision = made.get(row.decision_id)
        edited, reasons = (decision.edited, tuple(decision.reasons)) if decision else (None, ())
        closed.append(Closed(row.id, row.project_id, row.call_id, row.verdict, edited, reasons, row.decided_by))
    return closed
