"""What the review pages show: queues with what waits in them, one item as its reviewer needs it, one's own work.

Everything here reads open rows or a page of closed ones, so that its cost does not grow with what was ever decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from core.errors import NotFound
from core.people.rules import Permission, Principal
from core.review import rules, standing
from core.review.rules import Lane, State
from core.review.tables import (
    Appeal,
    ReviewDecision,
    ReviewDraft,
    ReviewItem,
    ReviewQueue,
    ReviewSlot,
    RubricVersion,
)
from core.review.views import DecisionView, ItemView, ListRow


def queues(session: Session, *, project_ids: Sequence[int]) -> tuple[ReviewQueue, ...]:
    """The queues of these projects by name."""
    query = select(ReviewQueue).where(col(ReviewQueue.project_id).in_(project_ids)).order_by(ReviewQueue.name)
    return tuple(session.exec(query))


def in_hand(session: Session, *, queue_id: int, lane: Lane, by: Principal, at: datetime) -> int | None:
    """The item of this queue that a person has in hand already."""
    query = (
        select(ReviewSlot.item_id)
        .where(
            ReviewSlot.reviewer == by.actor,
            col(ReviewSlot.decided_at).is_(None),
            col(ReviewSlot.closed_at).is_(None),
            ReviewSlot.queue_id == queue_id,
            col(ReviewSlot.lane).in_((lane, Lane.GOLD) if lane is Lane.REVIEW else (lane,)),
            col(ReviewSlot.lease_until) > at,
        )
        .order_by(col(ReviewSlot.claimed_at).desc())
        .limit(1)
    )
    return session.exec(query).first()


def item(session: Session, item_id: int, *, by: Principal, at: datetime) -> ItemView:
    """One item with everything a reviewer needs beside the call itself. Raises: NotFound.

    Who is tested with it sees it as if nobody had decided it yet, and afterwards as if they alone had.
    """
    found, queue = standing.item(session, item_id, by, permission=Permission.CALLS_READ)
    slot = session.exec(
        select(ReviewSlot)
        .where(*standing.mine(item_id, by), col(ReviewSlot.lease_until) > at)
        .order_by(col(ReviewSlot.number).desc())
        .limit(1)
    ).first()
    draft = session.get(ReviewDraft, (item_id, by.actor))
    rubric = None
    asked = standing.shown(session, item_id, by) or standing.judged_by(session, found, queue.rubric_id)
    if asked.rubric_id is not None:
        rubric = session.get(RubricVersion, (asked.rubric_id, asked.version))
    made = session.exec(
        select(ReviewDecision).where(ReviewDecision.item_id == item_id).order_by(col(ReviewDecision.id))
    ).all()
    is_independent = slot is not None and Lane(found.lane) in (Lane.REVIEW, Lane.APPEAL) and queue.is_blind
    is_lead = by.may(Permission.REVIEW_LEAD, found.project_id)
    told = [one for one in made if is_lead or one.lane != Lane.GOLD]
    appeals = session.exec(select(Appeal.reason).where(Appeal.item_id == item_id).order_by(col(Appeal.id))).all()
    view = ItemView(
        id=found.id,
        project_id=found.project_id,
        queue_id=found.queue_id,
        queue_name=queue.name,
        call_id=found.call_id,
        source=found.source,
        reason=found.reason,
        severity=found.severity,
        risk=found.risk,
        state=found.state,
        lane=found.lane,
        policy=found.policy,
        created_at=found.created_at,
        due_at=found.due_at,
        deadline_at=found.deadline_at,
        release_at=found.release_at,
        verdict=found.verdict,
        decided_by=found.decided_by,
        is_blind=queue.is_blind,
        undo_s=queue.undo_s,
        slot_until=slot.lease_until if slot is not None else None,
        claimed_at=slot.claimed_at if slot is not None else None,
        questions=tuple(rubric.questions) if rubric is not None else (),
        reasons=tuple(rubric.reasons) if rubric is not None else (),
        policy_text=rubric.policy_text if rubric is not None else "",
        draft=dict(draft.state) if draft is not None else {},
        decisions=() if is_independent else tuple(_decision(one) for one in told),
        appeals=tuple(appeals),
        is_gold=is_lead and found.gold_at is not None,
    )
    if slot is not None and slot.lane == Lane.GOLD:
        return _as_if_new(session, view, slot.claimed_at or at, queue)
    mine = [one for one in made if one.lane == Lane.GOLD and one.reviewer == by.actor and one.undone_at is None]
    return view if is_lead or not mine else _as_if_mine(view, mine[-1])


def decided_by(
    session: Session, *, project_ids: Sequence[int], by: Principal, before: int | None = None, limit: int = 50
) -> tuple[tuple[DecisionView, ListRow], ...]:
    """A person's own verdicts, newest first, with the items they are on."""
    query = (
        select(ReviewDecision, ReviewItem, ReviewQueue.name)
        .join(ReviewItem, col(ReviewItem.id) == col(ReviewDecision.item_id))
        .join(ReviewQueue, col(ReviewQueue.id) == col(ReviewItem.queue_id))
        .where(ReviewDecision.reviewer == by.actor, col(ReviewDecision.project_id).in_(project_ids))
        .order_by(col(ReviewDecision.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(ReviewDecision.id) < before)
    return tuple((_decision(one), _mine(one, _listed(item, name))) for one, item, name in session.exec(query))


def closed(
    session: Session, *, project_ids: Sequence[int], before: int | None = None, limit: int = 50
) -> tuple[ListRow, ...]:
    """Items whose verdict took effect, or whose time is over, newest first."""
    query = (
        select(ReviewItem, ReviewQueue.name)
        .join(ReviewQueue, col(ReviewQueue.id) == col(ReviewItem.queue_id))
        .where(col(ReviewItem.project_id).in_(project_ids), col(ReviewItem.closed_at).is_not(None))
        .order_by(col(ReviewItem.id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(ReviewItem.id) < before)
    return tuple(_listed(item, name) for item, name in session.exec(query))


def of_call(session: Session, call_id: int, *, project_ids: Sequence[int]) -> tuple[ListRow, ...]:
    """How a call stands in review: its items, oldest first."""
    query = (
        select(ReviewItem, ReviewQueue.name)
        .join(ReviewQueue, col(ReviewQueue.id) == col(ReviewItem.queue_id))
        .where(ReviewItem.call_id == call_id, col(ReviewItem.project_id).in_(project_ids))
        .order_by(col(ReviewItem.id))
    )
    return tuple(_listed(item, name) for item, name in session.exec(query))


def of_prompt(session: Session, prompt_id: int, *, project_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """How many answers of each version of a prompt got which verdict, by the version's number: settled ones."""
    query = (
        select(ReviewItem.prompt_version, ReviewItem.verdict, func.count())
        .where(
            ReviewItem.prompt_id == prompt_id,
            col(ReviewItem.prompt_id).is_not(None),
            col(ReviewItem.project_id).in_(project_ids),
            col(ReviewItem.verdict) != "",
        )
        .group_by(col(ReviewItem.prompt_version), col(ReviewItem.verdict))
    )
    found: dict[int, dict[str, int]] = {}
    for version, verdict, count in session.exec(query):
        found.setdefault(version or 0, {})[verdict] = count
    return found


def queue_of(session: Session, queue_id: int, *, project_ids: Sequence[int]) -> ReviewQueue:
    """One queue of these projects. Raises: NotFound."""
    found = session.get(ReviewQueue, queue_id)
    if found is None or found.project_id not in project_ids:
        raise NotFound("There is no such queue.", hint="Choose one of the queues of this project.")
    return found


def _as_if_new(session: Session, view: ItemView, at: datetime, queue: ReviewQueue) -> ItemView:
    """Taken at this moment, it looks as old as what waits around it, and as if its reader waited where one did."""
    waits = (ReviewItem.queue_id == view.queue_id, ReviewItem.state == State.WAITING, col(ReviewItem.created_at) <= at)
    came = session.exec(select(func.min(ReviewItem.created_at)).where(*waits)).one() or at
    due_at = rules.due_at(came, service_level_s=queue.service_level_s, weight=rules.weight(view.risk, view.severity))
    return replace(
        view,
        state=State.WAITING,
        lane=Lane.REVIEW,
        verdict="",
        decided_by="",
        release_at=None,
        deadline_at=None if view.deadline_at is None else at + (view.deadline_at - view.created_at),
        created_at=came,
        due_at=due_at,
        decisions=(),
        appeals=(),
        is_gold=False,
    )


def _as_if_mine(view: ItemView, mine: ReviewDecision) -> ItemView:
    alone = replace(_decision(mine), lane=Lane.REVIEW)
    return replace(
        view, state=State.RELEASED, lane=Lane.REVIEW, verdict=mine.verdict, decided_by=mine.reviewer,
        decisions=(alone,), appeals=(),
    )  # fmt: skip


def _decision(one: ReviewDecision) -> DecisionView:
    return DecisionView(
        id=one.id,
        item_id=one.item_id,
        reviewer=one.reviewer,
        verdict=one.verdict,
        reasons=tuple(one.reasons),
        scores=one.scores,
        comment=one.comment,
        edited=one.edited,
        severity=one.severity,
        lane=one.lane,
        seconds=one.seconds,
        at=one.at,
        undone_at=one.undone_at,
    )


def _mine(one: ReviewDecision, row: ListRow) -> ListRow:
    """The item of one's own verdict; of a test, as if it were the only one."""
    if one.lane != Lane.GOLD:
        return row
    return replace(row, state=State.RELEASED, lane=Lane.REVIEW, verdict=one.verdict, decided_by=one.reviewer)


def _listed(item: ReviewItem, queue_name: str) -> ListRow:
    return ListRow(queue_name=queue_name, **{name: getattr(item, name) for name in _LISTED})


_LISTED = tuple(name for name in ListRow.__dataclass_fields__ if name != "queue_name")
