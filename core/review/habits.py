"""How a person likes to work at the desk, and how much harmful text they have looked at: theirs alone to see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from core.people.rules import Permission, Principal
from core.review import standing
from core.review.tables import ReviewExposure, ReviewHabit


@dataclass(frozen=True, slots=True)
class Habit:
    """Whether harmful text is hidden until asked for, and whether the next answer follows a verdict by itself."""

    blurs: bool = True
    auto_next: bool = True


def habit(session: Session, *, by: Principal) -> Habit:
    """How this person works; harmful text is hidden from who never chose."""
    row = session.get(ReviewHabit, by.actor)
    return Habit() if row is None else Habit(row.blurs, row.auto_next)


def prefer(session: Session, *, blurs: bool, auto_next: bool, by: Principal) -> None:
    """Keep how this person likes to work, until they choose otherwise."""
    session.merge(ReviewHabit(reviewer=by.actor, blurs=blurs, auto_next=auto_next))


def expose(session: Session, *, item_id: int, by: Principal, at: datetime) -> None:
    """Note that this person has looked at harmful text; an item counts once, when it was looked at first.

    Raises: NotFound.
    """
    standing.item(session, item_id, by, permission=Permission.CALLS_READ)
    if session.get(ReviewExposure, (by.actor, item_id)) is None:
        session.merge(ReviewExposure(reviewer=by.actor, item_id=item_id, at=at))


def exposed_since(session: Session, *, by: Principal, since: datetime) -> int:
    """How many items with harmful text this person has looked at since then."""
    query = (
        select(func.count())
        .select_from(ReviewExposure)
        .where(ReviewExposure.reviewer == by.actor, col(ReviewExposure.at) >= since)
    )
    return int(session.exec(query).one())
