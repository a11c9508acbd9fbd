"""A client and an upstream double on one event loop; every test runs on asyncio's own loop and on uvloop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from core.wire.client import Client, Reply, Timeouts
from core.wire.pool import Pool
from tests.support import upstream
from tests.support.blocking import nothing_blocks

__all__ = ["nothing_blocks"]  # for every test here
LIMIT = 64 * 1024 * 1024


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def double() -> AsyncIterator[upstream.Double]:
    async with upstream.running() as double:
        yield double


@pytest.fixture
async def asking(double: upstream.Double) -> AsyncIterator[Asking]:
    client = Client()
    yield Asking(client, double)
    await client.aclose()


class Asking:
    """Asks the double one question in one line."""

    def __init__(self, client: Client, double: upstream.Double) -> None:
        self.client = client
        self.double = double

    @property
    def pool(self) -> Pool:
        (pool,) = self.client._transport._pools.values()
        return pool

    async def send(
        self, text: str = "hello", *, stream: bool = False, timeouts: Timeouts = Timeouts(), **x_double: Any
    ) -> Reply:
        body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": text}], "stream": stream}
        if x_double:
            body["x_double"] = x_double
        return await self.client.send(
            "POST",
            f"{self.double.url}/chat/completions",
            headers=[("content-type", "application/json"), ("authorization", "Bearer secret")],
            content=orjson.dumps(body),
            timeouts=timeouts,
        )

    async def read(self, text: str = "hello", **x_double: Any) -> bytes:
        return await (await self.send(text, **x_double)).read(LIMIT)
