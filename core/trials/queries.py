"""Read live tests: the list, one with what happened to it, how its goal stood, and what runs now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col
from sqlmodel import select as rows_of

from core.errors import NotFound
from core.trials import metrics, rules
from core.trials.against import Design as Reading
from core.trials.metrics import Measures
from core.trials.rules import Arm, Condition, Design, State, Unit
from core.trials.running import RunningTest, Snapshot
from core.trials.tables import Trial, TrialEvent, TrialHoldout, TrialLook

BEFORE = timedelta(days=14)
"""How long before a test its units are looked at for CUPED."""


@dataclass(frozen=True, slots=True)
class TrialView:
    """A live test as people see it."""

    id: int
    project_id: int
    name: str
    question: str
    target: str
    arms: tuple[Arm, ...]
    salt: str
    unit: Unit
    conditions: tuple[Condition, ...]
    layer: str
    first: int
    until: int
    slice_tag: str
    measures: Measures
    planned: int
    coverage: int
    ramp_hours: int
    stepped_at: datetime | None
    state: State
    version: int
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    ended_by: str
    ending: str
    closed: Mapping[int, Mapping[str, Any]]
    report: Mapping[str, Any] | None

    @property
    def design(self) -> Design:
        """What decides the assignment."""
        return Design(self.target, self.arms, self.salt, self.unit, self.conditions, self.layer, self.first, self.until)

    @property
    def read_by(self) -> Reading:
        """What its report depends on."""
        return Reading(self.arms, self.unit, self.measures, self.planned, self.closed)


@dataclass(frozen=True, slots=True)
class EventView:
    """One thing that happened to a test."""

    at: datetime
    by: str
    what: str
    version: int
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """The goal's interval as it stood in an hour; None: not known yet."""

    hour: datetime
    n: int
    value: float | None
    low: float | None
    high: float | None
    sentence: str = ""


def snapshot(session: Session) -> Snapshot:
    """All running tests; read again when the change mark "trials" grows."""
    tests: dict[tuple[int, str], list[RunningTest]] = {}
    query = rows_of(Trial).where(Trial.state == State.RUNNING).order_by(col(Trial.id))
    for row in session.exec(query):
        one = view_of(row)
        test = RunningTest(one.id, one.version, one.design, one.coverage, one.slice_tag, frozenset(one.closed))
        tests.setdefault((one.project_id, one.target), []).append(test)
    if not tests:
        return Snapshot()
    holdouts = {row.project_id: row.buckets for row in session.exec(rows_of(TrialHoldout))}
    kept = {key: tuple(some) for key, some in tests.items()}
    return Snapshot(kept, frozenset(project for project, _ in kept), holdouts)


def trials(
    session: Session, *, project_ids: Sequence[int], state: State | None = None, limit: int = 100
) -> tuple[TrialView, ...]:
    """Tests, the newest first."""
    query = rows_of(Trial).where(col(Trial.project_id).in_(project_ids))
    if state is not None:
        query = query.where(Trial.state == state)
    return tuple(view_of(row) for row in session.exec(query.order_by(col(Trial.id).desc()).limit(limit)))


def trial(session: Session, trial_id: int, *, project_ids: Sequence[int]) -> TrialView:
    """One test. Raises: NotFound when there is none, or not in these projects."""
    row = session.get(Trial, trial_id)
    if row is None or row.project_id not in project_ids:
        raise NotFound("There is no such live test, or it is not yours to see.", hint="Look under Live tests.")
    return view_of(row)


def named(session: Session, name: str, *, project_id: int) -> TrialView | None:
    """A project's test of this name; None where there is none."""
    row = session.exec(rows_of(Trial).where(Trial.project_id == project_id, Trial.name == name)).first()
    return view_of(row) if row is not None else None


def due(session: Session, *, before: datetime, limit: int = 50) -> tuple[TrialView, ...]:
    """Running tests nobody has evaluated since `before`."""
    query = rows_of(Trial).where(
        Trial.state == State.RUNNING, col(Trial.looked_at).is_(None) | (col(Trial.looked_at) < before)
    )
    return tuple(view_of(row) for row in session.exec(query.order_by(col(Trial.id)).limit(limit)))


def events(session: Session, trial_id: int, *, limit: int = 100) -> tuple[EventView, ...]:
    """What happened to a test, newest first."""
    query = rows_of(TrialEvent).where(TrialEvent.trial_id == trial_id).order_by(col(TrialEvent.id).desc()).limit(limit)
    return tuple(EventView(row.at, row.by, row.what, row.version, row.detail) for row in session.exec(query))


def looks(session: Session, trial_id: int, *, arm: int = 1, limit: int = 2_000) -> tuple[Look, ...]:
    """How an arm's goal stood, hour by hour, oldest first."""
    query = rows_of(TrialLook).where(TrialLook.trial_id == trial_id, TrialLook.arm == arm)
    query = query.order_by(col(TrialLook.hour).desc()).limit(limit)
    return tuple(reversed([_look(row) for row in session.exec(query)]))


def last_looks(session: Session, trial_ids: Sequence[int]) -> dict[int, Look]:
    """The newest look at each of these tests; none where nobody has looked yet."""
    newest = (
        select(col(TrialLook.trial_id).label("trial_id"), func.max(col(TrialLook.hour)).label("hour"))
        .where(col(TrialLook.trial_id).in_(trial_ids), col(TrialLook.arm) == 1)  # the test's sentence is in each
        .group_by(col(TrialLook.trial_id))
        .subquery()
    )
    query = (
        rows_of(TrialLook)
        .join(newest, (col(TrialLook.trial_id) == newest.c.trial_id) & (col(TrialLook.hour) == newest.c.hour))
        .where(col(TrialLook.arm) == 1)
    )
    return {row.trial_id: _look(row) for row in session.exec(query)}


def _look(row: TrialLook) -> Look:
    return Look(row.hour, row.n, row.value, row.low, row.high, row.sentence)


def holdout(session: Session, project_id: int) -> int:
    """The share of a project's units that no test is shown to, in buckets."""
    row = session.get(TrialHoldout, project_id)
    return row.buckets if row else 0


def view_of(row: Trial) -> TrialView:
    """A row as people see it."""
    told = row.model_dump(exclude={"looked_at"})
    told |= {
        "id": row.id or 0,
        "arms": rules.arms_in(row.arms),
        "conditions": rules.conditions_in(row.conditions),
        "unit": Unit(row.unit),
        "state": State(row.state),
        "measures": metrics.measures_in(row.measures),
        "closed": {int(number): kept for number, kept in row.closed.items()},
    }
    return TrialView(**told)
