"""Where applications want to hear of ends, and every attempt to tell them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from core.calls.tables import BigId, BigKey
from core.db.types import Bytes, Json, UtcDateTime


class Webhook(SQLModel, table=True):
    """An address that is told; its signing secret is under Fernet.

    After a rotation the secret before it signs too, until `before_until`. `off_because` says why it is off.
    """

    __tablename__ = "webhook"

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    url: str
    secret_cipher: bytes = Field(sa_type=Bytes)
    before_cipher: bytes | None = Field(default=None, sa_type=Bytes)
    before_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    events: list[str] = Field(sa_type=Json)
    is_on: bool = True
    off_because: str = ""
    allows_private: bool = False
    created_at: datetime = Field(sa_type=UtcDateTime)


class Delivery(SQLModel, table=True):
    """One message to one webhook: written with what it tells of, sent until it is heard or given up.

    `id` is the message's name at the receiver too (`msg_…`), the same in every try. Whoever sends holds the lease;
    `attempts` are the newest tries: when, how long, status, error, and the beginning of what the receiver said.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index(
            "ix_webhook_delivery_next",
            "webhook_id",
            "next_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_webhook_delivery_webhook", "webhook_id", "id"),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    webhook_id: int = Field(foreign_key="webhook.id")
    project_id: int
    event: str
    payload: bytes = Field(sa_type=Bytes)
    state: str = "waiting"
    tries: int = 0
    made_at: datetime = Field(sa_type=UtcDateTime)
    next_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    http_status: int | None = None
    error: str = ""
    attempts: list[dict[str, Any]] = Field(sa_type=Json)
