"""Runs against the double: a dataset of questions, variants, scorers, and waiting until a run has its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from core import clock
from core.datasets import actions as datasets
from core.datasets.rules import Entry, Example, Kind
from core.experiments import actions, queries
from core.experiments.queries import RunView
from core.experiments.rules import Arm
from core.people.rules import CLI
from tests.support.house import House

EXACT = {"kind": "exact", "name": "exact"}
DOUBLE = Arm("A", model="double/m")


def dataset(house: House, count: int, *, name: str = "Questions", expects: str = "echo: question {n}") -> int:
    """A kept version of so many questions; the dataset's id."""
    at, ids = clock.now(), house.runtime.ids
    with house.runtime.db.write() as session:
        row = datasets.create(session, project_id=1, name=name, by=CLI, at=at)
        assert row.id is not None
        for start in range(0, count, 200):
            entries = [
                Entry(
                    Example(
                        Kind.ITEM,
                        {"messages": [{"role": "user", "content": f"question {n}"}], "variables": {"n": str(n)}},
                        {"role": "assistant", "content": expects.format(n=n)},
                    ),
                    source=f"test_{n}",
                )
                for n in range(start, min(start + 200, count))
            ]
            numbered = list(enumerate(entries, start))
            told = datasets.take(session, dataset_id=row.id, entries=numbered, origin="test", by=CLI, at=at, ids=ids)
            assert told == []
        datasets.keep(session, dataset_id=row.id, note="", by=CLI, at=at)
    return row.id


def create(
    house: House, dataset_id: int, count: int, *, arms: Sequence[Arm] = (DOUBLE,), scorers: Any = (EXACT,), **told: Any
) -> int:
    """A run, started."""
    at = clock.now()
    with house.runtime.db.write() as session:
        run_id = actions.create(
            session, project_id=1, name="A run", dataset_id=dataset_id, dataset_version=1, items=count, arms=arms,
            scorers=scorers, by=CLI, at=at, ids=house.runtime.ids, **told,
        )  # fmt: skip
        actions.start(session, run_id=run_id, by=CLI, at=at)
    return run_id


def view(house: House, run_id: int) -> RunView:
    with house.runtime.db.read() as session:
        return queries.run(session, run_id, project_ids=[1])


async def started(house: House, count: int, **told: Any) -> int:
    """A dataset and a run over it, under way."""
    dataset_id = await asyncio.to_thread(dataset, house, count)
    run_id = await asyncio.to_thread(lambda: create(house, dataset_id, count, **told))
    house.runtime.runner.wake()
    return run_id


async def ended(house: House, run_id: int, *, seconds: float = 60) -> RunView:
    """The run, once nobody works on it any more."""
    for _ in range(int(seconds * 50)):
        found = await asyncio.to_thread(view, house, run_id)
        if found.state != "running":
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"the run is still under way: {found.done} of {found.cells}")
