"""The life of a queue, lived at random: whatever people and the clock do in whatever order, the store stays sane."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlmodel import col, select

from core.audit import queries as trail
from core.audit.tables import AuditEvent
from core.db.engine import Database
from core.errors import GreenroomError
from core.ids import Ids
from core.people.rules import Principal, Role
from core.review import actions, ends, gold
from core.review.rules import Lane, Said, State, Verdict
from core.review.tables import Appeal, ReviewAway, ReviewDecision, ReviewItem, ReviewSlot
from tests.review.waiting import APPROVE, ESCALATE, REJECT, Waiting, edit, person

REVIEWERS = [person(name) for name in ("ann", "bob", "cleo")]
LEADS = [person(name, Role.LEAD_REVIEWER) for name in ("lea", "leo")]
PEOPLE = REVIEWERS + LEADS
LANES = [lane for lane in Lane if lane is not Lane.GOLD]
SAYINGS = [APPROVE, REJECT, ESCALATE, edit("Better."), edit("Best."), Said(Verdict.UNREVIEWABLE)]
FINAL = {State.RELEASED, State.EXPIRED, State.WITHDRAWN}
CALLS = 6

whos = st.sampled_from(PEOPLE)


class Life(RuleBasedStateMachine):
    """One queue of a store that lives on from example to example; time is the machine's own."""

    items: Bundle[int] = Bundle("items")
    db: Database
    ids: Ids
    start: datetime
    examples = 0

    @initialize(reviewers=st.integers(1, 3), more=st.integers(0, 2))
    def open(self, reviewers: int, more: int) -> None:
        Life.examples += 1
        self.now = self.start
        self.waiting = Waiting(self.db, self.ids, self.start)
        self.most = reviewers + more
        self.reviewers = reviewers
        self.waiting.open(
            CALLS, name=f"Life {Life.examples}", reviewers=reviewers, most_reviewers=self.most, gold_percent=50
        )
        self.told: dict[int, tuple[int, str]] = {}  # decisions people were told had been taken, by id
        self.undone: set[int] = set()
        self.ended: dict[int, list[str]] = defaultdict(list)  # every end an item was reported with
        self.appeals: Counter[int] = Counter()
        self.leases: dict[tuple[int, int], tuple[str, datetime]] = {}

    def attempt(self, action: Any, **told: Any) -> Any:
        """The value of an action; None when it was refused in a sentence."""
        self.now += timedelta(microseconds=1)
        try:
            with self.db.write() as session:
                return action(session, at=self.now, **told)
        except GreenroomError:
            return None

    @rule(
        target=items, risk=st.integers(1, 3), severity=st.integers(1, 3), within_s=st.sampled_from([None, 5, 60, 900])
    )
    def send(self, risk: int, severity: int, within_s: int | None) -> Any:
        if not self.waiting.unsent:
            return self.waiting.items[-1]
        self.now += timedelta(microseconds=1)
        deadline = None if within_s is None else self.now + timedelta(seconds=within_s)
        told = {"risk": risk, "severity": severity, "at": self.now, "deadline_at": deadline}
        with self.db.write() as session:
            number = self.waiting.send(session, self.waiting.unsent.pop(), **told)
        self.waiting.items.append(number)
        return number

    @rule(seconds=st.sampled_from([1, 5, 9, 11, 120, 301, 1_000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(who=whos, lane=st.sampled_from(LANES), dice=st.sampled_from([0.0, 0.99]))
    def claim(self, who: Principal, lane: Lane, dice: float = 0.99) -> None:
        if lane in actions.LEADS and who in REVIEWERS:
            assert self.attempt(actions.claim, queue_id=self.waiting.queue_id, by=who, lane=lane) is None
            return
        best = self.best(who, lane, self.now + timedelta(microseconds=1))
        tests = self.tests(who) if best and lane is Lane.REVIEW and dice < 0.5 else set()
        told = {"queue_id": self.waiting.queue_id, "by": who, "lane": lane, "chance": lambda: dice}
        taken = self.attempt(actions.claim, **told)
        if taken is None:
            assert best == set()
            return
        assert taken.item_id in (tests or best)
        holder, until = self.leases.get((taken.item_id, taken.slot), (who.actor, self.now))
        assert holder == who.actor or until <= self.now
        self.leases[taken.item_id, taken.slot] = (who.actor, taken.lease_until)

    def tests(self, who: Principal) -> set[int]:
        """The known answers that this person has not seen."""
        with self.db.read() as session:
            seen = set(session.exec(select(ReviewSlot.item_id).where(ReviewSlot.reviewer == who.actor)).all())
            seen |= set(session.exec(select(ReviewAway.item_id).where(ReviewAway.reviewer == who.actor)).all())
        return {item.id for item in self.all() if item.gold_at and item.state == State.RELEASED} - seen

    @rule(who=whos, item=items, right=st.sampled_from(gold.RIGHT))
    def declare(self, who: Principal, item: int, right: Verdict) -> None:
        was = self.item(item).gold_at
        self.attempt(gold.declare, item_id=item, right=[right], by=who)
        assert self.item(item).gold_at == was or who in LEADS

    def best(self, who: Principal, lane: Lane, at: datetime) -> set[int]:
        """The items this person may get, by looking at every slot: the greatest weight × age."""
        with self.db.read() as session:
            slots = session.exec(select(ReviewSlot).where(ReviewSlot.queue_id == self.waiting.queue_id)).all()
            away = set(session.exec(select(ReviewAway.item_id).where(ReviewAway.reviewer == who.actor)).all())
        mine = {(slot.item_id, slot.number) for slot in slots if slot.reviewer == who.actor}
        free = [
            slot
            for slot in slots
            if slot.lane == lane and slot.decided_at is None and slot.closed_at is None
            if slot.lease_until is None or slot.lease_until <= at
            if slot.item_id not in away and all(i != slot.item_id or n == slot.number for i, n in mine)
        ]
        ranks = {slot.item_id: (slot.weight * (at - slot.created_at).total_seconds(), slot.weight) for slot in free}
        return {number for number, rank in ranks.items() if rank == max(ranks.values())}

    @rule(who=whos, item=items)
    def renew(self, who: Principal, item: int) -> None:
        until = self.attempt(actions.renew, item_id=item, by=who)
        if until is not None:
            (slot,) = [slot for slot in self.slots(item) if slot.reviewer == who.actor and slot.decided_at is None]
            self.leases[item, slot.number] = (who.actor, until)

    @rule(who=whos, item=items)
    def pass_on(self, who: Principal, item: int) -> None:
        before = {slot.number for slot in self.slots(item) if slot.reviewer == who.actor}
        self.attempt(actions.pass_on, item_id=item, by=who)
        for number in before - {slot.number for slot in self.slots(item) if slot.reviewer == who.actor}:
            self.leases.pop((item, number), None)

    @rule(who=whos, item=items, said=st.sampled_from(SAYINGS))
    def decide(self, who: Principal, item: int, said: Said) -> None:
        made = self.attempt(actions.decide, item_id=item, said=said, by=who, ids=self.ids)
        if made is not None:
            self.told[made.id] = (item, who.actor)

    @rule(who=whos, lane=st.sampled_from(LANES), said=st.sampled_from(SAYINGS))
    def work(self, who: Principal, lane: Lane, said: Said) -> None:
        self.claim(who, lane)
        for slot in self.in_hand():
            if slot.reviewer == who.actor:
                self.decide(who, slot.item_id, said)

    def in_hand(self) -> list[ReviewSlot]:
        with self.db.read() as session:
            query = (
                select(ReviewSlot)
                .where(ReviewSlot.queue_id == self.waiting.queue_id, col(ReviewSlot.reviewer).is_not(None))
                .where(col(ReviewSlot.decided_at).is_(None), col(ReviewSlot.closed_at).is_(None))
            )
            return list(session.exec(query.order_by(col(ReviewSlot.item_id), col(ReviewSlot.number))))

    @rule(data=st.data(), said=st.sampled_from(SAYINGS))
    def decide_what_is_in_hand(self, data: st.DataObject, said: Said) -> None:
        if held := [(slot.item_id, slot.reviewer) for slot in self.in_hand()]:
            item, actor = data.draw(st.sampled_from(held))
            self.decide(next(one for one in PEOPLE if one.actor == actor), item, said)

    @rule(who=whos, item=items)
    def undo(self, who: Principal, item: int) -> None:
        before = {one.id for one in self.live(item)}
        self.attempt(actions.undo, item_id=item, by=who)
        gone = before - {one.id for one in self.live(item)}
        assert {self.told[number] for number in gone} <= {(item, who.actor)}
        self.undone |= gone
        for slot in self.slots(item):
            self.leases.pop((item, slot.number), None)
            if slot.lease_until is not None and slot.reviewer is not None:
                self.leases[item, slot.number] = (slot.reviewer, slot.lease_until)

    @rule(who=whos, item=items)
    def appeal(self, who: Principal, item: int) -> None:
        was = self.item(item).state
        if self.attempt(actions.appeal, item_id=item, reason="It is right.", by=who, ids=self.ids) is not None:
            assert was == State.RELEASED
            self.appeals[item] += 1

    @rule(item=items)
    def withdraw(self, item: int) -> None:
        was = self.item(item)
        if self.attempt(ends.withdraw, item_id=item):
            assert was.closed_at is None
            self.ended[item].append(State.WITHDRAWN)

    @rule()
    def the_clock_strikes(self) -> None:
        for number in self.happened(ends.expire_due):
            self.ended[number].append(State.EXPIRED)
        for number in self.happened(ends.release_due):
            self.ended[number].append(State.RELEASED)
        for item in self.all():
            if item.state == State.WAITING:
                assert item.deadline_at is None or item.deadline_at > self.now - timedelta(microseconds=1)
            assert item.release_at is None or item.state != State.SETTLED or item.release_at > self.now

    def happened(self, end: Any) -> list[int]:
        return [one.item_id for one in self.attempt(end) if one.item_id in self.waiting.items]

    def all(self) -> list[ReviewItem]:
        with self.db.read() as session:
            return list(session.exec(select(ReviewItem).where(ReviewItem.queue_id == self.waiting.queue_id)))

    def item(self, number: int) -> ReviewItem:
        return next(item for item in self.all() if item.id == number)

    def slots(self, number: int) -> list[ReviewSlot]:
        with self.db.read() as session:
            return list(session.exec(select(ReviewSlot).where(ReviewSlot.item_id == number)))

    def live(self, number: int) -> list[ReviewDecision]:
        with self.db.read() as session:
            query = select(ReviewDecision).where(ReviewDecision.item_id == number)
            return list(session.exec(query.where(col(ReviewDecision.undone_at).is_(None))))

    @invariant()
    def every_item_is_sane(self) -> None:
        for item in self.all() if hasattr(self, "waiting") else []:
            slots, live = self.slots(item.id), self.live(item.id)
            open_slots = [
                slot for slot in slots if slot.decided_at is None and slot.closed_at is None and slot.lane != Lane.GOLD
            ]
            people = [slot.reviewer for slot in slots if slot.reviewer]
            assert len(people) == len(set(people)), "a person has two slots"
            assert Counter((one.slot, one.reviewer) for one in live) == Counter(
                (slot.number, slot.reviewer) for slot in slots if slot.decided_at is not None
            ), "a verdict without its slot, or a slot without its verdict"
            live = [one for one in live if one.lane != Lane.GOLD]  # tests change nothing
            asked = [slot for slot in slots if slot.lane == Lane.REVIEW]
            assert item.needed == len(asked) <= max(self.most, self.reviewers)
            assert {slot.lane for slot in open_slots} <= {item.lane}
            assert bool(open_slots) == (item.state == State.WAITING), "waiting is having room for somebody"
            assert (item.closed_at is not None) == (item.state in FINAL)
            is_decided = item.decision_id is not None
            assert is_decided == bool(item.verdict) == bool(item.decided_by) == (item.settled_at is not None)
            assert item.state not in {State.WAITING, State.EXPIRED} or not is_decided
            if item.state in {State.SETTLED, State.RELEASED}:
                (by,) = [one for one in live if one.id == item.decision_id]
                assert (by.verdict, by.reviewer, by.lane) == (item.verdict, item.decided_by, item.lane)
                if item.lane == Lane.REVIEW:
                    same = [one for one in live if (one.verdict, one.edited) == (by.verdict, by.edited)]
                    assert len(live) >= item.needed
                    assert 2 * len(same) > len(live)
            assert all(one.reviewer in {who.actor for who in LEADS} for one in live if one.lane != Lane.REVIEW)

    @invariant()
    def what_people_were_told_is_what_is_there(self) -> None:
        for item in self.all() if hasattr(self, "waiting") else []:
            told = {number for number, (about, _) in self.told.items() if about == item.id} - self.undone
            assert told == {one.id for one in self.live(item.id)}
            ends_told = self.ended[item.id]
            releases = ends_told.count(State.RELEASED)
            if item.state in FINAL:
                assert ends_told[-1] == item.state
            assert len(ends_told) == releases or (len(ends_told), releases) == (1, 0), "two final states"
            assert releases in (
                {self.appeals[item.id] + 1} if item.state == State.RELEASED else {self.appeals[item.id]}
            )

    @invariant()
    def an_appeal_is_decided_by_somebody_else(self) -> None:
        if not hasattr(self, "waiting"):
            return
        with self.db.read() as session:
            made = session.exec(select(Appeal).where(col(Appeal.item_id).in_(self.waiting.items))).all()
        for appeal in made:
            rounds = [one for one in self.live(appeal.item_id) if one.lane == Lane.APPEAL and one.at > appeal.made_at]
            assert all(one.reviewer != appeal.by for one in rounds[:1])
            assert (appeal.decided_at is not None) == bool(appeal.outcome)
        for number in self.waiting.items:
            undecided = sum(one.item_id == number and not one.outcome for one in made)
            assert undecided == (self.item(number).lane == Lane.APPEAL and self.item(number).state not in FINAL)

    def teardown(self) -> None:
        """Whatever happened, people nobody has seen before can bring every item to its end; the trail tells it all."""
        if not hasattr(self, "waiting"):
            return
        for number in range(40):
            fresh = person(f"fresh{number}", Role.LEAD_REVIEWER)
            for lane in LANES:
                self.now += timedelta(seconds=400)
                taken = self.attempt(actions.claim, queue_id=self.waiting.queue_id, by=fresh, lane=lane)
                if taken is not None:
                    made = self.attempt(actions.decide, item_id=taken.item_id, said=APPROVE, by=fresh, ids=self.ids)
                    self.told[made.id] = (taken.item_id, fresh.actor)
        self.now += timedelta(seconds=400)
        self.the_clock_strikes()
        assert {item.state for item in self.all()} <= FINAL
        with self.db.read() as session:
            acts = Counter(
                session.exec(
                    select(AuditEvent.action).where(
                        col(AuditEvent.target).in_([actions.shown("item", number) for number in self.waiting.items])
                    )
                )
            )
            assert trail.verify(session).ok
        assert acts["review.decided"] == len(self.told)
        assert acts["review.undone"] == len(self.undone)
        assert acts["review.sent"] == len(self.waiting.items)
        assert acts["review.appealed"] == sum(self.appeals.values())
        assert acts["review.expired"] == sum(State.EXPIRED in ended for ended in self.ended.values())


def live(url: str, ids: Ids, at: datetime, *, examples: int, steps: int = 40) -> None:
    db = Database(url)
    try:
        told = {"db": db, "ids": ids, "start": at}
        how = settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=[Phase.generate],  # a shrink replays thousands of lives
        )
        run_state_machine_as_test(type("Life", (Life,), told), settings=how)
    finally:
        db.close()


def test_a_queue_lives_through_anything_on_sqlite(sqlite_url: str, ids: Ids, at: datetime) -> None:
    live(sqlite_url, ids, at, examples=25)


def test_a_queue_lives_through_anything_on_postgres(fresh_postgres: str, ids: Ids, at: datetime) -> None:
    live(fresh_postgres, ids, at, examples=6)


@pytest.mark.long
def test_a_queue_lives_long(store_url: str, ids: Ids, at: datetime) -> None:
    live(store_url, ids, at, examples=300 if "sqlite" in store_url else 100, steps=80)
