"""A run in progress: every variant and repetition at once on the server's loop, watched by pages that come and go.

A page's script is cut short whenever its reader types; the run is not. It ends by itself, by Stop, or when nobody has
looked at it for a while (a closed tab must not keep a backend busy).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

import anyio
import orjson

from core import bridge, clock
from core.errors import GreenroomError
from core.prompts import answers
from core.prompts.answers import Answered
from core.serve.asked import Answer, Asked
from core.wire import openai, sse
from core.wire.gathered import Gathered

MOST_AT_ONCE = 8
UNWATCHED_MS = 30_000.0
_LOOK_S = 2.0

_log = logging.getLogger("greenroom.playground")


class Phase(StrEnum):
    """Where one answer is."""

    WAITING = "waiting"
    STREAMING = "streaming"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(slots=True)
class Slot:
    """One answer of a run as far as it has come; written on the loop, read by pages.

    `version` grows with every change, `length` is roughly how many bytes there are to show.
    """

    letter: str
    repeat: int
    asked: Asked
    phase: Phase = Phase.WAITING
    began_ms: float = 0.0
    first_token_ms: float | None = None
    total_ms: float = 0.0
    call_id: int = 0
    error: str = ""
    version: int = 0
    length: int = 0
    _gathered: Gathered = field(default_factory=Gathered)
    _whole: Answered | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self) -> Answered:
        """What has come so far."""
        with self._lock:
            return self._whole or answers.of_completion(self._gathered.completion())

    def elapsed_ms(self, now_ms: float) -> float:
        return self.total_ms or (now_ms - self.began_ms if self.began_ms else 0.0)

    async def fill(self, answer: Callable[[Asked], Awaitable[Answer]]) -> None:
        """Ask, and take in the answer until it ends."""
        self.began_ms = clock.ticks_ms()
        given = await answer(self.asked)
        self.call_id = given.call_id
        if given.chunks is None:
            self._take_whole(given)
        else:
            self.phase = Phase.STREAMING
            decoder = sse.Decoder()
            try:
                async for data in given.chunks:
                    self._take(decoder.feed(data))
                self._take(decoder.end())
            finally:
                if (aclose := getattr(given.chunks, "aclose", None)) is not None:
                    await aclose()
        self.end(Phase.FAILED if self.error else Phase.DONE)

    def end(self, phase: Phase, error: str = "") -> None:
        self.error = error or self.error
        self.total_ms = clock.ticks_ms() - self.began_ms if self.began_ms else 0.0
        self.phase = phase
        self.version += 1

    def _take(self, events: Sequence[sse.Event]) -> None:
        with self._lock:
            for event in events:
                taken = answers.take(self._gathered, event.data)
                self.length += taken.length
                self.error = taken.error or self.error
                if taken.brought and self.first_token_ms is None:
                    self.first_token_ms = clock.ticks_ms() - self.began_ms
        self.version += 1

    def _take_whole(self, given: Answer) -> None:
        body: object = None
        with suppress(orjson.JSONDecodeError):
            body = orjson.loads(given.body or b"")
        error = openai.error_of(body)
        if given.status >= 400 or error:
            self.error = str(error["message"]) if error else f"The backend answered with status {given.status}."
        elif isinstance(body, dict):
            self._whole = answers.of_completion(body)


class Running:
    """One run: its slots, and the one task that fills them."""

    def __init__(self, run_id: int, project_id: int, slots: Sequence[Slot]) -> None:
        self.run_id = run_id
        self.project_id = project_id
        self.slots = tuple(slots)
        self.is_over = False
        self.ended_ms = 0.0
        self._watched_ms = clock.ticks_ms()
        self._future: Future[None] | None = None

    def start(self, answer: Callable[[Asked], Awaitable[Answer]]) -> None:
        """Begin; returns at once."""
        self._future = bridge.portal().start_task_soon(self._fill, answer)

    def stop(self) -> None:
        """Give up what has not ended; the calls are recorded as cancelled."""
        if self._future is not None:
            self._future.cancel()

    def watched(self) -> None:
        """Someone looked."""
        self._watched_ms = clock.ticks_ms()

    async def _fill(self, answer: Callable[[Asked], Awaitable[Answer]]) -> None:
        gate = anyio.CapacityLimiter(MOST_AT_ONCE)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._look_out, group.cancel_scope)
                async with anyio.create_task_group() as asking:
                    for slot in self.slots:
                        asking.start_soon(self._fill_one, slot, answer, gate)
                group.cancel_scope.cancel()
        finally:
            for slot in self.slots:
                if slot.phase in (Phase.WAITING, Phase.STREAMING):
                    slot.end(Phase.STOPPED)
            self.ended_ms = clock.ticks_ms()
            self.is_over = True

    async def _fill_one(
        self, slot: Slot, answer: Callable[[Asked], Awaitable[Answer]], gate: anyio.CapacityLimiter
    ) -> None:
        async with gate:
            try:
                await slot.fill(answer)
            except GreenroomError as error:
                slot.end(Phase.FAILED, str(error))
            except Exception:
                _log.exception("an answer of the playground failed")
                slot.end(Phase.FAILED, "Something went wrong here, not at the backend. The server's log says what.")

    async def _look_out(self, scope: anyio.CancelScope) -> None:
        while True:
            await anyio.sleep(_LOOK_S)
            if clock.ticks_ms() - self._watched_ms > UNWATCHED_MS:
                scope.cancel()


class Runs:
    """The runs of this process that are going on or ended a moment ago."""

    _kept = 64

    def __init__(self) -> None:
        self._runs: dict[int, Running] = {}
        self._lock = threading.Lock()

    def find(self, run_id: int, project_id: int) -> Running | None:
        found = self._runs.get(run_id)
        return found if found is not None and found.project_id == project_id else None

    def keep(self, running: Running) -> None:
        """Remember a run; the oldest that ended are forgotten."""
        with self._lock:
            self._runs[running.run_id] = running
            over = [run_id for run_id, run in self._runs.items() if run.is_over]
            for run_id in over[: max(0, len(self._runs) - self._kept)]:
                del self._runs[run_id]
