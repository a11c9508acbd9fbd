"""What people do with answers that wait: take, decide, pass on, take back, appeal; and what the clock does.

Every change is one conditional statement on the row two people could race for; no row back means somebody was first,
and the error says who. A decision locks its item, so that its verdicts are counted one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rapidfuzz.distance import Levenshtein
from sqlalchemy import delete, func, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.calls import rows
from core.calls import said as read
from core.calls.tables import Call, CallPayload
from core.errors import Conflict, Invalid, NotFound
from core.ids import Ids, shown
from core.people.rules import SYSTEM, Permission, Principal, require
from core.review import claims, rules
from core.review.rules import Cast, Lane, Next, Source, State, Verdict
from core.review.tables import (
    Appeal,
    ReviewAway,
    ReviewDecision,
    ReviewDraft,
    ReviewItem,
    ReviewQueue,
    ReviewSlot,
)

LONGEST = 100_000
LEADS = frozenset({Lane.ESCALATION, Lane.ADJUDICATION, Lane.APPEAL})


@dataclass(frozen=True, slots=True)
class Said:
    """What a reviewer says: the verdict and everything that explains it."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    scores: Mapping[str, Any] | None = None
    comment: str = ""
    severity: int = 1
    edited: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Claimed:
    """An item in hand until `lease_until`."""

    item_id: int
    slot: int
    lease_until: datetime


def open_queue(
    session: Session,
    *,
    project_id: int,
    name: str,
    by: Principal,
    at: datetime,
    reviewers: int = 1,
    most_reviewers: int = 3,
    service_level_s: int = 3_600,
    **settings: Any,
) -> ReviewQueue:
    """Raises: Invalid, Conflict, NotAllowed."""
    require(by, Permission.REVIEW_CHANGE, project_id)
    name = name.strip()
    if not name or len(name) > 64:
        raise Invalid("A queue's name is 1 to 64 characters.", hint="For example: Answers about refunds.")
    if not 1 <= reviewers <= most_reviewers <= 9:
        raise Invalid(
            "An item needs 1 to 9 reviewers, and the most it may get is no fewer.",
            hint="For example 2 reviewers, and up to 3 while they disagree.",
        )
    same = select(ReviewQueue).where(ReviewQueue.project_id == project_id, ReviewQueue.name == name)
    if session.exec(same).first() is not None:
        raise Conflict(f"There is a queue named {name!r} already.", hint="Choose another name.")
    queue = ReviewQueue(
        project_id=project_id,
        name=name,
        reviewers=reviewers,
        most_reviewers=most_reviewers,
        service_level_s=service_level_s,
        created_at=at,
        **settings,
    )
    session.add(queue)
    session.flush()
    audit.append(
        session,
        by=by,
        at=at,
        action="queue.opened",
        target=f"queue:{queue.id}",
        project_id=project_id,
        after=queue.model_dump(exclude={"created_at"}),
    )
    return queue


def send(
    session: Session,
    *,
    queue_id: int,
    call_id: int,
    source: Source,
    by: Principal,
    at: datetime,
    ids: Ids,
    reason: str = "",
    risk: int = 1,
    severity: int = 1,
    policy: str = "",
    deadline_at: datetime | None = None,
    gold: Mapping[str, Any] | None = None,
) -> ReviewItem:
    """Put a recorded answer in front of people. Raises: NotFound, NotAllowed, Conflict when it waits there already."""
    queue = session.get(ReviewQueue, queue_id)
    if queue is None:
        raise NotFound("There is no such queue.", hint="Choose one of the queues of this project.")
    if by is not SYSTEM:
        require(by, Permission.REVIEW_SEND, queue.project_id)
    owner = session.exec(select(Call.project_id).where(Call.id == call_id)).one_or_none()
    if owner != queue.project_id:
        raise NotFound("There is no such call in this queue's project.", hint="Look for it in Calls.")
    weight = rules.weight(risk, severity)
    item = ReviewItem(
        id=ids.next(),
        project_id=queue.project_id,
        queue_id=queue_id,
        call_id=call_id,
        source=source,
        reason=rows.text(reason)[:LONGEST],
        risk=risk,
        severity=severity,
        weight=weight,
        needed=queue.reviewers,
        policy=policy,
        gold=dict(gold) if gold is not None else None,
        created_at=at,
        due_at=rules.due_at(at, service_level_s=queue.service_level_s, weight=weight),
        deadline_at=deadline_at,
    )
    try:
        with session.begin_nested():
            session.add(item)
    except IntegrityError:
        raise Conflict(
            f"{shown('call', call_id)} is in the queue {queue.name!r} already.", hint="Open it in Review queue."
        ) from None
    for number in range(1, queue.reviewers + 1):
        session.add(_slot(item, number, at))
    session.flush()
    audit.append(
        session,
        by=by,
        at=at,
        action="review.sent",
        target=shown("item", item.id),
        project_id=item.project_id,
        after={"call": shown("call", call_id), "queue": queue.name, "source": source, "reason": item.reason[:500]},
    )
    return item


