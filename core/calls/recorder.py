"""Write every call down before its caller hears the end of it: group commit on one writer thread.

`record` returns when the call is durable. While one batch is being committed the next one gathers: alone, a call is
committed at once; among many, they share a commit, which waits two milliseconds at most until as many are there as
came last time (a commit costs as much as several calls). A store that refuses (full disk,
lost server) fails the callers of that batch with a sentence, and the next call tries anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.calls import rows, troubles
from core.calls.record import CallRecord
from core.calls.writing import PostgresWriting, SqliteWriting, Writing
from core.db.engine import Database
from core.errors import GreenroomError

_MOST_BYTES = 8_000_000
_GATHER_S, _LOOKS = 0.001, 2  # how long a batch waits for company, and how often it looks
_PAUSES_S = (0.05, 0.2, 0.5, 1.0)  # before trying again; a SQLite that is locked was waited for already
_logger = logging.getLogger("greenroom.recorder")


@dataclass(slots=True, eq=False)
class _Waiting:
    """A call on its way to the store, and who waits for it (nobody, after `put`)."""

    record: CallRecord
    loop: asyncio.AbstractEventLoop | None = None
    future: asyncio.Future[None] | None = None
    error: BaseException | None = None


class Recorder:
    """The only writer of calls in this process."""

    def __init__(self, db: Database, *, max_batch: int = 128, capacity: int = 2_000) -> None:
        self._db = db
        self._writing: Writing = SqliteWriting() if db.is_sqlite else PostgresWriting()
        self._max_batch = max_batch
        self._capacity = capacity
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._door: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._lock = threading.Lock()
        self._is_open = False
        self._thread: threading.Thread | None = None
        self._company = 1
        self.is_failing = False
        self.written = 0
        self.lost = 0

    def start(self) -> None:
        """Open for calls."""
        if self._thread is None:
            self._is_open = True
            self._thread = threading.Thread(target=self._work, name="greenroom-recorder", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Write what is queued, then close; calls that come later are refused."""
        with self._lock:
            self._is_open = False
            self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def waiting(self) -> int:
        """How many calls are queued and not yet being written."""
        return self._queue.qsize()

    async def record(self, record: CallRecord) -> None:
        """Write the call; returns when it is durable.

        Raises:
            GreenroomError: the store did not take it, and why.
        """
        loop = asyncio.get_running_loop()
        while self._queue.qsize() >= self._capacity and self._is_open:
            free = loop.create_future()
            self._door.append((loop, free))
            await free
        waiting = _Waiting(record, loop, loop.create_future())
        self._enter(waiting)
        assert waiting.future is not None
        await waiting.future

    def put(self, record: CallRecord) -> None:
        """Write the call without anyone waiting for it (its caller has left). Never blocks."""
        if self._queue.qsize() >= 10 * self._capacity:
            self._lose(record, "the queue is full")
            return
        try:
            self._enter(_Waiting(record))
        except GreenroomError as error:
            self._lose(record, error.message)

    def _enter(self, waiting: _Waiting) -> None:
        with self._lock:
            if not self._is_open:
                raise troubles.closed()
            self._queue.put(waiting)

    def _lose(self, record: CallRecord, why: str) -> None:
        self.lost += 1
        _logger.error("call %s was not recorded: %s", record.id, why)

    def _work(self) -> None:
        while True:
            batch, is_last = self._gather()
            self._company = len(batch)
            if batch:
                self._settle(batch)
            self._release(batch)
            if is_last:
                return

    def _gather(self) -> tuple[list[_Waiting], bool]:
        """What is queued now, at least one; True when nothing comes after it."""
        batch: list[_Waiting] = []
        size = 0
        first = self._queue.get()
        for _ in range(_LOOKS):
            if first is None or self._queue.qsize() + 1 >= self._company:
                break
            time.sleep(_GATHER_S)
        while first is not None:
            batch.append(first)
            size += rows.weight(first.record)
            if len(batch) >= self._max_batch or size > _MOST_BYTES:
                return batch, False
            try:
                first = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _settle(self, batch: list[_Waiting]) -> None:
        """Write the batch; where it is refused because of its contents, each call on its own."""
        try:
            for waiting in batch:
                waiting.record = rows.cleaned(waiting.record)
            self._write([waiting.record for waiting in batch])
            self.written += len(batch)
            self.is_failing = False
        except BaseException as error:
            if len(batch) > 1 and troubles.is_about_contents(error, self._db):
                for waiting in batch:
                    self._settle([waiting])
                return
            told = troubles.told(error, self._db)
            self.is_failing = not troubles.is_about_contents(error, self._db)
            for waiting in batch:
                waiting.error = told
                if waiting.future is None:
                    self._lose(waiting.record, str(told))
            if not isinstance(error, Exception):
                raise

    def _write(self, records: Sequence[CallRecord]) -> None:
        """One transaction, tried again where that can help: what the store already has is not written twice."""
        pauses = _PAUSES_S[:1] if self._db.is_sqlite else _PAUSES_S
        for attempt in range(len(pauses) + 1):
            try:
                with self._connection() as connection:
                    if attempt:
                        known = self._writing.known(connection, [record.id for record in records])
                        records = [record for record in records if record.id not in known]
                    if records:
                        self._writing.write(connection, _once(records))
                return
            except Exception as error:
                if attempt == len(pauses) or not troubles.may_pass(error, self._db):
                    raise
                _logger.warning("recording tries again: %s", error)
                time.sleep(pauses[attempt])

    @contextlib.contextmanager
    def _connection(self) -> Any:
        """The writer's connection; given up when the server is gone."""
        pooled = self._db.writer.raw_connection()
        try:
            yield pooled.driver_connection
        except BaseException as error:
            if troubles.is_lost(error, self._db):
                pooled.invalidate(error if isinstance(error, Exception) else None)
            raise
        finally:
            pooled.close()

    def _release(self, batch: list[_Waiting]) -> None:
        """Wake who waits: one call into each event loop."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[None], BaseException | None]]] = {}
        for waiting in batch:
            if waiting.loop is not None and waiting.future is not None:
                loops.setdefault(waiting.loop, []).append((waiting.future, waiting.error))
        while self._door:
            loop, free = self._door.popleft()
            loops.setdefault(loop, []).append((free, None))
        for loop, ends in loops.items():
            with contextlib.suppress(RuntimeError):  # a loop that was closed has nobody waiting
                loop.call_soon_threadsafe(_end, ends)


def _once(records: Sequence[CallRecord]) -> list[CallRecord]:
    """Each call once."""
    return list({record.id: record for record in records}.values())


def _end(ends: list[tuple[asyncio.Future[None], BaseException | None]]) -> None:
    for future, error in ends:
        if not future.done():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
