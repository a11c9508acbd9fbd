"""Answers whose verdict is known test who is not told; their verdict changes nothing but their own figures."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlmodel import col, select

from core.db.engine import Database
from core.errors import Conflict, Invalid, NotAllowed
from core.ids import Ids
from core.review import actions, counting, ends, gold, queries, rules
from core.review.rules import Lane, State, Verdict
from core.review.standing import Judged
from core.review.tables import ReviewDecision, ReviewItem, ReviewSlot
from tests.review.waiting import APPROVE, LEAD, REJECT, Waiting, person

ANN, BOB, CLEO = person("ann"), person("bob"), person("cleo")


@pytest.fixture
def waiting(db: Database, ids: Ids, at: datetime) -> Waiting:
    """Three answers; Ann has rejected the first, which tests others at every turn."""
    return known(Waiting(db, ids, at), 3)


def known(here: Waiting, count: int, **settings: object) -> Waiting:
    """So many answers in a queue, of which Ann has rejected the first: it tests others."""
    here.fill(count, gold_percent=50, **settings)
    take(here, ANN, 1.0)
    decide(here, ANN, here.items[0], REJECT)
    with here.db.write() as session:
        ends.release_due(session, at=here.at + timedelta(seconds=60))
        gold.declare(session, item_id=here.items[0], right=[Verdict.REJECT], by=LEAD, at=here.at)
    return here


def take(here: Waiting, who: object, chance: float = 0.0, later_s: int = 0) -> int | None:
    at = here.at + timedelta(seconds=later_s)
    with here.db.write() as session:
        taken = actions.claim(session, queue_id=here.queue_id, by=who, at=at, chance=lambda: chance)
        return None if taken is None else taken.item_id


def decide(here: Waiting, who: object, item: int, said: object, later_s: int = 1) -> Judged:
    with here.db.write() as session:
        at = here.at + timedelta(seconds=later_s)
        return actions.decide(session, item_id=item, said=said, by=who, at=at, ids=here.ids)


def test_a_test_looks_like_any_other_answer_and_changes_nothing(waiting: Waiting) -> None:
    item = waiting.items[0]
    assert take(waiting, BOB) == item
    with waiting.db.read() as session:
        view = queries.item(session, item, by=BOB, at=waiting.at)
        assert queries.in_hand(session, queue_id=waiting.queue_id, lane=Lane.REVIEW, by=BOB, at=waiting.at) == item
    assert (view.state, view.lane, view.verdict, view.decided_by, view.decisions) == ("waiting", "review", "", "", ())
    assert (view.created_at, view.is_gold, view.slot_until is not None) == (waiting.at, False, True)
    made = decide(waiting, BOB, item, APPROVE)
    assert made.lane == Lane.GOLD
    with waiting.db.read() as session:
        after = session.get_one(ReviewItem, item)
        (row,) = queries.decided_by(session, project_ids=(1,), by=BOB)
        seen = queries.item(session, item, by=BOB, at=waiting.at)
        by_lead = queries.item(session, item, by=LEAD, at=waiting.at)
        by_other = queries.item(session, item, by=CLEO, at=waiting.at)
    assert (after.state, after.verdict, after.decided_by) == (State.RELEASED, "reject", ANN.actor)
    assert (row[1].verdict, row[1].decided_by) == ("approve", BOB.actor)
    assert [(one.verdict, one.lane) for one in seen.decisions] == [("approve", "review")]
    assert [(one.verdict, one.lane) for one in by_lead.decisions] == [("reject", "review"), ("approve", "gold")]
    assert [one.lane for one in by_other.decisions] == ["review"]
    assert by_lead.is_gold


def test_a_test_looks_as_old_as_what_waits_around_it_and_as_if_its_reader_waited(waiting: Waiting) -> None:
    hours = 3
    with waiting.db.write() as session:
        known = session.get_one(ReviewItem, waiting.items[0])
        known.created_at, known.deadline_at = waiting.at - timedelta(days=9), waiting.at - timedelta(days=9, hours=-1)
        session.add(known)
    taken_at = waiting.at + timedelta(hours=hours)
    assert take(waiting, BOB, later_s=hours * 3600) == waiting.items[0]
    with waiting.db.read() as session:
        view = queries.item(session, waiting.items[0], by=BOB, at=taken_at)
        other = session.get_one(ReviewItem, waiting.items[1])
    assert view.created_at == other.created_at == waiting.at
    assert view.deadline_at == taken_at + timedelta(hours=1)


def test_nobody_is_tested_twice_or_with_what_they_decided(waiting: Waiting) -> None:
    assert take(waiting, ANN) in waiting.items[1:]
    assert take(waiting, BOB) == waiting.items[0]
    decide(waiting, BOB, waiting.items[0], REJECT)
    assert take(waiting, BOB) == waiting.items[2]
    assert take(waiting, CLEO, chance=0.5) is None  # by chance not a test, and all else is in hand


def test_an_empty_queue_tests_nobody(waiting: Waiting) -> None:
    for who in (ANN, BOB):
        decide(waiting, who, take(waiting, who, 1.0) or 0, APPROVE)
    assert take(waiting, CLEO) is None


def test_a_test_can_be_taken_back_and_left_to_nobody(waiting: Waiting) -> None:
    item = waiting.items[0]
    take(waiting, BOB)
    decide(waiting, BOB, item, APPROVE)
    with waiting.db.write() as session:
        actions.undo(session, item_id=item, by=BOB, at=waiting.at + timedelta(seconds=5))
    decide(waiting, BOB, item, REJECT, later_s=6)
    take(waiting, CLEO)
    with waiting.db.write() as session:
        actions.pass_on(session, item_id=item, by=CLEO, at=waiting.at)
    with waiting.db.read() as session:
        slots = session.exec(select(ReviewSlot).where(ReviewSlot.item_id == item, ReviewSlot.lane == Lane.GOLD)).all()
        live = session.exec(
            select(ReviewDecision.verdict).where(
                ReviewDecision.reviewer == BOB.actor, col(ReviewDecision.undone_at).is_(None)
            )
        ).all()
        (board,) = counting.board(session, project_ids=(1,), at=waiting.at, by=CLEO, since=waiting.at)
    assert [slot.reviewer for slot in slots] == [BOB.actor]
    assert live == ["reject"]
    assert board.waiting == {Lane.REVIEW: 2}
    assert take(waiting, CLEO) != item


@pytest.mark.parametrize("turn", [0, 1, 2])
def test_the_counts_a_reviewer_sees_go_on_as_if_a_test_were_any_other_answer(
    db: Database, ids: Ids, at: datetime, turn: int
) -> None:
    """Bob looks before, while and after he has each of three answers; in one queue he is tested at `turn`."""

    def looks(name: str, tested_at: int | None) -> list[object]:
        here = known(Waiting(db, ids, at), 6, name=name)
        told = {"by": BOB, "since": at - timedelta(hours=1)}

        def look() -> object:
            with db.read() as session:
                done = counting.done_since(session, queue_id=here.queue_id, **told)
                left = counting.left_for(session, queue_id=here.queue_id, lane=Lane.REVIEW, at=at, **told)
                (row,) = [one for one in counting.board(session, project_ids=(1,), at=at, **told) if one.name == name]
            return done, left, row.to_review, dict(row.hands), row.oldest_at, row.overdue

        found = [look()]
        for number in range(3):
            item = take(here, BOB, 0.0 if number == tested_at else 1.0)
            assert (item == here.items[0]) is (number == tested_at)
            found.append(look())
            decide(here, BOB, item or 0, APPROVE)
            found.append(look())
        return found

    assert looks("Tested", turn) == looks("Not tested", None)


def test_the_last_answer_of_a_queue_is_never_said_to_be_nothing_after_a_test(waiting: Waiting) -> None:
    decide(waiting, CLEO, take(waiting, CLEO, 1.0) or 0, APPROVE)
    decide(waiting, BOB, take(waiting, BOB) or 0, APPROVE)
    told = {"at": waiting.at, "by": BOB, "since": waiting.at - timedelta(hours=1)}
    with waiting.db.read() as session:
        (row,) = counting.board(session, project_ids=(1,), **told)
        left = counting.left_for(session, queue_id=waiting.queue_id, lane=Lane.REVIEW, **told)
    assert (row.to_review, left) == (1, (1, True))


def test_an_answer_in_doubt_tests_nobody(waiting: Waiting) -> None:
    with waiting.db.write() as session:
        actions.appeal(session, item_id=waiting.items[0], reason="It is right.", by=BOB, at=waiting.at, ids=waiting.ids)
    assert take(waiting, CLEO) in waiting.items[1:]
    with waiting.db.read() as session:
        assert session.get_one(ReviewItem, waiting.items[0]).gold_at is None


def test_only_leads_say_what_is_known_and_only_of_what_took_effect(waiting: Waiting) -> None:
    told = {"item_id": waiting.items[0], "right": [Verdict.REJECT], "at": waiting.at}
    for error, changed in (
        (NotAllowed, {"by": BOB}),
        (Invalid, {"by": LEAD, "right": []}),
        (Invalid, {"by": LEAD, "right": [Verdict.ESCALATE]}),
        (Conflict, {"by": LEAD, "item_id": waiting.items[1]}),
    ):
        with waiting.db.write() as session, pytest.raises(error):
            gold.declare(session, **told | changed)
    with waiting.db.write() as session:
        gold.retire(session, item_id=waiting.items[0], by=LEAD, at=waiting.at)
    with waiting.db.write() as session, pytest.raises(Conflict):
        gold.retire(session, item_id=waiting.items[0], by=LEAD, at=waiting.at)
    assert take(waiting, BOB) in waiting.items[1:]


def test_a_known_answer_cannot_be_reached_by_its_lane(waiting: Waiting) -> None:
    with waiting.db.write() as session, pytest.raises(Exception, match="no such queue"):
        actions.claim(session, queue_id=waiting.queue_id, by=BOB, at=waiting.at, lane=Lane.GOLD)


def test_coverage_is_a_share_that_only_grows() -> None:
    for low, high in ((0, 20), (20, 60), (60, 100)):
        few, many = ({n for n in range(4_000) if rules.covered(n, share)} for share in (low, high))
        assert few < many
        assert abs(len(many) / 4_000 - high / 100) < 0.03
    assert not any(rules.covered(n, 0) for n in range(1_000))
    assert all(rules.covered(n, 100) for n in range(1_000))


def test_the_share_that_is_covered_needs_several_people(db: Database, ids: Ids, at: datetime) -> None:
    here = Waiting(db, ids, at).fill(40, reviewers=2, coverage_percent=50)
    with db.read() as session:
        found = session.exec(select(ReviewItem.call_id, ReviewItem.needed)).all()
    assert {needed for _, needed in found} == {1, 2}
    assert all((needed == 2) == rules.covered(call, 50) for call, needed in found)
    single = next(item for item, (_, needed) in zip(here.items, found, strict=True) if needed == 1)
    while (item := take(here, ANN, 1.0)) is not None:
        decide(here, ANN, item, APPROVE)
    with db.read() as session:
        states = {row.id: row.state for row in session.exec(select(ReviewItem)).all()}
    assert states[single] == State.SETTLED
    assert set(states.values()) == {State.SETTLED, State.WAITING}