def claim(session: Session, *, queue_id: int, by: Principal, at: datetime, lane: Lane = Lane.REVIEW) -> Claimed | None:
    """Take the next item in hand; None when nothing waits for this person. Raises: NotFound, NotAllowed."""
    queue = session.get(ReviewQueue, queue_id)
    if queue is None or not by.may(Permission.REVIEW_DECIDE, queue.project_id):
        raise NotFound("There is no such queue.", hint="Choose one of the queues of this project.")
    if lane in LEADS:
        require(by, Permission.REVIEW_LEAD, queue.project_id)
    taken = claims.take(session, queue_id=queue_id, lane=lane, reviewer=by.actor, lease_s=queue.lease_s, at=at)
    return None if taken is None else Claimed(*taken, at + timedelta(seconds=queue.lease_s))


def renew(session: Session, *, item_id: int, by: Principal, at: datetime) -> datetime:
    """Keep an item in hand a while longer. Raises: Conflict when somebody else has it by now."""
    item, queue = _item(session, item_id, by)
    until = at + timedelta(seconds=queue.lease_s)
    kept = session.execute(
        update(ReviewSlot).where(*_mine(item_id, by)).values(lease_until=until).returning(col(ReviewSlot.number))
    ).first()
    if kept is None:
        raise _gone(session, item, by)
    return until


def pass_on(session: Session, *, item_id: int, by: Principal, at: datetime, why: str = "") -> None:
    """Leave an item to others: it is not offered to this person again. Not a verdict. Raises: Conflict."""
    item, _ = _item(session, item_id, by)
    freed = session.execute(
        update(ReviewSlot)
        .where(*_mine(item_id, by))
        .values(reviewer=None, claimed_at=None, lease_until=None)
        .returning(col(ReviewSlot.number))
    ).first()
    if freed is None:
        raise _gone(session, item, by)
    session.add(ReviewAway(item_id=item_id, reviewer=by.actor, why=rows.text(why)[:500] or "passed on", at=at))
    session.flush()
    audit.append(
        session,
        by=by,
        at=at,
        action="review.passed_on",
        target=shown("item", item_id),
        project_id=item.project_id,
        after={"why": why[:500]},
    )


def decide(session: Session, *, item_id: int, said: Said, by: Principal, at: datetime, ids: Ids) -> ReviewDecision:
    """Record a verdict, and what follows from it.

    Raises:
        Conflict: somebody decided first, or has the item by now; it says who and when.
        Invalid: the verdict lacks what it needs.
    """
    item, queue = _item(session, item_id, by, locked=True)
    if Lane(item.lane) in LEADS:
        require(by, Permission.REVIEW_LEAD, item.project_id)
    answer = _answer(session, item.call_id)
    said = _checked(said, answer)
    taken = session.execute(
        update(ReviewSlot).where(*_mine(item_id, by)).values(decided_at=at).returning(col(ReviewSlot.number))
    ).first()
    if taken is None or item.state != State.WAITING:
        raise _gone(session, item, by)
    decision = ReviewDecision(
        id=ids.next(),
        item_id=item_id,
        queue_id=item.queue_id,
        project_id=item.project_id,
        slot=int(taken[0]),
        lane=item.lane,
        reviewer=by.actor,
        verdict=said.verdict,
        reasons=list(said.reasons),
        scores=dict(said.scores or {}),
        comment=said.comment,
        severity=said.severity,
        edited=said.edited,
        edit_distance=None if said.edited is None else Levenshtein.distance(answer, said.edited),
        seconds=said.seconds,
        policy=item.policy,
        rubric_version=item.rubric_version,
        at=at,
    )
    session.add(decision)
    session.flush()
    _follow(session, item, queue, at=at)
    session.execute(
        delete(ReviewDraft).where(col(ReviewDraft.item_id) == item_id, col(ReviewDraft.reviewer) == by.actor)
    )
    audit.append(
        session,
        by=by,
        at=at,
        action="review.decided",
        target=shown("item", item_id),
        project_id=item.project_id,
        after={"verdict": said.verdict, "reasons": list(said.reasons), "lane": decision.lane},
    )
    return decision


