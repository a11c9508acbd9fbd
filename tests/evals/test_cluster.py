"""Runs whose cells two other processes ask: each once, though one of them is killed; stopped, capped, refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
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
from tests.evals.runs import create, ended, started, view
from tests.support import house as houses
from tests.support import program, upstream
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


@pytest.mark.long
async def test_a_killed_workers_cells_are_asked_by_the_other(house: House, cluster: Cluster) -> None:
    await killed(house, cluster, 200)


@pytest.mark.long
async def test_ten_thousand_cells_over_two_workers_one_killed_finish_once_each(house: House, cluster: Cluster) -> None:
    await killed(house, cluster, 10_000)


@pytest.mark.long
async def test_a_run_whose_scheduler_is_lost_says_so_and_goes_on_with_another(house: House, cluster: Cluster) -> None:
    run_id = await started(house, 300, arms=(SLOW,), at_once=16)
    await past(house, run_id, 60, cluster)
    cluster.lose()
    for _ in range(600):
        run = await asyncio.to_thread(view, house, run_id)
        if run.why:
            break
        await asyncio.sleep(0.1)
    assert (run.state, run.failed) == (State.RUNNING, 0)
    assert run.why == (
        f"It waits for workers. The cluster at {cluster.address} does not answer. Is its scheduler running? "
        "GREENROOM_WORKERS."
    )
    for worker in cluster.workers:
        worker.wait(60)  # nobody gives them work any more
    cluster.begin()
    for _ in range(2):
        cluster.hire(house.runtime.settings.data_dir, house.runtime.settings.url)
    await cluster.ready(4)
    await ended(house, run_id, seconds=120)
    await asyncio.to_thread(check, house, run_id, 300, most_repeated=2 * (16 + 8))


@pytest.mark.long
async def test_a_stopped_run_stops_in_every_process_and_goes_on_at_a_cap(house: House, cluster: Cluster) -> None:
    def price() -> None:
        with house.runtime.db.write() as session:
            catalog.set_price(
                session, backend="double", model="m", starts_at=clock.now().replace(year=2020), by=CLI, at=clock.now(),
                input_usd=Decimal(100_000), output_usd=Decimal(100_000),
            )  # fmt: skip
        house.runtime.refresh()

    def change(action: Callable[..., None]) -> None:
        with house.runtime.db.write() as session:
            action(session, run_id=run_id, by=CLI, at=clock.now())

    await asyncio.to_thread(price)
    await asyncio.sleep(2.5)  # until the workers have seen the price: they look every second
    run_id = await started(house, 400, arms=(SLOW,), at_once=4, cap_usd=Decimal(100))
    await past(house, run_id, 8, cluster)
    await asyncio.to_thread(change, actions.stop)
    await asyncio.sleep(2)
    asked, run = house.double.stats.requests, await asyncio.to_thread(view, house, run_id)
    assert (run.state, run.why) == (State.STOPPED, "A person stopped it.")
    await asyncio.sleep(1)
    assert house.double.stats.requests == asked < 400
    await asyncio.to_thread(change, actions.start)
    house.runtime.runner.wake()
    run = await ended(house, run_id, seconds=120)
    assert (run.state, run.why) == (State.STOPPED, "The cap of $100 is reached.")
    assert 90 < run.spent_usd <= 100


@pytest.mark.long
async def test_a_worker_with_another_secret_key_or_store_asks_nothing_and_the_run_says_so(
    sqlite_url: str, tmp_path: Path, cluster: Cluster
) -> None:
    async with (
        upstream.running() as double,
        houses.standing(tmp_path / "data", sqlite_url, double, workers=cluster.address) as house,
    ):
        cluster.hire(tmp_path / "other", sqlite_url, GREENROOM_SECRET_KEY="another key of more than 32 characters")
        await cluster.ready(1)
        run = await ended(house, await started(house, 3))
        assert (run.state, run.done) == (State.STOPPED, 0)
        assert run.why == "A worker has another secret key: give all the same GREENROOM_SECRET_KEY."
        cluster.kill(0)
        cluster.hire(tmp_path / "data", f"sqlite:///{tmp_path / 'another.db'}")
        await cluster.ready(2)
        run = await ended(house, await asyncio.to_thread(create, house, run.dataset_id, 3))
        assert (run.state, run.done) == (State.STOPPED, 0)
        assert run.why == "A worker has another store: give all the same GREENROOM_DATABASE_URL."
        assert double.stats.requests == 0


def test_a_worker_without_a_cluster_or_a_key_does_not_start(tmp_path: Path) -> None:
    env = program.environment(tmp_path)
    told = program.run("worker", env=env)
    assert (told.returncode, told.stderr.startswith("There is no cluster to work for.")) == (2, True)
    told = program.run("worker", env=env | {"GREENROOM_WORKERS": "tcp://127.0.0.1:1"})
    assert told.returncode == 2
    assert "This worker has no secret key" in told.stderr
    assert not (tmp_path / "secret.key").exists()
    told = program.run("worker", env=env | {"GREENROOM_WORKERS": "somewhere"})
    assert "GREENROOM_WORKERS cannot be used" in told.stderr
