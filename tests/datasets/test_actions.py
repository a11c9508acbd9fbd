"""Datasets in the store: made, filled from reviewed answers, listed, paged, taken away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from sqlmodel import col, select

from core.audit import queries as trail
from core.calls.tables import Call
from core.datasets import actions, queries
from core.datasets.rules import Kind
from core.datasets.tables import DatasetItem
from core.db.engine import Database
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import Ids, shown
from core.people import actions as people
from core.people.rules import CLI, Permission, Principal, Role
from tests.review.waiting import Waiting, person

ANN = person("ann", Role.REVIEWER)
ASKED = [{"role": "user", "content": "May I return the blue lamp?"}]


@dataclass
class Kept:
    """A store with reviewed calls and one dataset."""

    db: Database
    ids: Ids
    at: datetime
    calls: list[int]
    dataset_id: int = 0

    def create(self, name: str = "Refunds", by: Principal = ANN, project_id: int = 1) -> int:
        with self.db.write() as session:
            row = actions.create(session, project_id=project_id, name=name, by=by, at=self.at)
            assert row.id is not None
            return row.id

    def add(self, kind: Kind = Kind.ITEM, by: Principal = ANN, **told: Any) -> DatasetItem:
        given = {"dataset_id": self.dataset_id, "call_id": self.calls[0], "messages": ASKED} | told
        with self.db.write() as session:
            return actions.add(
                session, kind=kind, by=by, at=self.at, ids=self.ids, **{"original": "No.", "final": "Yes."} | given
            )


@pytest.fixture
def kept(db: Database, ids: Ids, at: datetime) -> Kept:
    Waiting(db, ids, at).fill(3)
    with db.read() as session:
        calls = session.exec(select(Call.id).order_by(col(Call.id))).all()
    made = Kept(db, ids, at, list(calls))
    made.dataset_id = made.create()
    return made


def test_one_answer_becomes_an_item_a_pair_and_a_row_and_each_only_once(kept: Kept) -> None:
    for kind in Kind:
        kept.add(kind, review_item_id=77)
        with pytest.raises(Conflict, match=f"'Refunds' has this answer already \\({kind}\\)"):
            kept.add(kind, review_item_id=77)
    kept.add(review_item_id=78)
    kept.add()
    with kept.db.read() as session:
        (one,) = queries.datasets(session, project_ids=[1])
        assert queries.made_from(session, source=shown("item", 77), project_ids=[1]) == [
            ("Refunds", kind) for kind in sorted(Kind)
        ]
    assert (one.name, one.items, one.preferences, one.tunings) == ("Refunds", 3, 1, 1)


def test_another_dataset_takes_the_same_answer(kept: Kept) -> None:
    kept.add()
    assert kept.add(dataset_id=kept.create("Other")).source == shown("call", kept.calls[0])


def test_items_come_page_by_page_newest_first_and_of_one_kind_where_asked(kept: Kept) -> None:
    added = [kept.add(call_id=call_id).id for call_id in kept.calls]
    kept.add(Kind.TUNING)
    with kept.db.read() as session:
        told = {"dataset_id": kept.dataset_id, "project_ids": [1], "kind": Kind.ITEM}
        first = queries.items(session, limit=2, **told)
        second = queries.items(session, limit=2, before=first.next_at, **told)
        assert [row.id for row in (*first.rows, *second.rows)] == added[::-1]
        assert second.next_at is None
        with pytest.raises(NotFound):
            queries.items(session, dataset_id=kept.dataset_id, project_ids=[2])


def test_a_call_of_another_project_is_as_if_it_were_not_there(kept: Kept) -> None:
    with kept.db.write() as session:
        other = people.create_project(session, name="other", by=CLI, at=kept.at).id
    assert other is not None
    with pytest.raises(NotFound, match="no such call"):
        kept.add(dataset_id=kept.create(project_id=other))


def test_who_may_not_change_datasets_is_refused(kept: Kept) -> None:
    for role, may in ((Role.VIEWER, False), (Role.AUDITOR, False), (Role.PRODUCT_MANAGER, True), (Role.ENGINEER, True)):
        somebody = person("somebody", role)
        assert somebody.may(Permission.DATASET_CHANGE, 1) is may
        if not may:
            with pytest.raises(NotAllowed):
                kept.add(by=somebody)
            with pytest.raises(NotAllowed):
                kept.create("Mine", by=somebody)


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb"])
def test_a_name_that_is_none_is_refused(kept: Kept, name: str) -> None:
    with pytest.raises(Invalid):
        kept.create(name)


def test_a_name_is_given_once_per_project(kept: Kept) -> None:
    with pytest.raises(Conflict, match="'Refunds'"):
        kept.create(" Refunds ")


def test_a_conversation_of_more_than_a_megabyte_is_refused(kept: Kept) -> None:
    with pytest.raises(Invalid, match="megabyte"):
        kept.add(messages=[{"role": "user", "content": "x" * 1_000_001}])


def test_what_was_added_stands_in_the_trail_without_its_text(kept: Kept) -> None:
    row = kept.add(Kind.PREFERENCE, review_item_id=5)
    with kept.db.read() as session:
        event = trail.events(session, action="dataset.item_added")[0]
        assert trail.verify(session).ok
    assert (event.actor, event.target, event.project_id) == ("person:ann", f"dataset:{kept.dataset_id}", 1)
    assert event.after == {"example": shown("ex", row.id), "kind": "preference", "source": shown("item", 5)}
