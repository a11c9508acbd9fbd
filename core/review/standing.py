"""How an item stands: who has it, who decided, and what follows from the verdicts so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, func, update
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from core.calls import queries as calls
from core.calls import rows
from core.calls import said as read
from core.calls.tables import CallPayload
from core.db.rows import insert, last, run, table
from core.errors import Conflict, NotFound
from core.people import queries as people
from core.people.rules import Permission, Principal
from core.review import rules
from core.review.rules import Cast, Lane, Next, State, Verdict
from core.review.tables import Appeal, ReviewDecision, ReviewDraft, ReviewItem, ReviewQueue, ReviewSlot, Rubric

_ITEM = (
    select(ReviewItem, ReviewQueue)
    .join(ReviewQueue, col(ReviewQueue.id) == col(ReviewItem.queue_id))
    .where(col(ReviewItem.id) == bindparam("item"))
    .execution_options(populate_existing=True)
)
_LOCKED = _ITEM.with_for_update(of=ReviewItem)
_SLOT, _ROW, _DRAFT, _QUEUE = (table(one).c for one in (ReviewSlot, ReviewItem, ReviewDraft, ReviewQueue))
_DECIDED = (
    update(table(ReviewSlot))
    .where(
        _SLOT.item_id == bindparam("item"),
        _SLOT.reviewer == bindparam("by"),
        _SLOT.decided_at.is_(None),
        _SLOT.closed_at.is_(None),
    )
    .values(decided_at=bindparam("moment"))
    .returning(_SLOT.number, _SLOT.lane, _SLOT.rubric_id, _SLOT.rubric_version)
)
_SETTLE = (
    update(table(ReviewItem))
    .where(_ROW.id == bindparam("item"))
    .values(
        state=State.SETTLED,
        verdict=bindparam("what"),
        decided_by=bindparam("who"),
        decision_id=bindparam("by"),
        settled_at=bindparam("moment"),
        release_at=bindparam("until"),
    )
)
_ASK_MORE = (
    update(table(ReviewItem)).where(_ROW.id == bindparam("item")).values(needed=bindparam("many"), lane=bindparam("to"))
)
_DROP_DRAFT = delete(table(ReviewDraft)).where(_DRAFT.item_id == bindparam("item"), _DRAFT.reviewer == bindparam("by"))


@dataclass(frozen=True, slots=True)
class Wording:
    """One wording of one rubric; both None where nothing is asked beside the verdict."""

    rubric_id: int | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """An item and its queue's settings, locked, as a verdict finds them; loading all of both costs twice as much."""

    id: int
    project_id: int
    queue_id: int
    call_id: int
    state: str
    lane: str
    weight: int
    needed: int
    policy: str
    rubric_id: int | None
    rubric_version: int | None
    queue_rubric_id: int | None
    most_reviewers: int
    undo_s: int


