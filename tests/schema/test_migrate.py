"""The migrations make exactly the tables the code expects, on both databases."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

from sqlalchemy import bindparam, text

from core.calls.sketch import Sketch
from core.db.engine import Database
from core.db.types import UtcDateTime
from core.schema import migrate


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
