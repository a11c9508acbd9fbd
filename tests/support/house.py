"""A whole Greenroom on loopback, HTTP face only, on the test's own event loop: store, recorder, gateway, uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from sqlmodel import select

from core import clock, runtime
from core.calls.tables import Call, CallPayload
from core.catalog import actions as catalog
from core.catalog.checks import Limits
from core.gateway.app import Gateway
from core.people import actions as people
from core.people.rules import CLI
from core.runtime import Runtime
from core.settings import Settings
from tests.support.upstream import Double


@dataclass(slots=True)
class House:
    """A running gateway, a key for it, and a client that sends it."""

    runtime: Runtime
    url: str
    key: str
    client: httpx2.AsyncClient
    double: Double
    server: uvicorn.Server
    _headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, text: str = "hello", *, model: str = "double/m", **body: Any) -> httpx2.Response:
        """One chat completion; `headers` and everything of the body may be given."""
        headers = body.pop("headers", {})
        messages = body.pop("messages", [{"role": "user", "content": text}])
        json = {"model": model, "messages": messages, **body}
        return await self.client.post("/v1/chat/completions", json=json, headers=headers)

    def calls(self) -> list[Call]:
        """Every row there is, oldest first."""
        with self.runtime.db.read() as session:
            return list(session.exec(select(Call).order_by(Call.id)))  # type: ignore[arg-type]

    def payload(self, call: Call) -> CallPayload:
        with self.runtime.db.read() as session:
            return session.exec(select(CallPayload).where(CallPayload.call_id == call.id)).one()

    async def settled(self, count: int) -> list[Call]:
        """The rows, once there are `count` of them (callers who left are recorded a moment later)."""
        for _ in range(500):
            if len(rows := await asyncio.to_thread(self.calls)) >= count:
                return rows
            await asyncio.sleep(0.01)
        raise AssertionError(f"{count} rows expected, {len(rows)} found")

    async def project(self, name: str) -> str:
        """Make a project; a key of it."""
        told: dict[str, Any] = {"by": CLI, "at": clock.now()}

        def make() -> str:
            with self.runtime.db.write() as session:
                made = people.create_project(session, name=name, **told)
                vault, project_id = self.runtime.vault, made.id or 0
                _, key = people.create_key(session, project_id=project_id, name=name, vault=vault, **told)
            self.runtime.refresh()
            return key

        return await asyncio.to_thread(make)

    async def alias(self, name: str, *steps: tuple[str, str], **options: Any) -> None:
        """Give an alias a meaning."""

        def give() -> None:
            with self.runtime.db.write() as session:
                catalog.set_alias(session, name=name, steps=steps, by=CLI, at=clock.now(), **options)
            self.runtime.refresh()

        await asyncio.to_thread(give)

    async def backend(self, name: str, url: str, *, key: str | None = None, key_env: str = "", **limits: float) -> None:
        """Add a backend, with a key (or the variable that has it) and time limits of its own."""
        told: dict[str, Any] = {"by": CLI, "at": clock.now(), "vault": self.runtime.vault}

        def add() -> None:
            with self.runtime.db.write() as session:
                catalog.add_backend(session, name=name, base_url=url, key=key, key_env=key_env, **told)
                if limits:
                    catalog.change_backend(session, name=name, limits=Limits(**limits), **told)
            self.runtime.refresh()

        await asyncio.to_thread(add)


class _Server(uvicorn.Server):
    """One that ends when it is told to: uvicorn looks ten times a second whether it shall, and waits a tenth more."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        self.should_exit = True
        self._leaving.set()

    async def main_loop(self) -> None:
        count = 0
        while not await self.on_tick(count):
            count += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:
            await asyncio.sleep(0.002)
        for server in self.servers:
            await server.wait_closed()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def standing(data_dir: Path, database_url: str, double: Double, **settings: Any) -> AsyncIterator[House]:
    """A house with the double as its backend `double`, and a key of the default project."""

    def furnish() -> tuple[Runtime, str]:
        chosen = Settings(data_dir=data_dir, database_url=database_url, probe_local=False, **settings)
        opened = Runtime(chosen, kind="test")
        told: dict[str, Any] = {"by": CLI, "at": clock.now(), "vault": opened.vault}
        with opened.db.write() as session:
            catalog.add_backend(session, name="double", base_url=double.url, key="sk-upstream", **told)
            _, key = people.create_key(session, project_id=1, name="tests", **told)
        opened.refresh()
        return opened, key

    opened, key = await asyncio.to_thread(furnish)
    await opened.start()
    runtime._current = opened
    port = free_port()
    config = uvicorn.Config(
        Gateway(),
        host="127.0.0.1",
        port=port,
        log_level="error",
        log_config=None,  # else each house sets up logging anew
        lifespan="off",
        loop="none",
        timeout_keep_alive=60,  # a client on a busy machine must not lose the race against a connection's end
    )
    server = _Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.get_running_loop().create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.001)
    url = f"http://127.0.0.1:{port}"
    headers = {"authorization": f"Bearer {key}"}
    try:
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60, verify=False) as client:
            yield House(opened, url, key, client, double, server)
    finally:
        server.leave()
        await serving
        runtime._current = None
        await opened.stop()
