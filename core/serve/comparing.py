"""Answers of blind comparisons, made ahead: each question goes to each contestant before anybody votes on it.

What is to be asked is rows of the store; any process takes some, asks, and keeps what came. Each answer is a call of
its own, recorded like any other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson
from anyio import to_thread

from core import clock
from core.db import trouble
from core.db.engine import Database
from core.ids import Ids, shown
from core.polling import Outage, Poller
from core.serve.asked import COMPARE, Answer, Asked
from core.votes import making
from core.votes.making import Task
from core.votes.rules import COMPARISON_TAG
from core.wire import openai

MOST_AT_ONCE = 4
"""Of one process; applications are asked for at the same time."""
IDLE_S = 5.0
"""How often to look for what another process has put there or given back."""
RENEW_S = making.LEASE.total_seconds() / 3
"""How often to say that what takes long is still being asked."""

log = logging.getLogger("greenroom.comparing")


class Comparing:
    """The answers of comparisons as one process makes them; `answer` asks a model."""

    def __init__(self, db: Database, ids: Ids, answer: Callable[[Asked], Awaitable[Answer]]) -> None:
        self._db, self._ids, self._answer = db, ids, answer
        outage = Outage(log, "answers of comparisons cannot be made: %s")
        self._poller = Poller(self.turn, pause_s=lambda: IDLE_S, outage=outage)
        self.start = self._poller.start
        self.wake = self._poller.wake

    async def stop(self) -> None:
        """Look no more. What is being asked is given up: another start asks it again when its lease is over."""
        await self._poller.stop(gives_up=True)

    async def turn(self) -> int:
        """Ask what is due, until nothing is; how many answers were asked for."""
        asked, renewed = 0, time.monotonic()
        running: dict[asyncio.Task[None], Task] = {}
        try:
            while True:
                tasks = await to_thread.run_sync(self._take, MOST_AT_ONCE - len(running))
                running |= {asyncio.create_task(self._make(task)): task for task in tasks}
                asked += len(tasks)
                if not running:
                    return asked
                done, _ = await asyncio.wait(running, timeout=RENEW_S, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    running.pop(one)
                    one.result()
                if time.monotonic() - renewed >= RENEW_S:
                    renewed = time.monotonic()
                    await to_thread.run_sync(self._renew, list(running.values()))
        finally:
            for one in running:
                one.cancel()
            if running:
                await asyncio.wait(running)

    def _take(self, limit: int) -> list[Task]:
        at = clock.now()
        with self._db.read() as session:
            if not making.is_due(session, at=at):
                return []
        with self._db.write() as session:
            return making.take(session, at=at, limit=limit)

    def _renew(self, tasks: list[Task]) -> None:
        try:
            with self._db.write() as session:
                making.renew(session, tasks, at=clock.now())
        except Exception as error:  # what is being asked is paid for: it is not given up for a store that is away
            if (known := trouble.away(error)) is None:
                raise
            log.warning("answers of comparisons under way could not be kept in hand: %s", known.message)

    async def _make(self, task: Task) -> None:
        given = await self._answer(
            Asked(
                route=COMPARE,
                body=task.body,
                raw=b"",
                project_id=task.project_id,
                actor=task.actor,
                request_id=shown("req", self._ids.next()),
                tags=((COMPARISON_TAG, str(task.comparison_id)),),
            )
        )
        text, error, served = read(given)

        def write() -> None:
            with self._db.write() as session:
                making.settle(
                    session, task, text=text, error=error, call_id=given.call_id, served=served, at=clock.now()
                )

        await to_thread.run_sync(write)


def read(given: Answer) -> tuple[str, str, list[str]]:
    """What was said, or why nothing was, and the name of the model that says it."""
    body: Any = None
    with suppress(orjson.JSONDecodeError):
        body = orjson.loads(given.body or b"")
    trouble = openai.error_of(body)
    if given.status >= 400 or trouble or not isinstance(body, dict):
        return "", str(trouble["message"]) if trouble else f"The backend answered with status {given.status}.", []
    model = body.get("model")
    return openai.answer_text(body), "", [model] if isinstance(model, str) else []
