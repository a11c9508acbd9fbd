"""Two runs held against each other: the same examples, the same scorers, and what is left out is said."""

from __future__ import annotations

from typing import Any

import pytest

from core import clock
from core.datasets import actions as datasets
from core.datasets.rules import Entry, Example, Kind
from core.errors import Invalid
from core.evals import across
from core.evals.across import Held, Side
from core.experiments.queries import RunView
from core.experiments.rules import Arm
from core.people.rules import CLI
from core.runtime import Runtime
from tests.experiments.made import EXACT, EXTRACT, RULES, TIME, dataset, edited, over


def held(here: Runtime, one: RunView, other: RunView, letters: str = "AA", names: str = "XY") -> Held:
    sides = [Side(run, letter, name) for run, letter, name in zip((one, other), letters, names, strict=True)]
    with here.db.read() as session:
        return across.held(session, *sides, project_ids=[1])


def test_the_same_examples_of_two_runs_are_paired(here: Runtime) -> None:
    number = dataset(here, 4)
    one, other = over(here, number, RULES), over(here, number, EXTRACT)
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
    one = over(here, number, RULES)
    edited(here, number)
    other = over(here, number, RULES, version=2)
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
    one = over(here, number, RULES, scorers=[EXACT, contains, judge])
    other = over(here, number, EXTRACT, scorers=[EXACT, other_words, judge, TIME])
    found = held(here, one, other)
    assert [each.scorer for each in found.comparison.scorers] == ["exact"]
    assert dict(found.left_out) == {
        "has it": "it is set differently in the two runs", "pair": "it compares the variants of one run",
        "time": "only one of the runs has it",
    }  # fmt: skip


def test_failures_of_each_run_are_told_with_its_name(here: Runtime) -> None:
    number = dataset(here, 2)
    found = held(here, over(here, number, RULES), over(here, number, Arm("A", model="builtin/nobody")), names="XY")
    assert "2 items failed in Y and were left out" in found.comparison.sentence


def test_a_variant_is_not_held_against_itself_nor_against_another_dataset(here: Runtime) -> None:
    number = dataset(here, 2)
    one = over(here, number, RULES)
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
        held(here, one, over(here, other_id, RULES))


def test_candidates_are_other_runs_over_the_same_dataset_with_answers(here: Runtime) -> None:
    number = dataset(here, 2)
    one, other = over(here, number, RULES), over(here, number, EXTRACT)
    over(here, number, Arm("A", model="builtin/nobody"))
    with here.db.read() as session:
        found = across.candidates(session, one, project_ids=[1])
        assert [row.id for row in found] == [other.id]
        assert across.candidates(session, one, project_ids=[2]) == ()
