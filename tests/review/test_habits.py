"""How somebody works at the desk is kept; looking at harmful text is counted once per item, for them alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from core.db.engine import Database
from core.errors import NotFound
from core.ids import Ids
from core.people.rules import Principal
from core.review import habits
from core.review.habits import Habit
from tests.review.waiting import LEAD, Waiting, person

ANN = person("ann")


@pytest.fixture
def waiting(db: Database, ids: Ids, at: datetime) -> Waiting:
    return Waiting(db, ids, at).fill(2)


def test_harmful_text_is_hidden_from_who_never_chose_and_a_choice_is_kept(waiting: Waiting) -> None:
    with waiting.db.write() as session:
        assert habits.habit(session, by=ANN) == Habit(blurs=True, auto_next=True)
        habits.prefer(session, blurs=False, auto_next=True, by=ANN)
        habits.prefer(session, blurs=False, auto_next=False, by=ANN)
    with waiting.db.read() as session:
        assert habits.habit(session, by=ANN) == Habit(blurs=False, auto_next=False)
        assert habits.habit(session, by=LEAD) == Habit()


def test_an_item_counts_once_and_on_the_day_it_was_first_looked_at(waiting: Waiting, at: datetime) -> None:
    first, second = waiting.items
    later = at + timedelta(days=1)
    with waiting.db.write() as session:
        habits.expose(session, item_id=first, by=ANN, at=at)
        habits.expose(session, item_id=first, by=ANN, at=later)
        habits.expose(session, item_id=second, by=ANN, at=later)
    with waiting.db.read() as session:
        assert habits.exposed_since(session, by=ANN, since=at) == 2
        assert habits.exposed_since(session, by=ANN, since=later) == 1
        assert habits.exposed_since(session, by=LEAD, since=at) == 0


def test_nobody_is_exposed_to_what_they_may_not_see(waiting: Waiting, at: datetime) -> None:
    with waiting.db.write() as session, pytest.raises(NotFound):
        habits.expose(session, item_id=waiting.items[0], by=Principal("person:eve", "eve"), at=at)
