"""Runs, their cells and scores. A cell that was answered is a row: whoever goes on with a run does what has no row."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Index, PrimaryKeyConstraint, text
from sqlmodel import Field, SQLModel

from core.calls.tables import BigId, BigKey
from core.db.types import Json, Usd, UtcDateTime


class Experiment(SQLModel, table=True):
    """One run of a version of a dataset through some variants, so often, scored.

    `arms` are `rules.arm_out`, `scorers` the settings of scorers as they were given. `done`, `failed` and `spent_usd`
    grow in the transaction that keeps the cells or scores; `unpriced` are answers and verdicts whose cost nobody
    knows. `owner` is the process that works on it until `lease_until`. `passed`: whether it met the thresholds it was
    started with; None: it had none, or nobody has judged it.
    """

    __tablename__ = "experiment"
    __table_args__ = (
        Index("ix_experiment_project", "project_id", "id"),
        Index("ix_experiment_dataset", "dataset_id", "id"),
        Index(
            "ix_experiment_running",
            "lease_until",
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    project_id: int = Field(foreign_key="project.id")
    name: str
    dataset_id: int = Field(foreign_key="dataset.id")
    dataset_version: int
    split: str | None = None
    arms: list[dict[str, Any]] = Field(sa_type=Json)
    scorers: list[dict[str, Any]] = Field(sa_type=Json)
    repeats: int = 1
    at_once: int = 8
    cap_usd: Decimal | None = Field(default=None, sa_type=Usd)
    state: str = "ready"
    why: str = ""
    items: int = 0
    cells: int = 0
    done: int = 0
    failed: int = 0
    unpriced: int = 0
    spent_usd: Decimal = Field(default=Decimal(0), sa_type=Usd)
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    owner: str = ""
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    passed: bool | None = None


class ExperimentCell(SQLModel, table=True):
    """One example asked of one variant once: the call that answered it, or why none did."""

    __tablename__ = "experiment_cell"
    __table_args__ = (
        PrimaryKeyConstraint("run_id", "item_key", "arm", "repeat"),
        Index(
            "ix_experiment_cell_failed",
            "run_id",
            "item_key",
            sqlite_where=text("state = 'failed'"),
            postgresql_where=text("state = 'failed'"),
        ),
        {"sqlite_with_rowid": False},
    )

    run_id: int = Field(sa_type=BigInteger)
    item_key: int = Field(sa_type=BigInteger)
    arm: str
    repeat: int
    state: str = "answered"
    error: str = ""
    call_id: int | None = Field(default=None, sa_type=BigInteger)
    cost_usd: Decimal | None = Field(default=None, sa_type=Usd)
    total_ms: float | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    ended_at: datetime = Field(sa_type=UtcDateTime)


class ExperimentScore(SQLModel, table=True):
    """What one scorer said of one cell. Only where `state` is "scored" there is a value: a failed cell is no zero."""

    __tablename__ = "experiment_score"
    __table_args__ = (
        PrimaryKeyConstraint("run_id", "scorer", "item_key", "arm", "repeat"),
        {"sqlite_with_rowid": False},
    )

    run_id: int = Field(sa_type=BigInteger)
    scorer: str
    item_key: int = Field(sa_type=BigInteger)
    arm: str
    repeat: int
    state: str
    value: float | None = None
    passed: bool | None = None
    reason: str = ""
    unit: str = ""
    details: dict[str, Any] | None = Field(default=None, sa_type=Json)
