"""Work that is looked for again and again: one turn at a time, at once when woken, else after a pause, until stopped.

What keeps a turn from being taken is said once and not at each turn while it lasts; the next turn comes as ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from core.db import trouble


class Outage:
    """Trouble that lasts: `say` logs `text` with the reason (its one `%s`), and nothing more until it was `over`."""

    def __init__(self, log: logging.Logger, text: str) -> None:
        self._log, self._text = log, text
        self._is_said = False

    def say(self, error: Exception) -> None:
        """A database's own error is its sentence; any other comes with its traceback."""
        if not self._is_said:
            self._is_said = True
            known = trouble.of(error)
            self._log.error(self._text, known.message if known else error, exc_info=None if known else error)

    def over(self) -> None:
        """What failed has worked; the next time it fails is said again."""
        self._is_said = False


class Poller:
    """Takes `turn` again and again on an event loop; `pause_s` is asked before each pause, in seconds.

    What wakes it while a turn is under way leads to another turn right after.
    """

    def __init__(self, turn: Callable[[], Awaitable[object]], *, pause_s: Callable[[], float], outage: Outage) -> None:
        self._turn, self._pause_s, self._outage = turn, pause_s, outage
        self._is_ending = False
        self._runner: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the event loop this is called on."""
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._runner = self._loop.create_task(self._run())

    def wake(self) -> None:
        """There is something to do; from any thread, and for nothing where it has not begun or its loop is over."""
        if self._runner is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def stop(self, *, gives_up: bool = False) -> None:
        """Take no more turns. One under way is finished, or cancelled with `gives_up`."""
        self._is_ending = True
        if self._runner is None:
            return
        self._woken.set()
        if gives_up:
            self._runner.cancel()
        with suppress(asyncio.CancelledError):
            await self._runner

    async def _run(self) -> None:
        while not self._is_ending:
            self._woken.clear()
            try:
                await self._turn()
            except Exception as error:
                self._outage.say(error)
            else:
                self._outage.over()
            if not self._is_ending:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._pause_s())
