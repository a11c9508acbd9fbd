"""The upstream double: a real HTTP server on loopback that speaks the OpenAI protocol and misbehaves when asked to.

How it behaves is said by the request itself, in one of three places (the first that is there counts):
- the body's field `x_double`: `{"kind": "html", "latency_s": 0.2}`;
- the last user message: `double(kind=html latency_s=0.2)` anywhere in it;
- the model's name: `double:html`.
`Behaviour` lists all there is to say. Without a word it echoes the last user message.

In a test: `async with upstream.running() as double: … double.url …; double.stats`. Elsewhere:
`python -m tests.support.upstream --port 9001`, `GET /_double/stats`, `GET /_double/seen` (the newest requests as they
came), `POST /_double/reset`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import ssl
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, fields
from typing import Any

import httptools
import orjson
import uvloop

from tests.support import upstream_answers as answers
from tests.support.upstream_speech import Speech

_WORDS = re.compile(r"double\(([^)]*)\)")


@dataclass(slots=True)
class Behaviour:
    """How to answer one request.

    kind, for any answer: echo · html (an HTML page with 200) · wrong_type (JSON called text/plain) · truncated_json ·
    malformed_json · empty (no body) · null_content · no_usage · lying_usage · big (`size` bytes of content) · gzip ·
    deflate · raw_deflate · gzip_garbage · gzip_cut · brotli · bad_http · huge_header · until_close · chunked ·
    interim (1xx first) · no_content (204) · cut (half the body, then the end) · cut_chunked · reset (no answer, RST)
    · reset_mid (half the body, RST) · close (no answer, end) · hang (no answer at all) · head_only (then nothing) ·
    close_after (end, unannounced, behind the answer) · unsolicited (more bytes 20 ms behind the answer) ·
    say_close (`Connection: close`) · unknown_fields · bomb (`size` bytes gzipped).
    kind, for streams: stall · break · reset · error (an error event) · no_done · stop_early (no finish, no [DONE]),
    each after `at` tokens; error_first (and nothing else) · nothing (no event at all); crlf · cr · no_space · pings ·
    one_byte · split_utf8 · no_blank_end · stream_html (events, called a web page).
    """

    kind: str = "echo"
    status: int = 200
    code: str = ""
    message: str = "The double was asked to fail."
    retry_after: str = ""  # the header as it is: seconds or an HTTP date
    retry_after_ms: str = ""
    reset_requests: str = ""  # x-ratelimit-reset-requests: "1s", "6m0s"
    reset_tokens: str = ""
    latency_s: float = 0.0
    tokens: int = 0  # at least so many pieces in a stream
    gap_s: float = 0.0
    first_s: float = 0.0  # before the first piece of a stream
    at: int = 2
    size: int = 20_000_000
    fail_first: int = 0  # this question fails so many times (with `status` or 503), then succeeds
    mark: str = ""  # instead of the last user message


_FIELDS = {f.name: {"str": str, "int": int, "float": float}[str(f.type)] for f in fields(Behaviour)}
_PLAIN = Behaviour()


def behaviour(body: dict[str, Any], text: str) -> Behaviour:
    """What this request asks for."""
    if asked := body.get("x_double"):
        return Behaviour(**{name: _FIELDS[name](value) for name, value in asked.items()})
    if "double(" in text and (found := _WORDS.search(text)):
        pairs = (pair.split("=", 1) for pair in found[1].split())
        return Behaviour(**{name: _FIELDS[name](value) for name, value in pairs})
    model = body.get("model")
    if isinstance(model, str) and model.startswith("double:"):
        return Behaviour(kind=model.removeprefix("double:"))
    return _PLAIN


@dataclass(slots=True)
class Request:
    """One request as it was received."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    text: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A caller that left before its answer was whole."""

    mark: str
    after_s: float
    at: float  # time.monotonic()


