"""Policies with every version they had, and what detectors found in calls (never the text itself)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.db.types import Json, UtcDateTime


class Policy(SQLModel, table=True):
    """Rules for some routes of a project; what they say now is the newest `PolicyVersion`."""

    __tablename__ = "policy"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_policy_name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=64)
    version: int = 1
    is_on: bool = False
    created_at: datetime = Field(sa_type=UtcDateTime)


class PolicyVersion(SQLModel, table=True):
    """One wording of a policy, immutable: for which routes and models, its rules, the settings of its detectors."""

    __tablename__ = "policy_version"

    policy_id: int = Field(foreign_key="policy.id", primary_key=True)
    version: int = Field(primary_key=True)
    routes: list[str] = Field(sa_type=Json)
    rules: list[dict[str, Any]] = Field(sa_type=Json)
    settings: dict[str, Any] = Field(sa_type=Json)
    note: str = ""
    made_by: str
    made_at: datetime = Field(sa_type=UtcDateTime)


class CallFinding(SQLModel, table=True):
    """One thing a detector found in a call: what, where, how sure, by which version, and what was done about it.

    `place` names the text inside the request or the answer ("messages.2.content"), `start` and `stop` are characters.
    """

    __tablename__ = "call_finding"
    __table_args__ = (
        PrimaryKeyConstraint("call_id", "number"),
        Index("ix_call_finding_family", "project_id", "family", "call_id"),
    )

    call_id: int = Field(sa_type=BigInteger)
    number: int
    project_id: int
    side: str
    place: str
    family: str
    kind: str
    start: int
    stop: int
    confidence: float
    detector: str
    policy: str = ""
    act: str = ""
