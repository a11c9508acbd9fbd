"""The trail and its head."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from core.db.types import Json, UtcDateTime


class AuditEvent(SQLModel, table=True):
    """Who did what to what: `number` counts from 1 without gaps, `hash` covers the row and `previous_hash`."""

    __tablename__ = "audit_event"
    # each filter of the page finds its newest rows, and its own choices, without reading the others
    __table_args__ = (
        Index("ix_audit_event_actor", "actor", "number"),
        Index("ix_audit_event_action", "action", "number"),
        Index("ix_audit_event_project", "project_id", "number"),
        Index("ix_audit_event_project_actor", "project_id", "actor", "number"),
        Index("ix_audit_event_project_action", "project_id", "action", "number"),
    )

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(sa_type=UtcDateTime)
    actor: str
    action: str
    target: str
    project_id: int | None = None
    before: dict[str, Any] | None = Field(default=None, sa_type=Json)
    after: dict[str, Any] | None = Field(default=None, sa_type=Json)
    previous_hash: str
    hash: str


class AuditHead(SQLModel, table=True):
    """The one row that says where the trail ends; locking it makes appends wait for each other."""

    __tablename__ = "audit_head"

    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    number: int = 0
    hash: str = ""
