"""A verdict is filed under the wording its reviewer was shown, whatever the queue asks by then."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from core.audit import queries as trail
from core.db.engine import Database
from core.ids import Ids
from core.people.rules import Principal
from core.review import actions, ends, gold, queries, rubrics
from core.review.rules import Verdict
from core.review.tables import ReviewItem
from tests.review.waiting import LEAD, REJECT, Waiting, claim, decide, item, person, run

ANN, BOB, CLEO, DAN = (person(name) for name in ("ann", "bob", "cleo", "dan"))


@pytest.fixture
def waiting(db: Database, ids: Ids, at: datetime) -> Waiting:
    return Waiting(db, ids, at)


def test_a_verdict_says_by_which_wording_it_was_given_even_when_its_item_came_before_the_rubric(
    waiting: Waiting, at: datetime
) -> None:
    waiting.fill(1)
    told: dict[str, Any] = {"project_id": 1, "name": "Care", "questions": [], "policy_text": "", "by": LEAD, "at": at}
    reasons = [{"code": "wrong", "meaning": "states something false"}]
    number = run(waiting, rubrics.word, reasons=reasons, **told)
    changes = {"rubric_id": number}
    run(waiting, rubrics.change_queue, queue_id=waiting.queue_id, expected_version=1, changes=changes, by=LEAD, at=at)
    assert claim(waiting, ANN, at) == waiting.items[0]
    assert item(waiting, waiting.items[0]).rubric_version == 1
    assert decide(waiting, waiting.items[0], ANN, at).rubric_version == 1


def test_when_a_queue_changes_its_rubric_what_waits_is_judged_by_the_new_ones_wording(
    waiting: Waiting, at: datetime
) -> None:
    waiting.open(3)
    told: dict[str, Any] = {"project_id": 1, "reasons": [], "policy_text": "", "by": LEAD, "at": at}
    old, *_ = [run(waiting, rubrics.word, name="Care", questions=[{"name": f"Old {n}"}], **told) for n in range(3)]
    new = run(waiting, rubrics.word, name="Tone", questions=[{"name": "New"}], **told)

    def ask_by(rubric_id: int, version: int) -> None:
        change: dict[str, Any] = {"queue_id": waiting.queue_id, "expected_version": version, "by": LEAD, "at": at}
        run(waiting, rubrics.change_queue, changes={"rubric_id": rubric_id}, **change)

    ask_by(old, 1)
    with waiting.db.write() as session:
        waiting.items = [waiting.send(session, call_id) for call_id in waiting.unsent]
    first, second, third = waiting.items
    for number in (first, second):
        claim(waiting, ANN, at)
        assert decide(waiting, number, ANN, at).rubric_version == 3
    later = at + timedelta(minutes=5)
    run(waiting, ends.release_due, at=later)
    right = {"right": [Verdict.APPROVE], "by": LEAD, "at": later}
    run(waiting, gold.declare, item_id=first, **right)
    ask_by(new, 2)
    run(waiting, gold.declare, item_id=second, **right)
    assert [(it.rubric_id, it.rubric_version) for it in (item(waiting, one) for one in waiting.items)] == [(new, 1)] * 3
    run(waiting, actions.appeal, item_id=second, reason="No.", by=BOB, at=later, ids=waiting.ids)
    assert claim(waiting, BOB, later) == third
    assert decide(waiting, third, BOB, later).rubric_version == 1
    with waiting.db.read() as session:
        assert [one["name"] for one in queries.item(session, third, by=LEAD, at=later).questions] == ["New"]
        (newest,) = trail.events(session, limit=1)
    assert newest.after is not None
    assert (newest.after["rubric"], newest.after["wording"]) == (f"rubric:{new}", 1)


@pytest.mark.parametrize("before", ["Care", None])
def test_who_has_an_item_in_hand_while_the_rubric_changes_is_filed_under_what_they_saw(
    waiting: Waiting, at: datetime, before: str | None
) -> None:
    waiting.open(2, reviewers=2)
    told: dict[str, Any] = {"project_id": 1, "reasons": [], "policy_text": "", "by": LEAD, "at": at}
    old, new = (run(waiting, rubrics.word, name=one, questions=[{"name": one}], **told) for one in ("Care", "Form"))
    change: dict[str, Any] = {"queue_id": waiting.queue_id, "by": LEAD, "at": at}
    run(waiting, rubrics.change_queue, changes={"rubric_id": before and old}, expected_version=1, **change)
    with waiting.db.write() as session:
        first, second = waiting.items = [waiting.send(session, call_id) for call_id in waiting.unsent]
    assert claim(waiting, ANN, at) == first
    run(waiting, rubrics.change_queue, changes={"rubric_id": new}, expected_version=2, **change)

    def asked(who: Principal, number: int, moment: datetime) -> list[str]:
        with waiting.db.read() as session:
            return [one["name"] for one in queries.item(session, number, by=who, at=moment).questions]

    late = at + timedelta(hours=1)  # the lease is over, and nobody else has it
    shown = ["Care"] if before else []
    assert asked(ANN, first, at) == asked(ANN, first, late) == shown
    assert claim(waiting, BOB, at) == first
    assert asked(BOB, first, at) == ["Form"]
    soon = at + timedelta(seconds=1)
    filed = (old, 1) if before else (None, None)
    made = decide(waiting, first, ANN, soon)
    assert (made.rubric_id, made.rubric_version) == filed
    run(waiting, actions.undo, item_id=first, by=ANN, at=soon)
    assert asked(ANN, first, soon) == shown
    made = decide(waiting, first, ANN, soon, REJECT)
    assert (made.rubric_id, made.rubric_version) == filed
    with waiting.db.read() as session:
        (event,) = trail.events(session, limit=1)
    assert event.after is not None
    assert event.after.get("rubric") == (f"rubric:{old}" if before else None)
    made = decide(waiting, first, BOB, at)
    assert (made.rubric_id, made.rubric_version) == (new, 1)
    assert claim(waiting, ANN, at) == second
    run(waiting, actions.put_down, item_id=second, by=ANN, at=at)
    assert asked(ANN, second, at) == ["Form"]


def test_a_verdict_on_an_item_from_before_rubrics_were_noted_is_of_its_queues_rubric(
    waiting: Waiting, at: datetime
) -> None:
    waiting.open(1)
    told: dict[str, Any] = {"project_id": 1, "reasons": [], "policy_text": "", "by": LEAD, "at": at}
    number, _ = (run(waiting, rubrics.word, name="Care", questions=[{"name": one}], **told) for one in ("Old", "New"))
    changes = {"rubric_id": number}
    run(waiting, rubrics.change_queue, queue_id=waiting.queue_id, expected_version=1, changes=changes, by=LEAD, at=at)
    with waiting.db.write() as session:
        row = session.get_one(ReviewItem, waiting.send(session, waiting.unsent[0]))
        row.rubric_id, row.rubric_version = None, 1
        session.add(row)
    assert claim(waiting, ANN, at) == row.id
    with waiting.db.read() as session:
        assert [one["name"] for one in queries.item(session, row.id, by=ANN, at=at).questions] == ["Old"]
    made = decide(waiting, row.id, ANN, at)
    assert (made.rubric_id, made.rubric_version) == (number, 1)