def undo(session: Session, *, item_id: int, by: Principal, at: datetime) -> None:
    """Take one's own verdict back while it has not taken effect; the item is in hand again.

    Raises: Conflict when the answer was released, or somebody has acted on the verdict.
    """
    item, queue = _item(session, item_id, by, locked=True)
    since = at - timedelta(seconds=queue.undo_s)
    mine = session.exec(
        select(ReviewDecision)
        .where(
            ReviewDecision.item_id == item_id,
            ReviewDecision.reviewer == by.actor,
            col(ReviewDecision.undone_at).is_(None),
        )
        .order_by(col(ReviewDecision.id).desc())
        .limit(1)
    ).first()
    if mine is None:
        raise Conflict("You have decided nothing here that could be undone.", hint="Open the item again.")
    if item.state not in (State.WAITING, State.SETTLED) or mine.at <= since:
        raise Conflict(
            f"It is too late: a verdict can be undone for {queue.undo_s} seconds.",
            code="too_late",
            hint="Appeal it, and somebody else looks again.",
        )
    later = select(ReviewSlot).where(ReviewSlot.item_id == item_id, col(ReviewSlot.number) > mine.slot)
    if any(slot.reviewer is not None for slot in session.exec(later) if slot.created_at >= mine.at):
        raise Conflict(
            "Somebody is looking at this item because of your verdict already.",
            code="too_late",
            hint="Tell them, or appeal when they are done.",
        )
    mine.undone_at = at
    session.add(mine)
    session.flush()
    for slot in session.exec(select(ReviewSlot).where(ReviewSlot.item_id == item_id)).all():
        if slot.created_at >= mine.at and slot.number > mine.slot:
            session.delete(slot)  # asked for because of the verdict that is no more
        elif slot.number == mine.slot:
            slot.decided_at, slot.closed_at = None, None
            slot.lease_until = at + timedelta(seconds=queue.lease_s)
            session.add(slot)
        elif slot.closed_at == mine.at:
            slot.closed_at = None
            session.add(slot)
    item.state, item.lane = State.WAITING, mine.lane
    item.verdict, item.decided_by, item.decision_id, item.settled_at, item.release_at = "", "", None, None, None
    item.needed = _needed(session, item, queue)
    session.add(item)
    audit.append(
        session,
        by=by,
        at=at,
        action="review.undone",
        target=shown("item", item_id),
        project_id=item.project_id,
        before={"verdict": mine.verdict},
    )


def appeal(session: Session, *, item_id: int, reason: str, by: Principal, at: datetime, ids: Ids) -> Appeal:
    """Ask for a second look at a verdict that took effect; nobody who decided before may decide it.

    Raises: Conflict when the item is still open, Invalid without a reason.
    """
    item, queue = _item(session, item_id, by, locked=True, permission=Permission.REVIEW_SEND)
    reason = rows.text(reason.strip())[:LONGEST]
    if not reason:
        raise Invalid("An appeal needs a reason.", hint="Say in a sentence what is wrong with the verdict.")
    if item.state != State.RELEASED:
        raise Conflict(
            "Only a verdict that took effect can be appealed.", hint="Undo it, or wait until it is released."
        )
    made = Appeal(
        id=ids.next(),
        item_id=item_id,
        project_id=item.project_id,
        by=by.actor,
        reason=reason,
        verdict_before=item.verdict,
        made_at=at,
    )
    session.add(made)
    item.state, item.lane, item.closed_at = State.WAITING, Lane.APPEAL, None
    item.due_at = rules.due_at(at, service_level_s=queue.service_level_s, weight=item.weight)
    item.verdict, item.decided_by, item.decision_id, item.settled_at, item.release_at = "", "", None, None, None
    session.add(item)
    session.add(_slot(item, _last(session, item_id) + 1, at))
    session.flush()
    audit.append(
        session,
        by=by,
        at=at,
        action="review.appealed",
        target=shown("item", item_id),
        project_id=item.project_id,
        before={"verdict": made.verdict_before},
        after={"reason": reason[:500]},
    )
    return made


def keep_draft(session: Session, *, item_id: int, state: Mapping[str, Any], by: Principal, at: datetime) -> None:
    """Keep what a reviewer has typed, while they work and when they came too late."""
    item, _ = _item(session, item_id, by)
    session.merge(ReviewDraft(item_id=item.id, reviewer=by.actor, state=dict(state), at=at))


