"""Asks backends over HTTP: one client per event loop, the only place that speaks httpx.

httpx carries the request and the answer; beneath it is a transport of our own (`pool`, `connection`, `exchange`),
because httpx's pool scans all connections on every change. Requests go to that transport directly: the way through
`httpx.AsyncClient.send` costs 0.15 ms more a request for cookies, redirects, sign-in flows and hooks, and we want none
of them. No proxies either: a backend is asked at its address and nowhere else.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import httpx

from core.errors import Invalid, UpstreamBroken
from core.wire.decoding import Inflater, inflater
from core.wire.exchange import Exchange, Timeouts
from core.wire.places import is_metadata
from core.wire.pool import IDLE_S, MAX_CONNECTIONS, Origin, Pool
from core.wire.request import head as request_head

__all__ = ["Client", "Reply", "Timeouts"]

RACE_S = 1.0
"""A warm connection lost this soon, with nothing heard, was closed by the server while idle: ask once more."""
_KEPT_TARGETS = 1024
_NOTHING = httpx.ByteStream(b"")


@dataclass(frozen=True, slots=True)
class _Target:
    """An address taken apart once."""

    url: httpx.URL
    origin: Origin
    path_and_host: bytes


class _Body(httpx.AsyncByteStream):
    """An answer's body as httpx sees it."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.exchange.piece():
            yield piece

    async def aclose(self) -> None:
        self.exchange.close()


