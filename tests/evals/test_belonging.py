"""Turns of one conversation, and groups people named, are one cluster; everything else stands for itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from core import clock
from core.datasets import actions as datasets
from core.datasets.rules import Entry, Example, Kind
from core.evals import belonging, comparing, measuring
from core.evals.comparing import Row
from core.people.rules import CLI
from core.runtime import Runtime
from core.statistics import paired
from tests.experiments.made import EXTRACT, RULES, over


def said(*texts: str) -> list[dict[str, Any]]:
    """A conversation: question, answer, question and so on."""
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


def together(*examples: tuple[list[dict[str, Any]], Sequence[str]]) -> dict[int, int]:
    return belonging.together((key, messages, tags) for key, (messages, tags) in enumerate(examples, 10))


def test_later_turns_of_a_conversation_go_with_its_beginning() -> None:
    found = together(
        (said("Hi", "Hello", "And then?"), ()), (said("Hi"), ()), (said("Ho"), ()),
        (said("Hi", "Hello", "And then?", "This.", "Why?"), ()), (said("Hi", "Hey", "And then?"), ()),
    )  # fmt: skip
    assert found == dict.fromkeys((10, 11, 13, 14), 10)


def test_a_beginning_that_is_no_example_binds_nothing() -> None:
    shots = said("2+2?", "4", "3+3?", "6")
    assert together((shots + said("4+4?"), ()), (shots + said("5+5?"), ())) == {}


def test_examples_that_share_a_mark_go_together() -> None:
    found = together(
        (said("a"), ["group:one", "=1"]), (said("b"), ["=2"]), (said("c"), ["group:one"]), ([], ["=2"]),
        (said("d"), ["=3"]),
    )  # fmt: skip
    assert found == {10: 10, 12: 10, 11: 11, 13: 11}
    assert together() == {}
    assert together((said("a"), ()), (said("b"), ("x",))) == {}
    assert together(([], ()), ([], ())) == {}


ROWS: list[Row] = [
    (key, letter, 1, value, value > 0.5, "scored")
    for letter, values in (("A", (0.0, 0.0, 1.0, 0.0, 1.0, 0.0)), ("B", (1.0, 1.0, 1.0, 0.0, 0.0, 1.0)))
    for key, value in enumerate(values)
]
GROUPED = {0: 0, 1: 0, 4: 4, 5: 4}


def test_errors_are_clustered_and_tests_of_single_examples_left_out() -> None:
    alone = comparing.beside("exact", "exact", ROWS, one="A", other="B")
    found = comparing.beside("exact", "exact", ROWS, one="A", other="B", together=GROUPED)
    assert (alone.clusters, found.clusters) == (0, 4)
    assert alone.test is not None
    assert (found.passes, found.test, found.rate) == (None, None, None)
    values = [[row[3] for row in ROWS if row[1] == letter] for letter in "AB"]
    assert found.difference == paired.difference(paired.pair(*values, [0, 0, 1, 2, 3, 3]))
    assert found.difference is not None
    assert alone.difference is not None
    assert found.difference.se != alone.difference.se
    assert found.means == alone.means


def test_a_mean_has_clustered_errors_too() -> None:
    (alone,), (found,) = (comparing.by_arm(ROWS, "B", together=one) for one in ({}, GROUPED))
    assert (found.mean, found.n) == (alone.mean, alone.n)
    made = paired.difference(paired.pair([0.0] * 6, [1.0, 1.0, 1.0, 0.0, 0.0, 1.0], [0, 0, 1, 2, 3, 3]))
    assert made is not None
    assert made.high is not None
    assert (found.low, found.high) == (made.low, min(1.0, made.high))


def test_thresholds_see_clustered_intervals() -> None:
    before = [row for row in ROWS if row[1] == "A"]
    alone = measuring.figures("exact", "", ROWS, "B", before).measured
    found = measuring.figures("exact", "", ROWS, "B", before, together=GROUPED).measured
    for name in ("mean", "share", "difference", "share_difference"):
        one, other = getattr(alone, name), getattr(found, name)
        assert one.value == pytest.approx(other.value)
        assert (one.low, one.high) != (other.low, other.high)
        assert one.n == other.n == 6
    assert found.share is not None
    assert 0 <= found.share.low <= found.share.high <= 1


def test_the_turns_of_a_version_are_read_only_where_there_are_any(here: Runtime) -> None:
    at = clock.now()
    with here.db.write() as session:
        row = datasets.create(session, project_id=1, name="Turns", by=CLI, at=at)
        number = row.id or 0
        told: dict[str, Any] = {"dataset_id": number, "by": CLI, "at": at}
        for text in ("Hi", "Ho"):
            entry = Entry(Example(Kind.ITEM, {"messages": said(text)}))
            datasets.write(session, entry=entry, ids=here.ids, **told)
        datasets.keep(session, note="", **told)
        later = Entry(Example(Kind.ITEM, {"messages": said("Hi", "Hello", "And?")}))
        datasets.write(session, entry=later, ids=here.ids, **told)
        for text in ("x", "y"):
            grouped = Entry(Example(Kind.ITEM, {"variables": {"q": text}}), tags=("group:a", text))
            datasets.write(session, entry=grouped, ids=here.ids, **told)
        datasets.keep(session, note="", **told)
    first, second = over(here, number, RULES), over(here, number, EXTRACT, version=2)
    with here.db.read() as session:
        assert belonging.clusters(session, first, project_ids=[1]) == {}
        found = belonging.clusters(session, second, project_ids=[1])
    assert sorted(Counter(found.values()).values()) == [2, 2]


def test_examples_that_ask_the_same_are_one_cluster_whatever_else_there_is(here: Runtime) -> None:
    at = clock.now()
    with here.db.write() as session:
        number = datasets.create(session, project_id=1, name="Twice", by=CLI, at=at).id or 0
        told: dict[str, Any] = {"dataset_id": number, "by": CLI, "at": at}
        given: list[dict[str, Any]] = [{"messages": said("Hi")}, {"messages": said("hi ")}, {"messages": said("Ho")}]
        given += [{"variables": {"q": "x"}}, {"variables": {"q": "x"}}, {"variables": {"q": "y"}}]
        for place, one in enumerate(given):
            entry = Entry(Example(Kind.ITEM, one), source=f"s{place}")
            datasets.write(session, entry=entry, ids=here.ids, **told)
        datasets.keep(session, note="", **told)
    run = over(here, number, RULES)
    with here.db.read() as session:
        found = belonging.clusters(session, run, project_ids=[1])
    assert sorted(Counter(found.values()).values()) == [2, 2]
