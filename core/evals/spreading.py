"""A cluster of processes that ask cells: Dask's distributed, which this module alone speaks.

A scheduler (`dask scheduler`) knows the workers (`greenroom worker`). A chunk goes to one with a free seat; when that
process dies, the scheduler gives its chunks to another. Seats are a resource of ours: a cluster may do other work too.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from anyio import to_thread

from core.errors import GreenroomError, Invalid
from core.evals.chunks import Chunk, Part, Told

PACKAGE = "distributed"
SEAT = "greenroom"
PATIENCE_S, PATIENCE_AT_START_S = 5, 60

log = logging.getLogger("greenroom.evals")
_part: Part | None = None


def check() -> None:
    """Raises: Invalid where the package is not installed."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise Invalid(
            "GREENROOM_WORKERS names a cluster, and what speaks to it is not installed.",
            hint="Install Greenroom with its extra: uv sync --extra workers.",
        )


class Dask:
    """A cluster by the address of its scheduler; connected when first asked, and again when it was away."""

    def __init__(self, address: str) -> None:
        check()
        self._address = address
        self._client: Any = None
        self._connecting = asyncio.Lock()

    async def seats(self) -> int:
        """How many chunks its workers ask at once. Raises: GreenroomError when the scheduler does not answer."""
        client = await self._connected()
        try:
            told = await asyncio.wait_for(client.scheduler.identity(n_workers=-1), PATIENCE_S)
        except (OSError, TimeoutError) as error:
            raise self._away() from error
        return sum(int(worker.get("resources", {}).get(SEAT, 0)) for worker in told["workers"].values())

    async def ask(self, chunk: Chunk) -> Told:
        """Let a worker ask a chunk. Raises: GreenroomError when the cluster gave up, or went away."""
        client = await self._connected()
        future = client.submit(asked, chunk, pure=False, resources={SEAT: 1})
        try:
            told = await future
        except Exception as error:
            name = type(error).__name__
            if name == "KilledWorker":
                raise GreenroomError("several workers died while they asked the same cells.") from error
            raise GreenroomError(f"the cluster lost them ({name}).") from error
        finally:
            future.release()  # whoever waits in line is dropped; who is being asked sees that its run is over
        if not isinstance(told, Told):
            raise GreenroomError(f"a worker said {type(told).__name__}.")
        return told

    async def close(self) -> None:
        """Leave it."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError, TimeoutError):
                await client.close(timeout=PATIENCE_S)

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is not None and self._client.status != "running":
                await self.close()
            if self._client is None:
                distributed = await to_thread.run_sync(importlib.import_module, PACKAGE)
                try:
                    self._client = await distributed.Client(
                        self._address, asynchronous=True, timeout=PATIENCE_S, set_as_default=False, name="greenroom"
                    )
                except (OSError, TimeoutError) as error:
                    raise self._away() from error
            return self._client

    def _away(self) -> GreenroomError:
        return GreenroomError(
            f"The cluster at {self._address} does not answer.", hint="Is its scheduler running? GREENROOM_WORKERS."
        )


async def asked(chunk: Chunk) -> Told:
    """What a worker does with a chunk, on its own event loop."""
    if _part is None:
        raise RuntimeError("this worker was not started as `greenroom worker`")
    return await _part.ask(chunk)


async def serve(address: str, part: Part, *, seats: int, stopped: asyncio.Event, ready: Callable[[], None]) -> None:
    """Be a worker of the cluster, `ready` once the scheduler knows it, until `stopped`, or until the scheduler goes.

    Raises: GreenroomError when the scheduler does not answer.
    """
    global _part
    distributed = await to_thread.run_sync(importlib.import_module, PACKAGE)
    _part = part
    try:
        worker = await distributed.Worker(
            address, nthreads=seats, resources={SEAT: seats}, memory_limit=0, dashboard=False,
            death_timeout=PATIENCE_AT_START_S,
        )  # fmt: skip
    except (OSError, TimeoutError) as error:
        raise Dask(address)._away() from error
    ready()
    waiting = [asyncio.ensure_future(one) for one in (stopped.wait(), worker.finished())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        await worker.close(timeout=PATIENCE_S, nanny=False)
        _part = None
