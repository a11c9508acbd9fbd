"""Sends what waits: looks once a second or when woken, takes messages under a lease, asks the receiver, settles.

A host's name is looked up once per connection and the connection goes to an address that was checked, so a name that
changes its meaning leads nowhere new (`Client(is_forbidden=…)`); the two kinds of webhooks, those that may reach
private addresses and those that may not, never share a connection. No redirect is followed and no proxy used.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial

from anyio import to_thread

from core import clock
from core.db.engine import Database
from core.errors import GreenroomError, Upstream
from core.polling import Outage, Poller
from core.vault import Vault
from core.webhooks import actions, queries, rules
from core.webhooks.actions import Heard, Job
from core.wire.client import Client, Reply, Timeouts

LOOK_S = 1.0
SWEEP_MS = 60_000.0
AT_ONCE, EACH = 32, 4
"""Messages on their way in all, and to one webhook: a receiver that hangs keeps no other waiting."""
GRACE_S = 3.0
READ_BYTES = 64 * 1024
TIMEOUTS = Timeouts(connect_s=5.0, first_byte_s=20.0, between_s=5.0, total_s=20.0)
STOPPED = "Greenroom was stopped before the receiver had answered."

_log = logging.getLogger("greenroom.webhooks")


class Sender:
    """Delivers the webhooks' messages of a store; any number of processes may have one."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        *,
        timeouts: Timeouts = TIMEOUTS,
        now: Callable[[], datetime] = clock.now,
        dice: Callable[[], float] = random.random,
        ticks_ms: Callable[[], float] = clock.ticks_ms,
    ) -> None:
        self._db = db
        self._vault = vault
        self._timeouts = timeouts
        self._now = now
        self._dice = dice
        self._ticks_ms = ticks_ms
        self._sending: dict[asyncio.Task[None], int] = {}
        self._asking: set[asyncio.Task[Heard]] = set()
        self._is_ending = False
        self._swept_ms = 0.0
        outage = Outage(_log, "the waiting webhook messages could not be read, they are looked for again: %s")
        self._poller = Poller(self._look, pause_s=lambda: LOOK_S, outage=outage)
        self.start, self.wake = self._poller.start, self._poller.wake
        self._public = Client(is_forbidden=rules.is_forbidden)
        self._private = Client(is_forbidden=partial(rules.is_forbidden, allows_private=True))

    async def stop(self) -> None:
        """Take no more; what is on its way has a moment to be answered, else it is tried again after the restart."""
        self._is_ending = True
        await self._poller.stop()
        if self._asking:
            await asyncio.wait(self._asking, timeout=GRACE_S)
            for asking in self._asking:
                asking.cancel()
        await self.drained()
        await self._public.aclose()
        await self._private.aclose()

    async def drained(self) -> None:
        """Until nothing is on its way."""
        while self._sending:
            await asyncio.wait(list(self._sending))

    async def turn(self) -> int:
        """Take what is due and has room, and begin to send it; how many."""
        room = AT_ONCE - len(self._sending)
        if room <= 0 or self._is_ending:
            return 0
        jobs = await to_thread.run_sync(self._claim, room, Counter(self._sending.values()))
        for job in jobs:
            task = asyncio.get_running_loop().create_task(self._deliver(job))
            self._sending[task] = job.webhook_id
            task.add_done_callback(self._done)
        return len(jobs)

    async def _look(self) -> None:
        """A turn, and once a minute some of what is old is forgotten."""
        await self.turn()
        if self._ticks_ms() - self._swept_ms > SWEEP_MS:
            self._swept_ms = self._ticks_ms()
            await to_thread.run_sync(self.sweep)

    def sweep(self) -> int:
        """Forget messages that had their end long ago, some at a time; how many."""
        with self._db.write() as session:
            return actions.forget(session, at=self._now())

    def _claim(self, room: int, busy: Counter[int]) -> list[Job]:
        at = self._now()
        with self._db.read() as session:  # most looks find nothing, and then need not write
            if not queries.due(session, at=at, limit=1):
                return []
        with self._db.write() as session:
            return actions.claim_due(session, at=at, limit=room, each=EACH, busy=busy)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._sending.pop(task, None)
        self._poller.wake()  # there is room again

    async def _deliver(self, job: Job) -> None:
        asking = asyncio.get_running_loop().create_task(self._ask(job))
        self._asking.add(asking)
        try:
            await asyncio.wait((asking,))
            heard = Heard(error=STOPPED) if asking.cancelled() else asking.result()
            await to_thread.run_sync(self._settle, job, heard)
        except Exception:
            _log.exception("what came of %s could not be written; it is sent again", job.message_id)
        finally:
            self._asking.discard(asking)

    def _settle(self, job: Job, heard: Heard) -> None:
        with self._db.write() as session:
            actions.settle(session, job=job, heard=heard, at=self._now(), dice=self._dice())

    async def _ask(self, job: Job) -> Heard:
        began = clock.ticks_ms()
        try:
            secrets = [self._vault.decrypt(cipher) for cipher in job.ciphers]
            signed = rules.headers(secrets, job.message_id, self._now(), job.payload)
            reply = await (self._private if job.allows_private else self._public).send(
                "POST",
                job.url,
                headers=[
                    ("content-type", "application/json"),
                    ("user-agent", "greenroom-webhooks"),
                    ("accept-encoding", "identity"),
                    *signed,
                ],
                content=job.payload,
                timeouts=self._timeouts,
            )
        except GreenroomError as error:
            return Heard(error=self._why(error), ms=clock.ticks_ms() - began)
        except Exception as error:
            _log.exception("%s could not be sent", job.message_id)
            return Heard(error=f"It could not be sent ({type(error).__name__}).", ms=clock.ticks_ms() - began)
        answer = await _beginning(reply)
        error_text = "" if 200 <= reply.status < 300 else f"The receiver answered {reply.status}."
        wait = _wish(reply.headers.get("retry-after", ""), self._now())
        return Heard(reply.status, error_text, answer, clock.ticks_ms() - began, wait)

    def _why(self, error: GreenroomError) -> str:
        """The trouble in a receiver's words; the client's own speak of backends."""
        if error.code in ("first_token_timeout", "stalled", "total_timeout"):
            return f"No answer within {self._timeouts.total_s:g} seconds."
        if error.code == "reset":
            return "The receiver closed the connection without an answer."
        if error.code == "protocol":
            return "The receiver's answer is not HTTP that can be read."
        if error.code == "wrong_secret_key":
            return "The signing secret cannot be read with this installation's secret key. Rotate it."
        return error.message


async def _beginning(reply: Reply) -> str:
    """The first of what the receiver said. Trouble on the way changes nothing: the status counts."""
    pieces, size = [], 0
    try:
        async for piece in reply.chunks():
            pieces.append(piece)
            size += len(piece)
            if size > READ_BYTES:
                break
    except Upstream:
        pass
    finally:
        await reply.aclose()
    return b"".join(pieces)[: actions.KEPT_CHARACTERS * 4].decode("utf-8", "replace")[: actions.KEPT_CHARACTERS]


def _wish(text: str, now: datetime) -> float | None:
    """`Retry-After` in seconds: a number, or an HTTP date (RFC 9110 §10.2.3)."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError):  # not a date, or one without a time zone
        return None
