"""Versions: kept as they are, read by pages, compared; what is edited begins a new row."""

from __future__ import annotations

import contextlib
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlmodel import select

from core.audit import queries as trail
from core.datasets import actions, pairing, queries, versions
from core.datasets.cards import Card, Sensitivity
from core.datasets.rules import Example, Kind
from core.datasets.tables import DatasetItem
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.people import actions as people
from core.people.rules import CLI, Principal, Role
from tests.datasets.sets import ANN, Sets, entry
from tests.review.waiting import person


def test_a_version_stays_as_it_was_whatever_is_done_to_the_draft(sets: Sets) -> None:
    one, two, three = sets.write(entry("One?"), entry("Two?"), entry("Three?"))
    assert sets.keep("the first") == 1
    before = sets.listed(1)
    sets.edit(two, entry("Two, again?"))
    sets.remove(one)
    sets.write(entry("Four?"))
    sets.do(actions.set_split, key=three, split="test", ids=sets.ids)
    assert sets.keep() == 2
    assert [row.example for row in sets.listed(1)] == [row.example for row in before]
    assert [row.split for row in sets.listed(1)] == ["", "", ""]
    assert sets.said(1) == ["One?", "Two?", "Three?"]
    assert sets.said(2) == sets.said() == ["Two, again?", "Three?", "Four?"]
    with sets.db.read() as session:
        found = versions.versions(session, sets.id, project_ids=[1])
    assert [(row.number, row.note, row.items, row.count) for row in found] == [(2, "", 3, 3), (1, "the first", 3, 3)]


def test_what_differs_is_named_by_the_examples_key_in_pages_of_any_size(sets: Sets) -> None:
    one, two, three, four = sets.write(*(entry(f"{n}?") for n in range(4)))
    sets.keep()
    sets.edit(two, entry("Edited?"))
    sets.remove(one)
    (five,) = sets.write(entry("Five?"))
    (gone,) = sets.write(entry("Never kept?"))
    sets.remove(gone)
    sets.edit(four, entry("There"))
    sets.edit(four, entry("3?"))
    for limit in (1, 2, 50):
        assert sets.diff(1, limit=limit) == [("removed", one), ("changed", two), ("added", five)]
    sets.keep()
    assert sets.diff(1, 2) == [("removed", one), ("changed", two), ("added", five)]
    assert sets.diff(2, 1) == [("added", one), ("changed", two), ("removed", five)]
    assert sets.diff(0, 1) == [("added", key) for key in (one, two, three, four)]
    assert sets.diff(2) == []
    with sets.db.read() as session, pytest.raises(NotFound, match="no such version"):
        versions.diff(session, sets.id, project_ids=[1], old=1, new=3)


def test_any_history_reads_back_as_it_was_kept(sets: Sets) -> None:
    chance = random.Random(11)
    kept: dict[int, dict[int, Any]] = {0: {}}
    live: dict[int, Any] = {}
    for step in range(60):
        what = chance.random()
        if what < 0.5 or not live:
            (key,) = sets.write(entry(f"Question {step}?"))
            live[key] = f"Question {step}?"
        elif what < 0.75:
            key = chance.choice(sorted(live))
            live[key] = f"Edit {step}?"
            sets.edit(key, entry(live[key]))
        else:
            key = chance.choice(sorted(live))
            del live[key]
            sets.remove(key)
        if step % 12 == 11:
            kept[sets.keep()] = dict(live)
    for number, state in kept.items():
        assert {row.key: row.input["messages"][0]["content"] for row in sets.listed(number)} == state
        for other, after in kept.items():
            if other:
                wanted = sorted(
                    (key, "added" if key not in state else "removed" if key not in after else "changed")
                    for key in {*state, *after}
                    if state.get(key) != after.get(key)
                )
                assert [(key, what) for what, key in sets.diff(number, other, limit=3)] == wanted


def test_keeping_a_version_writes_no_row_of_an_example_and_drops_what_was_in_none(sets: Sets) -> None:
    sets.write(*(entry(f"{n}?") for n in range(5)))
    (gone,) = sets.write(entry("Gone?"))
    sets.remove(gone)
    for number in range(1, 4):
        assert sets.keep() == number
        sets.write(entry(f"More {number}?"))
    with sets.db.read() as session:
        assert len(session.exec(select(DatasetItem.id)).all()) == 5 + 3


def test_nothing_slips_into_a_version_that_is_kept_while_others_add(sets: Sets) -> None:
    def add(who: int) -> None:
        for number in range(8):
            sets.write(entry(f"{who}, {number}?"))

    def keep(_: int) -> None:
        for _ in range(8):
            with contextlib.suppress(Conflict):
                sets.keep()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, who) for who, work in enumerate((add, add, add, keep))]:
            done.result()
    with sets.db.read() as session:
        found = versions.versions(session, sets.id, project_ids=[1])
    assert len(sets.listed()) == 24
    for version in found:
        assert len(sets.listed(version.number)) == version.count


