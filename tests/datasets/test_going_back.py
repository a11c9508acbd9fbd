"""Going back to a version: the draft is what it was, nothing is lost, and what is alike in both stays as it is."""

from __future__ import annotations

import contextlib
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from core.audit import queries as trail
from core.datasets import actions, versions
from core.datasets.rules import Kind
from core.datasets.tables import DatasetItem
from core.datasets.versions import Sums, VersionView, Way
from core.errors import Conflict, NotFound
from tests.datasets.sets import Sets, entry


def facts(sets: Sets, version: int | None = None) -> list[tuple[Any, ...]]:
    return [(row.key, row.example, row.notes, row.tags, row.split, row.source) for row in sets.listed(version)]


def kept(sets: Sets) -> dict[int, VersionView]:
    with sets.db.read() as session:
        return {row.number: row for row in versions.versions(session, sets.id, project_ids=[1])}


def way(sets: Sets, version: int) -> Way:
    with sets.db.read() as session:
        return versions.way_back(session, sets.id, project_ids=[1], version=version)


def _back(what: str) -> str:
    return {"added": "removed", "removed": "added"}.get(what, what)


def ids_of(sets: Sets) -> dict[int, int]:
    return {row.key: row.id for row in sets.listed()}


def test_the_draft_is_what_the_version_was_and_every_version_stays(sets: Sets) -> None:
    one, two, three, four = sets.write(*(entry(f"{n}?", tags=("a",), source=f"s{n}") for n in range(4)))
    sets.keep()
    sets.edit(two, entry("Edited?"))
    sets.remove(one)
    (five,) = sets.write(entry("Five?"))
    sets.keep("the second")
    before = {number: facts(sets, number) for number in (1, 2)}
    stays = ids_of(sets)
    assert way(sets, 1) == Way(Sums(added=1, removed=1, changed=1), Sums())
    assert sets.back(1) == 2
    assert facts(sets) == before[1]
    assert {number: facts(sets, number) for number in (1, 2)} == before
    assert [ids_of(sets)[key] for key in (three, four)] == [stays[three], stays[four]]
    assert sorted(sets.diff(2)) == sorted([("added", one), ("changed", two), ("removed", five)])
    with sets.db.read() as session:
        assert len(session.exec(select(DatasetItem.id)).all()) == 6 + 2  # a row for each that is in again
        event = trail.events(session, action="dataset.reverted")[0]
    assert event.after == {"version": 1, "added": 1, "removed": 1, "changed": 1, "before": 2}
    assert sets.keep() == 3
    assert {number: row.as_in for number, row in kept(sets).items()} == {1: None, 2: None, 3: 1}
    assert facts(sets, 3) == before[1]


def test_what_is_in_no_version_yet_is_kept_before_it_goes(sets: Sets) -> None:
    sets.write(entry("One?"))
    sets.keep()
    (two,) = sets.write(entry("Two?"))
    assert way(sets, 1) == Way(Sums(removed=1), Sums(added=1))
    assert sets.back(1) == 2
    assert (sets.said(), sets.said(2)) == (["One?"], ["One?", "Two?"])
    assert kept(sets)[2].note == "Before going back to version 1"
    assert way(sets, 2).unkept == Sums()
    assert sets.back(2) == 1  # the version that has what the draft was
    assert sets.said() == ["One?", "Two?"]
    assert [row.key for row in sets.listed()][1] == two
    with pytest.raises(Conflict, match="Nothing has changed"):
        sets.keep()


def test_a_version_that_was_changed_after_going_back_is_not_said_to_be_as_before(sets: Sets) -> None:
    (one,) = sets.write(entry("One?"))
    sets.keep()
    sets.edit(one, entry("Two?"))
    sets.keep()
    sets.back(1)
    sets.write(entry("Three?"))
    sets.keep()
    assert kept(sets)[3].as_in is None
    sets.back(1)
    sets.edit(one, entry("Four?"))
    sets.edit(one, entry("One?"))
    sets.keep()
    assert kept(sets)[4].as_in == 1


