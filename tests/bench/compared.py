"""How long the page of a run over 10,000 cells takes to open, next to one of 100: what it scored, two variants
compared, and one held against another run over the same examples.

The whole script of the page is run in this process, without a browser: the first time, when nothing is kept, and again.
"""

from __future__ import annotations

import random
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import streamlit as st
from sqlmodel import select

from core import clock
from core.datasets import actions as datasets
from core.datasets.rules import Entry
from core.datasets.tables import DatasetItem
from core.evals import cases
from core.evals.asking import row as written
from core.evals.cases import Score
from core.experiments import actions
from core.experiments.actions import Kept
from core.experiments.rules import Arm, State
from core.ids import Ids, shown
from core.people.rules import CLI
from core.runtime import Runtime
from tests.bench.runs import FIVE, asked
from tests.pages import signed_in
from tests.pages.visiting import visit, words
from tests.support import postgres

SHAPES = ((50, 2), (2_000, 5), (5_000, 2))
"""Examples and variants; the first is what the others are held against."""
VIEWS = ("scores", "compare")


def examples_of(here: Runtime, examples: int) -> int:
    """A dataset with a version."""
    ids, at = Ids(4_001), clock.now()
    with here.db.write() as session:
        row = datasets.create(session, project_id=1, name=f"Questions {examples}", by=CLI, at=at)
        assert row.id is not None
        for start in range(0, examples, 500):
            numbers = range(start, min(start + 500, examples))
            entries = [(n, Entry(asked(f"question {n}"), source=f"bench_{n}")) for n in numbers]
            datasets.take(session, dataset_id=row.id, entries=entries, origin="bench", by=CLI, at=at, ids=ids)
        datasets.keep(session, dataset_id=row.id, note="", by=CLI, at=at)
    return row.id


def run(here: Runtime, dataset_id: int, examples: int, arms: int) -> int:
    """A run that has ended, five scorers over every cell."""
    ids, at, dice = here.ids, clock.now(), random.Random(examples)
    letters = "ABCDE"[:arms]
    with here.db.write() as session:
        run_id = actions.create(
            session, project_id=1, name="Bench", dataset_id=dataset_id, dataset_version=1, items=examples,
            arms=tuple(Arm(letter, model=f"double/{letter}") for letter in letters), scorers=FIVE, by=CLI, at=at,
            ids=ids,
        )  # fmt: skip
        actions.start(session, run_id=run_id, by=CLI, at=at)
        assert actions.take(session, owner="bench", at=at) == run_id
        keys = session.exec(select(DatasetItem.key).where(DatasetItem.dataset_id == dataset_id)).all()
    for start in range(0, examples, 500):
        made = [
            Kept(
                key, letter, 1, "done", at, cost_usd=Decimal("0.0001"), total_ms=900.0,
                scores=tuple(_score(scorer, dice) for scorer in FIVE),
            )
            for key in keys[start : start + 500]
            for letter in letters
        ]  # fmt: skip
        with here.db.write() as session:
            actions.keep(session, run_id=run_id, cells=made)
    with here.db.write() as session:
        assert actions.end(session, run_id=run_id, owner="bench", state=State.DONE, why="", at=at)
    return run_id


def _score(scorer: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    value, is_amount = dice.random(), scorer["kind"] in ("length", "latency")
    score = Score(
        cases.State.SCORED, value * 1_000 if is_amount else float(value > 0.4), None if is_amount else value > 0.4,
        reason="",
        unit="ms" if scorer["kind"] == "latency" else "words" if is_amount else "",
    )  # fmt: skip
    return written(scorer["name"], score)


def opened(run_id: int, view: str, before: int) -> tuple[float, float]:
    """Seconds until the page is drawn: the first time, and the best of three again."""
    told = {"view": view} if view in VIEWS else {"view": "compare", "with": shown("exp", before)}
    page = visit("experiment_runs.py", experiment=shown("exp", run_id), **told)
    st.cache_data.clear()
    taken = []
    for _ in range(4):
        began = time.perf_counter()
        page.run()
        taken.append(time.perf_counter() - began)
        assert page.table, words(page)
    return taken[0], min(taken[1:])


def main() -> None:
    """Print every view of every shape on both databases."""
    bindir = postgres.binaries()
    for what in ("sqlite", "postgres"):
        if what == "postgres" and bindir is None:
            print(postgres.INSTALL)
            return
        server = postgres.Server(bindir) if what == "postgres" and bindir else None
        try:
            with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as folder:
                url = server.url() if server else f"sqlite:///{folder}/greenroom.db"
                with signed_in.greenroom(Path(folder), url, secrets="") as here:
                    for examples, arms in SHAPES:
                        dataset_id = examples_of(here, examples)
                        before, run_id = (run(here, dataset_id, examples, arms) for _ in range(2))
                        for view in (*VIEWS, "two runs"):
                            first, again = opened(run_id, view, before)
                            cells = examples * arms
                            told = f"{cells:6,} cells, {arms} variants, {view:8}"
                            print(f"   {what:8} {told} {first:5.2f} s, again {again:5.2f} s", flush=True)
        finally:
            if server:
                server.close()


if __name__ == "__main__":
    main()
