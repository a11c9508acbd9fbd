"""Servers under measurement, each in a process of its own: the upstream double, and the two pass-throughs.

`baseline` is what Greenroom is measured against: bare Starlette + httpx over httpx-aiohttp. `ours` is the same
pass-through over our own client. Both run under uvicorn with uvloop and httptools, one process, no access log.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx
import httpx_aiohttp
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from core.wire.client import Client

PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    url: str  # up to and with /v1
    pid: int
    key: str = ""
    model: str = "double-small"

    @property
    def chat(self) -> str:
        return f"{self.url}/chat/completions"


def free_port() -> int:
    """A port nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def started(command: list[str], port: int, wait_s: float = 20.0, **environment: str) -> Iterator[Running]:
    """Run a server until it accepts connections; end it afterwards."""
    # as on a person's machine, where Python keeps what it has compiled
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, env=kept | environment, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + wait_s
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{command} did not start") from None
                time.sleep(0.05)
        yield Running(f"http://127.0.0.1:{port}/v1", process.pid)
    finally:
        process.terminate()
        process.wait(10)


def start_upstream() -> contextlib.AbstractContextManager[Running]:
    """The upstream double."""
    port = free_port()
    return started([sys.executable, "-m", "tests.support.upstream", "--port", str(port)], port)


def start_baseline(upstream: Running) -> contextlib.AbstractContextManager[Running]:
    """Starlette + httpx over httpx-aiohttp, passing through."""
    return _pass_through("baseline", upstream)


def start_ours(upstream: Running) -> contextlib.AbstractContextManager[Running]:
    """Starlette + our client, passing through."""
    return _pass_through("ours", upstream)


def _pass_through(name: str, upstream: Running) -> contextlib.AbstractContextManager[Running]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"tests.bench.servers:{name}", "--factory", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return started(command, port, BENCH_UPSTREAM=upstream.url)


def baseline() -> Starlette:
    """The pass-through everyone could write in an hour."""
    url = os.environ["BENCH_UPSTREAM"] + "/chat/completions"
    limits = httpx.Limits(max_connections=512, max_keepalive_connections=512)
    client = httpx.AsyncClient(transport=httpx_aiohttp.AiohttpTransport(limits=limits), timeout=60)
    headers = {"content-type": "application/json", "authorization": "Bearer x"}

    async def complete(request: Request) -> Response:
        body = await request.body()
        asked = client.build_request("POST", url, content=body, headers=headers)
        if not orjson.loads(body).get("stream"):
            reply = await client.send(asked)
            return Response(reply.content, reply.status_code, media_type=reply.headers.get("content-type"))
        reply = await client.send(asked, stream=True)

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in reply.aiter_raw():
                    yield piece
            finally:
                await reply.aclose()

        return StreamingResponse(pieces(), reply.status_code, media_type=reply.headers.get("content-type"))

    return Starlette(routes=[Route(PATH, complete, methods=["POST"])])


def ours() -> Starlette:
    """The same pass-through over our client."""
    url = os.environ["BENCH_UPSTREAM"] + "/chat/completions"
    client = Client()
    headers = [("content-type", "application/json"), ("authorization", "Bearer x")]

    async def complete(request: Request) -> Response:
        body = await request.body()
        reply = await client.send("POST", url, content=body, headers=headers)
        if not orjson.loads(body).get("stream"):
            media_type = reply.headers.get("content-type")
            return Response(await reply.read(1 << 26), reply.status, media_type=media_type)
        return StreamingResponse(reply.chunks(), reply.status, media_type=reply.headers.get("content-type"))

    return Starlette(routes=[Route(PATH, complete, methods=["POST"])])
