"""An upstream that says exactly the bytes a test gives it, whatever it is asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

JSON, EVENTS = "application/json", "text/event-stream"


@dataclass(slots=True)
class Verbatim:
    """Where it is, and what it says next; `asked` counts the questions."""

    port: int = 0
    body: bytes = b"{}"
    content_type: str = JSON
    status: str = "200 OK"
    headers: str = ""
    asked: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = next((line[15:] for line in head.split("\r\n") if line.startswith("content-length:")), "0")
                await reader.readexactly(int(length))
                self.asked += 1
                said = f"HTTP/1.1 {self.status}\r\ncontent-type: {self.content_type}\r\n{self.headers}"
                writer.write(f"{said}content-length: {len(self.body)}\r\n\r\n".encode("latin-1") + self.body)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Verbatim]:
    """One on this event loop."""
    upstream = Verbatim()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
