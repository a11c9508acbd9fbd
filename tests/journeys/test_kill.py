"""`kill -9` while applications are served: what an application was told happened is there after the restart."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import orjson
import pytest

from core import ids
from core.audit import queries as audit
from core.db.engine import Database
from tests.calls import stored
from tests.support import program, upstream
from tests.support.upstream import Double

pytestmark = pytest.mark.anyio
CALLERS = 24
BROKEN = (httpx2.HTTPError, httpx2.StreamError, OSError)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    async with upstream.running() as running:
        yield running


@dataclass(slots=True)
class Told:
    """What the applications know: calls whose answer they have whole, by how they got it, and how many were cut."""

    whole: set[int] = field(default_factory=set)
    streamed: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    cut: int = 0

    @property
    def all(self) -> set[int]:
        return self.whole | self.streamed | self.failed


async def _caller(client: httpx2.AsyncClient, number: int, told: Told) -> None:
    """One application: whole answers, streams and a few failures in turn, until the server is gone."""
    dice = random.Random(number)
    while True:
        kind = dice.choice(("whole", "whole", "stream", "stream", "slow stream", "failed"))
        body = {"model": "double/m", "messages": [{"role": "user", "content": f"mark-{dice.random()}"}]}
        body["metadata"] = {"caller": str(number % 5)}
        if kind == "failed":
            body["x_double"] = {"status": 400, "message": "no"}
        elif kind != "whole":
            body["stream"] = True
            body["x_double"] = {"tokens": 12, "gap_s": 0.01 if kind == "slow stream" else 0.0}
        try:
            async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                number_of = ids.read("call", answer.headers.get("greenroom-call-id", ""))
                assert number_of is not None, (answer.status_code, dict(answer.headers), await answer.aread())
                raw = b""
                async for piece in answer.aiter_bytes():
                    raw += piece
                    if b"data: [DONE]" in raw:
                        told.streamed.add(number_of)
                if answer.status_code == 400:
                    told.failed.add(number_of)
                elif not body.get("stream"):
                    assert answer.status_code == 200, raw
                    assert orjson.loads(raw)["choices"]
                    told.whole.add(number_of)
        except BROKEN:
            told.cut += 1
            return


async def _round(running: program.Running, key: str, after_s: float, told: Told) -> None:
    """Load the gateway, and end it in the middle: `after_s` behind the first answer of this round."""
    before = len(told.all)
    limits = httpx2.Limits(max_connections=CALLERS, max_keepalive_connections=CALLERS)
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=running.url, headers=headers, timeout=30, limits=limits) as client:
        callers = [asyncio.create_task(_caller(client, number, told)) for number in range(CALLERS)]
        async with asyncio.timeout(60):
            while len(told.all) == before:
                await asyncio.sleep(0.005)
        await asyncio.sleep(after_s)
        await asyncio.to_thread(running.kill)
        await asyncio.wait_for(asyncio.gather(*callers), 30)


def _check(url: str, told: Told) -> None:
    """The store is whole, has every call that was acknowledged, and its sums are the sums of its rows."""
    db = Database(url)
    try:
        assert not told.all - stored.ids(db)
        assert stored.sums(db) == stored.rows_summed(db)
        counts = stored.counts(db)
        assert counts["call"] == counts["call_payload"] == counts["call_text"] == counts["call_tag"]
        assert counts["call"] == counts.get("all", 0)
        with db.read() as session:
            verdict = audit.verify(session)
            if db.is_sqlite:
                assert session.connection().exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        assert verdict.ok, verdict.why
    finally:
        db.close()


async def _kills(url: str, double: Double, folder: Path, rounds: int) -> None:
    dice, told = random.Random(), Told()
    env = program.environment(folder / "data", url)
    assert program.run("backend", "add", "double", double.url, "--key-stdin", env=env, given="sk-up\n").returncode == 0
    key = program.run("key", "create", "load", env=env).stdout.strip()
    for _ in range(rounds):
        running = await asyncio.to_thread(_started, env, folder)
        try:
            await asyncio.to_thread(_check, url, told)  # what the restarted server made of what was left
            await _round(running, key, dice.uniform(0.0, 1.2), told)
        finally:
            running.stop()
        await asyncio.to_thread(_check, url, told)
    running = await asyncio.to_thread(_started, env, folder)
    try:
        await asyncio.to_thread(_check, url, told)
    finally:
        assert running.stop() in (0, -15), running.said()
    assert "Traceback" not in running.said(), running.said()[-4000:]
    whole, streamed, failed = len(told.whole), len(told.streamed), len(told.failed)
    print(f"{rounds} kills: {whole} whole answers, {streamed} streams, {failed} errors kept; {told.cut} cut")


def _started(env: dict[str, str], folder: Path) -> program.Running:
    running = program.start("gateway", env=env, log=folder / "gateway.log")
    try:
        running.await_ready()
    except BaseException:
        running.stop()
        raise
    return running


async def test_a_kill_during_load_loses_no_acknowledged_call(store_url: str, double: Double, tmp_path: Path) -> None:
    await _kills(store_url, double, tmp_path, 3)


@pytest.mark.long
async def test_twenty_kills_during_load_lose_no_acknowledged_call(
    store_url: str, double: Double, tmp_path: Path
) -> None:
    await _kills(store_url, double, tmp_path, 20)
