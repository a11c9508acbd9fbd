"""The trail: nobody rewrites it through the store, and whoever goes around it is found out, row by row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import DatabaseError

from core.audit import actions, queries, rules
from core.db.engine import Database
from core.people.rules import CLI, LOCAL, Role


def write(db: Database, at: datetime, rows: int = 1, **more: Any) -> None:
    for _ in range(rows):
        with db.write() as session:
            told = {"by": LOCAL, "action": "key.created", "target": "key:1", "after": {"name": "bot"}, **more}
            actions.append(session, at=at, **told)


def verdict(db: Database) -> queries.Verdict:
    with db.read() as session:
        return queries.verify(session)


def behind_its_back(db: Database, *statements: str) -> None:
    """What somebody with the database's own tools could do: take the guards away, rewrite, put them back."""
    with db.writer.connect() as connection, connection.begin():
        guards = _guards(connection, is_sqlite=db.is_sqlite)
        for off, _ in guards:
            connection.exec_driver_sql(off)
        for statement in statements:
            connection.exec_driver_sql(statement)
        for _, on in guards:
            connection.exec_driver_sql(on)


def _guards(connection: Connection, *, is_sqlite: bool) -> list[tuple[str, str]]:
    if not is_sqlite:
        switch = "ALTER TABLE audit_event {} TRIGGER audit_append_only"
        return [(switch.format("DISABLE"), switch.format("ENABLE"))]
    found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    return [(f"DROP TRIGGER {name}", sql) for name, sql in found]


def test_an_empty_trail_is_whole(db: Database) -> None:
    assert verdict(db) == queries.Verdict(True, 0)


def test_a_trail_is_whole_after_every_kind_of_row(db: Database, at: datetime) -> None:
    values = {
        "text": "ü\0\u2028",
        "float": 1e16,
        "int": 2**60,
        "none": None,
        "role": Role.ADMIN,
        "at": at,
        "in": {"b": 1},
    }
    write(db, at, 3, before=values, after=values, project_id=4)
    write(db, at, 1, after=None)
    assert verdict(db) == queries.Verdict(True, 4)


def test_numbers_count_from_one_and_each_hash_covers_the_one_before(db: Database, at: datetime) -> None:
    write(db, at, 3)
    with db.read() as session:
        newest, middle, oldest = queries.events(session, limit=10)
    assert [oldest.number, middle.number, newest.number] == [1, 2, 3]
    assert oldest.previous_hash == rules.GENESIS
    assert (middle.previous_hash, newest.previous_hash) == (oldest.hash, middle.hash)


def test_a_hash_is_of_the_whole_row_as_canonical_json_whatever_it_says(db: Database, at: datetime) -> None:
    target = 'a" \\ \n :front %(back)s {0} \U0001f3ad\u2028","number":7,"previous_hash":"0'
    write(db, at, 2, target=target, before={"z": 'é"', "a": ["\\u0000", {"y": 1, "b": None}]}, project_id=3)
    with db.read() as session:
        rows = queries.events(session, limit=10)
    for row in rows:
        whole = {key: value for key, value in asdict(row).items() if key != "hash"}
        whole["at"] = int(row.at.timestamp()) * 1_000_000 + row.at.microsecond
        canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert row.hash == hashlib.sha256(canonical.encode()).hexdigest()
        assert row.target == target


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET actor = 'nobody' WHERE number = 2",
        "DELETE FROM audit_event WHERE number = 2",
        "DELETE FROM audit_event",
    ],
)
def test_the_database_refuses_to_change_or_delete(db: Database, at: datetime, statement: str) -> None:
    write(db, at, 3)
    with pytest.raises(DatabaseError, match="append-only"), db.write() as session:
        session.connection().exec_driver_sql(statement)
    assert verdict(db) == queries.Verdict(True, 3)


def test_a_row_is_not_replaced_either(db: Database, at: datetime) -> None:
    write(db, at, 2)
    replace = "INSERT OR REPLACE INTO audit_event SELECT * FROM audit_event WHERE number = 1"
    if not db.is_sqlite:
        replace = "TRUNCATE audit_event"
    with pytest.raises(DatabaseError, match="append-only"), db.write() as session:
        session.connection().exec_driver_sql(replace)


