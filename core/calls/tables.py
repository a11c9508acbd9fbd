"""The narrow fact row of a call, its payload apart from it, tags, hourly rollups, feedback."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, PrimaryKeyConstraint, text
from sqlmodel import Field, SQLModel

from core.db.types import Bytes, Json, Usd, UtcDateTime

BigId = {"autoincrement": False}
# "INTEGER PRIMARY KEY" is SQLite's own row number: rows then lie in time order, without a second index
BigKey = BigInteger().with_variant(Integer(), "sqlite")


def _where(name: str, *columns: str, only: str) -> Index:
    """An index over the few rows that have the property, so that the many do not pay for it."""
    return Index(name, *columns, sqlite_where=text(only), postgresql_where=text(only))


class Call(SQLModel, table=True):
    """One call. `id` grows with time (core.ids), so the primary key pages newest first.

    `cost_usd` null means unpriced. Times are milliseconds: `own_ms` ours, `upstream_ms` the backend's,
    `waiting_ms` spent before we could ask (backoff between tries, the recorder's queue).
    """

    __tablename__ = "call"
    __table_args__ = (
        Index("ix_call_project", "project_id", "id"),
        Index("ix_call_model", "project_id", "model_served", "id"),
        Index("ix_call_backend", "project_id", "backend", "id"),
        Index("ix_call_route", "project_id", "route", "id"),
        _where("ix_call_alias", "project_id", "alias", "id", only="alias <> ''"),
        _where("ix_call_key", "project_id", "key_id", "id", only="key_id IS NOT NULL"),
        _where("ix_call_status", "project_id", "status", "id", only="status <> 'ok'"),
        _where("ix_call_session", "project_id", "session", "id", only="session <> ''"),
        _where("ix_call_end_user", "project_id", "end_user", "id", only="end_user <> ''"),
        _where("ix_call_response", "project_id", "response_id", only="response_id <> ''"),
        _where("ix_call_request", "project_id", "request_id", only="request_id <> ''"),
        _where("ix_call_prompt", "project_id", "prompt_id", "prompt_version", "id", only="prompt_id IS NOT NULL"),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    project_id: int
    at: datetime = Field(sa_type=UtcDateTime)
    status: str
    http_status: int
    error_kind: str = ""
    finish_reason: str = ""
    route: str
    actor: str
    key_id: int | None = None
    person_id: int | None = None
    end_user: str = ""
    session: str = ""
    model_asked: str = ""
    model_served: str = ""
    backend: str = ""
    alias: str = ""
    alias_version: int | None = None
    is_stream: bool = False
    cache: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    is_estimated: bool = False
    cost_usd: Decimal | None = Field(default=None, sa_type=Usd)
    price_source: str = ""
    first_token_ms: float | None = None
    total_ms: float = 0.0
    own_ms: float = 0.0
    upstream_ms: float = 0.0
    waiting_ms: float = 0.0
    retries: int = 0
    fallbacks: int = 0
    request_id: str = ""
    response_id: str = ""
    prompt_id: int | None = None
    prompt_version: int | None = None


class CallPayload(SQLModel, table=True):
    """What was said. `asked` and `answered` are the first 200 characters; the bodies are zlib bytes of JSON or SSE.

    `detail` keeps what a person needs to explain the call: each try with its times, the price entry that matched.
    """

    __tablename__ = "call_payload"

    call_id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    asked: str = ""
    answered: str = ""
    error: str = ""
    detail: dict[str, Any] | None = Field(default=None, sa_type=Json)
    request: bytes | None = Field(default=None, sa_type=Bytes)
    response: bytes | None = Field(default=None, sa_type=Bytes)


class CallTag(SQLModel, table=True):
    """One `metadata` pair of a call; the primary key is the index a tag filter pages by."""

    __tablename__ = "call_tag"
    __table_args__ = (
        PrimaryKeyConstraint("project_id", "name", "value", "call_id"),
        Index("ix_call_tag_call", "call_id"),
        {"sqlite_with_rowid": False},
    )

    project_id: int
    name: str
    value: str
    call_id: int = Field(sa_type=BigInteger)


class Usage(SQLModel):
    """One hour or day of one project, seen along one dimension: sums and two latency sketches (`sketch`).

    Dimensions: `all`, `model` (as served), `backend`, `key` (its id), `tag` ("name=value"),
    `prompt` ("id:version"), `trial` ("id:arm").
    """

    project_id: int
    dimension: str
    value: str
    hour: datetime = Field(sa_type=UtcDateTime)
    calls: int = 0
    errors: int = 0
    cached: int = 0
    estimated: int = 0
    unpriced: int = 0
    tokens_in: int = Field(default=0, sa_type=BigInteger)
    tokens_out: int = Field(default=0, sa_type=BigInteger)
    tokens_cached: int = Field(default=0, sa_type=BigInteger)
    tokens_reasoning: int = Field(default=0, sa_type=BigInteger)
    cost_usd: Decimal = Field(default=Decimal(0), sa_type=Usd)
    total_ms: bytes = Field(default=b"", sa_type=Bytes)
    first_token_ms: bytes = Field(default=b"", sa_type=Bytes)


class UsageHour(Usage, table=True):
    """The sums of one hour: what days of any time zone are made of."""

    __tablename__ = "usage_hour"
    __table_args__ = (PrimaryKeyConstraint("project_id", "dimension", "hour", "value"),)


class UsageDay(Usage, table=True):
    """The sums of one UTC day (`hour` is its first), so that a month is thirty rows and not seven hundred."""

    __tablename__ = "usage_day"
    __table_args__ = (PrimaryKeyConstraint("project_id", "dimension", "hour", "value"),)


class Feedback(SQLModel, table=True):
    """What a reader said of an answer."""

    __tablename__ = "feedback"
    __table_args__ = (Index("ix_feedback_call", "call_id"), Index("ix_feedback_project", "project_id", "id"))

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    call_id: int = Field(sa_type=BigInteger)
    project_id: int
    at: datetime = Field(sa_type=UtcDateTime)
    actor: str
    end_user: str = ""
    thumb: int | None = None
    rating: int | None = None
    reason: str = ""
    comment: str = ""
    correction: str = ""


class Idempotency(SQLModel, table=True):
    """The answer given to one `Idempotency-Key` of one project, kept for a day."""

    __tablename__ = "idempotency"
    __table_args__ = (PrimaryKeyConstraint("project_id", "key"),)

    project_id: int
    key: str
    fingerprint: bytes = Field(sa_type=Bytes)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    http_status: int | None = None
    content_type: str = ""
    body: bytes | None = Field(default=None, sa_type=Bytes)
    call_id: int | None = Field(default=None, sa_type=BigInteger)


class PlaygroundRun(SQLModel, table=True):
    """What a person had on the playground: a draft while they type, frozen once run; the URL names it."""

    __tablename__ = "playground_run"
    __table_args__ = (
        Index("ix_playground_run_actor", "actor", "id"),
        # a person's drafts are few and their runs many: the newest draft and those to drop are found among the few
        Index(
            "ix_playground_run_draft",
            "actor",
            "project_id",
            "id",
            sqlite_where=text("is_draft = 1"),
            postgresql_where=text("is_draft"),
        ),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    project_id: int
    actor: str
    at: datetime = Field(sa_type=UtcDateTime)
    is_draft: bool = False
    state: dict[str, Any] = Field(sa_type=Json)
