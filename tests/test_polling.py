"""Work that is looked for again and again: woken, paused, failing once per outage, and ended."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import pytest
from anyio import to_thread
from sqlalchemy.exc import OperationalError

from core.polling import Outage, Poller

pytestmark = pytest.mark.anyio
LOG = logging.getLogger("greenroom.tests.polling")
LONG_S = 60.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Work:
    """A turn that counts itself; `troubles` are raised first, one a turn, and `is_open` lets a turn end."""

    troubles: list[Exception] = field(default_factory=list)
    taken: int = 0
    ended: int = 0
    is_open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.is_open.set()

    async def turn(self) -> None:
        self.taken += 1
        if self.troubles:
            raise self.troubles.pop(0)
        await self.is_open.wait()
        self.ended += 1

    async def reached(self, turns: int) -> None:
        async with asyncio.timeout(5):
            while self.taken < turns:
                await asyncio.sleep(0)


def polling(work: Work, pause_s: float = LONG_S) -> Poller:
    return Poller(work.turn, pause_s=lambda: pause_s, outage=Outage(LOG, "no turn now: %s"))


async def test_a_turn_is_taken_at_the_start_when_woken_from_a_thread_and_after_each_pause() -> None:
    work = Work()
    poller = polling(work)
    poller.start()
    await work.reached(1)
    await to_thread.run_sync(poller.wake)
    await work.reached(2)
    await asyncio.sleep(0.05)
    assert work.taken == 2
    await poller.stop()
    assert work.taken == 2
    soon = polling(work, pause_s=0.001)
    soon.start()
    await work.reached(6)
    await soon.stop()


async def test_who_wakes_it_during_a_turn_gets_another_one_and_never_two_at_once() -> None:
    work = Work()
    work.is_open.clear()
    poller = polling(work)
    poller.start()
    await work.reached(1)
    for _ in range(3):
        poller.wake()
    await asyncio.sleep(0.02)
    assert (work.taken, work.ended) == (1, 0)
    work.is_open.set()
    await work.reached(2)
    await asyncio.sleep(0.02)
    assert (work.taken, work.ended) == (2, 2)
    await poller.stop()


async def test_a_stop_waits_for_the_turn_or_gives_it_up() -> None:
    work = Work()
    work.is_open.clear()
    patient = polling(work)
    patient.start()
    await work.reached(1)
    stopping = asyncio.create_task(patient.stop())
    await asyncio.sleep(0.02)
    assert not stopping.done()
    work.is_open.set()
    await stopping
    assert (work.taken, work.ended) == (1, 1)
    work.is_open.clear()
    hasty = polling(work)
    hasty.start()
    await work.reached(2)
    await hasty.stop(gives_up=True)
    assert (work.taken, work.ended) == (2, 1)


async def test_what_never_began_can_be_woken_and_stopped() -> None:
    poller = polling(Work())
    poller.wake()
    await poller.stop()


async def test_an_outage_is_said_once_while_it_lasts_and_again_when_it_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = OperationalError("SELECT 1", {}, Exception("disk I/O error"))
    work = Work([away, away, away])
    poller = polling(work, pause_s=0.001)
    with caplog.at_level(logging.ERROR, LOG.name):
        poller.start()
        await work.reached(5)
        assert [one.exc_info for one in caplog.records] == [None]  # a database's own words need no traceback
        work.troubles += [ValueError("ours"), ValueError("ours")]
        await work.reached(9)
        await poller.stop()
    first, second = caplog.records
    assert "no turn now: The store cannot be used: disk I/O error" in first.getMessage()
    assert second.getMessage() == "no turn now: ours"
    assert second.exc_info is not None
