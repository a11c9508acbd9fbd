"""Who writes: one row per process that ever opened the store, whose number makes ids unique across replicas."""

from __future__ import annotations

import os
import platform
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Field, Session, SQLModel

from core import clock
from core.db.types import UtcDateTime


class Process(SQLModel, table=True):
    __tablename__ = "process"

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    host: str
    pid: int
    started_at: datetime = Field(sa_type=UtcDateTime)


def register(session: Session, kind: str) -> int:
    """Take the next process number."""
    row = Process(kind=kind, host=platform.node(), pid=os.getpid(), started_at=clock.now())
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def touch(session: Session) -> None:
    """Write a row as it is, to learn whether the store takes writes: it must find room, a lock and the right."""
    session.execute(text("UPDATE process SET pid = pid WHERE id = (SELECT max(id) FROM process)"))
