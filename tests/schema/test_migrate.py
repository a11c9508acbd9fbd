"""The migrations make exactly the tables the code expects, on both databases."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

from sqlalchemy import bindparam, text
from sqlmodel import col, select

from core.calls.sketch import Sketch
from core.datasets import queries, sameness
from core.datasets.tables import DatasetItem
from core.db.engine import Database
from core.db.types import UtcDateTime
from core.schema import migrate
from core.trials import queries as trials


def test_a_migrated_store_has_the_shape_of_the_models(db: Database) -> None:
    with db.reader.connect() as connection:
        assert migrate.differences(connection) == []


def test_migrating_twice_changes_nothing(db: Database) -> None:
    migrate.upgrade(db)
    assert migrate.revision(db) == migrate.newest()


def test_a_store_from_before_keeps_its_sums_and_its_latencies(unmade: Database) -> None:
    migrate.upgrade(unmade, to="0001")
    counts = {-12: 3, 240: 1, 251: 2_500_000, 300: 7}
    before = b"".join(struct.pack("<hI", bucket, count) for bucket, count in counts.items())
    hour = datetime(2026, 11, 2, 9, tzinfo=UTC)
    for table in ("usage_hour", "usage_day"):
        with unmade.write() as session:
            session.execute(
                text(
                    f"INSERT INTO {table} VALUES (1, 'model', 'gpt-4o', :hour, 2500011, 0, 0, 0, 0, "
                    "9000000000, 5, 0, 0, 1500, :total, :first)"
                ).bindparams(bindparam("hour", type_=UtcDateTime)),
                {"hour": hour, "total": before, "first": b""},
            )
    migrate.upgrade(unmade)
    with unmade.read() as session:
        for table in ("usage_hour", "usage_day"):
            query = f"SELECT calls, tokens_in, cost_usd, value, total_ms, first_token_ms FROM {table}"
            *sums, total, first = session.execute(text(query)).one()
            assert sums == [2_500_011, 9_000_000_000, 1500, "gpt-4o"]
            assert Sketch.read(total).counts == counts
            assert first == b""
    with unmade.reader.connect() as connection:
        assert migrate.differences(connection) == []


def test_examples_from_before_are_the_draft_of_the_first_version(unmade: Database) -> None:
    migrate.upgrade(unmade, to="0005")
    at = datetime(2026, 11, 2, 9, tzinfo=UTC)
    moment = bindparam("at", type_=UtcDateTime)
    with unmade.write() as session:
        session.execute(
            text("INSERT INTO project (id, name, created_at) VALUES (7, 'before', :at)").bindparams(moment), {"at": at}
        )
        session.execute(
            text("INSERT INTO dataset VALUES (3, 7, 'Refunds', 'local', :at)").bindparams(moment), {"at": at}
        )
        for number, kind in ((1, "item"), (2**62, "tuning")):
            asked = '{"messages":[{"role":"user","content":"May  I?"},{"role":"assistant","content":"Yes."}]}'
            session.execute(
                text(
                    "INSERT INTO dataset_item VALUES "
                    "(:id, 3, :kind, :input, :expected, 'call_1', 5, NULL, 'local', :at)"
                ).bindparams(moment),
                {"id": number, "kind": kind, "input": asked, "expected": None, "at": at},
            )
    migrate.upgrade(unmade)
    with unmade.read() as session:
        rows = session.exec(select(DatasetItem).order_by(col(DatasetItem.id))).all()
        assert [(row.id, row.key, row.kind, row.from_version, row.until_version) for row in rows] == [
            (1, 1, "item", 1, None),
            (2**62, 2**62, "tuning", 1, None),
        ]
        assert all(row.input["messages"][0]["content"] == "May  I?" for row in rows)
        assert [row.input_hash for row in rows] == [sameness.input_hash(row.kind, row.input) for row in rows]
        assert {row.words for row in rows} == {"may i? yes."}
        (found,) = queries.datasets(session, project_ids=[7])
        assert (found.name, found.version, found.items, found.tunings) == ("Refunds", 0, 1, 1)
    with unmade.reader.connect() as connection:
        assert migrate.differences(connection) == []


def test_how_a_live_test_stood_before_is_its_one_arms_line(unmade: Database) -> None:
    migrate.upgrade(unmade, to="0012")
    hour = datetime(2026, 11, 2, 9, tzinfo=UTC)
    with unmade.write() as session:
        session.execute(
            text("INSERT INTO trial_look VALUES (7, :hour, 240, 0.5, 0.25, 0.75, 'B is better.')").bindparams(
                bindparam("hour", type_=UtcDateTime)
            ),
            {"hour": hour},
        )
    migrate.upgrade(unmade)
    with unmade.read() as session:
        assert trials.looks(session, 7) == (trials.Look(hour, 240, 0.5, 0.25, 0.75, "B is better."),)
        assert trials.looks(session, 7, arm=2) == ()
