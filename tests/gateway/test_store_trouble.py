"""While the store takes no writes every caller hears a sentence, and readiness returns with the store, by itself."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import closing

import psycopg
import pytest

from tests.support.house import House

pytestmark = pytest.mark.anyio


def set_read_only(house: House, *, on: bool) -> None:
    """What a full disk, a lost right or a failed-over server looks like to whoever writes."""
    db = house.runtime.db
    if db.is_sqlite:
        with closing(db.writer.raw_connection()) as connection:
            connection.cursor().execute(f"PRAGMA query_only={'ON' if on else 'OFF'}")
        return
    name, server = str(db.url.database), db.url.set(drivername="postgresql", database="postgres")
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
        change = "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
        connection.execute(f'ALTER DATABASE "{name}" {change}'.encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


async def test_readiness_comes_back_with_the_store_though_nobody_calls(house: House) -> None:
    await asyncio.to_thread(set_read_only, house, on=True)
    refused = await house.ask("hello")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
    waiting = await house.client.get("/readyz")
    assert waiting.status_code == 503
    assert "calls cannot be recorded" in waiting.json()["reasons"][0]
    await asyncio.to_thread(set_read_only, house, on=False)
    assert (await house.client.get("/readyz")).json() == {"status": "ok", "reasons": []}
    assert (await house.ask("hello")).status_code == 200


async def test_a_disk_that_is_almost_full_is_told_before_a_call_fails(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage("."))
    monkeypatch.setattr("core.db.engine.shutil.disk_usage", lambda _: usage(10**9, 10**9 - 10**6, 10**6))
    waiting = await house.client.get("/readyz")
    if house.runtime.db.is_sqlite:
        assert waiting.status_code == 503
        assert waiting.json()["reasons"] == ["the disk is full: free some space"]
    else:
        assert waiting.json() == {"status": "ok", "reasons": []}


async def test_whatever_needs_the_store_says_so(house: House) -> None:
    answered = (await house.ask("hello")).headers["greenroom-call-id"]
    await asyncio.to_thread(set_read_only, house, on=True)
    asked = await house.ask("hello", headers={"idempotency-key": "k"})
    said = await house.client.post("/v1/feedback", json={"id": answered, "thumb": "up"})
    for response in (asked, said):
        assert response.status_code == 503, response.text
        assert response.json()["error"]["code"] == "store_unavailable"
    assert house.double.stats.requests == 1