CHANGES = {
    "actor": "UPDATE audit_event SET actor = 'person:9' WHERE number = 2",
    "target": "UPDATE audit_event SET target = 'key:2' WHERE number = 2",
    "project": "UPDATE audit_event SET project_id = 5 WHERE number = 2",
    "contents": """UPDATE audit_event SET after = '{"name":"other"}' WHERE number = 2""",
    "hash": "UPDATE audit_event SET hash = 'beef' WHERE number = 2",
    "link": "UPDATE audit_event SET previous_hash = 'beef' WHERE number = 2",
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_row_is_named(db: Database, at: datetime, what: str) -> None:
    write(db, at, 4)
    behind_its_back(db, CHANGES[what])
    found = verdict(db)
    assert (found.ok, found.rows, found.first_bad) == (False, 1, 2)


def test_a_row_that_cannot_be_read_any_more_is_named(sqlite_url: str, at: datetime) -> None:
    db = Database(sqlite_url)
    write(db, at, 4)
    behind_its_back(db, "UPDATE audit_event SET after = '{' WHERE number = 3")
    assert (verdict(db).first_bad, verdict(db).why) == (3, "its contents cannot be read any more")
    db.close()


@pytest.mark.parametrize(
    ("gone", "first_bad"), [("number = 1", 1), ("number = 2", 2), ("number > 2", 3), ("number > 0", 1)]
)
def test_a_missing_row_is_named(db: Database, at: datetime, gone: str, first_bad: int) -> None:
    write(db, at, 4)
    behind_its_back(db, f"DELETE FROM audit_event WHERE {gone}")
    assert (verdict(db).ok, verdict(db).first_bad) == (False, first_bad)


def test_rows_that_changed_places_are_named(db: Database, at: datetime) -> None:
    write(db, at, 4)
    swap = [f"UPDATE audit_event SET number = {new} WHERE number = {old}" for old, new in ((2, 99), (3, 2), (99, 3))]
    behind_its_back(db, *swap)
    assert verdict(db).first_bad == 2


def _forged(number: int) -> str:
    columns = "at, actor, action, target, project_id, before, after, previous_hash, hash"
    return f"INSERT INTO audit_event (number, {columns}) SELECT {number}, {columns} FROM audit_event WHERE number = 1"


@pytest.mark.parametrize(("number", "first_bad"), [(3, 3), (0, 0), (-1, -1)])
def test_a_row_put_in_by_hand_is_named(db: Database, at: datetime, number: int, first_bad: int) -> None:
    write(db, at, 2)
    behind_its_back(db, _forged(number))
    assert (verdict(db).ok, verdict(db).first_bad) == (False, first_bad)


@pytest.mark.parametrize(
    ("tampering", "first_bad"),
    [
        ("DELETE FROM audit_head", 1),
        ("UPDATE audit_head SET hash = 'beef'", 3),
        ("UPDATE audit_head SET number = 2", 3),
    ],
)
def test_a_head_that_lies_is_found_out(db: Database, at: datetime, tampering: str, first_bad: int) -> None:
    write(db, at, 3)
    behind_its_back(db, tampering)
    assert (verdict(db).ok, verdict(db).first_bad) == (False, first_bad)


def test_a_trail_longer_than_one_reading_is_checked_to_its_end(
    db: Database, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_AT_ONCE", 3)
    write(db, at, 10)
    assert verdict(db) == queries.Verdict(True, 10)
    behind_its_back(db, "UPDATE audit_event SET target = 'x' WHERE number = 9")
    assert verdict(db).first_bad == 9


def test_many_writers_at_once_make_one_chain(db: Database, at: datetime) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: write(db, at, 10), range(8)))
    assert verdict(db) == queries.Verdict(True, 80)


def test_a_trail_that_grows_while_it_is_checked_is_whole(db: Database, at: datetime) -> None:
    write(db, at, 5)
    with ThreadPoolExecutor(2) as pool:
        growing = pool.submit(write, db, at, 60)
        found = [verdict(db) for _ in range(20)]
        growing.result()
    assert all(one.ok for one in found)


def test_what_is_undone_leaves_no_row(db: Database, at: datetime) -> None:
    def fail(append: Callable[..., object]) -> None:
        with db.write() as session:
            append(session, by=LOCAL, at=at, action="key.created", target="key:1")
            raise RuntimeError("the action failed after all")

    with pytest.raises(RuntimeError):
        fail(actions.append)
    write(db, at)
    assert verdict(db) == queries.Verdict(True, 1)


def test_the_newest_come_first_page_by_page_and_by_filter(db: Database, at: datetime) -> None:
    write(db, at, 3)
    write(db, at, 2, action="role.granted", project_id=7)
    with db.read() as session:
        first = queries.events(session, limit=2)
        rest = queries.events(session, limit=10, before_number=first[-1].number)
        assert [event.number for event in first + rest] == [5, 4, 3, 2, 1]
        assert [event.number for event in queries.events(session, limit=9, action="key.")] == [3, 2, 1]
        assert [event.number for event in queries.events(session, limit=9, project_id=7)] == [5, 4]
        assert queries.events(session, limit=9, actor="person:1") == []
        assert queries.events(session, limit=9, action="%") == []


def test_who_acted_and_what_was_done_is_told_once_each_and_for_one_project(db: Database, at: datetime) -> None:
    write(db, at, 3)
    write(db, at, 2, action="role.granted", project_id=7, by=CLI)
    write(db, at, 2, action="key.revoked", project_id=7)
    with db.read() as session:
        assert queries.actors(session) == sorted([LOCAL.actor, CLI.actor])
        assert queries.kinds(session) == ["key.created", "key.revoked", "role.granted"]
        assert queries.kinds(session, limit=2) == ["key.created", "key.revoked"]
        assert queries.kinds(session, project_id=7) == ["key.revoked", "role.granted"]
        assert queries.actors(session, project_id=8) == []
        assert [event.number for event in queries.events(session, limit=9, action="role.granted")] == [5, 4]


def test_the_filters_choices_cost_the_same_however_long_the_trail(db: Database, at: datetime) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(db.reader, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
    with db.read() as session:
        for project_id in (None, 7):
            queries.actors(session, project_id=project_id)
            queries.kinds(session, project_id=project_id)
    reads = [(said, values) for said, values in asked if "audit_event" in said]
    assert len(reads) == 4
    with db.reader.connect() as connection:
        if not db.is_sqlite:
            connection.exec_driver_sql("SET enable_seqscan = off")  # a table this small is quicker read whole
        for said, values in reads:
            plan = connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' if db.is_sqlite else ''}{said}", values)
            lines = [str(line) for line in plan if "audit_event" in str(line)]
            assert lines
            assert all("ix_audit_event" in line for line in lines), lines
            assert not any("SCAN audit_event" in line for line in lines), lines
