"""What the clock writes of running tests: who looks now, how the goal stands, what users did before."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import case, func, or_, select, update
from sqlmodel import Session, col
from sqlmodel import select as rows_of

from core import clock
from core.calls.record import STATUSES
from core.calls.rollup import is_error
from core.calls.tables import Call
from core.ids import first_at
from core.trials.cards import Card
from core.trials.queries import BEFORE
from core.trials.rules import State, Unit
from core.trials.tables import Trial, TrialLook, TrialUnit

AT_ONCE = 500
"""Users looked up at once, so that no look takes long."""
_NO_ERROR = tuple(status for status in STATUSES if not is_error(status))


def claim(session: Session, *, trial_id: int, at: datetime, before: datetime) -> bool:
    """Take a running test in hand to evaluate it; False when another process has since `before`."""
    taken = session.execute(
        update(Trial)
        .where(
            col(Trial.id) == trial_id,
            col(Trial.state) == State.RUNNING,
            or_(col(Trial.looked_at).is_(None), col(Trial.looked_at) < before),
        )
        .values(looked_at=at)
        .returning(col(Trial.id))
    )
    return taken.first() is not None


def note(session: Session, *, trial_id: int, card: Card, at: datetime) -> None:
    """Keep how the goal's interval and the test stand, one row an hour and arm."""
    hour = clock.hour_of(at)
    for said in card.said:
        row = session.get(TrialLook, (trial_id, said.number, hour))
        if row is None:
            row = TrialLook(trial_id=trial_id, arm=said.number, hour=hour, n=card.seen)
            session.add(row)
        row.n, row.sentence = card.seen, card.sentence
        row.value, row.low, row.high = (said.goal.get(name) for name in ("value", "low", "high"))
    session.flush()


def look_back(session: Session, *, trial_id: int) -> int:
    """Look up what some users of a test did in the two weeks before it began; how many were looked up."""
    row = session.get(Trial, trial_id)
    if row is None or row.unit != Unit.USER or row.started_at is None:
        return 0
    missing = col(TrialUnit.trial_id) == trial_id, col(TrialUnit.before_calls).is_(None)
    users = list(session.exec(rows_of(TrialUnit.unit).where(*missing).limit(AT_ONCE)))
    if not users:
        return 0
    is_answered = col(Call.status).in_(_NO_ERROR)
    failed = func.sum(case((is_answered, 0), else_=1))
    said = func.sum(case((is_answered, col(Call.tokens_out)), else_=0))
    query = (
        select(
            col(Call.end_user), func.count(), failed, said, func.sum(col(Call.cost_usd)),
        )
        .where(
            col(Call.project_id) == row.project_id,
            col(Call.end_user).in_(users),
            col(Call.end_user) != "",
            col(Call.id) >= first_at(row.started_at - BEFORE),
            col(Call.id) < first_at(row.started_at),
        )
        .group_by(col(Call.end_user))
    )  # fmt: skip
    found = {user: sums for user, *sums in session.execute(query)}
    for user in users:
        calls, errors, tokens_out, cost = found.get(user, (0, 0, 0, None))
        session.execute(
            update(TrialUnit)
            .where(col(TrialUnit.trial_id) == trial_id, col(TrialUnit.unit) == user)
            .values(
                before_calls=calls, before_errors=errors or 0, before_tokens_out=tokens_out or 0,
                before_cost_usd=cost or Decimal(0),
            )
        )  # fmt: skip
    return len(users)