class Transport(httpx.AsyncBaseTransport):
    """Carries httpx requests over our own connections, one pool per origin."""

    def __init__(
        self, trust: ssl.SSLContext | None, *, limit: int, idle_s: float, is_forbidden: Callable[[str], bool]
    ) -> None:
        self._context = trust
        self._is_forbidden = is_forbidden
        self._limit = limit
        self._idle_s = idle_s
        self._pools: dict[Origin, Pool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        extensions = request.extensions
        target: _Target = extensions.get("target") or _target(request.url)
        timeouts: Timeouts = extensions.get("timeouts") or Timeouts()
        repeats: bool = extensions.get("repeats", True)
        content = extensions.get("content")
        if content is None:
            content = await request.aread()
        head = request_head(request.method, target.path_and_host, request.headers.raw, len(content))
        exchange = await self._ask(target.origin, request.method, head, content, timeouts, repeats=repeats)
        return httpx.Response(exchange.status, headers=exchange.headers, stream=_Body(exchange))

    async def aclose(self) -> None:
        pools = list(self._pools.values())
        self._pools.clear()
        await asyncio.gather(*(pool.aclose() for pool in pools))

    def pool(self, origin: Origin) -> Pool:
        """The connections to one origin."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(
                origin, self._trust, limit=self._limit, idle_s=self._idle_s, is_forbidden=self._is_forbidden
            )
        return pool

    async def _ask(
        self, origin: Origin, method: str, head: bytes, content: bytes, timeouts: Timeouts, *, repeats: bool
    ) -> Exchange:
        """Send and wait for the head; once more (where wanted) when a warm connection turns out to have been closed."""
        pool = self.pool(origin)
        time = pool.loop.time
        began = time()
        may_repeat = True
        connection = pool.take()
        while True:
            if connection is None:
                connection = await pool.open(min(timeouts.connect_s, timeouts.total_s))
            was_used, connection.is_used = connection.is_used, True
            asked_at = time()
            exchange = connection.exchange = Exchange(
                connection, timeouts, is_head=method == "HEAD", total_at=began + timeouts.total_s
            )
            try:
                await exchange.send(head, content)
                await exchange.head()
                return exchange
            except UpstreamBroken as error:
                exchange.close()
                if not (may_repeat and was_used) or exchange.has_heard or time() - asked_at > RACE_S:
                    raise
                if not repeats:
                    error.code = "stale"
                    raise
            except BaseException:
                exchange.close()
                raise
            may_repeat, connection = False, None

    async def _trust(self) -> ssl.SSLContext:
        """The system's certificates, read once and away from the loop."""
        if self._context is None:
            self._context = await asyncio.get_running_loop().run_in_executor(None, ssl.create_default_context)
        return self._context


class Reply:
    """A backend's answer: status and headers are there, the body comes as it is read.

    Read it to its end and its connection serves the next question; anything else closes that connection.
    """

    __slots__ = ("_chunks", "_exchange", "_headers", "_response", "status")

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._exchange = cast(_Body, response.stream).exchange
        self._headers: dict[str, str] | None = None
        self._chunks: _Chunks | None = None
        self.status = response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; a header sent twice is joined by a comma."""
        if self._headers is None:
            headers: dict[str, str] = {}
            for raw, value in self._exchange.headers:
                name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
                headers[name] = f"{headers[name]}, {text}" if name in headers else text
            self._headers = headers
        return self._headers

    async def read(self, limit: int) -> bytes:
        """The whole body, unpacked; what is left of it when some was taken from `chunks`.

        Raises:
            UpstreamBroken: "too_large" above `limit` bytes, "reset" when it stops early, "bad_gzip".
            UpstreamTimeout: it took too long.
        """
        pieces: list[bytes] = []
        size = 0
        async for piece in self.chunks():
            size += len(piece)
            if size > limit:
                await self.aclose()
                raise UpstreamBroken(
                    f"The backend's answer is larger than {limit} bytes.",
                    code="too_large",
                    hint="Ask for less, or raise the limit.",
                )
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, unpacked, in pieces as they arrive; asked again, it goes on where it was."""
        if self._chunks is None:
            self._chunks = _Chunks(self._exchange, self.headers.get("content-encoding", ""))
        return self._chunks

    async def aclose(self) -> None:
        """Done with it; before the end of the body this closes the connection. Never waits."""
        self._exchange.close()


class _Chunks:
    """Walks a body; an iterator rather than a generator, so that leaving it early leaves nothing behind."""

    __slots__ = ("_exchange", "_inflater", "_ready")

    def __init__(self, exchange: Exchange, content_encoding: str) -> None:
        self._exchange = exchange
        self._ready: Iterator[bytes] | None = None
        try:
            self._inflater: Inflater | None = inflater(content_encoding)
        except UpstreamBroken:
            exchange.close()
            raise

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> bytes:
        if self._inflater is None:
            piece = await self._exchange.piece()
            if not piece:
                raise StopAsyncIteration
            return piece
        try:
            return await self._unpacked(self._inflater)
        except UpstreamBroken:
            self._exchange.close()
            raise

    async def _unpacked(self, inflater: Inflater) -> bytes:
        while True:
            if self._ready is not None:
                for piece in self._ready:
                    return piece
                self._ready = None
            packed = await self._exchange.piece()
            if not packed:
                inflater.end()
                raise StopAsyncIteration
            self._ready = inflater.feed(packed)


class Client:
    """Sends requests to backends; make one per event loop and close it at the end.

    A host is looked up once per connection, every address it has is put to `is_forbidden`, and the connection goes to
    one of those: a name that means something else a moment later leads nowhere new.
    """

    def __init__(
        self,
        *,
        trust: ssl.SSLContext | None = None,
        max_connections: int = MAX_CONNECTIONS,
        idle_s: float = IDLE_S,
        is_forbidden: Callable[[str], bool] = is_metadata,
    ) -> None:
        """`is_forbidden` says of an IP address that nothing may be sent there."""
        self._transport = Transport(trust, limit=max_connections, idle_s=idle_s, is_forbidden=is_forbidden)
        self._targets: dict[str, _Target] = {}

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        content: bytes = b"",
        timeouts: Timeouts = Timeouts(),
        repeats: bool = True,
    ) -> Reply:
        """Ask, and return once status and headers have arrived. Cancelling closes the connection at once.

        A warm connection that the server closed while idle is replaced and the question sent once more; with
        `repeats` off that is an error too, "stale", so that a caller who counts what a backend was asked can.

        Raises:
            BackendUnavailable: no connection ("connect_failed", "connect_timeout", "forbidden_address").
            UpstreamTimeout: "first_token_timeout", "stalled", "total_timeout".
            UpstreamBroken: "reset", "protocol", "stale".
            Invalid: the address or a header cannot be sent as it is.
        """
        target = self._targets.get(url)
        if target is None:
            if len(self._targets) >= _KEPT_TARGETS:
                self._targets.clear()
            target = self._targets[url] = _target(url)
        request = httpx.Request(
            method,
            target.url,
            headers=_encoded(tuple(headers)),
            stream=_NOTHING,
            extensions={"target": target, "timeouts": timeouts, "content": content, "repeats": repeats},
        )
        return Reply(await self._transport.handle_async_request(request))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


def _target(url: str | httpx.URL) -> _Target:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise _bad_address(str(url)) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise _bad_address(str(url))
    is_tls = parsed.scheme == "https"
    origin = Origin(parsed.raw_host.decode("ascii"), parsed.port or (443 if is_tls else 80), is_tls)
    line = b" %s HTTP/1.1\r\nhost: %s\r\n" % (parsed.raw_path, parsed.netloc)
    return _Target(parsed, origin, line)


def _bad_address(url: str) -> Invalid:
    return Invalid(
        f"{url[:200]!r} is not an address that can be asked.",
        code="bad_url",
        hint="An address looks like http://127.0.0.1:11434/v1 or https://api.openai.com/v1.",
    )


@lru_cache(maxsize=256)
def _encoded(headers: tuple[tuple[str, str], ...]) -> httpx.Headers:
    """Headers as httpx carries them; a backend's are the same from question to question."""
    try:
        return httpx.Headers([(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers])
    except UnicodeEncodeError as error:
        raise Invalid(
            "A header holds a character that HTTP cannot carry.",
            code="bad_header",
            hint="Look at the backend's key: it may hold a typographic quote or dash.",
        ) from error
