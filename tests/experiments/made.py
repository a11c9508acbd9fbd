"""Runs of experiments over the embedded models, to their end."""

from __future__ import annotations

import time
from typing import Any

from core import clock, ids
from core.datasets import actions as datasets
from core.datasets import queries as sets
from core.datasets.rules import Entry, Example, Kind
from core.experiments import actions, queries
from core.experiments.queries import RunView
from core.experiments.rules import Arm
from core.people.rules import CLI
from core.runtime import Runtime

RULES, EXTRACT = Arm("A", model="builtin/rules"), Arm("A", model="builtin/extract")
EXACT = {"kind": "exact", "name": "exact"}
TIME = {"kind": "latency", "name": "time"}


def dataset(
    here: Runtime,
    count: int = 4,
    *,
    said: str | list[dict[str, Any]] = "What is {n}?",
    example: dict[str, Any] | None = None,
) -> int:
    at = clock.now()
    with here.db.write() as session:
        row = datasets.create(session, project_id=1, name="Questions", by=CLI, at=at)
        assert row.id is not None
        entries = [
            Entry(
                Example(
                    Kind.ITEM,
                    example
                    or {"messages": [{"role": "user", "content": said.format(n=n) if isinstance(said, str) else said}]},
                    {"role": "assistant", "content": f"It is {n}."},
                ),
                source=f"test_{n}",
            )
            for n in range(count)
        ]
        numbered = list(enumerate(entries))
        told = datasets.take(session, dataset_id=row.id, entries=numbered, origin="test", by=CLI, at=at, ids=here.ids)
        assert told == []
        datasets.keep(session, dataset_id=row.id, note="", by=CLI, at=at)
    return row.id


def ended(here: Runtime, run_id: int) -> RunView:
    for _ in range(600):
        with here.db.read() as session:
            run = queries.run(session, run_id, project_ids=[1])
        if run.state not in ("running", "ready"):
            return run
        time.sleep(0.05)
    raise AssertionError("the run is still under way")


def ran(here: Runtime, count: int = 4, *, said: str | list[dict[str, Any]] = "What is {n}?", **told: Any) -> RunView:
    """A run over two models of the embedded backend, to its end."""
    dataset_id = dataset(here, count, said=said, example=told.pop("example", None))
    at = clock.now()
    arms = told.pop("arms", (Arm("A", model="builtin/rules"), Arm("B", model="builtin/extract")))
    scorers = told.pop("scorers", [{"kind": "exact", "name": "exact"}, {"kind": "latency", "name": "time"}])
    with here.db.write() as session:
        run_id = actions.create(
            session, project_id=1, name="Which?", dataset_id=dataset_id, dataset_version=1, items=count, arms=arms,
            scorers=scorers, by=CLI, at=at, ids=here.ids, **told,
        )  # fmt: skip
        actions.start(session, run_id=run_id, by=CLI, at=at)
    here.runner.wake()
    return ended(here, run_id)


def shown(run: RunView) -> str:
    return ids.shown("exp", run.id)


def over(here: Runtime, dataset_id: int, *arms: Arm, version: int = 1, **told: Any) -> RunView:
    """A run over a version of a dataset that is there."""
    given: dict[str, Any] = {"name": "Refunds", "scorers": [EXACT, TIME]} | told
    with here.db.read() as session:
        count = sets.size(session, dataset_id=dataset_id, version=version, split=None)
    with here.db.write() as session:
        run_id = actions.create(
            session, project_id=1, dataset_id=dataset_id, dataset_version=version, items=count, arms=arms, by=CLI,
            at=clock.now(), ids=here.ids, **given,
        )  # fmt: skip
        actions.start(session, run_id=run_id, by=CLI, at=clock.now())
    here.runner.wake()
    return ended(here, run_id)


def edited(here: Runtime, dataset_id: int) -> None:
    """The first example expects something else, the second has another note, a fifth is new; kept as version 2."""
    at = clock.now()
    with here.db.write() as session:
        first, second = sets.items(session, dataset_id=dataset_id, project_ids=[1], kind=Kind.ITEM, limit=2).rows
        told: dict[str, Any] = {"dataset_id": dataset_id, "by": CLI, "at": at, "ids": here.ids}
        right = {"role": "assistant", "content": "Zero."}
        datasets.edit(
            session, key=first.key, seen=first.id, entry=Entry(Example(Kind.ITEM, first.input, right)), **told
        )
        noted = Entry(Example(Kind.ITEM, second.input, second.expected), notes="Be strict.")
        datasets.edit(session, key=second.key, seen=second.id, entry=noted, **told)
        more = {"messages": [{"role": "user", "content": "And 9?"}]}
        datasets.write(session, entry=Entry(Example(Kind.ITEM, more, right)), **told)
        datasets.keep(session, dataset_id=dataset_id, note="", by=CLI, at=at)
