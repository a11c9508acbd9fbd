"""Rows past the unit of work, which costs several times as much: for what is done thousands of times a minute.

The session does not see what is done here: flush before, and do not go on with objects that it holds of these rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import CursorResult, Executable, Insert, Table
from sqlmodel import Session, SQLModel


def table(model: type[SQLModel]) -> Table:
    """The table itself; a statement made of it once, of bound parameters, is compiled once."""
    found: Table = model.metadata.tables[str(model.__tablename__)]
    return found


def run(session: Session, statement: Executable, told: Mapping[str, Any]) -> CursorResult[Any]:
    """Execute a statement in the session's transaction."""
    return session.connection().execute(statement, dict(told))


def insert(session: Session, row: SQLModel) -> None:
    """Write a new row now. The object stays what it is, a value: the session does not follow its changes."""
    statement, names = _inserting(type(row))
    run(session, statement, {name: getattr(row, name) for name in names})


@cache
def _inserting(model: type[SQLModel]) -> tuple[Insert, tuple[str, ...]]:
    return table(model).insert(), tuple(column.name for column in table(model).columns)