def test_nothing_new_is_no_version(sets: Sets) -> None:
    with pytest.raises(Conflict, match="Nothing has changed"):
        sets.keep()
    (key,) = sets.write(entry("One?"))
    sets.keep()
    with pytest.raises(Conflict, match="Nothing has changed"):
        sets.keep()
    sets.edit(key, entry("One?"))
    with pytest.raises(Conflict, match="Nothing has changed"):
        sets.keep()


def test_what_was_removed_comes_back_until_a_version_is_kept_without_it(sets: Sets) -> None:
    one, two = sets.write(entry("One?"), entry("Two?"))
    assert sets.do(actions.restore, removed=sets.remove(one, two)) == 2
    assert sets.said() == ["One?", "Two?"]
    removed = sets.remove(one)
    sets.keep()
    with pytest.raises(Conflict, match="cannot be undone"):
        sets.do(actions.restore, removed=removed)


def test_who_edits_what_somebody_else_has_changed_is_told(sets: Sets) -> None:
    (key,) = sets.write(entry("One?"))
    seen = sets.listed()[0].id
    sets.edit(key, entry("Mine?"))
    with pytest.raises(Conflict, match="Somebody changed"):
        sets.do(actions.edit, key=key, seen=seen, entry=entry("Yours?"), ids=sets.ids)
    assert sets.said() == ["Mine?"]


def test_inputs_that_say_the_same_are_in_one_split(sets: Sets) -> None:
    one, two = sets.write(entry("May I?"), entry("  may i?", kind=Kind.TUNING))
    assert sets.do(actions.set_split, key=one, split="test", ids=sets.ids) == 2
    (three,) = sets.write(entry("MAY I?", "No.", split="train"))
    assert {row.key: row.split for row in sets.listed()} == {one: "test", two: "test", three: "test"}
    sets.do(actions.plan, percents={"train": 100})
    assert sets.do(actions.assign, ids=sets.ids) == (0, None)
    (four,) = sets.write(entry("Something else?"))
    assert {row.key: row.split for row in sets.listed()}[four] == "train"


def test_an_edit_that_makes_two_questions_the_same_puts_them_into_one_split(sets: Sets) -> None:
    one, two = sets.write(entry("May I?", split="test"), entry("Other?", split="train"))
    sets.edit(two, entry("may i?", split="train"))
    assert {row.key: row.split for row in sets.listed()} == {one: "test", two: "test"}


def test_who_takes_examples_away_is_in_the_trail(sets: Sets) -> None:
    told = {"project_id": 1, "what": "jsonl, version 1"}
    sets.do(actions.note_export, **told, by=person("audrey", Role.AUDITOR))
    with sets.db.read() as session:
        event = trail.events(session, action="dataset.exported")[0]
    assert (event.actor, event.target, event.after) == (
        "person:audrey",
        f"dataset:{sets.id}",
        {"what": "jsonl, version 1"},
    )
    with pytest.raises(NotAllowed):
        sets.do(actions.note_export, **told, by=person("vic", Role.VIEWER))
    with pytest.raises(NotFound):
        sets.do(actions.note_export, project_id=2, what="jsonl")


def test_a_plan_moves_examples_and_says_what_it_moved(sets: Sets) -> None:
    sets.write(*(entry(f"Question {n}?") for n in range(40)))
    sets.keep()
    sets.do(actions.plan, percents={"train": 50, "test": 50})
    moved, after = sets.do(actions.assign, ids=sets.ids)
    assert (moved, after) == (40, None)
    assert {what for what, _ in sets.diff(1)} == {"changed"}
    assert {row.split for row in sets.listed()} == {"train", "test"}
    assert {row.split for row in sets.listed(1)} == {""}
    with sets.db.read() as session:
        counts = queries.by_split(session, sets.id, project_ids=[1])
    assert sum(counts.values()) == 40


def test_examples_are_found_by_words_tag_split_and_kind(sets: Sets) -> None:
    one, two, three = sets.write(
        entry("Wo ist STRASSE 100%?", tags=("german", "a_b")),
        entry("Two?", split="test"),
        entry("3?", kind=Kind.TUNING),
    )

    def found(**told: Any) -> list[int]:
        with sets.db.read() as session:
            return [row.key for row in queries.items(session, dataset_id=sets.id, project_ids=[1], **told).rows]

    assert found() == [three, two, one]
    assert found(words="straße  100%") == [one]
    assert found(words="1_0") == found(words="\0zzz") == []
    assert found(tag="german") == found(tag="a_b") == [one]
    assert found(tag="germ") == found(tag="axb") == []
    assert found(split="test") == [two]
    assert found(split="") == [three, one]
    assert found(kind=Kind.TUNING) == [three]
    with sets.db.read() as session:
        assert queries.tags(session, sets.id, project_ids=[1]) == ("a_b", "german")


