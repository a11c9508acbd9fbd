"""Every call is in the store before its caller hears the end of it, whatever goes wrong around it."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import text

from core.calls import queries, rows
from core.calls.recorder import Recorder
from core.calls.tables import Call, CallPayload
from core.db.engine import Database
from core.errors import GreenroomError
from core.ids import first_at
from tests.calls import stored
from tests.calls.records import AT, record

FIRST = first_at(AT)


def test_a_call_is_readable_when_record_returns(db: Database, recorder: Recorder) -> None:
    async def run() -> int:
        await recorder.record(record(FIRST))
        return len(stored.ids(db))

    assert asyncio.run(run()) == 1


def test_everything_of_a_call_comes_back(db: Database, recorder: Recorder) -> None:
    given = record(FIRST, request=b"{}" * 2_000, detail={"tries": [{"ms": 3.5}]}, tags=(("team", "a"), ("a", "ü")))
    assert stored.write(recorder, [given]) == [None]
    with db.read() as session:
        view = queries.call(session, FIRST, [1])
        payload = queries.payload(session, FIRST, [1])
    for name in Call.__table__.columns.keys():  # noqa: SIM118
        assert getattr(view, name) == getattr(given, name), name
    assert view.cost_usd == Decimal("0.00001335")
    assert view.tags == (("a", "ü"), ("team", "a"))
    assert view.detail == given.detail
    assert payload.raw_request == given.request
    assert payload.raw_response == given.response
    assert payload.answers[0].text == given.answered_text


def test_the_rows_have_the_order_of_the_tables_columns() -> None:
    given = record(FIRST)
    for name, value in zip(Call.__table__.columns.keys(), rows.call(given), strict=True):
        if name != "cost_usd":
            assert value == getattr(given, name), name
    assert len(rows.payload(given)) == len(CallPayload.__table__.columns)


def test_a_batch_leaves_every_part_of_every_call(db: Database, recorder: Recorder) -> None:
    assert stored.write(recorder, [record(FIRST + n) for n in range(300)]) == [None] * 300
    assert stored.counts(db) == {
        "call": 300, "call_payload": 300, "call_text": 300, "call_tag": 300,
        "all": 300, "model": 300, "backend": 300, "key": 300, "tag": 300,
    }  # fmt: skip


def test_one_call_that_cannot_be_stored_fails_alone(db: Database, recorder: Recorder) -> None:
    records = [record(FIRST + n) for n in range(20)]
    records[7] = replace(records[7], project_id="not a number, and too long for one" * 3)  # type: ignore[arg-type]
    records[7] = replace(records[7], http_status=None)  # type: ignore[arg-type]
    told = stored.write(recorder, records)
    assert isinstance(told[7], GreenroomError)
    assert [error for place, error in enumerate(told) if place != 7] == [None] * 19
    assert len(stored.ids(db)) == 19
    assert stored.counts(db)["all"] == 19


def test_a_call_recorded_twice_counts_once(db: Database, recorder: Recorder) -> None:
    assert stored.write(recorder, [record(FIRST), record(FIRST)]) == [None, None]
    assert stored.write(recorder, [record(FIRST), record(FIRST + 1)]) == [None, None]
    assert stored.counts(db)["all"] == 2


def test_put_writes_what_nobody_waits_for(db: Database, recorder: Recorder) -> None:
    for number in range(50):
        recorder.put(record(FIRST + number))
    recorder.stop()
    assert len(stored.ids(db)) == 50


def test_stop_writes_what_is_queued_and_then_refuses(db: Database, recorder: Recorder) -> None:
    async def run() -> list[BaseException | None]:
        tasks = [asyncio.ensure_future(recorder.record(record(FIRST + n))) for n in range(200)]
        await asyncio.sleep(0)
        await asyncio.to_thread(recorder.stop)
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert asyncio.run(run()) == [None] * 200
    assert len(stored.ids(db)) == 200
    (told,) = stored.write(recorder, [record(FIRST + 900)])
    assert isinstance(told, GreenroomError)
    assert told.code == "store_closed"
    recorder.put(record(FIRST + 901))
    assert recorder.lost == 1


def test_a_cancelled_caller_still_leaves_its_call(db: Database, recorder: Recorder) -> None:
    async def run() -> None:
        task = asyncio.ensure_future(recorder.record(record(FIRST)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    recorder.stop()
    assert stored.ids(db) == {FIRST}


def test_callers_wait_when_the_queue_is_full_and_none_is_lost(db: Database) -> None:
    recorder = Recorder(db, max_batch=4, capacity=5)
    recorder.start()
    assert stored.write(recorder, [record(FIRST + n) for n in range(120)]) == [None] * 120
    recorder.stop()
    assert len(stored.ids(db)) == 120


def test_a_lost_server_is_asked_again_and_nothing_is_counted_twice(fresh_postgres: str) -> None:
    db = Database(fresh_postgres)
    recorder = Recorder(db)
    recorder.start()
    for turn in range(5):
        numbers = range(turn * 40, turn * 40 + 40)
        killer = threading.Thread(target=_cut_connections, args=(db,))
        killer.start()
        assert stored.write(recorder, [record(FIRST + n) for n in numbers]) == [None] * 40
        killer.join()
    recorder.stop()
    assert stored.counts(db)["call"] == stored.counts(db)["all"] == 200
    db.close()


def _cut_connections(db: Database) -> None:
    import psycopg

    address = db.url.render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        for _ in range(10):
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            time.sleep(0.002)


def test_a_locked_database_is_waited_for(sqlite_url: str) -> None:
    db, other = Database(sqlite_url), Database(sqlite_url)
    recorder = Recorder(db)
    recorder.start()
    with other.write() as session:
        session.execute(text("INSERT INTO change_mark (topic, number) VALUES ('x', 1)"))
        recorder.put(record(FIRST))
        time.sleep(0.3)
        assert recorder.written == 0
    recorder.stop()
    assert stored.ids(db) == {FIRST}
    db.close()
    other.close()


def test_a_full_disk_is_told_and_the_next_call_works_when_there_is_space(sqlite_url: str) -> None:
    db = Database(sqlite_url)
    raw = db.writer.raw_connection()
    pages = raw.driver_connection.execute("PRAGMA page_count").fetchone()[0]
    raw.driver_connection.execute(f"PRAGMA max_page_count={pages + 2}")
    raw.close()
    recorder = Recorder(db)
    recorder.start()
    told = stored.write(recorder, [record(FIRST + n, request=b"x" * 900) for n in range(200)])
    refused = [error for error in told if error is not None]
    assert refused
    assert {error.code for error in refused if isinstance(error, GreenroomError)} == {"store_full"}
    assert len(stored.ids(db)) + len(refused) == 200
    raw = db.writer.raw_connection()
    raw.driver_connection.execute("PRAGMA max_page_count=1000000")
    raw.close()
    assert stored.write(recorder, [record(FIRST + 500)]) == [None]
    recorder.stop()
    assert stored.sums(db) == stored.rows_summed(db)
    db.close()


@pytest.mark.parametrize("hostile", ["a\0b", "lone \ud83d half", "\ud83d\ude00 pair", "é" * 150_000, "x" * 300_000])
def test_text_no_database_likes_is_stored_as_far_as_it_can_be(db: Database, recorder: Recorder, hostile: str) -> None:
    given = record(
        FIRST, asked=hostile.encode("utf-8", "replace").decode(), end_user=hostile[:50], error_text=hostile,
        detail={"said": hostile, hostile[:10]: 1}, tags=((hostile[:9], hostile),), model_served=hostile[:60],
    )  # fmt: skip
    given = replace(given, asked_text=hostile, answered_text=hostile)
    assert stored.write(recorder, [given, record(FIRST + 1)]) == [None, None]
    assert stored.ids(db) == {FIRST, FIRST + 1}


def test_numbers_an_upstream_made_up_do_not_stop_the_record(db: Database, recorder: Recorder) -> None:
    given = record(
        FIRST, tokens_in=2**70, tokens_out=-5, total_ms=float("nan"), first_token_ms=float("inf"), cost_usd=None
    )
    assert stored.write(recorder, [given]) == [None]
    with db.read() as session:
        view = queries.call(session, FIRST, [1])
    assert (view.tokens_in, view.tokens_out, view.total_ms, view.cost_usd) == (2**31 - 1, 0, 0.0, None)