@dataclass(slots=True)
class Stats:
    """What the double has seen."""

    requests: int = 0
    answered: int = 0
    connections: int = 0
    open_connections: int = 0
    paths: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    cancelled: list[Cancelled] = field(default_factory=list)
    seen: deque[Request] = field(default_factory=lambda: deque(maxlen=2000))

    def as_json(self) -> bytes:
        marks = dict(self.marks.most_common(1000))
        left = [{"mark": left.mark, "after_s": left.after_s, "at": left.at} for left in self.cancelled]
        numbers = {n: getattr(self, n) for n in ("requests", "answered", "connections", "open_connections")}
        return orjson.dumps({**numbers, "paths": dict(self.paths), "marks": marks, "cancelled": left})

    def newest_as_json(self, most: int = 20) -> bytes:
        """The newest requests, oldest of them first: path and body."""
        newest = [{"path": one.path, "body": orjson.Fragment(one.raw or b"null")} for one in list(self.seen)[-most:]]
        return orjson.dumps(newest)


class Double:
    """The server: its address, what it has seen."""

    def __init__(self) -> None:
        self.stats = Stats()
        self.port = 0
        self.scheme = "http"
        self.owner = answers.OWNER
        self.failures: Counter[str] = Counter()
        self.open: set[_Wire] = set()

    @property
    def origin(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base URL a backend would be given."""
        return f"{self.origin}/v1"

    def reset(self) -> None:
        """Forget what was seen."""
        is_open = self.stats.open_connections
        self.stats = Stats(open_connections=is_open)
        self.failures.clear()

    def close_connections(self) -> None:
        """End every connection, as a server does that restarts."""
        for wire in list(self.open):
            wire.transport.close()


class _Wire(asyncio.Protocol):
    """One connection to the double."""

    transport: asyncio.Transport

    def __init__(self, double: Double) -> None:
        self.double = double
        self.speech: Speech | None = None
        self.writable = asyncio.Event()
        self.writable.set()
        self._begin()

    def _begin(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.path = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]
        self.double.open.add(self)
        self.double.stats.connections += 1
        self.double.stats.open_connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.double.open.discard(self)
        self.double.stats.open_connections -= 1
        self.writable.set()
        speech, self.speech = self.speech, None
        if speech is not None:
            speech.cancel()
            now = time.monotonic()
            request = speech.request
            self.double.stats.cancelled.append(Cancelled(request.text, now - request.at, now))

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_url(self, url: bytes) -> None:
        self.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        raw = b"".join(self.parts)
        path, method = self.path.decode(), self.parser.get_method().decode()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.headers}
        is_last = not self.parser.should_keep_alive()
        self.path, self.headers, self.parts = b"", [], []
        request = Request(method, path, headers, raw, at=time.monotonic())
        if path.startswith("/_double/"):
            if path.endswith("/reset"):
                self.double.reset()
            stats = self.double.stats
            told = stats.newest_as_json() if path.endswith("/seen") else stats.as_json()
            Speech(self, request, {}, _PLAIN, is_last=is_last).say(told)
            return
        try:
            body = orjson.loads(raw) if raw else {}
        except orjson.JSONDecodeError:
            body = {}
        text = answers.last_user_text(body)
        how = behaviour(body, text)
        request.text = how.mark or text
        stats = self.double.stats
        stats.requests += 1
        stats.paths[path] += 1
        stats.marks[request.text] += 1
        stats.seen.append(request)
        self.speech = Speech(self, request, body, how, is_last=is_last)
        self.speech.begin()

    def done(self) -> None:
        """The answer is out."""
        self.speech = None
        self.double.stats.answered += 1


@contextlib.asynccontextmanager
async def running(
    port: int = 0, tls: ssl.SSLContext | None = None, *, owner: str = answers.OWNER
) -> AsyncIterator[Double]:
    """A double on this event loop, gone at the end with all its connections; its models belong to `owner`."""
    double = Double()
    double.owner = owner
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Wire(double), "127.0.0.1", port, ssl=tls, backlog=2048)
    double.port = server.sockets[0].getsockname()[1]
    double.scheme = "https" if tls else "http"
    try:
        yield double
    finally:
        server.close()
        for wire in list(double.open):
            wire.transport.abort()
        while double.open:
            await asyncio.sleep(0.001)
        await server.wait_closed()


async def _serve(port: int, owner: str) -> None:
    async with running(port, owner=owner) as double:
        print(double.url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Run the double until it is stopped."""
    parser = argparse.ArgumentParser(description="An OpenAI-compatible server that misbehaves when asked to.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--owner", default=answers.OWNER, help="whom its models belong to: library is an Ollama's")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(options.port, options.owner))


if __name__ == "__main__":
    main()
