"""Connections to one origin, kept warm: the last one used is the first one taken, and all waiting is in turn.

A connection comes back only after an answer that was read to its end and that both sides let stay open; it is taken
again only when nothing arrived on it meanwhile, so a late answer can never meet a new question.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from core.errors import BackendUnavailable
from core.wire.connection import Connection
from core.wire.places import is_metadata

MAX_CONNECTIONS = 512
IDLE_S = 50.0
"""An unused connection is closed after this: below the 60 s at which most proxies do it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go: whom the certificate must name, and the port."""

    host: str
    port: int
    is_tls: bool


class Pool:
    """The connections to one origin."""

    def __init__(
        self,
        origin: Origin,
        trust: Callable[[], Awaitable[ssl.SSLContext]],
        *,
        limit: int = MAX_CONNECTIONS,
        idle_s: float = IDLE_S,
        is_forbidden: Callable[[str], bool] = is_metadata,
    ) -> None:
        self.origin = origin
        self._is_forbidden = is_forbidden
        self.loop = asyncio.get_running_loop()
        self._trust = trust
        self._limit = limit
        self._idle_s = idle_s
        self._idle: deque[Connection] = deque()
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._all: set[Connection] = set()
        self._taken = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._is_empty = asyncio.Event()

    @property
    def open_count(self) -> int:
        """Connections open or being opened."""
        return self._taken

    @property
    def idle_count(self) -> int:
        """Connections open and waiting for a question."""
        return sum(connection.is_open for connection in self._idle)

    def take(self) -> Connection | None:
        """A warm connection if there is a good one, without waiting."""
        if self._waiting:
            return None
        while self._idle:
            connection = self._idle.pop()
            if connection.is_quiet():
                return connection
            connection.abort()
        return None

    async def open(self, connect_s: float) -> Connection:
        """A connection for the caller: a new one, or with all in use the next that comes free, in turn."""
        if self._is_closed:
            raise _unavailable("connect_failed", "The client is closed.")
        try:
            async with asyncio.timeout(connect_s):
                if self._taken < self._limit and not self._waiting:
                    self._taken += 1
                else:
                    if self._idle and not self._waiting:
                        self._idle.popleft().abort()
                    connection = await self._turn()
                    if connection is not None:
                        return connection
                return await self._connect()
        except TimeoutError:
            message = f"{self.origin.host}:{self.origin.port} did not accept a connection in {connect_s:g} s."
            raise _unavailable("connect_timeout", message) from None

    def give_back(self, connection: Connection) -> None:
        """Keep a connection warm for the next question, or hand it to who waits longest."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if self._is_closed:
            connection.abort()
            return
        connection.idle_since = self.loop.time()
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = self.loop.call_later(self._idle_s, self._sweep)

    def lost(self, connection: Connection) -> None:
        """A connection is gone: its place is free."""
        if connection in self._all:
            self._all.remove(connection)
            self._free_place()
            if not self._all:
                self._is_empty.set()

    async def aclose(self) -> None:
        """Close every connection, those in use too, and wait until the sockets are gone."""
        self._is_closed = True
        self._is_empty.clear()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(_unavailable("connect_failed", "The client is closed."))
        self._waiting.clear()
        self._idle.clear()
        for connection in list(self._all):
            connection.abort()
        if self._all:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_empty.wait(), 1.0)

    async def _turn(self) -> Connection | None:
        """Wait in line: a connection that came free, or None for a free place to open one."""
        waiter: asyncio.Future[Connection | None] = self.loop.create_future()
        self._waiting.append(waiter)
        try:
            connection = await waiter
        except BaseException:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.cancelled() and waiter.exception() is None:
                self._pass_on(waiter.result())
            raise
        if connection is not None and not connection.is_quiet():
            # Its place is freed when the loop reports the loss; this caller keeps a place of its own.
            connection.abort()
            self._taken += 1
            return None
        return connection

    def _pass_on(self, given: Connection | None) -> None:
        """The one whose turn it was has left: the connection or the place goes to the next."""
        if given is None:
            self._free_place()
        else:
            self.give_back(given)

    async def _connect(self) -> Connection:
        origin = self.origin
        connection: Connection | None = None
        try:
            context = await self._trust() if origin.is_tls else None
            connection = await self._reach(context)
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or error.reason or str(error)
            message = f"No secure connection to {origin.host}:{origin.port}: {reason}."
            raise _unavailable("connect_failed", message) from error
        except (OSError, UnicodeError) as error:
            message = f"No connection to {origin.host}:{origin.port}: {_reason(error)}."
            raise _unavailable("connect_failed", message) from error
        finally:
            if connection is None:
                self._free_place()
        self._all.add(connection)
        if not connection.is_open:
            self.lost(connection)
        return connection

    async def _reach(self, context: ssl.SSLContext | None) -> Connection:
        """Look the name up once, and connect to an address that was checked: what the name means later is not asked."""
        origin = self.origin
        found = await self.loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
        for address in addresses:
            if self._is_forbidden(address):
                raise BackendUnavailable(
                    f"{origin.host} is at {address}, where nothing may be sent.",
                    code="forbidden_address",
                    hint="Give the address of a server that is meant to be asked.",
                )
        name = origin.host if context is not None else None
        failure: OSError = socket.gaierror(socket.EAI_NONAME, "the name is not known")
        for address in addresses:
            try:
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self), address, origin.port, ssl=context, server_hostname=name
                )
            except OSError as error:
                failure = error
            else:
                return connection
        raise failure

    def _free_place(self) -> None:
        self._taken -= 1
        while self._waiting and self._taken < self._limit:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._taken += 1
                waiter.set_result(None)

    def _sweep(self) -> None:
        """Close what was idle too long; the oldest is at the left."""
        self._sweeper = None
        before = self.loop.time() - self._idle_s
        while self._idle and (not self._idle[0].is_open or self._idle[0].idle_since <= before + 0.001):
            self._idle.popleft().abort()
        if self._idle:
            self._sweeper = self.loop.call_at(self._idle[0].idle_since + self._idle_s, self._sweep)


def _unavailable(code: str, message: str) -> BackendUnavailable:
    return BackendUnavailable(message, code=code, hint="Check that the backend runs and that its address is right.")


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "that is not a host name"
    if isinstance(error, socket.gaierror):
        return "the name is not known"
    return os.strerror(error.errno) if error.errno else str(error).rstrip(".")
