"""How a call ends, whoever answered it: its row is written first, then its caller hears the end.

`told` is the answer that is given; where the store refuses the row, the caller hears that instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import orjson

from core import clock
from core.calls.record import CallRecord
from core.calls.recorder import Recorder
from core.catalog.rules import Snapshot
from core.errors import GreenroomError, Invalid, Upstream, UpstreamBroken, UpstreamTimeout
from core.ids import shown
from core.serve import tally
from core.serve.asked import Answer, Progress
from core.serve.refusal import caller_status, error_body
from core.wire import openai
from core.wire.gathered import Gathered

log = logging.getLogger("greenroom.serve")

CLIENT_CLOSED = 499
JSON = ("content-type", "application/json")
STREAM = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),  # else nginx keeps events until its buffer is full
)
SURELY_ROOM = 1_000
"""Calls waiting for the store below which another is queued at once: who leaves after that is recorded as answered."""


class Ends:
    """Records ends and answers with them."""

    def __init__(self, recorder: Recorder, catalog: Callable[[], Snapshot]) -> None:
        self._recorder = recorder
        self._catalog = catalog
        self._leaving: set[asyncio.Task[None]] = set()

    async def drain(self) -> None:
        """Wait for the records of callers who left."""
        while self._leaving:
            await asyncio.wait(self._leaving)

    async def fail(self, progress: Progress, error: GreenroomError, *, status: str = "upstream_error") -> Answer:
        """Record an error and answer with it."""
        if isinstance(error, Invalid):
            status = "refused"
        body = error_body(error)
        http_status = caller_status(error)
        raw = orjson.dumps(body)
        sums = tally.NOTHING
        if isinstance(error, UpstreamTimeout):  # it may still be at work, and charge for it
            sums = await tally.of_answer(self._catalog(), progress, {}, 0)
        record = tally.record(
            progress,
            sums=sums,
            value={},
            response=raw,
            http_status=http_status,
            status=status,
            error=body["error"],
            error_kind=error.code,
        )
        if (failure := await self.write(progress, record)) is not None:
            return self.unrecorded(progress, failure)
        headers = [JSON, *self.headers(progress)]
        if isinstance(error, Upstream):
            headers += error.passed_on
        if isinstance(error, Upstream) and error.retry_after_s is not None:
            headers.append(("retry-after", str(max(1, round(error.retry_after_s)))))
        return Answer(http_status, headers, raw, None, progress.call_id, record=record)

    async def write(self, progress: Progress, record: CallRecord) -> GreenroomError | None:
        """Make the row durable; the error to tell the caller when the store refuses."""
        progress.is_queued = self._recorder.waiting < SURELY_ROOM
        try:
            await self._recorder.record(record)
        except GreenroomError as error:
            return error
        except Exception:
            log.exception("a call could not be recorded")
            return UpstreamBroken(
                "The answer could not be recorded, so it is not given out.",
                code="not_recorded",
                hint="An operator sees why with `greenroom doctor` (often: the disk is full). Then ask again.",
            )
        return None

    def unrecorded(self, progress: Progress, error: GreenroomError) -> Answer:
        headers = [JSON, *self.headers(progress), ("retry-after", "5")]
        return Answer(503, headers, orjson.dumps(error_body(error)), None, progress.call_id)

    def leave(self, progress: Progress, gathered: Gathered | None) -> None:
        """The caller left: record what came until now, without keeping anyone."""
        if progress.has_left or progress.is_queued:
            return
        progress.has_left = True
        left_ms = clock.ticks_ms()
        if progress.tries:
            last, now = progress.tries[-1], left_ms - progress.began_ms
            if not last.ended_ms:
                last.ended_ms = now
                progress.upstream_ms += now - last.began_ms
            last.error = last.error or "the caller left"

        async def finish() -> None:
            value = gathered.completion() if gathered is not None else {}
            raw = openai.dumps(value) if value.get("choices") else b""
            sums = await tally.of_answer(self._catalog(), progress, value, len(raw))
            record = tally.record(
                progress,
                sums=sums,
                value=value,
                response=raw,
                http_status=CLIENT_CLOSED,
                status="cancelled",
                error={"message": "The caller left before the answer was complete.", "code": "cancelled"},
                error_kind="cancelled",
                ended_ms=left_ms,
            )
            if (error := await self.write(progress, record)) is not None:
                log.error("a cancelled call was not recorded: %s", error)

        task = asyncio.get_running_loop().create_task(finish())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def mistake(self, progress: Progress) -> GreenroomError:
        """The error of something that should not happen; call it where the exception is being handled."""
        name = shown("call", progress.call_id)
        log.exception("call %s failed", name)
        return GreenroomError("Greenroom made a mistake.", hint=f"It was logged as {name}; tell your operator.")

    def headers(self, progress: Progress) -> list[tuple[str, str]]:
        headers = [("greenroom-call-id", shown("call", progress.call_id))]
        if progress.backend:
            headers.append(("greenroom-model", f"{progress.backend}/{progress.model_served}"))
        if progress.fallbacks:
            headers.append(("greenroom-fallbacks", str(progress.fallbacks)))
        if progress.asked.prompt is not None:
            headers.append(("greenroom-prompt", str(progress.asked.prompt)))
        return headers
