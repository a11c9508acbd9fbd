"""Many callers, faults and early leavers at once: every call is counted once, and nobody hears another's answer."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import httpx2
import orjson
import pytest

from tests.support import upstream
from tests.support.house import House, standing

pytestmark = pytest.mark.anyio

FAULTS = (
    {"status": 500},
    {"status": 429, "retry_after": "0"},
    {"kind": "reset"},
    {"kind": "reset_mid"},
    {"kind": "html"},
    {"kind": "truncated_json"},
    {"kind": "break", "at": 1, "tokens": 4},
    {"kind": "gzip_garbage"},
)


async def _mixed(house: House, count: int, *, at_once: int = 48) -> None:
    """`count` calls, a tenth with faults, a twentieth by callers who leave early; then all three counts agree."""
    house.runtime.serve.breakers.failed = lambda *_args, **_kwargs: None  # type: ignore[method-assign]
    house.runtime.serve.asking.chance = lambda: 0.0
    chance = random.Random(7)
    ends: Counter[str] = Counter()
    left: set[str] = set()
    gate = asyncio.Semaphore(at_once)
    limits = httpx2.Limits(max_connections=at_once, max_keepalive_connections=at_once)

    async def one(number: int, client: httpx2.AsyncClient) -> None:
        mark = f"mark-{number:06d}-end"
        body: dict[str, object] = {"model": "double/m", "messages": [{"role": "user", "content": mark}]}
        body["stream"] = number % 3 == 0
        leaves = chance.random() < 0.05
        if leaves:
            body["x_double"] = {"latency_s": 0.5} if not body["stream"] else {"tokens": 50, "gap_s": 0.02}
        elif chance.random() < 0.10:
            body["x_double"] = chance.choice(FAULTS)
        headers = {"x-request-id": mark}
        async with gate:
            try:
                asking = client.post("/v1/chat/completions", json=body, headers=headers)
                response = await asyncio.wait_for(asking, 0.1 + chance.random() * 0.2 if leaves else 60)
            except TimeoutError:
                ends["left"] += 1
                left.add(mark)
                return
        text = response.text
        if (response.status_code == 200 and "data: [DONE]" in text) or (not body["stream"] and response.is_success):
            ends["ok"] += 1
            assert mark in _said(text, streamed=bool(body["stream"]))
        else:
            ends["failed"] += 1
            assert "error" in text
        others = [word for word in text.split("mark-")[1:] if not word.startswith(mark[5:])]
        assert not others, f"{mark} heard {others}"

    base = {"base_url": house.url, "headers": {"authorization": f"Bearer {house.key}"}, "timeout": 60}
    async with httpx2.AsyncClient(limits=limits, **base) as client:  # type: ignore[arg-type]
        await asyncio.gather(*(one(number, client) for number in range(count)))
    await asyncio.sleep(0.5)
    await house.runtime.serve.drain()
    rows = house.calls()
    asked_for = {row.request_id for row in rows}
    assert len(asked_for) == len(rows)
    never_arrived = left - asked_for  # callers who gave up while their own request was still on its way
    assert len(rows) + len(never_arrived) == count
    assert not never_arrived & set(house.double.stats.marks)
    statuses = Counter(row.status for row in rows)
    assert statuses["cancelled"] <= ends["left"]
    assert statuses["ok"] + statuses["cancelled"] == ends["ok"] + ends["left"] - len(never_arrived)
    assert statuses["upstream_error"] == ends["failed"]
    asked = sum(len(house.payload(row).detail["tries"]) for row in rows)  # type: ignore[index,arg-type]
    assert house.double.stats.requests == asked


def _said(text: str, *, streamed: bool) -> str:
    if not streamed:
        return str(orjson.loads(text)["choices"][0]["message"]["content"])
    chunks = [orjson.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk.get("choices", ()))


async def test_a_thousand_mixed_calls_are_all_accounted_for(house: House) -> None:
    await _mixed(house, 1_000)


@pytest.mark.long
async def test_ten_thousand_mixed_calls_are_all_accounted_for(house: House) -> None:
    await _mixed(house, 10_000)


async def test_settings_of_a_house_can_be_narrowed(sqlite_url: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    async with upstream.running() as double, standing(tmp_path / "d", sqlite_url, double, max_body_mb=1) as house:
        response = await house.ask("x" * 1_100_000)
        assert response.status_code == 413
