"""Live tests, what happened to them, the units they were shown to, and how their intervals stood hour by hour."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.calls.tables import BigId, BigKey
from core.db.types import Json, Usd, UtcDateTime


class Trial(SQLModel, table=True):
    """A live test. What decides the assignment (target … until) does not change once `started_at` is set.

    `coverage` is in ten-thousandths of the units; `ramp_hours` 0 leaves raising it to people. `planned` is how many
    units both arms are to have together. `version` grows with every change, and each call records it. `looked_at` is
    when a process last took it in hand to evaluate it. `closed` is what was said of each arm that was taken out of it,
    by number. `report` is what it said at its end, for good.
    """

    __tablename__ = "trial"
    __table_args__ = (
        UniqueConstraint("project_id", "name", name="uq_trial_name"),
        Index("ix_trial_state", "state"),
    )

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=128)
    question: str = ""
    target: str
    arms: list[dict[str, Any]] = Field(sa_type=Json)
    salt: str
    unit: str
    conditions: dict[str, list[str]] = Field(sa_type=Json)
    layer: str = ""
    first: int = 0
    until: int = 10_000
    slice_tag: str = ""
    measures: dict[str, Any] = Field(sa_type=Json)
    planned: int
    coverage: int
    ramp_hours: int = 0
    stepped_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    state: str = "draft"
    version: int = 1
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_by: str = ""
    ending: str = ""
    looked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    report: dict[str, Any] | None = Field(default=None, sa_type=Json)


class TrialEvent(SQLModel, table=True):
    """One thing that happened to a test, for good: who did what, and the figures it was done on."""

    __tablename__ = "trial_event"
    __table_args__ = (Index("ix_trial_event_trial", "trial_id", "id"),)

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    trial_id: int = Field(foreign_key="trial.id")
    at: datetime = Field(sa_type=UtcDateTime)
    by: str
    what: str
    version: int
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


class TrialCall(SQLModel, table=True):
    """One call of a test: what feedback and verdicts, which come later, find their arm by. Written with the call."""

    __tablename__ = "trial_call"
    __table_args__ = (Index("ix_trial_call_trial", "trial_id", "call_id"),)

    call_id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    trial_id: int
    arm: int
    version: int
    unit: str
    is_fallback: bool = False


class TrialUnit(SQLModel, table=True):
    """What one unit has had of one arm so far, added up with every call; a unit of two arms has two rows.

    `before_…` are the sums of the two weeks before the test began; null: not looked for yet.
    """

    __tablename__ = "trial_unit"
    __table_args__ = (PrimaryKeyConstraint("trial_id", "unit", "arm"), {"sqlite_with_rowid": False})

    trial_id: int
    unit: str
    arm: int
    first_at: datetime = Field(sa_type=UtcDateTime)
    slice: str = ""
    calls: int = 0
    errors: int = 0
    flagged: int = 0
    fallbacks: int = 0
    tokens_in: int = Field(default=0, sa_type=BigInteger)
    tokens_out: int = Field(default=0, sa_type=BigInteger)
    cost_usd: Decimal = Field(default=Decimal(0), sa_type=Usd)
    before_calls: int | None = None
    before_errors: int = 0
    before_tokens_out: int = Field(default=0, sa_type=BigInteger)
    before_cost_usd: Decimal = Field(default=Decimal(0), sa_type=Usd)


class TrialLook(SQLModel, table=True):
    """How an arm's goal, and the test, stood when it was last looked at in an hour; null: not known yet."""

    __tablename__ = "trial_look"
    __table_args__ = (PrimaryKeyConstraint("trial_id", "arm", "hour"),)

    trial_id: int
    arm: int = 1
    hour: datetime = Field(sa_type=UtcDateTime)
    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    sentence: str = ""


class TrialHoldout(SQLModel, table=True):
    """The share of a project's units that no test is shown to, in ten-thousandths."""

    __tablename__ = "trial_holdout"

    project_id: int = Field(primary_key=True, sa_column_kwargs=BigId, foreign_key="project.id")
    buckets: int
    set_by: str
    set_at: datetime = Field(sa_type=UtcDateTime)
