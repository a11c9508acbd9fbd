"""From a synchronous page to the server's event loop and back; each resource keeps its one colour.

`call` waits for a coroutine, `stream` walks an asynchronous iterator. In a running server the portal is the server's
loop (opened in the lifespan); without one (AppTest, CLI) a loop thread starts on first use.
"""

from __future__ import annotations

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
        return _portal


def call(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a coroutine function on the loop and wait for its value; an exception here cancels it there."""
    future = portal().start_task_soon(lambda: function(*args, **kwargs))
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def stream(source: Callable[[], AsyncIterator[T]]) -> Iterator[T]:
    """Walk an asynchronous iterator from a thread; closing this generator closes that one, in its own task."""
    iterator = call(_opened, source)
    try:
        while True:
            try:
                yield call(iterator.__anext__)
            except StopAsyncIteration:
                return
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            call(close)


async def _opened(source: Callable[[], AsyncIterator[T]]) -> AsyncIterator[T]:
    return source()
