"""One socket to a backend, with at most one question on it.

Bytes that arrive while nobody asked end the connection: they can only be an answer that is not ours.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Protocol, cast


class Listener(Protocol):
    """Whoever asked on a connection and hears what comes back: an exchange."""

    def feed(self, data: bytes) -> None: ...
    def lost(self, error: Exception | None) -> None: ...
    def wake(self) -> None: ...


class Home(Protocol):
    """Where a connection goes when nobody asks on it: a pool."""

    loop: asyncio.AbstractEventLoop

    def give_back(self, connection: Connection) -> None: ...
    def lost(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """One socket, with at most one exchange on it."""

    def __init__(self, pool: Home) -> None:
        self.loop = pool.loop
        self.exchange: Listener | None = None
        self.is_write_paused = False
        self.is_open = False
        self.is_used = False
        self.idle_since = 0.0
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._poll: Callable[[], bool] = _nothing

    # Called by the loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._poll = _readable(sock.fileno())

    def data_received(self, data: bytes) -> None:
        if self.exchange is None:
            self.abort()
        else:
            self.exchange.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.lost(exc)
        self._pool.lost(self)

    def pause_writing(self) -> None:
        self.is_write_paused = True

    def resume_writing(self) -> None:
        self.is_write_paused = False
        if self.exchange is not None:
            self.exchange.wake()

    # Called by the exchange and the pool.

    def write(self, data: bytes | memoryview) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def pause_reading(self) -> None:
        if self._transport is not None and self.is_open:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and self.is_open:
            self._transport.resume_reading()

    def finish(self, *, is_reusable: bool) -> None:
        """The exchange on it is over: back to the pool, or closed."""
        self.exchange = None
        transport = self._transport
        if is_reusable and self.is_open and transport is not None and not transport.get_write_buffer_size():
            self._pool.give_back(self)
        else:
            self.abort()

    def abort(self) -> None:
        """Close the socket now, unsent and unread bytes are dropped."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def is_quiet(self) -> bool:
        """Open, and nothing has arrived on it that nobody asked for (an end, or bytes)."""
        return self.is_open and not self._poll()


def _nothing() -> bool:
    return False


def _readable(descriptor: int) -> Callable[[], bool]:
    """A question to the kernel that does not wait: has anything arrived on this socket?"""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return lambda: bool(poll.poll(0))
    return lambda: bool(select.select([descriptor], [], [], 0)[0])
