"""A store with live tests: prompts to test, calls that were given arms, and each verb a minute later than the last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from core.calls.record import CallRecord, Exposure
from core.calls.writing import PostgresWriting, SqliteWriting
from core.db.engine import Database
from core.ids import Ids
from core.people import actions as people
from core.people.rules import SYSTEM, Principal, Role
from core.trials import actions, counting, queries, reading
from core.trials.metrics import Measures, Metric, offered
from core.trials.plans import Plan
from core.trials.queries import TrialView
from core.trials.reading import Card
from core.trials.rules import Arm, Design
from tests.calls.records import record

ANN = Principal("person:ann", "Ann", grants={None: frozenset({Role.PRODUCT_MANAGER})})
BEN = Principal("person:ben", "Ben", grants={None: frozenset({Role.PRODUCT_MANAGER})})
EVE = Principal("person:eve", "Eve", grants={7: frozenset({Role.PRODUCT_MANAGER})})
SEES = Principal("person:sees", "Sees", grants={None: frozenset({Role.REVIEWER})})
ROOT = Principal("person:root", "Root", grants={None: frozenset({Role.ADMIN})})

ARMS = (Arm("A"), Arm("B", model="double/b"))
GOAL = Measures(Metric.COST, (Metric.TOKENS_OUT,), offered(Metric.ERRORS, Metric.LATENCY))


def design(target: str = "support", **told: Any) -> Design:
    """An alias against another model."""
    return Design(target, **({"arms": ARMS, "salt": ""} | told))


def plan(name: str = "Cheaper", **told: Any) -> Plan:
    """By cost, with two guardrails, at all units."""
    return Plan(name, **({"measures": GOAL, "planned": 1_000, "coverage": 10_000} | told))


@dataclass
class Lab:
    """The store and the clock."""

    db: Database
    ids: Ids
    at: datetime
    writing: SqliteWriting | PostgresWriting = field(init=False)

    def __post_init__(self) -> None:
        self.writing = SqliteWriting() if self.db.is_sqlite else PostgresWriting()
        with self.db.write() as session:
            people.ensure_default_project(session, by=SYSTEM, at=self.at)

    def later(self, **by: float) -> datetime:
        self.at += timedelta(**(by or {"minutes": 1}))
        return self.at

    def do(self, verb: Any, by: Principal = ANN, **told: Any) -> Any:
        """Carry a verb out."""
        with self.db.write() as session:
            return verb(session, by=by, at=self.later(), **told)

    def create(self, made: Design | None = None, planned: Plan | None = None, by: Principal = ANN) -> int:
        told = {"project_id": 1, "design": made or design(), "plan": planned or plan(), "ids": self.ids}
        return int(self.do(actions.create, by=by, **told))

    def verb(self, verb: Any, trial_id: int, by: Principal = ANN, **told: Any) -> Any:
        return self.do(verb, by=by, trial_id=trial_id, ids=self.ids, **told)

    def started(self, made: Design | None = None, planned: Plan | None = None) -> int:
        trial_id = self.create(made, planned)
        self.verb(actions.start, trial_id)
        return trial_id

    def view(self, trial_id: int) -> TrialView:
        with self.db.read() as session:
            return queries.trial(session, trial_id, project_ids=[1])

    def card(self, trial_id: int) -> Card:
        view = self.view(trial_id)
        with self.db.read() as session:
            counted = counting.counted(session, view)
        return reading.card(view.read_by, counted)

    def call(self, trial_id: int, unit: str, arm: int | None, *, piece: str = "", **told: Any) -> CallRecord:
        """A call that was given an arm."""
        is_fallback = told.pop("is_fallback", False)
        shown = Exposure(trial_id, 2, arm, unit, piece, is_fallback)
        return record(self.ids.next(), **({"exposure": shown, "at": self.at, "end_user": unit} | told))

    def write(self, calls: Sequence[CallRecord]) -> Sequence[CallRecord]:
        """Record calls as the recorder does."""
        pooled = self.db.writer.raw_connection()
        try:
            for start in range(0, len(calls), 100):
                self.writing.write(pooled.driver_connection, calls[start : start + 100])
        finally:
            pooled.close()
        return calls


def dollars(values: Iterable[str]) -> list[Decimal]:
    return [Decimal(value) for value in values]
