"""One try of one backend: send, and either a whole answer, a flow of events, or an error that says what happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
from anyio import to_thread

from core.catalog import address
from core.catalog.rules import BackendView, Step
from core.errors import BackendUnavailable, Invalid, Upstream, UpstreamRejected, UpstreamTimeout
from core.serve import heard
from core.serve.heard import LARGE_JSON, Events, Json
from core.wire import openai, sse
from core.wire.client import Client, Reply, Timeouts

LARGEST_ANSWER = 64 * 1024 * 1024
LARGEST_ERROR = 1024 * 1024
AGENT = ("user-agent", "greenroom/0.1")


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
    """JSON bytes; a large value is written in a thread, so that others are not kept waiting.

    Raises: Invalid when it is nested deeper than JSON can be written.
    """
    parts = value.get("messages") or value.get("input") or ()
    try:
        if len(parts) > 200 or _looks_large(parts):
            return await to_thread.run_sync(orjson.dumps, value)
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise Invalid("The request is nested too deeply.", code="invalid_json", hint="Send it flatter.") from None


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
            heard.check_status(step.backend, reply.status, reply.headers, bad)
            raw = step.backend.without_key(await reply.read(LARGEST_ANSWER))
        finally:
            await reply.aclose()
        passed = heard.passed_on(step.backend, reply.headers)
        if sse.begins(raw):
            value = heard.gathered(step.backend, raw)
            return Whole(openai.dumps(value), value, passed)
        value = await heard.value_of(step.backend, raw)
        heard.check_answer(step.backend, value, path)
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
                    heard.check_status(step.backend, reply.status, reply.headers, bad)
                    passed = heard.passed_on(step.backend, reply.headers)
                    begun = b""
                    if "text/event-stream" not in reply.headers.get("content-type", "text/event-stream"):
                        begun = await _beginning(reply)
                        if not sse.begins(begun):
                            raw = step.backend.without_key(begun + await reply.read(LARGEST_ANSWER))
                            return await _flow_of_whole(step.backend, raw, passed)
                    rest = _events(step.backend, reply, begun)
                    first: Events = []
                    async for events in rest:
                        first += events
                        if any(value is not None or data == b"[DONE]" for data, value in events):
                            break
                    heard.check_beginning(step.backend, first)
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
        timeouts = Timeouts(
            connect_s=backend.connect_s,
            first_byte_s=backend.first_token_s,
            between_s=backend.between_tokens_s,
            total_s=backend.total_s,
        )
        url, headers = address.under(backend.base_url, path), self._headers_of(backend)
        try:
            return await self._client.send(
                "POST", url, headers=headers, content=content, repeats=False, timeouts=timeouts
            )
        except Invalid as error:  # the address or the key of the backend, which no caller can mend
            raise BackendUnavailable(error.message, code=error.code, hint=error.hint) from None

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


async def _error(backend: BackendView, reply: Reply) -> bytes:
    try:
        return backend.without_key(await reply.read(LARGEST_ERROR))
    except Upstream:
        return b""


async def _beginning(reply: Reply) -> bytes:
    """As much of an answer as tells what it is."""
    begun = b""
    async for piece in reply.chunks():
        begun += piece
        if len(begun.lstrip()) >= sse.LONGEST_BEGINNING:
            break
    return begun


async def _flow_of_whole(backend: BackendView, raw: bytes, passed: list[tuple[str, str]]) -> Flow:
    """A whole answer where a stream was asked for, as a stream."""
    value = await heard.value_of(backend, raw)
    heard.check_answer(backend, value, "/chat/completions")
    chunks = openai.as_chunks(value, with_usage=True)
    return Flow([(openai.dumps(chunk), chunk) for chunk in chunks], _nothing(), passed)


async def _nothing() -> AsyncIterator[Events]:
    none: tuple[Events, ...] = ()
    for events in none:
        yield events


async def _events(backend: BackendView, reply: Reply, begun: bytes) -> AsyncIterator[Events]:
    """The reply's server-sent events as they come, one list per piece off the wire, after the bytes read already;
    closes the reply at the end."""
    decoder = sse.Decoder()
    try:
        if begun and (found := decoder.feed(begun)):
            yield heard.parsed(backend, found)
        async for piece in reply.chunks():
            if found := decoder.feed(piece):
                yield heard.parsed(backend, found)
        if left := decoder.end():
            yield heard.parsed(backend, left)
    finally:
        await reply.aclose()


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
