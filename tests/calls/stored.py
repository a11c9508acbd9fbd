"""Look into a store: what is there of calls and whether the sums agree with the rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy import text

from core.calls.record import CallRecord
from core.calls.recorder import Recorder
from core.db.engine import Database


def write(recorder: Recorder, records: Sequence[CallRecord]) -> list[BaseException | None]:
    """Record all at once; what each caller was told."""

    async def run() -> list[BaseException | None]:
        return await asyncio.gather(*(recorder.record(item) for item in records), return_exceptions=True)

    return asyncio.run(run())


def ids(db: Database) -> set[int]:
    with db.read() as session:
        return {row[0] for row in session.execute(text("SELECT id FROM call"))}


def counts(db: Database) -> dict[str, int]:
    """Rows per table of the record, and calls counted by the hourly sums of each dimension."""
    with db.read() as session:
        found = {
            table: session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("call", "call_payload", "call_text", "call_tag")
        }
        query = "SELECT dimension, sum(calls) FROM {} GROUP BY dimension ORDER BY dimension"
        hours = session.execute(text(query.format("usage_hour"))).all()
        assert hours == session.execute(text(query.format("usage_day"))).all()
        return found | {dimension: int(total) for dimension, total in hours}


def sums(db: Database) -> tuple[int, int, int]:
    """Calls, tokens and nano-dollars by the hourly sums."""
    return _three(
        db, "SELECT sum(calls), sum(tokens_in + tokens_out), sum(cost_usd) FROM usage_hour WHERE dimension = 'all'"
    )


def rows_summed(db: Database) -> tuple[int, int, int]:
    """The same from the rows."""
    return _three(db, "SELECT count(*), sum(tokens_in + tokens_out), sum(cost_usd) FROM call")


def _three(db: Database, query: str) -> tuple[int, int, int]:
    with db.read() as session:
        one, two, three = session.execute(text(query)).one()
        return int(one or 0), int(two or 0), int(three or 0)
