"""One HTTP exchange with an application: read what it sends within limits, write what it gets, notice it left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import orjson
from anyio import to_thread

from core.errors import GreenroomError, Invalid, TooLarge, WrongMethod
from core.serve.refusal import error_body
from core.wire import nesting

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Iterable[tuple[str, str]]

LARGE_JSON = 256 * 1024
_MEGABYTE = 1024 * 1024
JSON = ("content-type", "application/json")


class Gone(Exception):
    """The caller left while it was still sending."""


def headers_of(scope: Scope) -> dict[str, str]:
    """The request's headers, names in lower case; of a header sent twice, the first."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return found


async def read_body(headers: Mapping[str, str], receive: Receive, *, limit: int, hint: str = "Send less.") -> bytes:
    """The request's body. Raises: TooLarge once it is known to pass `limit` bytes, Gone when the caller leaves."""
    stated = headers.get("content-length", "")
    if stated.isdigit() and int(stated) > limit:
        raise _too_large(limit, hint)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    body = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > limit:
            raise _too_large(limit, hint)
        return bytes(body)
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit, hint)
    return b"".join(parts)


def _too_large(limit: int, hint: str) -> TooLarge:
    size = f"{limit // _MEGABYTE} MB" if limit >= _MEGABYTE else f"{limit // 1024} KB"
    return TooLarge(f"The request is larger than {size}.", hint=hint)


async def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises: Invalid."""
    try:
        value = await to_thread.run_sync(nesting.loads, body) if len(body) > LARGE_JSON else nesting.loads(body)
    except ValueError as error:
        raise Invalid(
            f"The request's body is not valid JSON ({error}).", code="invalid_json", hint="Send one JSON object."
        ) from None
    if not isinstance(value, dict):
        raise Invalid("The request's body is not a JSON object.", code="invalid_json", hint="Send one JSON object.")
    return value


def raw_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Headers as the server takes them: it writes what it gets, so what would end the line becomes a blank here."""
    return [
        (name.encode("latin-1"), (value if value.isprintable() else _one_line(value)).encode("latin-1", "replace"))
        for name, value in headers
    ]


def _one_line(value: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in value)


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """A whole response."""
    raw = raw_headers(headers)
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def respond_json(send: Send, status: int, headers: Headers, value: Any) -> None:
    await respond(send, status, [JSON, *headers], orjson.dumps(value))


async def respond_error(send: Send, headers: Headers, error: GreenroomError) -> None:
    """An error in OpenAI's shape."""
    extra = [("www-authenticate", 'Bearer realm="Greenroom"')] if error.status == 401 else []
    if isinstance(error, WrongMethod):
        extra = [("allow", ", ".join(error.allowed))]
    await respond_json(send, error.status, [*headers, *extra], error_body(error))


WATCH_AFTER_S = 0.05


class Leaving:
    """Cancels the task that works for a caller as soon as the caller leaves; inside `with` only.

    ASGI tells of it through `receive`, which somebody must be waiting on. An answer that is quick needs nobody to: the
    watch begins a moment after the work did.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._watch: asyncio.Task[None] | None = None
        self.has_left = False

    def __enter__(self) -> Leaving:
        self._loop = asyncio.get_running_loop()
        working = asyncio.current_task(self._loop)
        assert working is not None
        self._working = working
        self._timer = self._loop.call_later(WATCH_AFTER_S, self._begin)
        return self

    def _begin(self) -> None:
        self._watch = self._loop.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.has_left = True
        self._working.cancel()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
