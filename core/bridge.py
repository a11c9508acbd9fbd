"""From a synchronous page to the server's event loop and back; each resource keeps its one colour.

`call` waits for a coroutine, `stream` walks an asynchronous iterator. In a running server the portal is the
server's loop (opened in the lifespan); without one (AppTest, CLI) a loop thread starts on first use.
"""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from typing import ParamSpec, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.Lock()
_portal: BlockingPortal | None = None
_own: AbstractContextManager[BlockingPortal] | None = None


def connect(portal: BlockingPortal | None) -> None:
    """Use this loop from now on (the server's lifespan); None when it ends."""
    global _portal
    with _lock:
        _portal = portal


def portal() -> BlockingPortal:
    """The loop in use; starts one in a thread of its own where no server runs."""
    global _portal, _own
    with _lock:
        if _portal is None:
            _own = start_blocking_portal("asyncio", name="greenroom-loop")
            _portal = _own.__enter__()
            # while the loop's thread still runs: later, as garbage of a dying interpreter, it would wait for ever
            atexit.register(_own.__exit__, None, None, None)
        return _portal


def call(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a coroutine function on the loop and wait for its value; an exception here cancels it there."""
    future = portal().start_task_soon(lambda: function(*args, **kwargs))
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def stream(source: Callable[[], AsyncIterator[T]], *, tick_s: float = 0.1) -> Iterator[list[T]]:
    """Walk an asynchronous iterator from a thread, as it comes: each step is what arrived since the last.

    A step is an empty list after `tick_s` seconds of silence, so that the caller can look whether it was stopped.
    The iterator runs in one task from start to end; closing this generator cancels that task.
    """
    arrived: queue.SimpleQueue[T] = queue.SimpleQueue()
    signal = threading.Event()

    async def pump() -> None:
        try:
            async for item in source():
                arrived.put(item)
                signal.set()
        finally:
            signal.set()

    task = portal().start_task_soon(pump)
    try:
        while True:
            finished = task.done()
            items: list[T] = []
            while not arrived.empty():
                items.append(arrived.get())
            if finished and not items:
                task.result()
                return
            yield items
            if not finished:
                signal.wait(tick_s)
                signal.clear()
    finally:
        task.cancel()