def test_an_example_whose_source_another_one_has_since_comes_back(sets: Sets) -> None:
    (one,) = sets.write(entry("One?", source="s"))
    sets.keep()
    sets.remove(one)
    (two,) = sets.write(entry("Two?", source="s"))
    sets.keep()
    sets.back(1)
    assert [row.key for row in sets.listed()] == [one]
    sets.back(2)
    assert [row.key for row in sets.listed()] == [two]


def test_any_history_with_ways_back_in_it_reads_back_as_it_was(sets: Sets) -> None:
    chance = random.Random(23)
    states: dict[int, list[Any]] = {}
    for step in range(90):
        keys = [row.key for row in sets.listed()]
        what = chance.random()
        if what < 0.4 or not keys:
            sets.write(entry(f"Question {step}?", kind=chance.choice(list(Kind)), source=f"s{step}"))
        elif what < 0.6:
            kind = {row.key: row.kind for row in sets.listed()}
            key = chance.choice(keys)
            sets.edit(key, entry(f"Edit {step % 7}?", kind=kind[key]))
        elif what < 0.75:
            sets.remove(chance.choice(keys))
        elif what < 0.85 and states:
            number, before = chance.choice(sorted(states)), facts(sets)
            if way(sets, number).changes.count:
                states[sets.back(number)] = before
            assert facts(sets) == states[number]
        elif sets.diff(max(states, default=0)):
            states[sets.keep()] = facts(sets)
    assert len(states) > 8
    for number, state in states.items():
        assert facts(sets, number) == state
        for other in states:
            found = sets.diff(number, other)
            with sets.db.read() as session:
                told = versions.sums(session, sets.id, project_ids=[1], old=number, new=other)
            if other == max(states):
                assert sorted(sets.diff(None, number)) == sorted((_back(what), key) for what, key in sets.diff(number))
            assert told == Sums(*(sum(what == one for what, _ in found) for one in ("added", "removed", "changed")))


def test_who_agreed_to_another_state_is_told_and_nothing_changes(sets: Sets) -> None:
    (one,) = sets.write(entry("One?"))
    sets.keep()
    sets.remove(one)
    with pytest.raises(Conflict, match="Somebody changed the dataset meanwhile"):
        sets.do(actions.revert, version=1, seen=sets.at - timedelta(seconds=1), ids=sets.ids)
    assert sets.said() == []
    for version in (0, 2):
        with pytest.raises(NotFound, match="no such version"):
            sets.back(version)
    sets.back(1)
    with pytest.raises(Conflict, match="is as in version 1 already"):
        sets.back(1)


def test_an_edit_of_what_went_back_meanwhile_is_refused_and_stays_in_the_form(sets: Sets) -> None:
    (one,) = sets.write(entry("One?"))
    sets.keep()
    sets.edit(one, entry("Two?"))
    seen = sets.listed()[0].id
    sets.back(1)
    with pytest.raises(Conflict, match="Somebody changed this example"):
        sets.do(actions.edit, key=one, seen=seen, entry=entry("Three?"), ids=sets.ids)


def test_people_who_go_back_edit_and_keep_at_once_lose_nothing(sets: Sets) -> None:
    sets.write(*(entry(f"{n}?") for n in range(20)))
    sets.keep()
    first = facts(sets)
    done: list[int] = []

    def add(who: int) -> None:
        for number in range(6):
            sets.write(entry(f"{who}, {number}?"))

    def back(who: int) -> None:
        for number in range(6):
            with contextlib.suppress(Conflict):
                done.append(sets.back(1, at=sets.at + timedelta(seconds=who * 10 + number)))

    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(work, who) for who, work in enumerate((add, add, back, back))]:
            one.result()
    assert facts(sets, 1) == first
    ever = {row[0] for number in (*kept(sets), None) for row in facts(sets, number)}
    assert len(ever) == 20 + 12
    for number, row in kept(sets).items():
        assert len(facts(sets, number)) == row.count
