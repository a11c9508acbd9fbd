"""Projects, persons, role grants and API keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.db.types import Bytes, UtcDateTime


class Project(SQLModel, table=True):
    __tablename__ = "project"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True, max_length=64)
    created_at: datetime = Field(sa_type=UtcDateTime)


class Person(SQLModel, table=True):
    """Someone who signed in once; `issuer` and `subject` are the identity provider's, e-mail is only shown.

    `claims_at` is when the provider issued the claims that roles follow now.
    """

    __tablename__ = "person"
    __table_args__ = (UniqueConstraint("issuer", "subject", name="uq_person_identity"),)

    id: int | None = Field(default=None, primary_key=True)
    issuer: str
    subject: str
    email: str = ""
    name: str = ""
    is_active: bool = True
    created_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    claims_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RoleGrant(SQLModel, table=True):
    """One role for one person, in one project or (`project_id` null) in all; `source` is "claim" or "person"."""

    __tablename__ = "role_grant"
    __table_args__ = (Index("ix_role_grant_person", "person_id"),)

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id")
    project_id: int | None = Field(default=None, foreign_key="project.id")
    role: str
    source: str = "person"
    granted_by: str
    granted_at: datetime = Field(sa_type=UtcDateTime)


class ApiKey(SQLModel, table=True):
    """A key of one project; only its keyed hash is kept."""

    __tablename__ = "api_key"

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=100)
    scope: str = Field(default="application", sa_column_kwargs={"server_default": "application"})
    prefix: str
    digest: bytes = Field(sa_type=Bytes, unique=True)
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