@dataclass(frozen=True, slots=True)
class Closed:
    """An item whose end takes effect now: by `verdict`, or expired without one (`verdict` "")."""

    item_id: int
    project_id: int
    call_id: int
    verdict: str
    edited: str | None
    reasons: tuple[str, ...]
    decided_by: str


def release_due(session: Session, *, at: datetime, limit: int = 200) -> list[Closed]:
    """Verdicts whose time to undo is over take effect, each exactly once, whichever process looks first."""
    due = (
        select(col(ReviewItem.id))
        .where(ReviewItem.state == State.SETTLED, col(ReviewItem.release_at) <= at)
        .order_by(col(ReviewItem.release_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    released = _close(session, due, State.SETTLED, State.RELEASED, at)
    for one in released:
        session.execute(
            update(Appeal)
            .where(col(Appeal.item_id) == one.item_id, col(Appeal.decided_at).is_(None))
            .values(decided_at=at, outcome=one.verdict)
        )
    return released


def expire_due(session: Session, *, at: datetime, limit: int = 200) -> list[Closed]:
    """Items nobody decided by their deadline end, each exactly once; what was settled by then is released instead."""
    due = (
        select(col(ReviewItem.id))
        .where(
            col(ReviewItem.deadline_at) <= at,
            col(ReviewItem.closed_at).is_(None),
            ReviewItem.state == State.WAITING,
        )
        .order_by(col(ReviewItem.deadline_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ended = _close(session, due, State.WAITING, State.EXPIRED, at)
    if ended:
        _close_slots(session, [one.item_id for one in ended], at)
        for one in ended:
            audit.append(
                session,
                by=SYSTEM,
                at=at,
                action="review.expired",
                target=shown("item", one.item_id),
                project_id=one.project_id,
            )
    return ended


def withdraw(session: Session, *, item_id: int, at: datetime) -> bool:
    """The caller wants the answer no longer; True when the item was still open."""
    gone = session.execute(
        update(ReviewItem)
        .where(col(ReviewItem.id) == item_id, col(ReviewItem.closed_at).is_(None))
        .values(state=State.WITHDRAWN, closed_at=at)
        .returning(col(ReviewItem.id))
    ).first()
    if gone is None:
        return False
    _close_slots(session, [item_id], at)
    return True


# What the verbs share


def _slot(item: ReviewItem, number: int, at: datetime) -> ReviewSlot:
    return ReviewSlot(
        item_id=item.id, number=number, queue_id=item.queue_id, lane=item.lane, weight=item.weight, created_at=at
    )


def _last(session: Session, item_id: int) -> int:
    return session.exec(select(func.max(ReviewSlot.number)).where(ReviewSlot.item_id == item_id)).one() or 0


def _mine(item_id: int, by: Principal) -> tuple[Any, ...]:
    return (
        col(ReviewSlot.item_id) == item_id,
        col(ReviewSlot.reviewer) == by.actor,
        col(ReviewSlot.decided_at).is_(None),
        col(ReviewSlot.closed_at).is_(None),
    )


def _item(
    session: Session,
    item_id: int,
    by: Principal,
    *,
    locked: bool = False,
    permission: Permission = Permission.REVIEW_DECIDE,
) -> tuple[ReviewItem, ReviewQueue]:
    """The item and its queue, for somebody who may see them. Raises: NotFound."""
    query = select(ReviewItem).where(ReviewItem.id == item_id).execution_options(populate_existing=True)
    item = session.exec(query.with_for_update() if locked else query).one_or_none()
    if item is None or not by.may(permission, item.project_id):
        raise NotFound("There is no such item.", hint="Open the queue again.")
    queue = session.get(ReviewQueue, item.queue_id)
    assert queue is not None
    return item, queue


def _gone(session: Session, item: ReviewItem, by: Principal) -> Conflict:
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
        who = "you" if decision.reviewer == by.actor else decision.reviewer
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
    return Conflict(
        f"This item is in the hands of {holder} now." if holder else "This item is not in your hands.",
        code="claim_lost",
        hint="Your draft was kept; take the next one.",
    )


def _answer(session: Session, call_id: int) -> str:
    packed = session.exec(select(CallPayload.response).where(CallPayload.call_id == call_id)).one_or_none()
    return "\n".join(message.text for message in read.answered(read.value(rows.unpack(packed))))


def _checked(said: Said, answer: str) -> Said:
    """The verdict with its texts as they can be stored. Raises: Invalid."""
    edited = said.edited
    if said.verdict is Verdict.EDIT:
        if edited is None or not edited.strip():
            raise Invalid("An edit needs the edited answer.", hint="Change the text, or reject the answer.")
        if len(edited) > LONGEST:
            raise Invalid(f"The edited answer is longer than {LONGEST:,} characters.", hint="Shorten it.")
        edited = rows.text(edited)
    else:
        edited = None
    if said.verdict in (Verdict.REJECT, Verdict.ESCALATE) and not said.reasons and not said.comment.strip():
        raise Invalid(f"To {said.verdict} an answer, say why.", hint="Choose a reason or write a sentence.")
    if not 1 <= said.severity <= 3:
        raise Invalid("Severity is 1 (low), 2 or 3 (high).", param="severity")
    return Said(
        said.verdict,
        tuple(rows.text(one)[:64] for one in said.reasons)[:16],
        said.scores,
        rows.text(said.comment.strip())[:LONGEST],
        said.severity,
        edited,
        max(0.0, min(said.seconds, 86_400.0)),
    )


def _casts(session: Session, item: ReviewItem) -> list[Cast]:
    found = session.exec(
        select(ReviewDecision)
        .where(
            ReviewDecision.item_id == item.id,
            ReviewDecision.lane == item.lane,
            col(ReviewDecision.undone_at).is_(None),
        )
        .order_by(col(ReviewDecision.id))
    ).all()
    if item.lane == Lane.APPEAL:  # every appeal begins anew
        found = found[-1:]
    return [Cast(one.id, one.reviewer, Verdict(one.verdict), one.edited) for one in found]


def _needed(session: Session, item: ReviewItem, queue: ReviewQueue) -> int:
    count = select(func.count()).where(ReviewSlot.item_id == item.id, ReviewSlot.lane == Lane.REVIEW)
    return max(queue.reviewers, int(session.exec(count).one()))


def _follow(session: Session, item: ReviewItem, queue: ReviewQueue, *, at: datetime) -> None:
    """Do what the verdicts so far ask for."""
    step = rules.next_step(
        _casts(session, item), lane=Lane(item.lane), needed=item.needed, most=max(queue.most_reviewers, item.needed)
    )
    if step.what is Next.WAIT:
        return
    if step.what is Next.SETTLE:
        assert step.by is not None
        item.state, item.verdict = State.SETTLED, step.by.verdict
        item.decided_by, item.decision_id = step.by.reviewer, step.by.decision_id
        item.settled_at, item.release_at = at, at + timedelta(seconds=queue.undo_s)
        _close_slots(session, [item.id], at)
    elif step.what is Next.ONE_MORE:
        item.needed += 1
        session.add(_slot(item, _last(session, item.id) + 1, at))
    else:
        _close_slots(session, [item.id], at)
        item.lane = Lane.ESCALATION if step.what is Next.ESCALATE else Lane.ADJUDICATION
        session.add(_slot(item, _last(session, item.id) + 1, at))
    session.add(item)
    session.flush()


def _close_slots(session: Session, item_ids: Sequence[int], at: datetime) -> None:
    session.execute(
        update(ReviewSlot)
        .where(
            col(ReviewSlot.item_id).in_(item_ids),
            col(ReviewSlot.decided_at).is_(None),
            col(ReviewSlot.closed_at).is_(None),
        )
        .values(closed_at=at)
    )


def _close(session: Session, due: Any, before: State, after: State, at: datetime) -> list[Closed]:
    """Move what is due to its end in one statement; what it returns, nobody else gets."""
    ended = session.execute(
        update(ReviewItem)
        .where(col(ReviewItem.id).in_(due), col(ReviewItem.state) == before)
        .values(state=after, closed_at=at)
        .returning(
            col(ReviewItem.id),
            col(ReviewItem.project_id),
            col(ReviewItem.call_id),
            col(ReviewItem.verdict),
            col(ReviewItem.decided_by),
            col(ReviewItem.decision_id),
        )
    ).all()
    made = {}
    if numbers := [row.decision_id for row in ended if row.decision_id is not None]:
        query = select(ReviewDecision).where(col(ReviewDecision.id).in_(numbers))
        made = {decision.id: decision for decision in session.exec(query)}
    closed = []
    for row in ended:
        decision = made.get(row.decision_id)
        edited, reasons = (decision.edited, tuple(decision.reasons)) if decision else (None, ())
        closed.append(Closed(row.id, row.project_id, row.call_id, row.verdict, edited, reasons, row.decided_by))
    return closed
