"""What is said last in a transaction is done with it, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from core.db import trouble
from core.db.engine import Database
from core.db.rows import last, run

_ADD = text("INSERT INTO said (word, number) VALUES (:word, :number)")


_MADE = text("CREATE TABLE said (word TEXT, number INTEGER PRIMARY KEY)")


@pytest.fixture
def said(unmade: Database) -> Database:
    with unmade.write() as session:
        run(session, _MADE, {})
    return unmade


@pytest.fixture
def served(fresh_postgres: str) -> Iterator[Database]:
    """A store whose server can end a connection."""
    db = Database(fresh_postgres)
    with db.write() as session:
        run(session, _MADE, {})
    yield db
    db.close()


def _add(session: Session, number: int) -> None:
    last(session, _ADD, {"word": f"word {number}", "number": number})


def _numbers(db: Database) -> list[int]:
    with db.read() as session:
        return [row.number for row in session.connection().execute(text("SELECT number FROM said ORDER BY number"))]


def test_what_is_said_last_is_there_once_the_transaction_has_ended(said: Database) -> None:
    with said.write() as session:
        _add(session, 1)
        _add(session, 2)
    assert _numbers(said) == [1, 2]


def test_what_is_said_last_is_undone_with_the_rest(said: Database) -> None:
    def fail() -> None:
        with said.write() as session:
            run(session, _ADD, {"word": "first", "number": 1})
            _add(session, 2)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert _numbers(said) == []


def test_what_is_said_last_is_undone_where_a_look_is_all_that_was_wanted(said: Database) -> None:
    with said.write() as session:
        run(session, _ADD, {"word": "first", "number": 1})
        _add(session, 2)
        session.rollback()
    assert _numbers(said) == []


def test_what_cannot_be_done_undoes_the_rest_and_leaves_the_connection_fit_for_use(said: Database) -> None:
    def fail() -> None:
        with said.write() as session:
            run(session, _ADD, {"word": "first", "number": 1})
            for number in (2, 2, 3):
                _add(session, number)

    with pytest.raises(DBAPIError) as caught:
        fail()
    told = trouble.of(caught.value)
    assert told is not None
    assert "unique" in told.message.lower()
    for number in range(4, 24):  # in every connection of the pool
        with said.write() as session:
            _add(session, number)
    assert _numbers(said) == list(range(4, 24))


def test_a_savepoint_undoes_what_was_said_last_in_it(said: Database) -> None:
    def fail(session: Session) -> None:
        with session.begin_nested():
            _add(session, 2)
            raise RuntimeError("stop")

    with said.write() as session:
        _add(session, 1)
        with pytest.raises(RuntimeError, match="stop"):
            fail(session)
        _add(session, 3)
    assert _numbers(said) == [1, 3]


def test_a_connection_that_broke_before_the_last_words_is_told_and_replaced(served: Database) -> None:
    def fail() -> None:
        with served.write() as session:
            pid = run(session, text("SELECT pg_backend_pid()"), {}).scalar_one()
            _add(session, 1)
            with served.read() as other:
                run(other, text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    with pytest.raises(DBAPIError) as caught:
        fail()
    assert trouble.of(caught.value) is not None
    with served.write() as session:
        _add(session, 2)
    assert _numbers(served) == [2]


def test_connections_that_broke_while_they_rested_are_replaced_unseen(served: Database) -> None:
    with served.read() as first, served.read() as second:
        pids = [run(session, text("SELECT pg_backend_pid()"), {}).scalar_one() for session in (first, second)]
    with Session(served.writer) as other:
        run(other, text("SELECT pg_terminate_backend(:pid) WHERE :pid <> pg_backend_pid()"), {"pid": pids[0]})
        run(other, text("SELECT pg_terminate_backend(:pid) WHERE :pid <> pg_backend_pid()"), {"pid": pids[1]})
    for number in range(6):
        with served.write() as session:
            _add(session, number)
    assert _numbers(served) == list(range(6))
