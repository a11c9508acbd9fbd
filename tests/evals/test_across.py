"""Two runs held against each other: the same examples, the same scorers, and what is left out is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core import clock
from core.datasets import actions as datasets
from core.datasets import queries as sets
from core.datasets.rules import Entry, Example, Kind
from core.errors import Invalid
from core.evals import across
from core.evals.across import Held, Side
from core.experiments import actions
from core.experiments.queries import RunView
from core.experiments.rules import Arm
from core.people.rules import CLI
from core.runtime import Runtime
from tests.pages import signed_in
from tests.pages.test_experiment_runs import dataset, ended

RULES, EXTRACT = Arm("A", model="builtin/rules"), Arm("A", model="builtin/extract")
EXACT = {"kind": "exact", "name": "exact"}
TIME = {"kind": "latency", "name": "time"}


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with signed_in.greenroom(tmp_path / "data", store_url, secrets="") as runtime:
        yield runtime


def ran(here: Runtime, dataset_id: int, *arms: Arm, version: int = 1, **told: Any) -> RunView:
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


def held(here: Runtime, one: RunView, other: RunView, letters: str = "AA", names: str = "XY") -> Held:
    sides = [Side(run, letter, name) for run, letter, name in zip((one, other), letters, names, strict=True)]
    with here.db.read() as session:
        return across.held(session, *sides, project_ids=[1])


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


def test_the_same_examples_of_two_runs_are_paired(here: Runtime) -> None:
    number = dataset(here, 4)
    one, other = ran(here, number, RULES), ran(here, number, EXTRACT)
    found = held(here, one, other)
    exact, took = found.comparison.scorers
    assert (exact.scorer, took.scorer) == ("exact", "time")
    assert (len(exact.keys), exact.means, len(exact.changes.same)) == (4, (0.0, 0.0), 4)
    assert took.difference is not None
    assert took.difference.n == 4
    assert (found.left_out, found.changed, found.unmatched) == ((), 0, 0)
    back = held(here, other, one, names="YX")
    assert back.comparison.scorers[1].means == took.means[::-1]


def test_what_was_asked_or_expected_differently_is_left_out_and_counted(here: Runtime) -> None:
    number = dataset(here, 4)
    one = ran(here, number, RULES)
    edited(here, number)
    other = ran(here, number, RULES, version=2)
    assert (one.items, other.items) == (4, 5)
    found = held(here, one, other)
    assert (len(found.comparison.scorers[0].keys), found.changed, found.unmatched) == (3, 1, 1)
    with here.db.read() as session:
        assert len(across.changed(session, one, other, project_ids=[1])) == 1
        assert across.changed(session, one, other, project_ids=[1]) == across.changed(
            session, other, one, project_ids=[1]
        )
        assert across.changed(session, one, one, project_ids=[1]) == frozenset()


def test_scorers_that_are_not_the_same_are_named_and_left_out(here: Runtime) -> None:
    number = dataset(here, 2)
    contains = {"kind": "contains", "name": "has it", "texts": ["is"]}
    other_words = {"kind": "contains", "name": "has it", "texts": ["was"]}
    judge = {"kind": "pairwise judge", "name": "pair", "model": "builtin/tiny", "rubric": "Is it kind?"}
    one = ran(here, number, RULES, scorers=[EXACT, contains, judge])
    other = ran(here, number, EXTRACT, scorers=[EXACT, other_words, judge, TIME])
    found = held(here, one, other)
    assert [each.scorer for each in found.comparison.scorers] == ["exact"]
    assert dict(found.left_out) == {
        "has it": "it is set differently in the two runs", "pair": "it compares the variants of one run",
        "time": "only one of the runs has it",
    }  # fmt: skip


def test_failures_of_each_run_are_told_with_its_name(here: Runtime) -> None:
    number = dataset(here, 2)
    found = held(here, ran(here, number, RULES), ran(here, number, Arm("A", model="builtin/nobody")), names="XY")
    assert "2 items failed in Y and were left out" in found.comparison.sentence


def test_a_variant_is_not_held_against_itself_nor_against_another_dataset(here: Runtime) -> None:
    number = dataset(here, 2)
    one = ran(here, number, RULES)
    with pytest.raises(Invalid, match="cannot be compared with itself"):
        held(here, one, one)
    with here.db.write() as session:
        row = datasets.create(session, project_id=1, name="Others", by=CLI, at=clock.now())
        other_id = row.id or 0
        example = Example(Kind.ITEM, {"messages": [{"role": "user", "content": "Hi"}]})
        told: dict[str, Any] = {"dataset_id": other_id, "by": CLI, "at": clock.now()}
        datasets.write(session, entry=Entry(example), ids=here.ids, **told)
        datasets.keep(session, note="", **told)
    with pytest.raises(Invalid, match="different datasets"):
        held(here, one, ran(here, other_id, RULES))


def test_candidates_are_other_runs_over_the_same_dataset_with_answers(here: Runtime) -> None:
    number = dataset(here, 2)
    one, other = ran(here, number, RULES), ran(here, number, EXTRACT)
    ran(here, number, Arm("A", model="builtin/nobody"))
    with here.db.read() as session:
        found = across.candidates(session, one, project_ids=[1])
        assert [row.id for row in found] == [other.id]
        assert across.candidates(session, one, project_ids=[2]) == ()
