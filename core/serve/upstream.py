"""One try of one backend: send, and either a whole answer, a flow of events, or an error that says what happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from anyio import to_thread

from core import clock
from core.catalog import address
from core.catalog.rules import BackendView, Step
from core.errors import BackendUnavailable, Invalid, Upstream, UpstreamBroken, UpstreamRejected, UpstreamTimeout
from core.serve import rules
from core.wire import nesting, openai, sse
from core.wire.client import Client, Reply, Timeouts
from core.wire.gathered import Gathered

LARGEST_ANSWER = 64 * 1024 * 1024
LARGEST_ERROR = 1024 * 1024
LONGEST_ERROR, LONGEST_CODE = 10_000, 64  # characters of what a backend says of itself
LARGE_JSON = 256 * 1024
AGENT = ("user-agent", "greenroom/0.1")

Json = dict[str, Any]
Events = list[tuple[bytes, Json | None]]


@dataclass(frozen=True, slots=True)
class Whole:
    """A complete answer: its bytes for the caller, its value for the record, headers worth passing on."""

    raw: bytes
    value: Json
    headers: list[tuple[str, str]]


class Flow:
    """An answer under way. `first` are the events that came already; `rest()` yields the others as they come.

    An event is its JSON bytes with their value, or bytes with None for a comment to pass on (a ping).
    """

    def __init__(self, first: Events, rest: AsyncIterator[Events], headers: list[tuple[str, str]]) -> None:
        self.first = first
        self.rest = rest
        self.headers = headers
        self.saw_done = False

    async def aclose(self) -> None:
        close = getattr(self.rest, "aclose", None)
        if close is not None:
            await close()


async def dumps(value: Json) -> bytes:
    """JSON bytes; a large value is written in a thread, so that others are not kept waiting."""
    parts = value.get("messages") or value.get("input") or ()
    if len(parts) > 200 or _looks_large(parts):
        return await to_thread.run_sync(orjson.dumps, value)
    return orjson.dumps(value)


def _looks_large(parts: Any) -> bool:
    if isinstance(parts, str):
        return len(parts) > LARGE_JSON
    for part in parts:
        content = part.get("content") if isinstance(part, dict) else part
        if isinstance(content, str):
            if len(content) > LARGE_JSON:
                return True
        elif content:
            return True
    return False


async def loads(data: bytes) -> Any:
    """The JSON value of these bytes. Raises: ValueError."""
    if len(data) > LARGE_JSON:
        return await to_thread.run_sync(openai.loads, data)
    return openai.loads(data)


class Asker:
    """Asks backends over one client; keeps what each was found not to understand."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._without_usage: set[str] = set()
        self._headers: dict[tuple[str, int], list[tuple[str, str]]] = {}

    async def whole(self, step: Step, path: str, body: Json) -> Whole:
        """The complete answer of `step` to `body`. Raises: Upstream, Invalid (builtin only)."""
        reply = await self._send(step, path, body)
        try:
            bad = b"" if reply.status < 400 else await _error(step.backend, reply)
            _check_status(step.backend, reply.status, reply.headers, bad)
            raw = step.backend.without_key(await reply.read(LARGEST_ANSWER))
        finally:
            await reply.aclose()
        passed = passed_on(step.backend, reply.headers)
        if raw[:5] == b"data:" or raw[:1] == b":":
            value = _gathered(step.backend, raw)
            return Whole(openai.dumps(value), value, passed)
        value = await _value(step.backend, raw)
        _check_answer(step.backend, value, path)
        return Whole(raw, value, passed)

    async def flow(self, step: Step, path: str, body: Json) -> Flow:
        """A stream of the answer, opened as far as its first event. Raises: Upstream."""
        asks_usage = step.backend.name not in self._without_usage and "stream_options" not in body
        sent = {**body, "stream_options": {"include_usage": True}} if asks_usage else body
        loop = asyncio.get_running_loop()
        limit = loop.time() + step.backend.first_token_s
        try:
            return await self._open(step, path, sent, limit)
        except UpstreamRejected as error:
            if not (asks_usage and error.upstream_status in (400, 422) and b"stream_options" in error.body):
                raise
            self._without_usage.add(step.backend.name)
            return await self._open(step, path, body, limit)

    async def _open(self, step: Step, path: str, body: Json, limit: float) -> Flow:
        name = step.backend.name
        try:
            async with asyncio.timeout_at(limit):
                reply = await self._send(step, path, body)
                opened = False
                try:
                    bad = await _error(step.backend, reply) if reply.status >= 400 else b""
                    _check_status(step.backend, reply.status, reply.headers, bad)
                    passed = passed_on(step.backend, reply.headers)
                    if "text/event-stream" not in reply.headers.get("content-type", "text/event-stream"):
                        raw = step.backend.without_key(await reply.read(LARGEST_ANSWER))
                        if not raw.lstrip()[:5].startswith((b"data:", b":")):
                            return await _flow_of_whole(step.backend, raw, body, passed)
                        events = _parse(step.backend, [*(decoder := sse.Decoder()).feed(raw), *decoder.end()])
                        return Flow(events, _nothing(), passed)
                    rest = _events(step.backend, reply)
                    first: Events = []
                    async for events in rest:
                        first += events
                        if any(value is not None or data == b"[DONE]" for data, value in events):
                            break
                    opened = True
                    return Flow(first, rest, passed)
                finally:
                    if not opened:
                        await reply.aclose()
        except TimeoutError:
            raise UpstreamTimeout(
                f"The backend {name} sent no first token within {step.backend.first_token_s:g} s.",
                code="first_token_timeout",
                hint="Try again, or give this backend more time under Backends and models.",
            ) from None

    async def _send(self, step: Step, path: str, body: Json) -> Reply:
        backend = step.backend
        content = await dumps({**body, "model": step.model})
        return await self._client.send(
            "POST",
            address.under(backend.base_url, path),
            headers=self._headers_of(backend),
            content=content,
            repeats=False,
            timeouts=Timeouts(
                connect_s=backend.connect_s,
                first_byte_s=backend.first_token_s,
                between_s=backend.between_tokens_s,
                total_s=backend.total_s,
            ),
        )

    def _headers_of(self, backend: BackendView) -> list[tuple[str, str]]:
        known = self._headers.get((backend.name, backend.version))
        if known is None:
            known = [("content-type", "application/json"), ("accept", "application/json, text/event-stream"), AGENT]
            known += address.key_headers(backend.base_url, backend.key)
            if len(self._headers) > 1000:
                self._headers.clear()
            self._headers[backend.name, backend.version] = known
        return known

    def forget(self) -> None:
        """Keys or addresses may have changed: build headers anew."""
        self._headers.clear()
        self._without_usage.clear()


