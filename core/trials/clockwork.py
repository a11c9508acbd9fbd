"""What the clock does to a running test: closes an arm, ends the test, widens it by its schedule."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session
from sqlmodel import select as rows_of

from core.ids import Ids
from core.people.rules import Principal
from core.trials import actions, ending, queries, rules
from core.trials.cards import Card
from core.trials.rules import Ending, State
from core.trials.tables import Trial


class Guarded(StrEnum):
    """What was done about guardrails that are broken."""

    NOTHING = "nothing"
    OVER = "it does not run any more"
    CLOSED = "an arm was closed"
    ENDED = "all were closed, and it was ended"


def guard(session: Session, *, trial_id: int, card: Card, by: Principal, at: datetime, ids: Ids) -> Guarded:
    """Close each arm whose guardrail is broken; where none is left the test ends, with the control for everybody.
    Nothing is done to a test that ended meanwhile.

    The test's row is held from here on, whatever comes of it: who ends a test holds it before its looks are written,
    and in another order each of the two would wait for the other."""
    row = _running(session, trial_id)
    if row is None:
        return Guarded.OVER
    broken = [number for number in card.open if card.broken(number)]
    if not broken:
        return Guarded.NOTHING
    open_ = queries.view_of(row).read_by.open
    going = [number for number in broken if number in open_]
    if set(going) == set(open_):
        ending.end(session, row, Ending.STOPPED, by=by, at=at, ids=ids, seen=card)
        return Guarded.ENDED
    for number in going:
        ending.closed(session, row, card, number, by=by, at=at, ids=ids)
    return Guarded.CLOSED if going else Guarded.NOTHING


def step(session: Session, *, trial_id: int, card: Card, by: Principal, at: datetime, ids: Ids) -> bool:
    """Widen a test by its schedule, when it is time and nothing speaks against it; whether it was."""
    row = _running(session, trial_id)
    if row is None or not row.ramp_hours or card.is_off or any(card.broken(number) for number in card.open):
        return False
    further = rules.next_step(row.coverage)
    if further is None or row.stepped_at is None or at < row.stepped_at + timedelta(hours=row.ramp_hours):
        return False
    actions.widen(session, trial_id=trial_id, coverage=further, by=by, at=at, ids=ids)
    return True


def _running(session: Session, trial_id: int) -> Trial | None:
    row = session.exec(rows_of(Trial).where(Trial.id == trial_id).with_for_update()).first()
    return row if row is not None and row.state == State.RUNNING else None
