"""One verdict for many: only after a random sample got it one by one, and never for what must not be in it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from core.audit import queries as trail
from core.db.engine import Database
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import Ids
from core.people.rules import Principal, Role
from core.review import actions, bulk, claims, rules
from core.review.bulk import BulkView, Filter
from core.review.rules import Lane, State, Verdict
from core.review.tables import ReviewBulk, ReviewDecision, ReviewItem
from tests.review.waiting import APPROVE, LEAD, REJECT, Waiting, person

ANN = person("ann")


@pytest.fixture
def waiting(db: Database, ids: Ids, at: datetime) -> Waiting:
    return Waiting(db, ids, at).fill(40)


def run(waiting: Waiting, action: Any, **told: Any) -> Any:
    with waiting.db.write() as session:
        return action(session, **told)


def begin(waiting: Waiting, at: datetime, **told: Any) -> Any:
    told = {"queue_id": waiting.queue_id, "verdict": Verdict.APPROVE, "meant": Filter(), "by": LEAD} | told
    return run(waiting, bulk.begin, at=at, ids=waiting.ids, chance=random.Random(1), **told)


def decided(waiting: Waiting, item_id: int, at: datetime, said: Any = APPROVE, by: Principal = LEAD) -> None:
    run(waiting, actions.decide, item_id=item_id, said=said, by=by, at=at, ids=waiting.ids)


def look(waiting: Waiting, made: Any, at: datetime, said: Any = APPROVE) -> int:
    item_id: int = run(waiting, bulk.look, bulk_id=made.id, by=LEAD, at=at, chance=random.Random(2))
    decided(waiting, item_id, at, said)
    return item_id


def look_at_all(waiting: Waiting, made: Any, at: datetime) -> None:
    for _ in made.sample:
        look(waiting, made, at)


def taken(waiting: Waiting, item_id: int, by: Principal, at: datetime) -> Any:
    told: dict[str, Any] = {"item_id": item_id, "lane": Lane.REVIEW, "reviewer": by.actor, "lease_s": 300}
    return run(waiting, claims.take_item, at=at, **told)


def go_on(waiting: Waiting, made: Any, at: datetime, **told: Any) -> int:
    left: int = run(waiting, bulk.go_on, bulk_id=made.id, by=LEAD, at=at, ids=waiting.ids, **told)
    return left


def under_way(waiting: Waiting) -> BulkView | None:
    with waiting.db.read() as session:
        return bulk.begun(session, by=LEAD, project_ids=(1,))


def states(waiting: Waiting) -> list[str]:
    with waiting.db.read() as session:
        return [row.state for row in session.exec(select(ReviewItem).order_by(ReviewItem.id))]  # type: ignore[arg-type]


def changed(waiting: Waiting, item_id: int, **values: Any) -> None:
    with waiting.db.write() as session:
        row = session.get(ReviewItem, item_id)
        assert row is not None
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)


def test_the_rest_follows_when_the_whole_sample_agrees(waiting: Waiting, at: datetime) -> None:
    made = begin(waiting, at)
    assert (made.population, len(made.sample)) == (40, 7)
    look_at_all(waiting, made, at)
    assert go_on(waiting, made, at, limit=20) == 13
    found = under_way(waiting)
    assert found is not None
    assert (found.decided, found.rest) == (20, 13)
    assert go_on(waiting, made, at, limit=20) == 0
    assert states(waiting) == [State.SETTLED] * 40
    with waiting.db.read() as session:
        made_by_bulk = session.exec(select(ReviewDecision).where(ReviewDecision.bulk_id == made.id)).all()
        assert len(made_by_bulk) == 33
        assert len(trail.events(session, action="review.decided", limit=100)) == 40
        ended = trail.events(session, action="review.bulk_ended")[0].after
        assert ended == {"outcome": "done", "decided": 33, "of": 40}
    assert under_way(waiting) is None


def test_nothing_follows_before_the_sample_was_looked_at(waiting: Waiting, at: datetime) -> None:
    made = begin(waiting, at)
    look(waiting, made, at)
    with pytest.raises(Conflict, match="6 of the sample"):
        go_on(waiting, made, at)
    assert states(waiting).count(State.SETTLED) == 1


def test_one_that_disagrees_stops_it(waiting: Waiting, at: datetime) -> None:
    made = begin(waiting, at)
    for _ in made.sample[:-1]:
        look(waiting, made, at)
    look(waiting, made, at, REJECT)
    with pytest.raises(Conflict) as told:
        go_on(waiting, made, at)
    assert told.value.code == "sample_disagrees"
    run(waiting, bulk.stop, bulk_id=made.id, by=LEAD, at=at)
    with pytest.raises(NotFound):
        go_on(waiting, made, at)
    assert states(waiting).count(State.WAITING) == 33


def test_a_sample_item_passed_to_others_was_seen_differently_and_is_not_drawn_anew(
    waiting: Waiting, at: datetime
) -> None:
    made = begin(waiting, at)
    item_id = run(waiting, bulk.look, bulk_id=made.id, by=LEAD, at=at)
    run(waiting, actions.pass_on, item_id=item_id, by=LEAD, at=at)
    found = under_way(waiting)
    assert found is not None
    assert (found.otherwise, found.sample) == ((bulk.PASSED_ON,), tuple(made.sample))
    with pytest.raises(Conflict, match="not decided with"):
        go_on(waiting, made, at)


def test_looking_again_gives_the_item_in_hand_and_an_undone_one_comes_back(waiting: Waiting, at: datetime) -> None:
    made = begin(waiting, at)
    first = run(waiting, bulk.look, bulk_id=made.id, by=LEAD, at=at)
    assert run(waiting, bulk.look, bulk_id=made.id, by=LEAD, at=at) == first
    decided(waiting, first, at)
    second = look(waiting, made, at)
    assert second != first
    run(waiting, actions.undo, item_id=first, by=LEAD, at=at + timedelta(seconds=1))
    assert run(waiting, bulk.look, bulk_id=made.id, by=LEAD, at=at + timedelta(seconds=1)) == first


def test_what_others_decided_or_hold_is_drawn_anew_and_their_verdict_does_not_stand_for_the_leads_look(
    waiting: Waiting, at: datetime
) -> None:
    made = begin(waiting, at)
    gone, held, *_ = made.sample
    for item_id in (gone, held):
        assert taken(waiting, item_id, ANN, at) is not None
    decided(waiting, gone, at, by=ANN)
    look_at_all(waiting, made, at)
    found = under_way(waiting)
    assert found is not None
    assert len(found.sample) == 7
    assert not {gone, held} & set(found.sample)
    while go_on(waiting, made, at):
        pass
    assert states(waiting).count(State.WAITING) == 1  # what Ann holds stays hers


def test_when_nothing_is_left_to_draw_looking_says_so(waiting: Waiting, at: datetime) -> None:
    made = begin(waiting, at)
    for item_id in waiting.items:
        taken(waiting, item_id, ANN, at)
    with pytest.raises(Conflict, match="Nothing of the sample"):
        run(waiting, bulk.look, bulk_id=made.id, by=LEAD, at=at)


def test_a_held_answer_of_the_highest_severity_is_left_to_a_person(waiting: Waiting, at: datetime) -> None:
    grave, *others = waiting.items
    changed(waiting, grave, severity=3, deadline_at=at + timedelta(hours=1))
    changed(waiting, others[0], severity=3)
    made = begin(waiting, at)
    assert made.population == 39
    look_at_all(waiting, made, at)
    while go_on(waiting, made, at):
        pass
    with waiting.db.read() as session:
        found = [row.id for row in session.exec(select(ReviewItem).where(ReviewItem.state == State.WAITING))]
    assert found == [grave]


def test_only_what_meets_the_filter_and_was_there_at_the_beginning_is_decided(waiting: Waiting, at: datetime) -> None:
    for item_id in waiting.items[:30]:
        changed(waiting, item_id, policy="cards")
    changed(waiting, waiting.items[30], policy="cards", created_at=at + timedelta(seconds=1))
    made = begin(waiting, at, meant=Filter(policy="cards"))
    look_at_all(waiting, made, at)
    later = at + timedelta(seconds=5)
    while go_on(waiting, made, later):
        pass
    assert states(waiting) == [State.SETTLED] * 30 + [State.WAITING] * 10


def test_no_more_are_decided_than_the_sample_was_drawn_from(
    waiting: Waiting, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MOST", 30)
    made = begin(waiting, at)
    assert made.population == 30
    look_at_all(waiting, made, at)
    while go_on(waiting, made, at):
        pass
    assert states(waiting).count(State.SETTLED) == 30


def test_where_two_must_decide_it_is_one_of_the_two(db: Database, ids: Ids, at: datetime) -> None:
    waiting = Waiting(db, ids, at).fill(20, reviewers=2)
    made = begin(waiting, at)
    look_at_all(waiting, made, at)
    while go_on(waiting, made, at):
        pass
    assert states(waiting) == [State.WAITING] * 20
    for item_id in waiting.items:
        taken(waiting, item_id, ANN, at)
        decided(waiting, item_id, at, by=ANN)
    assert states(waiting) == [State.SETTLED] * 20


def test_to_reject_many_say_why_and_every_row_says_it(waiting: Waiting, at: datetime) -> None:
    made = begin(waiting, at, verdict=Verdict.REJECT)
    for _ in made.sample:
        look(waiting, made, at, REJECT)
    with pytest.raises(Invalid):
        go_on(waiting, made, at)
    assert go_on(waiting, made, at, comment="A wrong price.", limit=5) == 28
    with waiting.db.read() as session:
        rows = session.exec(select(ReviewDecision).where(ReviewDecision.bulk_id == made.id)).all()
        assert [row.comment for row in rows] == ["A wrong price."] * 5


def test_few_items_are_decided_one_by_one(waiting: Waiting, at: datetime) -> None:
    for item_id in waiting.items[:5]:
        changed(waiting, item_id, reason="odd")
    with pytest.raises(Invalid, match="Only 5"):
        begin(waiting, at, meant=Filter(reason="odd"))
    with pytest.raises(Invalid, match="No waiting answer"):
        begin(waiting, at, meant=Filter(reason="none of that"))


def test_an_edit_is_no_verdict_for_many(waiting: Waiting, at: datetime) -> None:
    with pytest.raises(Invalid):
        begin(waiting, at, verdict=Verdict.EDIT)


def test_one_bulk_decision_at_a_time(waiting: Waiting, at: datetime) -> None:
    begin(waiting, at)
    with pytest.raises(Conflict):
        begin(waiting, at)


def test_another_lead_cannot_go_on_with_it(waiting: Waiting, at: datetime) -> None:
    made = begin(waiting, at)
    other = person("other", Role.LEAD_REVIEWER)
    for verb in (bulk.look, bulk.stop):
        with pytest.raises(NotFound):
            run(waiting, verb, bulk_id=made.id, by=other, at=at)
    with waiting.db.read() as session:
        assert bulk.begun(session, by=other, project_ids=(1,)) is None
        assert session.get_one(ReviewBulk, made.id).ended_at is None


@pytest.mark.parametrize(("role", "error"), [(Role.REVIEWER, NotAllowed), (Role.PRODUCT_MANAGER, NotFound)])
def test_only_leads_who_review_decide_for_many(waiting: Waiting, at: datetime, role: Role, error: Any) -> None:
    with pytest.raises(error):
        begin(waiting, at, by=person("other", role))


def test_a_sample_grows_with_the_square_root_and_ends_at_thirty() -> None:
    assert [rules.sample_size(n) for n in (0, 1, 6, 26, 100, 901, 10_000)] == [5, 5, 5, 6, 10, 30, 30]


def test_what_waits_can_be_told_apart_and_counted(waiting: Waiting, at: datetime) -> None:
    changed(waiting, waiting.items[0], policy="cards", reason="A card number")
    with waiting.db.read() as session:
        found = bulk.choices(session, waiting.queue_id)
        told: dict[str, Any] = {"queue_id": waiting.queue_id, "by": LEAD, "at": at}
        assert bulk.meeting(session, meant=Filter(), **told) == 40
        assert bulk.meeting(session, meant=Filter(policy="cards"), **told) == 1
    assert found == {"source": ("manual",), "policy": ("cards",), "reason": ("A card number",)}
