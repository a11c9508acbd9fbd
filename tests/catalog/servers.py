"""A server on a loopback port that gives one prepared answer to everything and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Canned:
    """What it says, and the heads and bodies of the requests it got."""

    port: int
    asked: list[str] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@asynccontextmanager
async def canned(
    body: bytes, *, status: int = 200, content_type: str = "application/json", more: str = "", is_silent: bool = False
) -> AsyncIterator[Canned]:
    """Serve this answer until the block ends."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line[16:]) for line in head.lower().split("\r\n") if line.startswith("content-length: ")), 0)
        server.asked.append(head + (await reader.readexactly(length)).decode())
        if is_silent:
            await over.wait()
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n"
            f"connection: close\r\n{more}\r\n".encode()
            + body
        )
        writer.close()

    over = asyncio.Event()
    writers: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    server = Canned(listener.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listener.close()
        over.set()
        for writer in writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