def test_the_same_and_nearly_the_same_are_shown_in_groups(sets: Sets) -> None:
    long = "May I return the blue lamp that I bought last week, although I have lost the receipt?"
    one, two, three = sets.write(entry(long), entry(long.upper(), "No."), entry(long.replace("week", "year")))
    sets.write(entry("Something else entirely, about parcels."))
    with sets.db.read() as session:
        (exact,), count = queries.same(session, sets.id, project_ids=[1])
        assert queries.same(session, sets.id, project_ids=[1], start=1) == ((), 1)
    assert ([row.key for row in exact.rows], exact.is_torn, count) == ([one, two], True, 1)
    assert pairing.near(sets.db, sets.id, project_ids=(1,)).groups == ((one, two, three),)


def test_an_item_may_be_only_variables_and_expect_json_or_nothing(sets: Sets) -> None:
    only = Example(Kind.ITEM, {"variables": {"city": "Bonn", "days": 3}}, {"json": {"total": 7}})
    (key,) = sets.write(entry("x", None))
    sets.edit(key, type(entry("x"))(only))
    assert sets.listed()[0].example == only
    for given in ({"variables": {}}, {"variables": {"": "x"}}, {"variables": {"a": []}}, {}):
        with pytest.raises(Invalid):
            sets.write(type(entry("x"))(Example(Kind.ITEM, given)))


def test_the_card_is_kept_and_what_it_lacks_is_named(sets: Sets) -> None:
    card = Card(origin="Support mails", sensitivity=Sensitivity.PERSONAL)
    sets.do(actions.describe, card=card)
    with sets.db.read() as session:
        found = queries.dataset(session, sets.id, project_ids=[1]).card
    assert found == card
    assert found.missing == ("description", "licence", "languages", "limits", "contact")


VERBS: list[tuple[Any, dict[str, Any]]] = [
    (actions.write, {"entry": entry("New?")}),
    (actions.take, {"entries": [(1, entry("New?"))], "origin": "a file"}),
    (actions.edit, {"key": 0, "seen": 0, "entry": entry("New?")}),
    (actions.remove, {"keys": [0]}),
    (actions.keep, {"note": ""}),
    (actions.describe, {"card": Card(origin="x")}),
    (actions.set_split, {"key": 0, "split": "test"}),
    (actions.plan, {"percents": {"train": 100}}),
    (actions.assign, {}),
    (actions.restore, {"removed": []}),
    (actions.revert, {"version": 1, "seen": None}),
]
WITH_IDS = {actions.write, actions.take, actions.edit, actions.set_split, actions.assign, actions.revert}


@pytest.mark.parametrize(("verb", "told"), VERBS, ids=[verb.__name__ for verb, _ in VERBS])
def test_a_verb_needs_the_right_and_leaves_its_trail(sets: Sets, verb: Any, told: dict[str, Any]) -> None:
    (key,) = sets.write(entry("One?"))
    told = dict(told) | ({"ids": sets.ids} if verb in WITH_IDS else {})
    told |= {name: value for name, value in {"key": key, "seen": key, "keys": [key]}.items() if name in told}
    if verb is actions.revert:
        sets.keep()
        sets.remove(key)
        sets.keep()
        told["seen"] = sets.at
    if verb is actions.assign:
        sets.do(actions.plan, percents={"train": 100})
    with pytest.raises(NotAllowed):
        sets.do(verb, **told, by=person("vic", Role.VIEWER))
    stranger = Principal("person:9", "Sam", grants={2: frozenset({Role.ADMIN})})
    with pytest.raises(NotFound):
        sets.do(verb, **told, by=stranger)
    with sets.db.read() as session:
        before = len(trail.events(session, limit=500))
    sets.do(verb, **told)
    with sets.db.read() as session:
        events = trail.events(session, limit=500)
        assert trail.verify(session).ok
    assert len(events) == before + 1
    assert (events[0].actor, events[0].target) == (ANN.actor, f"dataset:{sets.id}")
    assert "One?" not in str(events[0].after)


def test_another_projects_dataset_is_as_if_it_were_not_there(sets: Sets) -> None:
    with sets.db.write() as session:
        people.create_project(session, name="other", by=CLI, at=sets.at)
    asked: list[Any] = [queries.dataset, queries.by_split, queries.tags, queries.same, queries.said, versions.versions]
    for query in asked:
        with sets.db.read() as session, pytest.raises(NotFound):
            query(session, sets.id, project_ids=[2])
