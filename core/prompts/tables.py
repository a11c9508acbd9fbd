"""Prompts, their immutable versions, the labels that move among them, and who asked for what and agreed to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.calls.tables import BigId, BigKey
from core.db.types import Json, UtcDateTime


class Prompt(SQLModel, table=True):
    """A prompt by its name, which stays: applications ask for it. `newest` is the number of its last version.

    The name's slashes are its folders. `latest` is the newest version of the branch main (0: there is none).
    """

    __tablename__ = "prompt"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_prompt_name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=128)
    description: str = ""
    tags: list[str] = Field(default_factory=list, sa_type=Json)
    newest: int = 0
    latest: int = 0
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    archived_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class PromptVersion(SQLModel, table=True):
    """One version, immutable. `content` is `versions.content_out`, `pinned` the versions of the prompts it includes
    ("support/tone@production" → 3), `parent` the version it was made from."""

    __tablename__ = "prompt_version"
    __table_args__ = (PrimaryKeyConstraint("prompt_id", "number"),)

    prompt_id: int = Field(foreign_key="prompt.id")
    number: int
    branch: str = "main"
    parent: int | None = None
    model: str
    content: dict[str, Any] = Field(sa_type=Json)
    pinned: dict[str, int] = Field(sa_type=Json)
    digest: str
    note: str = ""
    made_by: str
    made_at: datetime = Field(sa_type=UtcDateTime)


class PromptLabel(SQLModel, table=True):
    """Which version a label names now."""

    __tablename__ = "prompt_label"
    __table_args__ = (PrimaryKeyConstraint("prompt_id", "label"),)

    prompt_id: int = Field(foreign_key="prompt.id")
    label: str
    number: int
    moved_by: str
    moved_at: datetime = Field(sa_type=UtcDateTime)


class PromptMove(SQLModel, table=True):
    """One move of a label, for good: from which version to which (None: the label was not there, or was taken off)."""

    __tablename__ = "prompt_move"
    __table_args__ = (Index("ix_prompt_move_prompt", "prompt_id", "id"),)

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    prompt_id: int = Field(foreign_key="prompt.id")
    label: str
    before: int | None = None
    after: int | None = None
    note: str = ""
    moved_by: str
    moved_at: datetime = Field(sa_type=UtcDateTime)
    request_id: int | None = Field(default=None, sa_type=BigKey)


class PromptRequest(SQLModel, table=True):
    """Somebody wants a protected label moved; somebody else decides. `evidence` are the names of what speaks for it
    (experiment runs); one request of a label is open at a time."""

    __tablename__ = "prompt_request"
    __table_args__ = (
        Index("ix_prompt_request_prompt", "prompt_id", "id"),
        Index(
            "uq_prompt_request_open",
            "prompt_id",
            "label",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    prompt_id: int = Field(foreign_key="prompt.id")
    label: str
    before: int | None = None
    after: int
    note: str = ""
    evidence: list[str] = Field(default_factory=list, sa_type=Json)
    state: str = "open"
    asked_by: str
    asked_at: datetime = Field(sa_type=UtcDateTime)
    decided_by: str = ""
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answer: str = ""


class PromptProtection(SQLModel, table=True):
    """A label that in this project moves only when two people agree."""

    __tablename__ = "prompt_protection"
    __table_args__ = (PrimaryKeyConstraint("project_id", "label"),)

    project_id: int = Field(foreign_key="project.id")
    label: str
    set_by: str
    set_at: datetime = Field(sa_type=UtcDateTime)
