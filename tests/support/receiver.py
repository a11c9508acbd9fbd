"""A receiver of webhooks: a real HTTP server on loopback that answers as it is told and keeps what it was sent.

`answers` are given one after the other, the last one for all that follow; an answer may be held back until `let_go`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httptools


@dataclass(frozen=True, slots=True)
class Answer:
    """How to answer one message. `hangs` never does; `waits` only when it is let go; `cut` closes instead."""

    status: int = 200
    body: bytes = b"ok"
    headers: tuple[tuple[str, str], ...] = ()
    hangs: bool = False
    waits: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """The server: where it is, what it has received."""

    port: int = 0
    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _let_go: asyncio.Event = field(default_factory=asyncio.Event)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    def let_go(self) -> None:
        """Answer what waits, and wait no longer."""
        self._let_go.set()

    async def arrived(self, count: int) -> None:
        """Until so many messages have come."""
        async with asyncio.timeout(120), self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while (message := await _message(reader)) is not None:
                self.received.append(message)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                async with self._arrived:
                    self._arrived.notify_all()
                if answer.waits:
                    await self._let_go.wait()
                if answer.hangs:
                    await reader.read()
                if answer.hangs or answer.cut:
                    break
                lines = [f"HTTP/1.1 {answer.status} Told", f"content-length: {len(answer.body)}"]
                lines += [f"{name}: {value}" for name, value in answer.headers]
                writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
                await writer.drain()
        writer.close()


class _Parts:
    """Collects one request from its parser."""

    def __init__(self) -> None:
        self.path, self.body, self.is_whole = b"", b"", False
        self.headers: dict[str, str] = {}

    def on_url(self, url: bytes) -> None:
        self.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_whole = True


async def _message(reader: asyncio.StreamReader) -> Received | None:
    parts = _Parts()
    parser = httptools.HttpRequestParser(parts)
    while not parts.is_whole:
        data = await reader.read(65_536)
        if not data:
            return None
        parser.feed_data(data)
    return Received(parts.path.decode(), parts.headers, parts.body)


@contextlib.asynccontextmanager
async def receiving(*answers: Answer) -> AsyncIterator[Receiver]:
    """A receiver on this event loop; without answers it says 200."""
    receiver = Receiver(answers=list(answers) or [Answer()])
    server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.let_go()
        server.close()
        for task in list(receiver._serving):
            task.cancel()
        await asyncio.gather(*receiver._serving, return_exceptions=True)
