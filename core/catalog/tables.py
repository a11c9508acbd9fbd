"""Backends, models, dated prices, aliases and every version an alias ever had."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Numeric, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.db.types import Bytes, Json, UtcDateTime

PerMillion = Numeric(18, 9)


class Backend(SQLModel, table=True):
    """A server that speaks the OpenAI protocol, or the embedded one (`kind` "builtin").

    `key_cipher` is the key under Fernet, `key_env` names an environment variable instead; at most one is set.
    """

    __tablename__ = "backend"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=64)
    kind: str = "openai"
    base_url: str = ""
    key_cipher: bytes | None = Field(default=None, sa_type=Bytes)
    key_env: str = ""
    is_enabled: bool = True
    price_provider: str = ""
    connect_s: float = 5.0
    first_token_s: float = 60.0
    between_tokens_s: float = 30.0
    total_s: float = 600.0
    version: int = 1
    created_at: datetime = Field(sa_type=UtcDateTime)
    checked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    check_result: str = ""


class Model(SQLModel, table=True):
    """A model a backend was seen to have, or that a person named."""

    __tablename__ = "model"
    __table_args__ = (UniqueConstraint("backend_id", "name", name="uq_model_name"),)

    id: int | None = Field(default=None, primary_key=True)
    backend_id: int = Field(foreign_key="backend.id")
    name: str
    kind: str = "chat"
    is_enabled: bool = True
    takes_image: bool = False
    takes_audio: bool = False
    context_window: int | None = None
    card: str = ""
    seen_at: datetime = Field(sa_type=UtcDateTime)


class Price(SQLModel, table=True):
    """What a model costs from `starts_at` on, in dollars per million tokens; never overwritten, only dated anew."""

    __tablename__ = "price"

    id: int | None = Field(default=None, primary_key=True)
    backend_id: int = Field(foreign_key="backend.id")
    model: str
    starts_at: datetime = Field(sa_type=UtcDateTime)
    input_usd: Decimal = Field(sa_type=PerMillion)
    cached_input_usd: Decimal | None = Field(default=None, sa_type=PerMillion)
    output_usd: Decimal = Field(sa_type=PerMillion)
    note: str = ""
    set_by: str
    set_at: datetime = Field(sa_type=UtcDateTime)


class Alias(SQLModel, table=True):
    """A model name of the team's own; what it means now is its newest `AliasVersion`."""

    __tablename__ = "alias"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=64)
    version: int = 1
    is_enabled: bool = True
    created_at: datetime = Field(sa_type=UtcDateTime)


class AliasVersion(SQLModel, table=True):
    """One meaning of an alias, immutable: ordered `steps` of {"backend": name, "model": name}."""

    __tablename__ = "alias_version"

    alias_id: int = Field(foreign_key="alias.id", primary_key=True)
    version: int = Field(primary_key=True)
    steps: list[dict[str, Any]] = Field(sa_type=Json)
    cache_ttl_s: int = 0
    answers_by_rules: bool = False
    note: str = ""
    made_by: str
    made_at: datetime = Field(sa_type=UtcDateTime)
