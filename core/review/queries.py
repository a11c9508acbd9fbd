"""What the review pages show: queues with what waits in them, one item as its reviewer needs it, one's own work.

Everything here reads open rows or a page of closed ones, so that its cost does not grow with what was ever decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import and_, case, func, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from core import ids
from core.errors import NotFound
from core.people.rules import Permission, Principal
from core.review import rules, standing
from core.review.rules import Lane, State
from core.review.tables import (
    Appeal,
    ReviewAway,
    ReviewDecision,
    ReviewDraft,
    ReviewItem,
    ReviewQueue,
    ReviewSlot,
    RubricVersion,
)
from core.review.views import DecisionView, ItemView, ListRow, QueueRow

PACE_HOURS = 24
MOST_COUNTED = 500


def queues(session: Session, *, project_ids: Sequence[int]) -> tuple[ReviewQueue, ...]:
    """The queues of these projects by name."""
    query = select(ReviewQueue).where(col(ReviewQueue.project_id).in_(project_ids)).order_by(ReviewQueue.name)
    return tuple(session.exec(query))


def board(
    session: Session, *, project_ids: Sequence[int], at: datetime, by: Principal, since: datetime
) -> tuple[QueueRow, ...]:
    """Every queue with what waits in it now, and the pace of the last day.

    For who looks, what tests them counts as one of the answers that wait (see `left_for`), with tests since then.
    """
    found = queues(session, project_ids=project_ids)
    numbers = [queue.id or 0 for queue in found]
    if not numbers:
        return ()
    waiting, hands, tested_now = _places(session, numbers, at, by)
    tested = _tested(session, numbers, by, since)
    ages = _ages(session, numbers, at)
    since = at - timedelta(hours=PACE_HOURS)
    arrivals = _arrivals(session, numbers, since)
    pace = _pace(session, numbers, since)
    rows = []
    for queue in found:
        number = queue.id or 0
        oldest, overdue = ages.get(number, (None, 0))
        decided, seconds = pace.get(number, (0, None))
        rows.append(
            QueueRow(
                id=number,
                name=queue.name,
                is_open=queue.is_open,
                reviewers=queue.reviewers,
                service_level_s=queue.service_level_s,
                waiting=_for_the_tested(waiting.get(number, {}), tested_now.get(number, 0), tested.get(number, 0)),
                hands=hands.get(number, {}),
                oldest_at=oldest,
                overdue=overdue,
                arrivals=arrivals.get(number, 0),
                decided=decided,
                handling_s=seconds,
            )
        )
    return tuple(rows)


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


def done_since(session: Session, *, by: Principal, since: datetime, queue_id: int) -> int:
    """How many verdicts a person gave in a queue since then."""
    query = (
        select(func.count())
        .select_from(ReviewDecision)
        .where(
            ReviewDecision.reviewer == by.actor,
            ReviewDecision.queue_id == queue_id,
            col(ReviewDecision.id) >= ids.first_at(since),
            col(ReviewDecision.undone_at).is_(None),
        )
    )
    return int(session.exec(query).one())


def left_for(
    session: Session, *, queue_id: int, lane: Lane, by: Principal, at: datetime, since: datetime
) -> tuple[int, bool]:
    """How many answers of a queue wait in a lane for this person, with those they have in hand, none twice; and whether
    these are all: `MOST_COUNTED` places are looked at, however long the queue is.

    An answer that tests them takes the place of one that waits, in hand and once decided (since then): so this number
    and what they have done add up as if it were any other, and nobody can tell which it was. What the queue really has
    more shows when its end is near, as if it had just come.
    """
    of_item = col(ReviewSlot.item_id)
    other = aliased(ReviewSlot)
    is_mine = col(ReviewSlot.reviewer) == by.actor
    has_part = select(other.item_id).where(
        other.item_id == of_item, other.reviewer == by.actor, other.number != col(ReviewSlot.number)
    )
    is_away = select(ReviewAway.item_id).where(ReviewAway.item_id == of_item, ReviewAway.reviewer == by.actor)
    is_free = or_(col(ReviewSlot.lease_until).is_(None), col(ReviewSlot.lease_until) <= at)
    places = select(of_item).where(
        ReviewSlot.queue_id == queue_id,
        col(ReviewSlot.lane).in_((lane, Lane.GOLD) if lane is Lane.REVIEW else (lane,)),
        col(ReviewSlot.decided_at).is_(None),
        col(ReviewSlot.closed_at).is_(None),
        or_(is_mine, and_(is_free, col(ReviewSlot.lane) == lane, ~has_part.exists(), ~is_away.exists())),
    )
    found = places.add_columns(col(ReviewSlot.lane)).limit(MOST_COUNTED).subquery()
    in_test = func.count(func.distinct(case((found.c.lane == Lane.GOLD, found.c.item_id), else_=None)))
    counted = select(func.count(func.distinct(found.c.item_id)), in_test, func.count())
    items, now, looked_at = session.execute(counted).one()
    if lane is Lane.REVIEW and items:
        tested = int(now) + _tested(session, [queue_id], by, since).get(queue_id, 0)
        items = max(items - tested, 1)
    return int(items), looked_at < MOST_COUNTED


def queue_of(session: Session, queue_id: int, *, project_ids: Sequence[int]) -> ReviewQueue:
    """One queue of these projects. Raises: NotFound."""
    found = session.get(ReviewQueue, queue_id)
    if found is None or found.project_id not in project_ids:
        raise NotFound("There is no such queue.", hint="Choose one of the queues of this project.")
    return found


def _places(
    session: Session, numbers: Sequence[int], at: datetime, by: Principal
) -> tuple[dict[int, dict[Lane, int]], dict[int, dict[str, int]], dict[int, int]]:
    """Open places by queue: free ones by lane, held ones by reviewer, and those that test this person now."""
    held = case((col(ReviewSlot.lease_until) > at, col(ReviewSlot.reviewer)), else_=None)
    query = (
        select(ReviewSlot.queue_id, ReviewSlot.lane, held, func.count())
        .where(
            col(ReviewSlot.queue_id).in_(numbers),
            col(ReviewSlot.decided_at).is_(None),
            col(ReviewSlot.closed_at).is_(None),
        )
        .group_by(col(ReviewSlot.queue_id), col(ReviewSlot.lane), held)
    )
    waiting: dict[int, dict[Lane, int]] = {}
    hands: dict[int, dict[str, int]] = {}
    tested: dict[int, int] = {}
    for queue_id, lane, reviewer, count in session.exec(query):
        if reviewer is None and lane == Lane.GOLD:
            continue  # a test that was left: nobody waits for it
        if reviewer is None:
            lanes = waiting.setdefault(queue_id, {})
            lanes[Lane(lane)] = lanes.get(Lane(lane), 0) + int(count)
        else:
            people = hands.setdefault(queue_id, {})
            people[reviewer] = people.get(reviewer, 0) + int(count)
            if reviewer == by.actor and lane == Lane.GOLD:
                tested[queue_id] = int(count)
    return waiting, hands, tested


def _tested(session: Session, numbers: Sequence[int], by: Principal, since: datetime) -> dict[int, int]:
    """How many answers that test this person they have decided since then, by queue."""
    query = (
        select(ReviewDecision.queue_id, func.count())
        .where(
            ReviewDecision.reviewer == by.actor,
            col(ReviewDecision.queue_id).in_(numbers),
            col(ReviewDecision.id) >= ids.first_at(since),
            ReviewDecision.lane == Lane.GOLD,
            col(ReviewDecision.undone_at).is_(None),
        )
        .group_by(col(ReviewDecision.queue_id))
    )
    return {queue_id: int(count) for queue_id, count in session.exec(query)}


def _for_the_tested(waiting: dict[Lane, int], now: int, decided: int) -> dict[Lane, int]:
    """What waits, as who is tested sees it: what really waits is never said to be nothing once the test is over."""
    free = waiting.get(Lane.REVIEW, 0)
    if not free or not now + decided:
        return waiting
    return {**waiting, Lane.REVIEW: max(free - now - decided, 0 if now else 1)}


def _ages(session: Session, numbers: Sequence[int], at: datetime) -> dict[int, tuple[datetime | None, int]]:
    overdue = func.sum(case((col(ReviewItem.due_at) < at, 1), else_=0))
    query = (
        select(ReviewItem.queue_id, func.min(ReviewItem.created_at), overdue)
        .where(col(ReviewItem.queue_id).in_(numbers), ReviewItem.state == State.WAITING)
        .group_by(col(ReviewItem.queue_id))
    )
    return {queue_id: (oldest, int(late or 0)) for queue_id, oldest, late in session.exec(query)}


def _arrivals(session: Session, numbers: Sequence[int], since: datetime) -> dict[int, int]:
    counted = (
        select(ReviewItem.queue_id, func.count())
        .where(col(ReviewItem.queue_id).in_(numbers), col(ReviewItem.id) >= ids.first_at(since))
        .group_by(col(ReviewItem.queue_id))
    )
    return {queue_id: int(count) for queue_id, count in session.exec(counted)}


def _pace(session: Session, numbers: Sequence[int], since: datetime) -> dict[int, tuple[int, float | None]]:
    query = (
        select(ReviewDecision.queue_id, func.count(), func.avg(ReviewDecision.seconds))
        .where(
            col(ReviewDecision.queue_id).in_(numbers),
            col(ReviewDecision.id) >= ids.first_at(since),
            col(ReviewDecision.undone_at).is_(None),
        )
        .group_by(col(ReviewDecision.queue_id))
    )
    return {
        queue_id: (int(count), None if mean is None else float(mean)) for queue_id, count, mean in session.exec(query)
    }


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