_OPEN = (
    columns(
        *(_ROW[name] for name in Open.__dataclass_fields__ if name in _ROW),
        _QUEUE.rubric_id.label("queue_rubric_id"),
        _QUEUE.most_reviewers,
        _QUEUE.undo_s,
    )
    .join_from(table(ReviewItem), table(ReviewQueue), _QUEUE.id == _ROW.queue_id)
    .where(_ROW.id == bindparam("item"))
    .with_for_update(of=table(ReviewItem))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict as it is written down: the columns of `ReviewDecision`, which says what they mean."""

    id: int
    item_id: int
    queue_id: int
    project_id: int
    slot: int
    lane: Lane
    reviewer: str
    verdict: Verdict
    reasons: list[str]
    scores: dict[str, Any]
    comment: str
    severity: int
    edited: str | None
    edit_distance: int | None
    seconds: float
    policy: str
    rubric_id: int | None
    rubric_version: int | None
    bulk_id: int | None
    at: datetime
    undone_at: None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A person's place on an item; `shown` is the wording they were shown, None where that was not noted."""

    slot: int
    lane: Lane
    shown: Wording | None = None


def slot(item: ReviewItem | Open, number: int, at: datetime, lane: Lane | None = None) -> ReviewSlot:
    return ReviewSlot(
        item_id=item.id, number=number, queue_id=item.queue_id, lane=lane or item.lane, weight=item.weight,
        created_at=at,
    )  # fmt: skip


def last_slot(session: Session, item_id: int) -> int:
    return session.exec(select(func.max(ReviewSlot.number)).where(ReviewSlot.item_id == item_id)).one() or 0


def mine(item_id: int, by: Principal) -> tuple[Any, ...]:
    return (
        col(ReviewSlot.item_id) == item_id,
        col(ReviewSlot.reviewer) == by.actor,
        col(ReviewSlot.decided_at).is_(None),
        col(ReviewSlot.closed_at).is_(None),
    )


def item(
    session: Session,
    item_id: int,
    by: Principal,
    *,
    locked: bool = False,
    permission: Permission = Permission.REVIEW_DECIDE,
) -> tuple[ReviewItem, ReviewQueue]:
    """The item and its queue, for somebody who may see them. Raises: NotFound."""
    found = session.execute(_LOCKED if locked else _ITEM, {"item": item_id}).one_or_none()
    if found is None or not by.may(permission, found[0].project_id):
        raise _unknown()
    return found[0], found[1]


def open_item(session: Session, item_id: int, by: Principal) -> Open:
    """The item for somebody who decides on it, locked. Raises: NotFound."""
    row = run(session, _OPEN, {"item": item_id}).one_or_none()
    if row is None or not by.may(Permission.REVIEW_DECIDE, row.project_id):
        raise _unknown()
    return Open(**row._mapping)


def _unknown() -> NotFound:
    return NotFound("There is no such item.", hint="Open the queue again.")


def take_verdict(session: Session, item_id: int, by: Principal, at: datetime) -> Place | None:
    """Their place on the item is decided now; None when they have none. Theirs to follow up."""
    row = run(session, _DECIDED, {"item": item_id, "by": by.actor, "moment": at}).one_or_none()
    return None if row is None else Place(int(row.number), Lane(row.lane), _noted(row.rubric_id, row.rubric_version))


def drop_draft(session: Session, item_id: int, by: Principal) -> None:
    last(session, _DROP_DRAFT, {"item": item_id, "by": by.actor})


def gone(session: Session, item: ReviewItem | Open, by: Principal) -> Conflict:
    """Why an item is not in this person's hands: who was first, and when."""
    decision = session.exec(
        select(ReviewDecision)
        .where(ReviewDecision.item_id == item.id, col(ReviewDecision.undone_at).is_(None))
        .order_by(col(ReviewDecision.id).desc())
        .limit(1)
    ).first()
    if item.state == State.EXPIRED:
        return Conflict("The deadline of this item has passed.", code="expired", hint="Your draft was kept.")
    if item.state == State.WITHDRAWN:
        return Conflict("The application withdrew this answer.", code="withdrawn", hint="Go on with the next one.")
    if decision is not None:
        who = "you" if decision.reviewer == by.actor else _called(session, decision.reviewer)
        return Conflict(
            f"Decided by {who} at {decision.at:%H:%M:%S} UTC: {decision.verdict}.",
            code="already_decided",
            hint="Your draft was kept; appeal if you see it differently.",
        )
    holder = session.exec(
        select(ReviewSlot.reviewer)
        .where(ReviewSlot.item_id == item.id, col(ReviewSlot.reviewer).is_not(None), ReviewSlot.reviewer != by.actor)
        .limit(1)
    ).first()
    hands = f"in the hands of {_called(session, holder)} now" if holder else "not in your hands"
    return Conflict(
        f"This item is {hands}.",
        code="claim_lost",
        hint="Your draft was kept; take the next one.",
    )


def _called(session: Session, mark: str) -> str:
    return people.names(session, [mark]).get(mark, mark)


def wording(session: Session, rubric_id: int | None) -> Wording:
    """The wording of its queue's rubric that an item is sent under, however that is worded later."""
    if rubric_id is None:
        return Wording()
    version = session.exec(select(Rubric.version).where(Rubric.id == rubric_id)).one_or_none()
    return Wording() if version is None else Wording(rubric_id, version)


def judged_by(session: Session, item: ReviewItem | Open, queue_rubric_id: int | None) -> Wording:
    """The wording whoever takes an item now is shown; of an item from before rubrics were noted, one of its queue's."""
    if item.rubric_version is None:
        return wording(session, queue_rubric_id)
    return Wording(item.rubric_id or queue_rubric_id, item.rubric_version)


def shown(session: Session, item_id: int, by: Principal) -> Wording | None:
    """The wording that a person who has this item in hand was shown when they took it, if that was noted."""
    query = select(ReviewSlot.rubric_id, ReviewSlot.rubric_version).where(*mine(item_id, by))
    row = session.exec(query.order_by(col(ReviewSlot.number).desc()).limit(1)).first()
    return None if row is None else _noted(*row)


def _noted(rubric_id: int | None, version: int | None) -> Wording | None:
    if version is None:
        return None
    return Wording(rubric_id, version) if version else Wording()


def answer(session: Session, call_id: int) -> str:
    packed = session.exec(select(CallPayload.response).where(CallPayload.call_id == call_id)).one_or_none()
    return "\n".join(message.text for message in read.answered(read.value(rows.unpack(packed))))


def casts(session: Session, item: ReviewItem | Open) -> list[Cast]:
    found = session.exec(
        select(ReviewDecision)
        .where(
            ReviewDecision.item_id == item.id,
            ReviewDecision.lane == item.lane,
            col(ReviewDecision.undone_at).is_(None),
        )
        .order_by(col(ReviewDecision.id))
    ).all()
    return [_cast(one) for one in found]


def _cast(one: ReviewDecision | Judged) -> Cast:
    return Cast(one.id, one.reviewer, Verdict(one.verdict), one.edited)


def asked(session: Session, item_id: int) -> int:
    """How many reviewers the item has room for: so many verdicts it needs."""
    count = select(func.count()).where(ReviewSlot.item_id == item_id, ReviewSlot.lane == Lane.REVIEW)
    return int(session.exec(count).one())


def appealed_since(session: Session, item_id: int, at: datetime) -> bool:
    return session.exec(select(Appeal.id).where(Appeal.item_id == item_id, Appeal.made_at >= at)).first() is not None


def record(session: Session, item: Open, mine: Judged) -> None:
    """Write a verdict down, and do what it and those before it ask for."""
    if mine.lane is Lane.GOLD:  # what is known already is not decided anew
        insert(session, mine, last, into=ReviewDecision)
        return
    at, lane = mine.at, Lane(item.lane)
    is_alone = item.needed == 1 or lane is not Lane.REVIEW  # then it is the only one that counts
    said = [*([] if is_alone else casts(session, item)), _cast(mine)]
    insert(session, mine, last, into=ReviewDecision)
    step = rules.next_step(said, lane=lane, needed=item.needed, most=max(item.most_reviewers, item.needed))
    if step.what is Next.WAIT:
        return
    if step.what is Next.SETTLE:
        assert step.by is not None
        told = {
            "item": item.id,
            "what": step.by.verdict,
            "who": step.by.reviewer,
            "by": step.by.decision_id,
            "moment": at,
            "until": at + timedelta(seconds=item.undo_s),
        }
        last(session, _SETTLE, told)
        if lane is not Lane.REVIEW or len(said) != item.needed:  # else every place is decided
            close_slots(session, [item.id], at)
        return
    to, many = lane, item.needed
    if step.what is Next.ONE_MORE:
        many += 1
    else:
        close_slots(session, [item.id], at)
        to = Lane.ESCALATION if step.what is Next.ESCALATE else Lane.ADJUDICATION
    run(session, _ASK_MORE, {"item": item.id, "many": many, "to": to})
    session.add(slot(item, last_slot(session, item.id) + 1, at, to))
    session.flush()


def close_slots(session: Session, item_ids: Sequence[int], at: datetime) -> None:
    """Nobody else is asked. Whoever had it in hand had no part in it: another lane may ask them again."""
    session.execute(
        update(ReviewSlot)
        .where(
            col(ReviewSlot.item_id).in_(item_ids),
            col(ReviewSlot.decided_at).is_(None),
            col(ReviewSlot.closed_at).is_(None),
        )
        .values(closed_at=at, reviewer=None, claimed_at=None, lease_until=None)
    )


def blind_calls(
    session: Session, call_ids: Sequence[int], *, project_ids: Sequence[int], by: Principal, at: datetime
) -> tuple[int, ...]:
    """Those of these calls whose answer this person has in hand in a queue that does not say which model it is of.

    What a judge was asked about such an answer is one of them: it says the answer, and what the judge thinks of it.
    """
    of = calls.judged(session, call_ids)
    query = (
        select(ReviewItem.call_id)
        .join(ReviewSlot, col(ReviewSlot.item_id) == col(ReviewItem.id))
        .join(ReviewQueue, col(ReviewQueue.id) == col(ReviewItem.queue_id))
        .where(
            ReviewSlot.reviewer == by.actor,
            col(ReviewSlot.decided_at).is_(None),
            col(ReviewSlot.closed_at).is_(None),
            col(ReviewSlot.lease_until) > at,
            col(ReviewItem.call_id).in_([*call_ids, *of.values()]),
            col(ReviewItem.project_id).in_(project_ids),
            col(ReviewQueue.is_blind),
        )
    )
    in_hand = set(session.exec(query))
    return tuple(number for number in call_ids if number in in_hand or of.get(number) in in_hand)
