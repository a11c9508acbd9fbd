"""What people do with answers that wait: take, decide, pass on, take back, appeal; and what the clock does.

Every change is one conditional statement on the row two people could race for; no row back means somebody was first,
and the error says who. A decision locks its item, so that its verdicts are counted one after the other.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from rapidfuzz.distance import Levenshtein
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.calls import rows
from core.calls.tables import Call
from core.errors import Conflict, Invalid, NotFound
from core.ids import Ids, shown
from core.people.rules import SYSTEM, Permission, Principal, require
from core.review import claims, gold, rules, standing
from core.review.rules import Lane, Said, Source, State, Verdict
from core.review.tables import Appeal, ReviewAway, ReviewDecision, ReviewDraft, ReviewItem, ReviewQueue, ReviewSlot

LEADS = frozenset({Lane.ESCALATION, Lane.ADJUDICATION, Lane.APPEAL})


@dataclass(frozen=True, slots=True)
class Claimed:
    """An item in hand until `lease_until`."""

    item_id: int
    slot: int
    lease_until: datetime


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
) -> ReviewItem:
    """Put a recorded answer in front of people. Raises: NotFound, NotAllowed, Conflict when it waits there already."""
    # shared, so that the queue's rubric is not changed between the wording that is noted here and the commit
    queue = session.get(ReviewQueue, queue_id, with_for_update={"read": True})
    if queue is None or (by is not SYSTEM and not by.may(Permission.USAGE_READ, queue.project_id)):
        raise NotFound("There is no such queue.", hint="Choose one of the queues of this project.")
    if by is not SYSTEM:
        require(by, Permission.REVIEW_SEND, queue.project_id)
    query = select(Call.project_id, Call.prompt_id, Call.prompt_version).where(Call.id == call_id)
    owner, prompt_id, prompt_version = session.exec(query).one_or_none() or (None, None, None)
    if owner != queue.project_id:
        raise NotFound("There is no such call in this queue's project.", hint="Look for it in Calls.")
    weight = rules.weight(risk, severity)
    needed = queue.reviewers if rules.covered(call_id, queue.coverage_percent) else 1
    asked = standing.wording(session, queue.rubric_id)
    item = ReviewItem(
        id=ids.next(),
        project_id=queue.project_id,
        queue_id=queue_id,
        call_id=call_id,
        source=source,
        reason=rows.text(reason)[: rules.LONGEST],
        risk=risk,
        severity=severity,
        weight=weight,
        needed=needed,
        policy=rows.text(policy),
        rubric_id=asked.rubric_id,
        rubric_version=asked.version,
        created_at=at,
        due_at=rules.due_at(at, service_level_s=queue.service_level_s, weight=weight),
        deadline_at=deadline_at,
        prompt_id=prompt_id,
        prompt_version=prompt_version,
    )
    try:
        with session.begin_nested():
            session.add(item)
    except IntegrityError:
        raise Conflict(
            f"{shown('call', call_id)} is in the queue {queue.name!r} already.", hint="Open it in Review queue."
        ) from None
    session.add_all(standing.slot(item, number, at) for number in range(1, needed + 1))
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


def claim(
    session: Session,
    *,
    queue_id: int,
    by: Principal,
    at: datetime,
    lane: Lane = Lane.REVIEW,
    chance: Callable[[], float] = secrets.SystemRandom().random,
) -> Claimed | None:
    """Take the next item in hand; None when nothing waits for this person. Raises: NotFound, NotAllowed.

    By `chance` (0…1) it is one whose right verdict is known, for the queue's share of claims.
    """
    found = claims.look(session, queue_id=queue_id, lane=lane, reviewer=by.actor, at=at)
    if found is None or not by.may(Permission.REVIEW_DECIDE, found.project_id):
        raise NotFound("There is no such queue.", hint="Choose one of the queues of this project.")
    if lane in LEADS:
        require(by, Permission.REVIEW_LEAD, found.project_id)
    if lane is Lane.GOLD:
        raise NotFound("There is no such queue.", hint="Known answers come among the others.")
    until = at + timedelta(seconds=found.lease_s)
    taken = None
    if lane is Lane.REVIEW and found.oldest and found.gold_percent and chance() * 100 < found.gold_percent:
        taken = gold.take(session, queue_id=queue_id, reviewer=by.actor, until=until, at=at)
    if taken is None:
        taken = claims.take(session, found, queue_id=queue_id, lane=lane, reviewer=by.actor, at=at)
    return None if taken is None else Claimed(*taken, until)


def renew(session: Session, *, item_id: int, by: Principal, at: datetime) -> datetime:
    """Keep an item in hand a while longer. Raises: Conflict when somebody else has it by now."""
    item, queue = standing.item(session, item_id, by)
    until = at + timedelta(seconds=queue.lease_s)
    kept = session.execute(
        update(ReviewSlot)
        .where(*standing.mine(item_id, by))
        .values(lease_until=until)
        .returning(col(ReviewSlot.number))
    ).first()
    if kept is None:
        raise standing.gone(session, item, by)
    return until


def pass_on(session: Session, *, item_id: int, by: Principal, at: datetime, why: str = "") -> None:
    """Leave an item to others: it is not offered to this person again. Not a verdict. Raises: Conflict."""
    item, _ = standing.item(session, item_id, by)
    freed = session.execute(
        update(ReviewSlot)
        .where(*standing.mine(item_id, by))
        .values(reviewer=None, claimed_at=None, lease_until=None)
        .returning(col(ReviewSlot.number))
    ).first()
    if freed is None:
        raise standing.gone(session, item, by)
    gold.drop(session, item_id=item_id)
    why = rows.text(why)[:500]
    session.add(ReviewAway(item_id=item_id, reviewer=by.actor, why=why or "passed on", at=at))
    session.flush()
    audit.append(
        session,
        by=by,
        at=at,
        action="review.passed_on",
        target=shown("item", item_id),
        project_id=item.project_id,
        after={"why": why},
    )


def put_down(session: Session, *, item_id: int, by: Principal, at: datetime) -> None:
    """Give an item back to its queue as it came: whoever comes next may have it, the same person too."""
    standing.item(session, item_id, by)
    session.execute(
        update(ReviewSlot)
        .where(*standing.mine(item_id, by), col(ReviewSlot.claimed_at) <= at)
        .values(reviewer=None, claimed_at=None, lease_until=None)
    )
    gold.drop(session, item_id=item_id)


def decide(
    session: Session, *, item_id: int, said: Said, by: Principal, at: datetime, ids: Ids, bulk_id: int | None = None
) -> standing.Judged:
    """Record a verdict, and what follows from it; `bulk_id` names the bulk decision it is part of.

    Raises:
        Conflict: somebody decided first, or has the item by now; it says who and when.
        Invalid: the verdict lacks what it needs.
    """
    item = standing.open_item(session, item_id, by)
    taken = standing.take_verdict(session, item_id, by, at)
    lane = taken.lane if taken is not None else Lane(item.lane)
    if lane in LEADS:
        require(by, Permission.REVIEW_LEAD, item.project_id)
    said = rules.checked(said, lane=lane)
    if taken is None or (item.state != State.WAITING and lane is not Lane.GOLD):
        raise standing.gone(session, item, by)
    distance = None
    if said.edited is not None:
        distance = Levenshtein.distance(standing.answer(session, item.call_id), said.edited)
        if not distance:  # nothing is changed: the same end as who approves it, and no disagreement with them
            said, distance = replace(said, verdict=Verdict.APPROVE, edited=None), None
    shown_by = taken.shown or standing.judged_by(session, item, item.queue_rubric_id)
    decision = standing.Judged(
        id=ids.next(),
        item_id=item_id,
        queue_id=item.queue_id,
        project_id=item.project_id,
        slot=taken.slot,
        lane=lane,
        reviewer=by.actor,
        verdict=said.verdict,
        reasons=list(said.reasons),
        scores=dict(said.scores or {}),
        comment=said.comment,
        severity=said.severity,
        edited=said.edited,
        edit_distance=distance,
        seconds=said.seconds,
        policy=item.policy,
        rubric_id=shown_by.rubric_id,
        rubric_version=shown_by.version,
        bulk_id=bulk_id,
        at=at,
    )
    standing.record(session, item, decision)
    standing.drop_draft(session, item_id, by)
    audit.append(
        session,
        by=by,
        at=at,
        action="review.decided",
        target=shown("item", item_id),
        project_id=item.project_id,
        after={"verdict": said.verdict, "reasons": list(said.reasons), "lane": lane}
        | (
            {}
            if shown_by.rubric_id is None
            else {"rubric": f"rubric:{shown_by.rubric_id}", "wording": shown_by.version}
        )
        | ({} if bulk_id is None else {"bulk": shown("bulk", bulk_id)}),
    )
    return decision


def undo(session: Session, *, item_id: int, by: Principal, at: datetime) -> None:
    """Take one's own verdict back while it has not taken effect; the item is in hand again.

    Raises: Conflict when the answer was released, or somebody has acted on the verdict.
    """
    item, queue = standing.item(session, item_id, by, locked=True)
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
    is_test = mine.lane == Lane.GOLD
    if (item.state not in (State.WAITING, State.SETTLED) and not is_test) or mine.at <= since:
        raise Conflict(
            f"It is too late: a verdict can be undone for {queue.undo_s} seconds.",
            code="too_late",
            hint="Appeal it, and somebody else looks again.",
        )
    if is_test:
        _open_again(session, mine, until=at + timedelta(seconds=queue.lease_s))
    else:
        _take_back(session, item, mine, until=at + timedelta(seconds=queue.lease_s))
    mine.undone_at = at
    session.add(mine)
    session.flush()
    audit.append(
        session,
        by=by,
        at=at,
        action="review.undone",
        target=shown("item", item_id),
        project_id=item.project_id,
        before={"verdict": mine.verdict},
    )


def _take_back(session: Session, item: ReviewItem, mine: ReviewDecision, *, until: datetime) -> None:
    """What followed from a verdict is undone. Raises: Conflict when somebody has acted on it."""
    if standing.appealed_since(session, item.id, mine.at):
        raise Conflict("This verdict was appealed by now.", code="too_late", hint="Somebody else looks again.")
    slots = session.exec(select(ReviewSlot).where(ReviewSlot.item_id == item.id)).all()
    asked = [slot for slot in slots if slot.number > mine.slot and slot.created_at >= mine.at]
    if any(slot.reviewer is not None for slot in asked):
        raise Conflict(
            "Somebody is looking at this item because of your verdict already.",
            code="too_late",
            hint="Tell them, or appeal when they are done.",
        )
    for slot in asked:
        session.delete(slot)  # asked for because of the verdict that is no more
    for slot in slots:
        if slot.closed_at == mine.at:
            slot.closed_at = None
            session.add(slot)
    _open_again(session, mine, until=until)
    item.state, item.lane = State.WAITING, mine.lane
    item.verdict, item.decided_by, item.decision_id, item.settled_at, item.release_at = "", "", None, None, None
    session.flush()
    item.needed = standing.asked(session, item.id)
    session.add(item)


def _open_again(session: Session, mine: ReviewDecision, *, until: datetime) -> None:
    slot = session.get_one(ReviewSlot, (mine.item_id, mine.slot))
    slot.decided_at, slot.closed_at, slot.lease_until = None, None, until
    session.add(slot)


def appeal(session: Session, *, item_id: int, reason: str, by: Principal, at: datetime, ids: Ids) -> Appeal:
    """Ask for a second look at a verdict that took effect, by somebody who neither decided before nor appeals.

    Raises: Conflict when the item is still open, Invalid without a reason.
    """
    item, queue = standing.item(session, item_id, by, locked=True, permission=Permission.REVIEW_SEND)
    reason = rows.text(reason).strip()[: rules.LONGEST]
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
    item.gold_at = None  # what is in doubt tests nobody
    asked = standing.wording(session, queue.rubric_id)  # the queue may have another rubric by now
    item.rubric_id, item.rubric_version = asked.rubric_id, asked.version
    item.deadline_at = None  # the caller has had an answer: what is looked at again waits for a person
    item.due_at = rules.due_at(at, service_level_s=queue.service_level_s, weight=item.weight)
    item.verdict, item.decided_by, item.decision_id, item.settled_at, item.release_at = "", "", None, None, None
    session.add(item)
    session.add(standing.slot(item, standing.last_slot(session, item_id) + 1, at))
    session.merge(ReviewAway(item_id=item_id, reviewer=by.actor, why="appealed", at=at))
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
    item, _ = standing.item(session, item_id, by)
    session.merge(ReviewDraft(item_id=item.id, reviewer=by.actor, state=rows.plain(dict(state)), at=at))
