"""Answering one call, whoever asks: resolve the model, ask, retry, fall back, and record whatever the end is.

Invariant: every `Asked` that comes in becomes exactly one row, and the caller's last byte waits for that row.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable
from typing import Any

import orjson

from core import clock
from core.calls.record import CallRecord
from core.calls.recorder import Recorder
from core.catalog.rules import BUILTIN, BackendView, Resolved, Snapshot, Step, resolve
from core.errors import GreenroomError, Invalid, Upstream, UpstreamBroken, UpstreamTimeout
from core.ids import Ids, shown
from core.serve import rules, tally
from core.serve.asked import PATHS, Answer, Asked, Progress
from core.serve.asking import RULES, Asking
from core.serve.breaker import Breakers
from core.serve.cache import Cache, Key, Known, key_of
from core.serve.heard import cut
from core.serve.refusal import caller_status, error_body
from core.serve.relaying import Primed, pass_on, stream_error
from core.serve.upstream import Asker, Builtin, Flow, Whole
from core.wire import openai
from core.wire.client import Client
from core.wire.gathered import Gathered

log = logging.getLogger("greenroom.serve")

CLIENT_CLOSED = 499
SURELY_ROOM = 1_000
"""Calls waiting for the store below which another is queued at once: who leaves after that is recorded as answered."""


class Serve:
    """The one pipeline of this process; pages and the gateway call `answer`."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        ids: Ids,
        client: Client,
        catalog: Callable[[], Snapshot],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._recorder = recorder
        self._ids = ids
        self._asker = Asker(client)
        self._builtin = Builtin()
        self._catalog = catalog
        self._leaving: set[asyncio.Task[None]] = set()
        self.breakers = Breakers()
        self.asking = Asking(self.breakers, chance)
        self.cache = Cache()

    def forget(self) -> None:
        """The catalog changed: what was learned of its backends may be wrong now."""
        self._asker.forget()

    async def drain(self) -> None:
        """Wait for the records of callers who left."""
        while self._leaving:
            await asyncio.wait(self._leaving)

    async def answer(self, asked: Asked) -> Answer:
        """Answer one request. Trouble becomes an error answer, never an exception; leaving cancels the upstream."""
        progress = self._begin(asked)
        try:
            return await self._answer(progress)
        except asyncio.CancelledError:
            self._leave(progress, None)
            raise
        except Exception:
            return await self._fail(progress, self._mistake(progress), status="refused")

    async def refuse(self, asked: Asked, error: GreenroomError) -> Answer:
        """Answer a request that cannot be asked as it is; recorded like any other."""
        return await self._fail(self._begin(asked), error, status="refused")

    def _begin(self, asked: Asked) -> Progress:
        return Progress(asked, self._ids.next(), clock.now(), clock.ticks_ms())

    async def _answer(self, progress: Progress) -> Answer:
        asked = progress.asked
        model = asked.body.get("model")
        try:
            resolved = resolve(self._catalog(), model if isinstance(model, str) else "")
            progress.alias, progress.alias_version = resolved.alias, resolved.alias_version
        except GreenroomError as error:
            return await self._fail(progress, error, status="refused")
        key = None
        if resolved.cache_ttl_s > 0:
            key = key_of(asked.project_id, resolved.alias, resolved.alias_version, asked.route, asked.body)
            known = self.cache.find(key, now_s=asyncio.get_running_loop().time())
            if known is not None:
                return await self._answer_known(progress, known)
        if asked.body.get("stream") and PATHS[asked.route] == "/chat/completions":
            return await self._stream(progress, resolved, key)
        return await self._whole(progress, resolved, key)

    # Whole answers

    async def _whole(self, progress: Progress, resolved: Resolved, key: Key | None) -> Answer:
        asked = progress.asked
        body = {name: value for name, value in asked.body.items() if name not in ("stream", "stream_options")}
        path = PATHS[asked.route]

        async def ask(step: Step) -> Whole:
            asker = self._builtin if step.backend.kind == BUILTIN else self._asker
            return await asker.whole(step, path, body)

        try:
            whole = await self.asking.along(progress, resolved, ask)
        except GreenroomError as error:
            return await self._fail(progress, error)
        sums = await tally.of_answer(self._catalog(), progress, whole.value, len(whole.raw))
        self._keep(progress, resolved, key, whole.value, sums)
        record = tally.record(progress, sums=sums, value=whole.value, response=whole.raw, http_status=200)
        if (failure := await self._write(progress, record)) is not None:
            return self._unrecorded(progress, failure)
        headers = [("content-type", "application/json"), *self._headers(progress), *whole.headers]
        return Answer(200, headers, whole.raw, None, progress.call_id)

    # Streams

    async def _stream(self, progress: Progress, resolved: Resolved, key: Key | None) -> Answer:
        asked = progress.asked
        options = asked.body.get("stream_options")
        wants_usage = bool(isinstance(options, dict) and options.get("include_usage"))
        body = asked.body if wants_usage else {k: v for k, v in asked.body.items() if k != "stream_options"}
        if isinstance(options, dict) and not wants_usage and (rest := {**options, "include_usage": True}) != options:
            body = {**body, "stream_options": rest}

        async def ask(step: Step) -> Flow:
            asker = self._builtin if step.backend.kind == BUILTIN else self._asker
            return await asker.flow(step, PATHS[asked.route], body)

        try:
            flow = await self.asking.along(progress, resolved, ask)
        except GreenroomError as error:
            return await self._fail(progress, error)
        relay = self._relay(progress, resolved, key, flow, wants_usage=wants_usage)
        first = await anext(relay)
        headers = [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache")]
        headers += [("x-accel-buffering", "no"), *self._headers(progress), *flow.headers]
        return Answer(200, headers, None, Primed(first, relay), progress.call_id)

    async def _relay(
        self, progress: Progress, resolved: Resolved, key: Key | None, flow: Flow, *, wants_usage: bool
    ) -> AsyncGenerator[bytes, None]:
        """The caller's stream: events as they came, then the row, then `[DONE]`; trouble is an error event."""
        gathered = Gathered()
        opened_ms = clock.ticks_ms()
        received = [0]
        finished = False
        try:
            try:
                if passed := pass_on(progress, gathered, flow, flow.first, received, wants_usage=wants_usage):
                    yield passed
                async for events in flow.rest:
                    if passed := pass_on(progress, gathered, flow, events, received, wants_usage=wants_usage):
                        yield passed
                    if gathered.error is not None or flow.saw_done:
                        break
                if gathered.error is None and not (flow.saw_done or gathered.is_finished):
                    raise cut(self._backend(progress))
                failure: GreenroomError | None = None
            except Upstream as error:
                failure = error
                self._note_failure(progress, error)
            except Exception:
                failure = self._mistake(progress)
            finally:
                await flow.aclose()
                progress.upstream_ms += clock.ticks_ms() - opened_ms
                progress.tries[-1].ended_ms = clock.ticks_ms() - progress.began_ms
            said = stream_error(gathered, failure)
            value = gathered.completion()
            sums = await tally.of_answer(self._catalog(), progress, value, received[0])
            if failure is None and gathered.error is None:
                self._keep(progress, resolved, key, value, sums)
            record = tally.record(
                progress,
                sums=sums,
                value=value,
                response=openai.dumps(value),
                http_status=200,
                error=said,
                error_kind=failure.code if failure else "upstream_error",
            )
            finished = True
            unwritten = await self._write(progress, record)
            if unwritten is not None:
                yield openai.event(error_body(unwritten))
            elif said is not None:
                yield openai.event({"error": said})
            else:
                yield openai.DONE
        finally:
            if not finished:
                self._leave(progress, gathered)

    def _note_failure(self, progress: Progress, error: Upstream) -> None:
        progress.tries[-1].error = error.message
        if rules.counts_against(error):
            self.breakers.failed(progress.backend, now_s=asyncio.get_running_loop().time())

    def _backend(self, progress: Progress) -> BackendView:
        return self._catalog().backends.get(progress.backend, RULES)

    # Ends

    async def _answer_known(self, progress: Progress, known: Known) -> Answer:
        progress.backend, progress.model_served = known.backend, known.model
        body = progress.asked.body
        sums = tally.of_known(known.tokens)
        raw = openai.dumps(known.completion)
        record = tally.record(progress, sums=sums, value=known.completion, response=raw, http_status=200, cache="hit")
        if (failure := await self._write(progress, record)) is not None:
            return self._unrecorded(progress, failure)
        headers = [*self._headers(progress), ("greenroom-cache", "hit")]
        if not body.get("stream"):
            return Answer(200, [("content-type", "application/json"), *headers], raw, None, progress.call_id)
        options = body.get("stream_options")
        wants_usage = bool(isinstance(options, dict) and options.get("include_usage"))
        events = [openai.event(chunk) for chunk in openai.as_chunks(known.completion, with_usage=wants_usage)]

        async def replay() -> AsyncGenerator[bytes, None]:
            yield b"".join([*events, openai.DONE])

        headers = [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"), *headers]
        return Answer(200, headers, None, replay(), progress.call_id)

    def _keep(
        self, progress: Progress, resolved: Resolved, key: Key | None, value: dict[str, Any], sums: tally.Sums
    ) -> None:
        """An answer for whoever asks the same; not what the rules said while every model was down."""
        if key is None or progress.is_last_resort:
            return
        if openai.finish_of(value) not in ("stop", "tool_calls", "function_call", ""):
            return
        until = asyncio.get_running_loop().time() + resolved.cache_ttl_s
        size = len(openai.dumps(value))
        known = Known(value, progress.backend, progress.model_served, sums.tokens, size, until)
        self.cache.keep(key, known)

    async def _fail(self, progress: Progress, error: GreenroomError, *, status: str = "upstream_error") -> Answer:
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
        if (failure := await self._write(progress, record)) is not None:
            return self._unrecorded(progress, failure)
        headers = [("content-type", "application/json"), *self._headers(progress)]
        if isinstance(error, Upstream):
            headers += error.passed_on
        if isinstance(error, Upstream) and error.retry_after_s is not None:
            headers.append(("retry-after", str(max(1, round(error.retry_after_s)))))
        return Answer(http_status, headers, raw, None, progress.call_id)

    async def _write(self, progress: Progress, record: CallRecord) -> GreenroomError | None:
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

    def _unrecorded(self, progress: Progress, error: GreenroomError) -> Answer:
        headers = [("content-type", "application/json"), *self._headers(progress), ("retry-after", "5")]
        return Answer(503, headers, orjson.dumps(error_body(error)), None, progress.call_id)

    def _leave(self, progress: Progress, gathered: Gathered | None) -> None:
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
            if (error := await self._write(progress, record)) is not None:
                log.error("a cancelled call was not recorded: %s", error)

        task = asyncio.get_running_loop().create_task(finish())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _mistake(self, progress: Progress) -> GreenroomError:
        """The error of something that should not happen; call it where the exception is being handled."""
        name = shown("call", progress.call_id)
        log.exception("call %s failed", name)
        return GreenroomError("Greenroom made a mistake.", hint=f"It was logged as {name}; tell your operator.")

    def _headers(self, progress: Progress) -> list[tuple[str, str]]:
        headers = [("greenroom-call-id", shown("call", progress.call_id))]
        if progress.backend:
            headers.append(("greenroom-model", f"{progress.backend}/{progress.model_served}"))
        if progress.fallbacks:
            headers.append(("greenroom-fallbacks", str(progress.fallbacks)))
        return headers
