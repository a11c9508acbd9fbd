"""Runs whose cells two other processes ask: each once, though one of them is killed; stopped, capped, refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func
from sqlmodel import select

from core import clock
from core.catalog import actions as catalog
from core.experiments import actions
from core.experiments.rules import Arm, State
from core.experiments.tables import ExperimentCell, ExperimentScore
from core.people.rules import CLI
from tests.evals import clusters
from tests.evals.clusters import Cluster
from tests.evals.runs import ended, started, view
from tests.support import house as houses
from tests.support import upstream
from tests.support.house import House

pytestmark = pytest.mark.anyio
SLOW = Arm("A", model="double/m", parameters={"x_double": {"latency_s": 0.1}})


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with clusters.standing(tmp_path) as standing:
        yield standing


@pytest.fixture
async def house(store_url: str, tmp_path: Path, cluster: Cluster) -> AsyncIterator[House]:
    """A house that has its runs asked by a cluster of two."""
    told = {"workers": cluster.address}
    async with (
        upstream.running() as double,
        houses.standing(tmp_path / "data", store_url, double, **told) as built,
    ):
        for _ in range(2):
            cluster.hire(tmp_path / "data", store_url)
        await cluster.ready(2)
        yield built


async def past(house: House, run_id: int, count: int, cluster: Cluster) -> None:
    """Until so many cells have a row."""
    for _ in range(3_000):
        run = await asyncio.to_thread(view, house, run_id)
        if run.done >= count:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{run.state} {run.why} {run.done}\n{cluster.said()[-4_000:]}")


def check(house: House, run_id: int, count: int, *, most_repeated: int) -> None:
    """Every cell has one row and one score, what was counted is what is there, and questions were asked once."""
    run = view(house, run_id)
    assert (run.state, run.why, run.done, run.failed, run.left) == (State.DONE, "", count, 0, 0)
    with house.runtime.db.read() as session:
        cells = session.exec(select(ExperimentCell.item_key, ExperimentCell.call_id)).all()
        scores = session.exec(select(func.count()).select_from(ExperimentScore)).one()
        spent = session.exec(select(func.sum(ExperimentCell.cost_usd))).one()
    assert len({key for key, _ in cells}) == len({call for _, call in cells}) == len(cells) == scores == count
    assert (spent or 0) == run.spent_usd
    marks = house.double.stats.marks
    assert len(marks) == count
    assert count <= house.double.stats.requests <= count + most_repeated
    assert max(marks.values()) <= 2


async def killed(house: House, cluster: Cluster, count: int) -> None:
    """Kill one of two workers in the middle of a run."""
    run_id = await started(house, count, arms=(SLOW,), at_once=16)
    await past(house, run_id, count // 3, cluster)
    cluster.kill(0)
    before = house.double.stats.requests
    assert before < count
    await ended(house, run_id, seconds=300)
    # asked by the killed process and not written down: what was under way there, and what came in its last moments
    await asyncio.to_thread(check, house, run_id, count, most_repeated=16 + 8)


async def test_a_killed_workers_cells_are_asked_by_the_other(house: House, cluster: Cluster) -> None:
    await killed(house, cluster, 200)


@pytest.mark.long
async def test_ten_thousand_cells_over_two_workers_one_killed_finish_once_each(house: House, cluster: Cluster) -> None:
    await killed(house, cluster, 10_000)
    assert len({call.id & 0xFFFF for call in house.calls()[:2_000]}) > 0
