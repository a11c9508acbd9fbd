"""Which two answers a person sees next: the pair that teaches most, on a question they do not know the answers of.

Where names are shown after a vote, an answer that somebody has seen named is not put before them again, in whatever
company: they would know whose it is. Two answers that read alike are no pair: nobody could prefer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, or_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from core.ids import Ids
from core.people.rules import Principal
from core.statistics import pairing
from core.votes import rules, sums
from core.votes.rules import Draws, State
from core.votes.tables import CompareAnswer, ComparePair, Comparison


def serve(session: Session, row: Comparison, *, by: Principal, at: datetime, ids: Ids, draws: Draws) -> int | None:
    """The open pair of this person, its time renewed where it was over; else a new one; None when nothing is left."""
    comparison_id = row.id or 0
    found = _renewed(session, comparison_id, by, at)
    if found is not None:
        return found
    wanted = order(session, comparison_id, draw=draws.pair)
    for low, high in wanted:
        known = available(session, row, by.actor, low, high)
        if not known:
            continue
        question_id, is_named = known[int(draws.question * len(known))]
        left, right = rules.sides(low, high, draws.side)
        pair = ComparePair(
            id=ids.next(), comparison_id=comparison_id, question_id=question_id, left_id=left, right_id=right,
            low_id=low, high_id=high, voter=by.actor, draw=draws.side, is_named=is_named, served_at=at,
            expires_at=at + rules.GOOD_FOR,
        )  # fmt: skip
        try:
            with session.begin_nested():
                session.add(pair)
                session.flush()
        except IntegrityError:  # the same person in another tab: that pair is theirs
            return _renewed(session, comparison_id, by, at)
        return pair.id
    return None


def order(session: Session, comparison_id: int, *, draw: float) -> list[tuple[int, int]]:
    """Every two contestants by what a vote on them teaches, by their ids, the smaller first."""
    contestants = sums.contestant_ids(session, comparison_id)
    votes = sums.counted(session, comparison_id)
    found = pairing.in_order(votes, [sums.mark(one) for one in contestants], draw=draw)
    pairs = [tuple(sorted((int(one.one), int(one.other)))) for one in found]
    return [(low, high) for low, high in pairs]


def available(session: Session, row: Comparison, voter: str, low: int, high: int) -> list[tuple[int, bool]]:
    """The questions on which this person may compare these two, and whether an answer names a model."""
    one, other = aliased(CompareAnswer), aliased(CompareAnswer)
    seen = or_(
        and_(col(ComparePair.low_id) == low, col(ComparePair.high_id) == high),
        *(() if row.stays_hidden else (_voted_on(low, high),)),
    )
    query = (
        select(one.question_id, one.named, other.named)
        .join(other, and_(col(other.question_id) == col(one.question_id), col(other.contestant_id) == high))
        .where(
            one.contestant_id == low,
            one.state == State.READY,
            other.state == State.READY,
            one.digest != other.digest,
            ~exists().where(col(ComparePair.question_id) == one.question_id, col(ComparePair.voter) == voter, seen),
        )
        .order_by(col(one.question_id))
    )
    return [(question_id, bool(a or b)) for question_id, a, b in session.exec(query).all()]


def _voted_on(low: int, high: int) -> Any:
    """A pair with one of these two on which this person has voted: they were told who it was."""
    both = (low, high)
    return and_(
        col(ComparePair.choice).is_not(None),
        or_(col(ComparePair.low_id).in_(both), col(ComparePair.high_id).in_(both)),
    )


def _renewed(session: Session, comparison_id: int, by: Principal, at: datetime) -> int | None:
    query = select(ComparePair.id, ComparePair.expires_at).where(
        ComparePair.comparison_id == comparison_id,
        ComparePair.voter == by.actor,
        col(ComparePair.choice).is_(None),
        col(ComparePair.skipped_at).is_(None),
    )
    found: Sequence[Any] | None = session.exec(query).first()
    if found is None:
        return None
    pair_id, expires_at = found
    if expires_at <= at:
        session.execute(
            update(ComparePair)
            .where(col(ComparePair.id) == pair_id, col(ComparePair.choice).is_(None))
            .values(served_at=at, expires_at=at + rules.GOOD_FOR)
        )
    return int(pair_id)
