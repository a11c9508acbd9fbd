"""What readers complained about goes to people once, in any number, and lists say what of it is there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from core.audit import queries as trail
from core.calls import feedback_queries
from core.calls.feedback_queries import Group, Mood
from core.calls.tables import Feedback
from core.db.engine import Database
from core.errors import NotAllowed
from core.ids import Ids, first_at
from core.people.rules import Role
from core.review import reported
from core.review.tables import ReviewItem
from tests.review.waiting import LEAD, Waiting, person


@pytest.fixture
def waiting(db: Database, ids: Ids, at: datetime) -> Waiting:
    return Waiting(db, ids, at).open(5)


@pytest.fixture
def period(at: datetime) -> dict[str, Any]:
    return {"project_ids": (1,), "since": at - timedelta(days=7), "until": at}


def complained(waiting: Waiting, at: datetime, *calls: int, reason: str = "wrong") -> None:
    """A thumb down for each of these calls, a minute apart, oldest first."""
    with waiting.db.write() as session:
        for number, call_id in enumerate(calls):
            said = at - timedelta(hours=1) + timedelta(minutes=number)
            given: dict[str, Any] = {"call_id": call_id, "project_id": 1, "at": said, "actor": "key:1"}
            session.add(Feedback(id=first_at(said), thumb=-1, reason=reason, **given))


def groups(waiting: Waiting, period: dict[str, Any]) -> tuple[Group, ...]:
    with waiting.db.read() as session:
        return feedback_queries.summary(session, **period).groups


def test_all_of_a_group_is_sent_once_those_spoken_of_last_first(
    waiting: Waiting, at: datetime, period: dict[str, Any]
) -> None:
    one, two, three, four, _ = waiting.unsent
    complained(waiting, at, one, two, three, one, four)
    complained(waiting, at + timedelta(minutes=10), waiting.unsent[4], reason="rude")
    with waiting.db.write() as session:
        waiting.send(session, two)
    group = groups(waiting, period)[0]
    assert (group.mood, group.reason, group.count, group.calls) == (Mood.DOWN, "wrong", 5, 4)
    asked: dict[str, Any] = {"queue_id": waiting.queue_id, **period}
    with waiting.db.read() as session:
        assert reported.unsent(session, group, **asked) == (four, one, three)
        assert reported.unsent(session, group, **asked, limit=2) == (four, one)
    told: dict[str, Any] = {"queue_id": waiting.queue_id, "by": LEAD, "at": at, "ids": waiting.ids}
    with waiting.db.write() as session:
        # `two` came there by another way between the reading and this
        assert reported.send_all(session, call_ids=(four, two, one, three), reason="Thumb down: wrong", **told) == 3
    with waiting.db.read() as session:
        assert reported.unsent(session, group, **asked) == ()
        items = session.exec(select(ReviewItem).where(ReviewItem.source == "report")).all()
        assert {item.call_id for item in items} == {one, three, four}
        assert {item.reason for item in items} == {"Thumb down: wrong"}
        assert len(trail.events(session, action="review.sent")) == 4


def test_groups_say_how_many_answers_went_to_review_and_entries_where(
    waiting: Waiting, at: datetime, period: dict[str, Any]
) -> None:
    one, two, three, *_ = waiting.unsent
    complained(waiting, at, one, one, two)
    complained(waiting, at + timedelta(minutes=10), three, reason="rude")
    with waiting.db.write() as session:
        item_id = waiting.send(session, one)
    wrong, rude = groups(waiting, period)
    with waiting.db.read() as session:
        assert reported.reviewed(session, (wrong, rude), **period) == {wrong.token: 1, rude.token: 0}
        places = reported.places(session, (one, two), project_ids=(1,))
        assert reported.places(session, (one,), project_ids=(2,)) == {}
    assert set(places) == {one}
    (place,) = places[one]
    assert (place.item_id, place.queue_id, place.queue_name, place.state) == (
        item_id, waiting.queue_id, "Answers", "waiting",
    )  # fmt: skip


def test_who_may_not_send_sends_nothing(waiting: Waiting, at: datetime) -> None:
    with pytest.raises(NotAllowed), waiting.db.write() as session:
        reported.send_all(
            session, queue_id=waiting.queue_id, call_ids=waiting.unsent, reason="", by=person("ann", Role.AUDITOR),
            at=at, ids=waiting.ids,
        )  # fmt: skip
    with waiting.db.read() as session:
        assert session.exec(select(ReviewItem)).first() is None
