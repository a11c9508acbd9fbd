"""Callers who wait for people: who waits for which held answer, and the clock that lets verdicts take effect.

Any process may be the one that closes an answer. The one that does tells its own callers at once; callers at other
processes learn of it when theirs looks, a fraction of a second later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from anyio import to_thread

from core import clock
from core.audit.rules import Actor
from core.builtin import rulebook
from core.db.engine import Database
from core.errors import GreenroomError
from core.guard import trial
from core.guard.policies import Policy
from core.guard.rules import Decision
from core.guard.trial import Named, Newness
from core.ids import Ids
from core.polling import Outage, Poller
from core.serve import held
from core.serve.held import HeldRow, Kept

log = logging.getLogger("greenroom.holding")

INTERRUPTED = {"code": "server_error", "message": "Greenroom was stopped while the answer was being made. Ask again."}
LOOK_S, IDLE_S = 0.2, 1.0
"""How often to look while callers here wait, and while none do."""


class Holding:
    """The held answers as one process sees them; `announce` is called when a message for a webhook was written."""

    def __init__(self, db: Database, ids: Ids, announce: Callable[[], None]) -> None:
        self._db, self._ids, self._announce = db, ids, announce
        self._waiting: dict[int, set[asyncio.Future[HeldRow]]] = {}
        self._asking: dict[int, asyncio.Task[Any]] = {}
        outage = Outage(log, "held answers cannot be released now, they wait: %s")
        self._poller = Poller(self.turn, pause_s=lambda: LOOK_S if self._waiting else IDLE_S, outage=outage)
        self.start = self._poller.start

    async def stop(self) -> None:
        """Look no more; background responses that are being asked are given up, and say so."""
        await self._poller.stop()
        given_up = dict(self._asking)
        for task in given_up.values():
            task.cancel()
        if given_up:
            await asyncio.wait(list(given_up.values()), timeout=5)
        for call_id in given_up:
            with suppress(GreenroomError):  # else it ends after its time, as after a crash
                await self.answered(call_id, value=None, error=INTERRUPTED)

    # What is written

    async def begin(self, *, call_id: int, project_id: int, key_id: int | None, body: Mapping[str, Any]) -> None:
        """A background response, before its model is asked."""
        kept = Kept(body, {}, 0.0)

        def write() -> None:
            with self._db.write() as session:
                held.begin(session, call_id=call_id, project_id=project_id, key_id=key_id, kept=kept, at=clock.now())

        await to_thread.run_sync(write)

    async def hold(
        self,
        *,
        call_id: int,
        project_id: int,
        key_id: int | None,
        kind: str,
        kept: Kept,
        question: str,
        draft: Mapping[str, Any],
        decision: Decision,
    ) -> bool:
        """Put a recorded answer in front of people; False when its caller has withdrawn it. Raises: GreenroomError."""

        def write() -> bool:
            by_rules = rulebook.current().answer(question)
            with self._db.write() as session:
                return held.hold(
                    session,
                    call_id=call_id,
                    project_id=project_id,
                    key_id=key_id,
                    kind=kind,
                    kept=kept,
                    draft=draft,
                    decision=decision,
                    by_rules=by_rules,
                    at=clock.now(),
                    ids=self._ids,
                )

        return await to_thread.run_sync(write)

    async def flag(self, *, call_id: int, project_id: int, decision: Decision) -> None:
        """Put a delivered answer in front of people, to look at later."""

        def write() -> None:
            with self._db.write() as session:
                sent = held.flag(
                    session, call_id=call_id, project_id=project_id, decision=decision, at=clock.now(), ids=self._ids
                )
            if not sent:
                log.warning("a policy (%s) has no open review queue named %r", decision.reason, decision.queue)

        await to_thread.run_sync(write)

    async def answered(self, call_id: int, *, value: dict[str, Any] | None, error: dict[str, Any] | None) -> None:
        """The end of a background response that nobody need look at."""

        def write() -> bool:
            with self._db.write() as session:
                return held.answered(session, call_id=call_id, value=value, error=error, at=clock.now(), ids=self._ids)

        if await to_thread.run_sync(write):
            self._announce()
            await self._tell([call_id])

    async def cancel(self, call_id: int, *, reason: str, by: Actor) -> None:
        """The caller wants the answer no longer; its model is asked no further where that is here."""

        def write() -> bool:
            with self._db.write() as session:
                return held.cancel(session, call_id=call_id, reason=reason, by=by, at=clock.now(), ids=self._ids)

        if await to_thread.run_sync(write):
            if (task := self._asking.get(call_id)) is not None:
                task.cancel()
            self._announce()
            await self._tell([call_id])

    # What is read

    async def check(self, project_id: int, queue: str) -> None:
        """Raises: CannotHold when there is no such queue, or it is closed."""

        def read() -> None:
            with self._db.read() as session:
                held.queue_of(session, project_id, queue)

        await to_thread.run_sync(read)

    async def ages(self, policies: Sequence[Policy], project_id: int, named: Named, call_id: int) -> Newness:
        """How new the versions of the alias and the prompt are, where a policy asks."""

        def read() -> Newness:
            with self._db.read() as session:
                return trial.Ages(session, policies, project_id).of(named, call_id)

        return await to_thread.run_sync(read)

    async def of(self, call_id: int, *, project_id: int) -> HeldRow | None:
        """One held answer of a project; that its end was seen is noted."""

        def read() -> HeldRow | None:
            with self._db.read() as session:
                row = held.of(session, call_id, project_id=project_id)
            if row is not None and row.is_final and not row.is_seen:
                with self._db.write() as session:
                    held.seen(session, call_id=call_id, at=clock.now())
            return row

        return await to_thread.run_sync(read)

    async def wait(self, call_id: int, seconds: float) -> HeldRow | None:
        """The end of a held answer, for as long as its caller has patience; None when it is still open then."""
        future: asyncio.Future[HeldRow] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            self._poller.wake()
        waiting = self._waiting.setdefault(call_id, set())
        waiting.add(future)
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return None
        finally:
            waiting.discard(future)
            if not waiting and self._waiting.get(call_id) is waiting:
                del self._waiting[call_id]

    def asking(self, call_id: int, task: asyncio.Task[Any]) -> None:
        """A background response is being asked by this task, which a cancellation ends."""
        self._asking[call_id] = task
        task.add_done_callback(lambda _: self._asking.pop(call_id, None))

    # The clock

    async def turn(self) -> int:
        """Let what is due take effect, and tell those who wait here; how many held answers ended."""
        ended = await to_thread.run_sync(self._close)
        if ended:
            self._announce()
        await self._tell(ended)
        if others := [call_id for call_id in self._waiting if call_id not in ended]:
            await self._tell(others)
        return len(ended)

    def _close(self) -> list[int]:
        at = clock.now()
        with self._db.read() as session:
            if not held.is_due(session, at=at):
                return []
        with self._db.write() as session:
            return held.close_due(session, at=at, ids=self._ids)

    async def _tell(self, call_ids: list[int]) -> None:
        wanted = [call_id for call_id in call_ids if call_id in self._waiting]
        if not wanted:
            return

        def read() -> dict[int, HeldRow]:
            with self._db.read() as session:
                return held.final(session, wanted)

        for call_id, row in (await to_thread.run_sync(read)).items():
            for future in self._waiting.get(call_id, ()):
                if not future.done():
                    future.set_result(row)
