"""Taking, deciding, passing on, undoing, appealing: what each leaves behind and whom it refuses."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from core.audit import queries as trail
from core.db.engine import Database
from core.errors import Conflict, Invalid, NotFound
from core.ids import Ids
from core.people.rules import Principal, Role
from core.review import actions, counting, ends
from core.review.rules import Lane, Said, State, Verdict
from core.review.tables import Appeal, ReviewItem, ReviewSlot
from tests.review.waiting import APPROVE, ESCALATE, LEAD, REJECT, Waiting, claim, decide, edit, item, person, run

ANN, BOB, CLEO, DAN = (person(name) for name in ("ann", "bob", "cleo", "dan"))


@pytest.fixture
def waiting(db: Database, ids: Ids, at: datetime) -> Waiting:
    return Waiting(db, ids, at)


def test_two_people_never_have_the_same_item(waiting: Waiting, at: datetime) -> None:
    waiting.fill(2)
    one, two = claim(waiting, ANN, at), claim(waiting, BOB, at)
    assert {one, two} == set(waiting.items)
    assert claim(waiting, CLEO, at) is None


def test_the_oldest_of_the_gravest_comes_first(waiting: Waiting, at: datetime) -> None:
    waiting.fill(3, service_level_s=600)
    with waiting.db.write() as session:
        for number, (risk, age_s) in enumerate(((1, 100), (3, 30), (3, 50))):
            one = session.get(ReviewItem, waiting.items[number])
            assert one is not None
            for slot in session.exec(select(ReviewSlot).where(ReviewSlot.item_id == one.id)):
                slot.weight, slot.created_at = risk, at - timedelta(seconds=age_s)
                session.add(slot)
    assert [claim(waiting, who, at) for who in (ANN, BOB, CLEO)] == [
        waiting.items[2],
        waiting.items[0],
        waiting.items[1],
    ]


def test_a_lease_that_ran_out_leaves_the_item_to_the_next(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1, lease_s=60)
    mine = claim(waiting, ANN, at)
    assert mine is not None
    assert claim(waiting, BOB, at + timedelta(seconds=59)) is None
    assert claim(waiting, BOB, at + timedelta(seconds=60)) == mine
    with pytest.raises(Conflict, match="in the hands of person:bob"):
        decide(waiting, mine, ANN, at + timedelta(seconds=61))
    with pytest.raises(Conflict):
        run(waiting, actions.renew, item_id=mine, by=ANN, at=at + timedelta(seconds=61))


def test_a_heartbeat_keeps_the_item_in_hand(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1, lease_s=60)
    mine = claim(waiting, ANN, at)
    run(waiting, actions.renew, item_id=mine, by=ANN, at=at + timedelta(seconds=50))
    assert claim(waiting, BOB, at + timedelta(seconds=100)) is None


def test_a_lease_nobody_took_over_still_counts(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1, lease_s=60)
    mine = claim(waiting, ANN, at)
    assert mine is not None
    decide(waiting, mine, ANN, at + timedelta(hours=1))
    assert item(waiting, mine).state == State.SETTLED


def test_who_comes_second_is_told_who_was_first_and_when(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1, lease_s=60)
    mine = claim(waiting, ANN, at)
    assert mine is not None
    claim(waiting, BOB, at + timedelta(seconds=61))
    decide(waiting, mine, BOB, at + timedelta(seconds=70), REJECT)
    with pytest.raises(Conflict, match="Decided by person:bob at 09:31:10 UTC: reject") as told:
        decide(waiting, mine, ANN, at + timedelta(seconds=71))
    assert told.value.code == "already_decided"


def test_an_item_gets_as_many_people_as_it_needs_and_no_more(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1, reviewers=2)
    (only,) = waiting.items
    assert claim(waiting, ANN, at) == claim(waiting, BOB, at) == only
    assert claim(waiting, CLEO, at) is None
    assert claim(waiting, ANN, at) is None
    decide(waiting, only, ANN, at)
    assert item(waiting, only).state == State.WAITING
    decide(waiting, only, BOB, at)
    assert item(waiting, only).state == State.SETTLED
    assert claim(waiting, CLEO, at) is None


def test_one_more_person_is_asked_while_two_disagree(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1, reviewers=2, most_reviewers=3)
    (only,) = waiting.items
    for who, said in ((ANN, APPROVE), (BOB, REJECT)):
        claim(waiting, who, at)
        decide(waiting, only, who, at, said)
    assert item(waiting, only).state == State.WAITING
    assert claim(waiting, ANN, at) is None
    assert claim(waiting, CLEO, at) == only
    decide(waiting, only, CLEO, at, REJECT)
    settled = item(waiting, only)
    assert (settled.state, settled.verdict, settled.decided_by) == (State.SETTLED, "reject", "person:bob")


def test_people_who_cannot_agree_leave_it_to_a_lead_who_is_none_of_them(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1, reviewers=2, most_reviewers=2)
    (only,) = waiting.items
    judge = person("bob", Role.LEAD_REVIEWER)
    for who, said in ((ANN, APPROVE), (judge, REJECT)):
        claim(waiting, who, at)
        decide(waiting, only, who, at, said)
    assert item(waiting, only).lane == Lane.ADJUDICATION
    assert claim(waiting, judge, at, Lane.ADJUDICATION) is None
    assert claim(waiting, LEAD, at, Lane.ADJUDICATION) == only
    decide(waiting, only, LEAD, at, REJECT)
    assert item(waiting, only).verdict == "reject"


def test_two_edits_agree_only_when_they_say_the_same(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1, reviewers=2, most_reviewers=2)
    (only,) = waiting.items
    for who, said in ((ANN, edit("Yes.")), (BOB, edit("No."))):
        claim(waiting, who, at)
        decide(waiting, only, who, at, said)
    assert item(waiting, only).lane == Lane.ADJUDICATION


def test_an_escalated_item_goes_to_a_lead(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1)
    (only,) = waiting.items
    claim(waiting, ANN, at)
    decide(waiting, only, ANN, at, ESCALATE)
    assert claim(waiting, BOB, at) is None
    assert claim(waiting, LEAD, at, Lane.ESCALATION) == only


def test_what_was_passed_on_is_not_offered_again(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1)
    (only,) = waiting.items
    claim(waiting, ANN, at)
    run(waiting, actions.pass_on, item_id=only, by=ANN, at=at)
    assert claim(waiting, ANN, at) is None
    assert claim(waiting, BOB, at) == only


def test_a_verdict_can_be_undone_until_it_takes_effect(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1, undo_s=10)
    (only,) = waiting.items
    claim(waiting, ANN, at)
    decide(waiting, only, ANN, at)
    run(waiting, actions.undo, item_id=only, by=ANN, at=at + timedelta(seconds=9))
    assert run(waiting, ends.release_due, at=at + timedelta(seconds=30)) == []
    decide(waiting, only, ANN, at + timedelta(seconds=31), REJECT)
    with pytest.raises(Conflict, match="too late"):
        run(waiting, actions.undo, item_id=only, by=ANN, at=at + timedelta(seconds=41))
    (released,) = run(waiting, ends.release_due, at=at + timedelta(seconds=41))
    assert (released.verdict, released.decided_by) == ("reject", "person:ann")
    assert run(waiting, ends.release_due, at=at + timedelta(seconds=42)) == []


def test_undoing_a_disagreement_takes_the_third_seat_away_again(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1, reviewers=2, most_reviewers=3)
    (only,) = waiting.items
    for who, said in ((ANN, APPROVE), (BOB, REJECT)):
        claim(waiting, who, at)
        decide(waiting, only, who, at, said)
    run(waiting, actions.undo, item_id=only, by=BOB, at=at + timedelta(seconds=1))
    assert claim(waiting, CLEO, at) is None
    decide(waiting, only, BOB, at + timedelta(seconds=2))
    assert item(waiting, only).verdict == "approve"


def test_undoing_waits_for_nobody_who_is_at_work_already(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1)
    (only,) = waiting.items
    claim(waiting, ANN, at)
    decide(waiting, only, ANN, at, ESCALATE)
    claim(waiting, LEAD, at, Lane.ESCALATION)
    with pytest.raises(Conflict, match="because of your verdict"):
        run(waiting, actions.undo, item_id=only, by=ANN, at=at + timedelta(seconds=1))


def test_an_appeal_goes_to_somebody_who_had_no_part_in_it(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1)
    (only,) = waiting.items
    judge = person("ann", Role.LEAD_REVIEWER)
    claim(waiting, judge, at)
    decide(waiting, only, judge, at, REJECT)
    later = at + timedelta(minutes=1)
    with pytest.raises(Conflict, match="took effect"):
        run(waiting, actions.appeal, item_id=only, reason="It is right.", by=BOB, at=at, ids=waiting.ids)
    run(waiting, ends.release_due, at=later)
    run(waiting, actions.appeal, item_id=only, reason="It is right.", by=BOB, at=later, ids=waiting.ids)
    assert claim(waiting, judge, later, Lane.APPEAL) is None
    assert claim(waiting, LEAD, later, Lane.APPEAL) == only
    decide(waiting, only, LEAD, later)
    run(waiting, ends.release_due, at=later + timedelta(minutes=1))
    with waiting.db.read() as session:
        (appeal,) = session.exec(select(Appeal)).all()
    assert (appeal.verdict_before, appeal.outcome) == ("reject", "approve")


def test_a_deadline_ends_what_nobody_decided_and_keeps_what_somebody_did(waiting: Waiting, at: datetime) -> None:
    waiting.fill(2)
    with waiting.db.write() as session:
        for one in waiting.items:
            row = session.get(ReviewItem, one)
            assert row is not None
            row.deadline_at = at + timedelta(minutes=5)
            session.add(row)
    decided = claim(waiting, ANN, at)
    assert decided is not None
    decide(waiting, decided, ANN, at + timedelta(minutes=5))
    ended = run(waiting, ends.expire_due, at=at + timedelta(minutes=5))
    assert [one.item_id for one in ended] == [one for one in waiting.items if one != decided]
    assert run(waiting, ends.expire_due, at=at + timedelta(minutes=6)) == []
    with pytest.raises(Conflict):
        run(waiting, actions.renew, item_id=ended[0].item_id, by=BOB, at=at + timedelta(minutes=6))


def test_one_call_waits_once_in_a_queue(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1)
    with waiting.db.read() as session:
        call_id = item(waiting, waiting.items[0]).call_id
        assert session is not None
    with waiting.db.write() as session, pytest.raises(Conflict, match="already"):
        waiting.send(session, call_id)


def test_people_of_other_projects_see_no_queue(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1)
    stranger = Principal("person:eve", "eve", grants={2: frozenset({Role.ADMIN})})
    with pytest.raises(NotFound):
        claim(waiting, stranger, at)
    with pytest.raises(NotFound):
        decide(waiting, waiting.items[0], stranger, at)


def test_an_edit_that_changes_nothing_is_an_approval(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1, reviewers=2, most_reviewers=2)
    (only,) = waiting.items
    for who, said in ((ANN, edit("Answer 0.")), (BOB, APPROVE)):
        claim(waiting, who, at)
        made = decide(waiting, only, who, at, said)
        assert (made.verdict, made.edited, made.edit_distance) == ("approve", None, None)
    assert (item(waiting, only).state, item(waiting, only).verdict) == (State.SETTLED, "approve")


@pytest.mark.parametrize("said", [edit("  "), Said(Verdict.REJECT), Said(Verdict.ESCALATE)])
def test_a_verdict_says_why_and_an_edit_what(waiting: Waiting, at: datetime, said: Any) -> None:
    waiting.fill(1)
    claim(waiting, ANN, at)
    with pytest.raises(Invalid):
        decide(waiting, waiting.items[0], ANN, at, said)


def test_an_edit_keeps_how_far_it_is_from_the_answer(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1)
    claim(waiting, ANN, at)
    decision = decide(waiting, waiting.items[0], ANN, at, edit("Answer 1!"))
    assert decision.edit_distance == 2


def test_every_verdict_is_in_the_trail(waiting: Waiting, at: datetime) -> None:
    waiting.fill(1)
    claim(waiting, ANN, at)
    decide(waiting, waiting.items[0], ANN, at, REJECT)
    with waiting.db.read() as session:
        newest, *_ = trail.events(session, limit=3)
    assert (newest.action, newest.actor) == ("review.decided", "person:ann")


def test_what_waits_for_somebody_is_counted_once_an_answer_and_as_far_as_is_quick(
    waiting: Waiting, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting.fill(4, reviewers=2)

    def left(by: Principal) -> tuple[int, bool]:
        with waiting.db.read() as session:
            told = {"queue_id": waiting.queue_id, "lane": Lane.REVIEW, "by": by, "at": at, "since": at}
            return counting.left_for(session, **told)

    assert left(ANN) == (4, True)
    first = claim(waiting, ANN, at)
    assert first is not None
    assert left(ANN) == (4, True)  # what is in hand waits for them too
    decide(waiting, first, ANN, at)
    assert (left(ANN), left(BOB)) == ((3, True), (4, True))
    monkeypatch.setattr(counting, "MOST_COUNTED", 4)
    found, is_all = left(BOB)
    assert (is_all, found <= 4) == (False, True)
