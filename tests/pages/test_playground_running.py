"""A run in progress: all at once, stoppable, and never longer than somebody looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import orjson
import pytest

from core.errors import BackendUnavailable
from core.serve.asked import PLAYGROUND, Answer, Asked
from pages.parts import play_running
from pages.parts.play_running import Phase, Running, Runs, Slot


def slot(letter: str = "A", repeat: int = 1) -> Slot:
    return Slot(letter, repeat, Asked(PLAYGROUND, {"model": letter}, b"", 1, "local", "req"))


def event(**delta: str) -> bytes:
    return b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": delta}]}) + b"\n\n"


async def stream(*pieces: bytes, hang: bool = False) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if hang:
        await asyncio.sleep(60)


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not until():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def test_variants_run_at_the_same_time_and_one_failure_leaves_the_others_alone() -> None:
    together = asyncio.Event()
    waiting = 0

    async def answer(asked: Asked) -> Answer:
        nonlocal waiting
        waiting += 1
        if waiting == 3:
            together.set()
        await together.wait()
        if asked.body["model"] == "B":
            raise BackendUnavailable("B is switched off.", hint="Switch it on.")
        if asked.body["model"] == "C":
            return Answer(503, [], b'{"error": {"message": "Too busy."}}', None, 3)
        return Answer(200, [], None, stream(event(content="Hel"), event(content="lo")), 1)

    running = Running(1, 1, [slot("A"), slot("B"), slot("C")])
    running.start(answer)
    wait(lambda: running.is_over)
    a, b, c = running.slots
    assert (a.phase, a.answered().text, a.call_id) == (Phase.DONE, "Hello", 1)
    assert (b.phase, b.error) == (Phase.FAILED, "B is switched off. Switch it on.")
    assert (c.phase, c.error) == (Phase.FAILED, "Too busy.")
    assert a.first_token_ms is not None


def test_stop_ends_a_silent_backend_and_keeps_what_had_come() -> None:
    async def answer(_: Asked) -> Answer:
        return Answer(200, [], None, stream(event(content="Half"), hang=True), 1)

    running = Running(1, 1, [slot()])
    running.start(answer)
    wait(lambda: running.slots[0].answered().text == "Half")
    running.stop()
    wait(lambda: running.is_over)
    assert running.slots[0].phase is Phase.STOPPED
    assert running.slots[0].answered().text == "Half"


def test_a_run_nobody_watches_gives_its_backends_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play_running, "UNWATCHED_MS", 50.0)
    monkeypatch.setattr(play_running, "_LOOK_S", 0.05)

    async def answer(_: Asked) -> Answer:
        return Answer(200, [], None, stream(hang=True), 1)

    running = Running(1, 1, [slot()])
    running.start(answer)
    wait(lambda: running.is_over)
    assert running.slots[0].phase is Phase.STOPPED


def test_a_run_is_found_only_in_its_own_project() -> None:
    runs = Runs()
    running = Running(7, 1, [])
    runs.keep(running)
    assert runs.find(7, 1) is running
    assert runs.find(7, 2) is None