PASSED_PREFIXES = ("x-ratelimit-", "openai-processing")


def passed_on(backend: BackendView, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The upstream's headers that a caller can use: its rate limits and processing time."""
    return [
        (name, backend.without_key(value.encode("latin-1")).decode("latin-1"))
        for name, value in headers.items()
        if name.startswith(PASSED_PREFIXES)
    ]


async def _error(backend: BackendView, reply: Reply) -> bytes:
    try:
        return backend.without_key(await reply.read(LARGEST_ERROR))
    except Upstream:
        return b""


def _check_status(backend: BackendView, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raises: UpstreamRejected when the backend answered with an error status (or a redirect)."""
    if 200 <= status < 300:
        return
    try:
        error = openai.error_of(nesting.loads(body)) or {}
    except ValueError:
        error = {}
    said = str(error.get("message") or "").strip()[:LONGEST_ERROR]
    code, kind = str(error.get("code") or "")[:LONGEST_CODE], str(error.get("type") or "")
    param = error.get("param") if isinstance(error.get("param"), str) else None
    if status in (401, 403):
        raise UpstreamRejected(
            f"The backend {backend.name} did not accept Greenroom's key for it ({status}).",
            code="upstream_auth",
            hint="An engineer can enter its key again under Backends and models.",
            upstream_status=status,
            body=body,
        )
    if 300 <= status < 400:
        said = "it redirects elsewhere, and redirects are not followed"
    if status == 429 and rules.is_quota(code, kind):
        code = "insufficient_quota"
    raise UpstreamRejected(
        said or f"The backend {backend.name} answered with status {status} and no explanation.",
        code=code or {429: "rate_limit_exceeded", 404: "upstream_not_found"}.get(status, "upstream_error"),
        param=param,
        upstream_status=status,
        retry_after_s=rules.retry_after(headers, now=clock.now()),
        body=body,
        passed_on=tuple(passed_on(backend, headers)),
    )


async def _value(backend: BackendView, raw: bytes) -> Json:
    """The JSON object in an answer. Raises: UpstreamBroken with what came instead."""
    deep = False
    try:
        value = await loads(raw)
    except ValueError as error:
        value, deep = None, isinstance(error, nesting.TooDeep)
    if isinstance(value, dict):
        return value
    start = raw.lstrip()[:64].lower()
    if not raw.strip():
        what, code = "an empty answer", "empty"
    elif deep:
        what, code = f"JSON nested deeper than {nesting.DEEPEST} levels", "too_deep"
    elif start.startswith((b"<!doctype", b"<html", b"<")):
        what, code = "a web page instead of an answer", "not_json"
    else:
        what, code = "something that is not complete JSON", "not_json"
    raise UpstreamBroken(
        f"The backend {backend.name} sent {what}.",
        code=code,
        hint="Check its address under Backends and models: it usually ends in /v1.",
    )


def _check_answer(backend: BackendView, value: Json, path: str) -> None:
    """Raises: Upstream when a 200 answer carries an error, or nothing a client could use."""
    error = openai.error_of(value)
    if error is not None and not value.get("choices") and not value.get("data"):
        raise UpstreamRejected(
            str(error["message"])[:LONGEST_ERROR],
            code=str(error.get("code") or "upstream_error")[:LONGEST_CODE],
            upstream_status=502,
        )
    choices = value.get("choices")
    is_chat = isinstance(choices, list) and all(isinstance(choice, dict) for choice in choices)
    if path == "/chat/completions" and not is_chat:
        raise UpstreamBroken(
            f"The backend {backend.name} sent JSON that is no chat completion.",
            code="not_a_completion",
            hint="Check its address under Backends and models: it usually ends in /v1.",
        )


def _gathered(backend: BackendView, raw: bytes) -> Json:
    """A stream nobody asked for, added up."""
    gathered = Gathered()
    decoder = sse.Decoder()
    for data, value in _parse(backend, [*decoder.feed(raw), *decoder.end()]):
        if value is not None and data:
            gathered.add(value)
    if not gathered.is_finished:
        raise _cut(backend)
    return gathered.completion()


async def _flow_of_whole(backend: BackendView, raw: bytes, body: Json, passed: list[tuple[str, str]]) -> Flow:
    """A whole answer where a stream was asked for, as a stream."""
    value = await _value(backend, raw)
    _check_answer(backend, value, "/chat/completions")
    chunks = openai.as_chunks(value, with_usage=True)
    return Flow([(openai.dumps(chunk), chunk) for chunk in chunks], _nothing(), passed)


async def _nothing() -> AsyncIterator[Events]:
    nothing: tuple[Events, ...] = ()
    for events in nothing:
        yield events


async def _events(backend: BackendView, reply: Reply) -> AsyncIterator[Events]:
    """The reply's server-sent events as they come, one list per piece off the wire; closes the reply at the end."""
    decoder = sse.Decoder()
    try:
        async for piece in reply.chunks():
            if found := decoder.feed(piece):
                yield _parse(backend, found)
        if left := decoder.end():
            yield _parse(backend, left)
    finally:
        await reply.aclose()


def _parse(backend: BackendView, events: list[sse.Event]) -> Events:
    parsed: Events = []
    for found in events:
        data = backend.without_key(found.data)
        if not data:
            parsed.append((b"", None))
        elif data == b"[DONE]":
            parsed.append((data, None))
        else:
            try:
                value = openai.loads(data)
            except ValueError:
                value = None
            if not isinstance(value, dict):
                raise UpstreamBroken(
                    f"The backend {backend.name} sent an event that is not complete JSON.", code="not_json"
                )
            parsed.append((data, value))
    return parsed


def _cut(backend: BackendView) -> UpstreamBroken:
    return UpstreamBroken(
        f"The backend {backend.name} ended its answer before it was complete.",
        code="cut",
        hint="What arrived until then is kept in Calls.",
    )


def cut(backend: BackendView) -> UpstreamBroken:
    """The error of a stream that ended without saying why."""
    return _cut(backend)


class Builtin:
    """The embedded backend behind the same two doors."""

    async def whole(self, step: Step, path: str, body: Json) -> Whole:
        from core.builtin import engine

        if path == "/chat/completions":
            value = await engine.complete({**body, "model": step.model})
        elif path == "/embeddings":
            value = await engine.embed({**body, "model": step.model})
        else:
            value = await engine.moderate({**body, "model": step.model})
        return Whole(orjson.dumps(value), value, [])

    async def flow(self, step: Step, path: str, body: Json) -> Flow:
        from core.builtin import engine

        asked = {**body, "model": step.model, "stream_options": {"include_usage": True}}
        chunks = engine.stream(asked)
        first = await anext(chunks)

        async def rest() -> AsyncIterator[Events]:
            try:
                async for chunk in chunks:
                    yield [(orjson.dumps(chunk), chunk)]
            finally:
                close = getattr(chunks, "aclose", None)
                if close is not None:
                    await close()

        return Flow([(orjson.dumps(first), first)], rest(), [])


__all__ = ["Asker", "BackendUnavailable", "Builtin", "Flow", "Invalid", "Whole", "cut", "passed_on"]
