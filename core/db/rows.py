"""Rows past the unit of work, which costs several times as much: for what is done thousands of times a minute.

The session does not see what is done here: flush before, and do not go on with objects that it holds of these rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import CursorResult, Executable, Insert, Table
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel

_LAST = "last"


def table(model: type[SQLModel]) -> Table:
    """The table itself; a statement made of it once, of bound parameters, is compiled once."""
    found: Table = model.metadata.tables[str(model.__tablename__)]
    return found


def run(session: Session, statement: Executable, told: Mapping[str, Any]) -> CursorResult[Any]:
    """Execute a statement in the session's transaction."""
    return session.connection().execute(statement, dict(told))


def last(session: Session, statement: Executable, told: Mapping[str, Any]) -> None:
    """Execute a statement among a transaction's last, those and the COMMIT in one round trip to Postgres.

    What it locks is locked no longer than that, and nothing in the transaction sees what it did. SQLite does it at
    once, and so does a savepoint, which may be undone by itself.
    """
    waiting = session.info.get(_LAST)
    if waiting is None or session.in_nested_transaction():
        run(session, statement, told)
    else:
        waiting.append((statement, dict(told)))


def await_last(session: Session) -> None:
    """From here on, what is told to `last` waits for `commit_last`."""
    session.info[_LAST] = []


def commit_last(session: Session) -> None:
    """Execute what waits, and commit; SQLAlchemy finds nothing left to commit then. Raises: DBAPIError.

    Where the transaction was undone meanwhile, as after a look at what would happen, what waits is undone with it.
    """
    waiting = session.info.pop(_LAST, [])
    if not session.in_transaction():
        return
    session.flush()
    if not waiting:
        return
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    base = connection.dialect.loaded_dbapi.Error
    try:
        with driver.pipeline():
            for statement, told in waiting:
                connection.execute(statement, told)
            driver.commit()
    except base as error:  # answers come with the COMMIT's, past SQLAlchemy
        raise DBAPIError.instance(None, None, error, base) from error


def insert(
    session: Session, row: object, by: Callable[..., object] = run, *, into: type[SQLModel] | None = None
) -> None:
    """Write a new row now. It stays what it is, a value: the session does not follow its changes.

    With `into`, it is any object with an attribute for each column of that table: making a mapped object costs more
    than writing it.
    """
    statement, names = _inserting(into or type(row))  # type: ignore[arg-type]
    by(session, statement, {name: getattr(row, name) for name in names})


@cache
def _inserting(model: type[SQLModel]) -> tuple[Insert, tuple[str, ...]]:
    return table(model).insert(), tuple(column.name for column in table(model).columns)
