"""`kill -9` in the middle of a run: after the restart it goes on by itself, and asks no cell again that has a row."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from core import clock
from core.db.engine import Database
from core.experiments import queries
from core.experiments.queries import RunView
from core.experiments.tables import Experiment, ExperimentCell, ExperimentScore
from tests.bench.gateway import prepared as furnished
from tests.bench.runs import EXACT, made
from tests.journeys.test_kill import _started
from tests.support import program, upstream
from tests.support.upstream import Double

pytestmark = pytest.mark.anyio
AT_ONCE = 64


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    async with upstream.running() as running:
        yield running


def prepared(url: str, folder: Path, double: Double, count: int) -> int:
    """A run that is to go over so many questions, each answered after a tenth of a second; its id."""
    furnished(folder / "data", double.url, url)
    db = Database(url)
    run_id = made(db, count, 0.1, (EXACT,))
    db.close()
    return run_id


def view(db: Database, run_id: int) -> RunView:
    with db.read() as session:
        return queries.any_run(session, run_id)


def kept(db: Database) -> set[int]:
    """The examples that have a row."""
    with db.read() as session:
        return set(session.exec(select(ExperimentCell.item_key)))


def asked(double: Double) -> dict[str, int]:
    return dict(double.stats.marks)


def free(db: Database, run_id: int) -> None:
    """As if half a minute had gone by: the lease of whoever had the run is over."""
    with db.write() as session:
        row = session.get(Experiment, run_id)
        assert row is not None
        row.lease_until = clock.now()


def hang(running: program.Running, db: Database, run_id: int) -> None:
    """Stop a server's clock outside of a transaction (a row it holds would wait for it) until its lease is over."""
    for _ in range(5):
        running.process.send_signal(signal.SIGSTOP)
        try:
            free(db, run_id)
        except DBAPIError:
            running.process.send_signal(signal.SIGCONT)
        else:
            return
    raise AssertionError("it was in a transaction whenever it was stopped")


async def past(db: Database, run_id: int, count: int) -> RunView:
    """The run, once so many cells have a row."""
    for _ in range(12_000):
        run = await asyncio.to_thread(view, db, run_id)
        if run.done + run.failed >= count:
            return run
        await asyncio.sleep(0.01)
    raise AssertionError(f"{run.done} of {run.cells}: {run.state} {run.why}")


async def ended(db: Database, run_id: int) -> RunView:
    for _ in range(12_000):
        if (run := await asyncio.to_thread(view, db, run_id)).state != "running":
            return run
        await asyncio.sleep(0.02)
    raise AssertionError(f"{run.done} of {run.cells}")


def check(db: Database, run_id: int, count: int) -> None:
    """One row and one score for every cell, and counters that say so."""
    run = view(db, run_id)
    assert (run.state, run.why, run.done, run.failed) == ("done", "", count, 0)
    with db.read() as session:
        cells = session.exec(select(ExperimentCell.item_key, ExperimentCell.call_id)).all()
        scores = session.exec(select(func.count()).select_from(ExperimentScore)).one()
    assert len({key for key, _ in cells}) == len({call for _, call in cells}) == len(cells) == scores == count


async def killed(url: str, folder: Path, double: Double, count: int, kills: int) -> None:
    """Kill the whole server so many times in a run, each time in its middle, and let it end."""
    env = program.environment(folder / "data", url)
    run_id = await asyncio.to_thread(prepared, url, folder, double, count)
    db, repeated = Database(url), 0
    try:
        for turn in range(kills + 1):
            finished = await asyncio.to_thread(kept, db)
            before = asked(double)
            running = await asyncio.to_thread(_started, env, folder)
            try:
                if turn < kills:
                    await past(db, run_id, count * (turn + 1) // (kills + 1))
                    await asyncio.to_thread(running.kill)
                    await asyncio.to_thread(free, db, run_id)
                else:
                    await ended(db, run_id)
            finally:
                running.stop()
            again = [mark for mark, times in asked(double).items() if mark in before and times > before[mark]]
            assert len(again) <= len(before) - len(finished)  # of what was asked, only what has no row
            repeated += len(again)
        await asyncio.to_thread(check, db, run_id, count)
    finally:
        db.close()
    # under way when it was killed, or answered within the tenth of a second before it would have been written down
    assert double.stats.requests - count == repeated <= kills * 3 * AT_ONCE
    assert len(double.stats.marks) == count
    assert "Traceback" not in running.said(), running.said()[-4_000:]
    print(f"{count} cells, {kills} kills: {repeated} asked again")


async def test_a_killed_run_goes_on_and_repeats_no_finished_cell(
    store_url: str, double: Double, tmp_path: Path
) -> None:
    await killed(store_url, tmp_path, double, 600, 1)


@pytest.mark.long
async def test_a_run_of_ten_thousand_survives_five_kills(store_url: str, double: Double, tmp_path: Path) -> None:
    await killed(store_url, tmp_path, double, 10_000, 5)


@pytest.mark.long
async def test_a_server_that_hangs_loses_its_run_and_writes_no_second_row_when_it_comes_back(
    store_url: str, double: Double, tmp_path: Path
) -> None:
    env = program.environment(tmp_path / "data", store_url)
    run_id = await asyncio.to_thread(prepared, store_url, tmp_path, double, 600)
    db = Database(store_url)
    first = await asyncio.to_thread(_started, env, tmp_path)
    try:
        await past(db, run_id, 100)
        await asyncio.to_thread(hang, first, db, run_id)
        try:
            second = await asyncio.to_thread(_started, env, tmp_path)
            try:
                await past(db, run_id, 300)
                first.process.send_signal(signal.SIGCONT)
                await ended(db, run_id)
            finally:
                second.stop()
        finally:
            first.process.send_signal(signal.SIGCONT)
    finally:
        first.stop()
    await asyncio.to_thread(check, db, run_id, 600)
    db.close()
    assert len(double.stats.marks) == 600
    assert max(double.stats.marks.values()) <= 2
