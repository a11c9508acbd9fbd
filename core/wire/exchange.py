"""One question and its answer on one connection: what arrives is kept here until it is read.

Every exchange has a parser and a buffer of its own, so nothing of one answer can be seen by the next question.
The timer is lazy: a stream that moves only writes down when it would be late, and one timer looks now and then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

import httptools

from core.errors import Upstream, UpstreamBroken, UpstreamTimeout
from core.wire.connection import Connection

MAX_SILENT_BYTES = 64 * 1024
"""Header, trailer and framing bytes we accept without one byte of body between them."""
PAUSE_ABOVE_BYTES = 256 * 1024
"""Unread body above this stops reading from the socket, so that a slow reader slows the backend down."""
SLICE_BYTES = 128 * 1024
"""A request larger than this is written in slices that wait for the backend to take them."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a backend may take: to accept us, to the first byte of the body, between two pieces, in all."""

    connect_s: float = 5.0
    first_byte_s: float = 60.0
    between_s: float = 30.0
    total_s: float = 600.0


class _Stop(Exception):
    """Leaves the parser: the rest of what was fed is not ours to read."""


class Exchange:
    """Parses one answer as it arrives and hands its body to one reader."""

    __slots__ = (
        "_body_bytes",
        "_connection",
        "_due_at",
        "_due_code",
        "_failure",
        "_first_byte_at",
        "_header_bytes",
        "_is_interim",
        "_is_paused",
        "_is_without_body",
        "_loop",
        "_parser",
        "_pieces",
        "_silent_bytes",
        "_timeouts",
        "_timer",
        "_total_at",
        "_unread_bytes",
        "_waiter",
        "headers",
        "is_complete",
        "is_reusable",
        "sent_at",
        "status",
    )

    def __init__(self, connection: Connection, timeouts: Timeouts, *, is_head: bool, total_at: float) -> None:
        self._connection: Connection | None = connection
        self._loop = connection.loop
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._pieces: deque[bytes] = deque()
        self._unread_bytes = self._silent_bytes = self._header_bytes = self._body_bytes = 0
        self._is_interim = self._is_paused = False
        self._is_without_body = is_head
        self._failure: Upstream | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timeouts = timeouts
        self._total_at = total_at
        self._first_byte_at = self._due_at = total_at
        self._due_code = "total_timeout"
        self.sent_at = 0.0
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_complete = False
        self.is_reusable = True

    @property
    def has_heard(self) -> bool:
        """Whether one byte of an answer has arrived."""
        return bool(self._silent_bytes or self._body_bytes or self.status)

    # What the caller does: send, wait for the head, take pieces until the empty one, close.

    async def send(self, head: bytes, content: bytes) -> None:
        """Write the request; a large one in step with the backend, and no further once it has answered."""
        connection = self._alive()
        if len(content) <= SLICE_BYTES:
            connection.write(head + content if content else head)
        else:
            connection.write(head)
            view = memoryview(content)
            for start in range(0, len(content), SLICE_BYTES):
                while connection.is_write_paused and not self.status and self._failure is None:
                    await self._wait(self._loop.time() + self._timeouts.between_s, "stalled")
                if self.status or self._failure is not None:
                    self.is_reusable = False
                    break
                connection.write(view[start : start + SLICE_BYTES])
        self.sent_at = self._loop.time()
        self._first_byte_at = self.sent_at + self._timeouts.first_byte_s

    async def head(self) -> None:
        """Wait until status and headers are there."""
        while not self.status or self._is_interim:
            if self._failure is not None:
                raise self._failure
            await self._wait(self._first_byte_at, "first_token_timeout")

    async def piece(self) -> bytes:
        """The next piece of the body as it came off the wire; empty at its end, which frees the connection."""
        while not self._pieces:
            if self.is_complete:
                self.close()
                return b""
            if self._failure is not None:
                raise self._failure
            if self._body_bytes:
                await self._wait(self._loop.time() + self._timeouts.between_s, "stalled")
            else:
                await self._wait(self._first_byte_at, "first_token_timeout")
        if self._loop.time() > self._total_at and not self.is_complete:
            self._fail(_late("total_timeout"))
            raise _late("total_timeout")
        piece = self._pieces.popleft()
        self._unread_bytes -= len(piece)
        if self._is_paused and self._unread_bytes <= PAUSE_ABOVE_BYTES // 2 and self._connection is not None:
            self._is_paused = False
            self._connection.resume_reading()
        return piece

    def close(self) -> None:
        """Give the connection back when the answer was read to its end; end it in every other case."""
        is_read = self.is_complete and not self._pieces
        self._let_go(is_reusable=is_read and self.is_reusable and self._failure is None)

    # What the connection does: feed bytes, report the end, say that it can be written to again.

    def feed(self, data: bytes) -> None:
        """Take bytes that came off the wire."""
        if self.is_complete or self._parser is None:
            self.is_reusable = False
            self._drop()
            return
        self._silent_bytes += len(data)
        self._parse(self._parser, data)
        self.wake()

    def _parse(self, parser: httptools.HttpResponseParser, data: bytes) -> None:
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.is_complete and self._failure is None:
                reason = str(error) or "it broke the protocol"
                self._fail(_broken("protocol", f"The backend's answer is not HTTP that can be read: {reason}."))
            self.is_reusable = False
        if self._silent_bytes > MAX_SILENT_BYTES and not self.is_complete:
            self._fail(_broken("protocol", f"The backend sent over {MAX_SILENT_BYTES // 1024} KB of headers."))
        if self.is_complete:
            if not self.is_reusable:
                self._drop()
        elif self._unread_bytes > PAUSE_ABOVE_BYTES and not self._is_paused and self._connection is not None:
            self._is_paused = True
            self._connection.pause_reading()

    def lost(self, error: Exception | None) -> None:
        """The connection is gone; only an answer that ends with the connection is whole now."""
        if not self.is_complete and self._failure is None:
            if error is None and self._ends_with_the_connection():
                self.is_complete = True
            else:
                self._failure = _broken("reset", "The backend closed the connection before its answer was whole.")
        self.is_reusable = False
        self._drop()
        self.wake()

    def wake(self) -> None:
        """Let the one who waits look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # Called by the parser.

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise _Stop

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_SILENT_BYTES:
            self._fail(_broken("protocol", f"The backend sent over {MAX_SILENT_BYTES // 1024} KB of headers."))
            raise _Stop
        if not self.status:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._parser is None:
            raise _Stop
        status = self._parser.get_status_code()
        if status < 100:
            self._fail(_broken("protocol", f"The backend answered with the status {status}, which there is not."))
            raise _Stop
        if status < 200:
            if status == 101:
                self._fail(_broken("protocol", "The backend switched protocols without being asked."))
                raise _Stop
            self._is_interim = True
            self.headers = []
            return
        self.status = status
        if self._is_without_body:
            self.is_complete = True
            self.is_reusable = False
            raise _Stop

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._unread_bytes += len(body)
        self._body_bytes += len(body)
        self._silent_bytes = 0

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._is_interim = False
            return
        self.is_complete = True
        if self._parser is None or not self._parser.should_keep_alive():
            self.is_reusable = False

    def _ends_with_the_connection(self) -> bool:
        """Whether this answer said no length, so that closing the connection is how it ends."""
        names = {name.lower(): value.lower() for name, value in self.headers}
        is_chunked = names.get(b"transfer-encoding", b"").endswith(b"chunked")
        return bool(self.status) and not is_chunked and b"content-length" not in names

    # Waiting.

    async def _wait(self, due_at: float, code: str) -> None:
        """Sleep until something changes; whoever is cancelled here ends the connection at once."""
        if self._total_at < due_at:
            due_at, code = self._total_at, "total_timeout"
        self._due_at, self._due_code = due_at, code
        if self._timer is None or self._timer.when() > due_at:
            self._set_timer(due_at)
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        except BaseException:
            self._waiter = None
            self.is_reusable = False
            self.close()
            raise
        self._waiter = None

    def _set_timer(self, due_at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due_at, self._look)

    def _look(self) -> None:
        """The timer: late now, or look again at the moment it would be."""
        self._timer = None
        if self._connection is None or self._failure is not None:
            return
        now = self._loop.time()
        waits = self._waiter is not None and not self._waiter.done()
        due_at, code = (self._due_at, self._due_code) if waits else (self._total_at, "total_timeout")
        if now < due_at:
            self._set_timer(due_at)
        else:
            self._fail(_late(code))

    def _fail(self, failure: Upstream) -> None:
        if self._failure is None:
            self._failure = failure
        self.is_reusable = False
        self._drop()
        self.wake()

    def _drop(self) -> None:
        """End the connection; what was already received can still be read."""
        self._let_go(is_reusable=False)

    def _let_go(self, *, is_reusable: bool) -> None:
        """Part from connection, timer and parser; none of them may know this exchange any longer."""
        connection, self._connection = self._connection, None
        self._parser = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if connection is not None:
            connection.finish(is_reusable=is_reusable)

    def _alive(self) -> Connection:
        if self._connection is None:
            raise self._failure or _broken("reset", "The connection to the backend is closed.")
        return self._connection


def _broken(code: str, message: str) -> UpstreamBroken:
    return UpstreamBroken(message, code=code, hint="Ask again; if it stays, look at the backend's own log.")


_LATE = {
    "first_token_timeout": "The backend did not begin its answer in time.",
    "stalled": "The backend stopped in the middle of the exchange.",
    "total_timeout": "The backend did not finish in time.",
}


def _late(code: str) -> UpstreamTimeout:
    return UpstreamTimeout(_LATE[code], code=code, hint="Ask again, or raise this timeout in the backend's settings.")
