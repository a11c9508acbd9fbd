"""`kill -9` while answers wait for people: each is released exactly once, and announced once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from sqlmodel import select

from core import clock, vault
from core.db.engine import Database
from core.guard import actions as guard
from core.ids import Ids
from core.people.rules import Role
from core.review import actions, rubrics
from core.review.rules import State
from core.review.tables import HeldResponse, ReviewItem
from core.webhooks import actions as webhooks
from core.webhooks.tables import Delivery
from tests.guard.policies import rule
from tests.journeys.test_kill import _started
from tests.review.waiting import APPROVE, LEAD, edit, person
from tests.support import program, upstream
from tests.support.upstream import Double

pytestmark = pytest.mark.anyio
MANY = 12


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    async with upstream.running() as running:
        yield running


def furnished(url: str, folder: Path) -> int:
    """A queue whose verdicts can be taken back for a second, a policy that holds everything, a webhook; the queue."""
    db, at = Database(url), clock.now()
    with db.write() as session:
        queue = rubrics.open_queue(session, project_id=1, name="Answers", by=LEAD, at=at, undo_s=1)
        held = rule("hold", {"on": "sample", "percent": 100})
        number = guard.create(session, project_id=1, name="All", rules=[held], by=LEAD, at=at)
        guard.switch(session, policy_id=number, is_on=True, by=LEAD, at=at)
        webhooks.create(
            session,
            project_id=1,
            url="http://127.0.0.1:9/hook",
            events=["response.completed"],
            allows_private=True,
            by=person("ada", Role.ADMIN),
            at=at,
            vault=vault.open_vault(folder / "data"),
        )
        queue_id = queue.id or 0
    db.close()
    return queue_id


def decided(url: str, queue_id: int) -> int:
    """Decide on everything that waits; how many it was."""
    db, ids, count = Database(url), Ids(4_000), 0
    me = person("mia")
    while True:
        with db.write() as session:
            claimed = actions.claim(session, queue_id=queue_id, by=me, at=clock.now())
        if claimed is None:
            break
        with db.write() as session:
            said = APPROVE if count % 2 else edit(f"Edited {count}.")
            actions.decide(session, item_id=claimed.item_id, said=said, by=me, at=clock.now(), ids=ids)
        count += 1
    db.close()
    return count


async def ask(client: httpx2.AsyncClient, number: int) -> str:
    body = {"model": "double/m", "input": f"mark-{number}", "background": True}
    answer = await client.post("/v1/responses", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def standing(client: httpx2.AsyncClient, names: list[str], wanted: str) -> list[dict[str, Any]]:
    """The responses, once each is as wanted."""
    for _ in range(300):
        found = [(await client.get(f"/v1/responses/{name}")).json() for name in names]
        if all(wanted in (one["status"], one.get("greenroom", {}).get("review")) for one in found):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError([one["status"] for one in found])


async def test_a_kill_between_verdict_and_release_releases_each_exactly_once(
    store_url: str, double: Double, tmp_path: Path
) -> None:
    env = program.environment(tmp_path / "data", store_url)
    assert program.run("backend", "add", "double", double.url, "--key-stdin", env=env, given="sk-up\n").returncode == 0
    key = program.run("key", "create", "load", env=env).stdout.strip()
    queue_id = await asyncio.to_thread(furnished, store_url, tmp_path)
    headers = {"authorization": f"Bearer {key}"}
    running = await asyncio.to_thread(_started, env, tmp_path)
    try:
        async with httpx2.AsyncClient(base_url=running.url, headers=headers, timeout=30) as client:
            names = [await ask(client, number) for number in range(MANY)]
            await standing(client, names, "waiting")
            assert await asyncio.to_thread(decided, store_url, queue_id) == MANY
            await asyncio.sleep(0.7)  # in the middle of what is being released
        await asyncio.to_thread(running.kill)
    finally:
        running.stop()
    running = await asyncio.to_thread(_started, env, tmp_path)
    try:
        async with httpx2.AsyncClient(base_url=running.url, headers=headers, timeout=30) as client:
            ended = await standing(client, names, "completed")
        texts = [part["text"] for one in ended for item in one["output"] for part in item["content"]]
        assert len(texts) == MANY
        assert len(set(texts)) == MANY
        assert sum(text.startswith("Edited ") for text in texts) == MANY // 2
    finally:
        running.stop()
    db = Database(store_url)
    with db.read() as session:
        held = list(session.exec(select(HeldResponse)))
        states = [item.state for item in session.exec(select(ReviewItem))]
        told = [orjson.loads(one.payload)["data"]["id"] for one in session.exec(select(Delivery))]
    db.close()
    assert states == [State.RELEASED] * MANY
    assert {one.state for one in held} == {"completed"}
    assert sorted(told) == sorted(names)
