"""One verdict for everything that waits and meets a filter, checked by looking at a random sample first.

A lead begins, looks at each item of the sample as at any other, and may go on only when every one of them got the
announced verdict. The rest is then decided item by item, each with its own row in the trail. Held answers of
severity 3 are never part of it, and neither is what came in after the beginning.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, func, not_, or_
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.calls import rows
from core.errors import Conflict, Invalid, NotFound
from core.ids import Ids, shown
from core.people.rules import Permission, Principal, require
from core.review import actions, claims, rules, standing
from core.review.rules import Lane, Said, State, Verdict
from core.review.tables import HeldResponse, ReviewAway, ReviewBulk, ReviewDecision, ReviewItem, ReviewQueue, ReviewSlot

MOST = 10_000  # items of one bulk decision
AT_ONCE = 20  # decided in one transaction: nobody waits long for the store meanwhile
PASSED_ON = "passed on"
VERDICTS = (Verdict.APPROVE, Verdict.REJECT, Verdict.UNREVIEWABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which waiting items are meant; "" is any."""

    source: str = ""
    policy: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkView:
    """A bulk decision under way. `looked_at` is what its maker said of each item of the sample so far."""

    id: int
    queue_id: int
    queue_name: str
    verdict: str
    source: str
    policy: str
    reason: str
    population: int
    sample: tuple[int, ...]
    decided: int
    looked_at: Mapping[int, str]

    @property
    def left(self) -> tuple[int, ...]:
        """The items of the sample still to look at."""
        return tuple(one for one in self.sample if one not in self.looked_at)

    @property
    def otherwise(self) -> tuple[str, ...]:
        """What was said of items of the sample that did not get the announced verdict."""
        return tuple(said for said in self.looked_at.values() if said != self.verdict)

    @property
    def rest(self) -> int:
        """How many are to be decided without a look."""
        return max(0, self.population - len(self.sample) - self.decided)


def begun(session: Session, *, by: Principal, project_ids: Sequence[int]) -> BulkView | None:
    """The bulk decision this person has begun and not ended."""
    query = (
        select(ReviewBulk, ReviewQueue.name)
        .join(ReviewQueue, col(ReviewQueue.id) == col(ReviewBulk.queue_id))
        .where(
            ReviewBulk.by == by.actor, col(ReviewBulk.ended_at).is_(None), col(ReviewBulk.project_id).in_(project_ids)
        )
        .order_by(col(ReviewBulk.id).desc())
        .limit(1)
    )
    found = session.exec(query).first()
    return None if found is None else _view(session, *found)


def choices(session: Session, queue_id: int, *, limit: int = 50) -> dict[str, tuple[str, ...]]:
    """What waiting items of a queue can be told apart by: their sources, policies and reasons, the first so many."""
    found = {}
    for name in Filter.__dataclass_fields__:
        column = col(getattr(ReviewItem, name))
        query = (
            select(column)
            .where(
                ReviewItem.queue_id == queue_id,
                ReviewItem.state == State.WAITING,
                ReviewItem.lane == Lane.REVIEW,
                column != "",
            )
            .distinct()
            .order_by(column)
            .limit(limit)
        )
        found[name] = tuple(session.exec(query))
    return found


def meeting(session: Session, *, queue_id: int, meant: Filter, by: Principal, at: datetime) -> int:
    """How many items meet a filter now and may be decided together by this person, at most `MOST`."""
    some = _open_to(queue_id, _stored(meant), by, since=at, at=at).limit(MOST).subquery()
    return int(session.exec(select(func.count()).select_from(some)).one())


def begin(
    session: Session,
    *,
    queue_id: int,
    verdict: Verdict,
    meant: Filter,
    by: Principal,
    at: datetime,
    ids: Ids,
    chance: random.Random | None = None,
) -> ReviewBulk:
    """Draw the sample that must be looked at first.

    Raises: Invalid when too few items meet the filter, Conflict when another bulk decision of this person is open.
    """
    queue = session.get(ReviewQueue, queue_id)
    if queue is None or not by.may(Permission.REVIEW_DECIDE, queue.project_id):
        raise NotFound("There is no such queue.", hint="Choose one of the queues of this project.")
    require(by, Permission.REVIEW_LEAD, queue.project_id)
    if verdict not in VERDICTS:
        raise Invalid(f"Many answers cannot be decided with {verdict!r} at once.", hint="Approve or reject them.")
    if begun(session, by=by, project_ids=[queue.project_id]) is not None:
        raise Conflict("You have begun to decide many already.", hint="End that first.")
    meant = _stored(meant)
    open_now = _open_to(queue_id, meant, by, since=at, at=at)
    found = list(session.exec(open_now.order_by(col(ReviewItem.id)).limit(MOST)))
    size = rules.sample_size(len(found))
    if len(found) <= size:
        raise Invalid(
            f"Only {len(found)} waiting answers meet this filter." if found else "No waiting answer meets this filter.",
            hint="Decide them one by one.",
        )
    made = ReviewBulk(
        id=ids.next(),
        project_id=queue.project_id,
        queue_id=queue_id,
        by=by.actor,
        verdict=verdict,
        source=meant.source,
        policy=meant.policy,
        reason=meant.reason,
        population=len(found),
        sample=sorted((chance or secrets.SystemRandom()).sample(found, size)),
        made_at=at,
    )
    session.add(made)
    session.flush()
    audit.append(
        session,
        by=by,
        at=at,
        action="review.bulk_begun",
        target=shown("bulk", made.id),
        project_id=made.project_id,
        after={
            "queue": queue.name,
            "verdict": verdict,
            "source": made.source,
            "policy": made.policy,
            "reason": made.reason[:500],
            "items": made.population,
            "sample": [shown("item", one) for one in made.sample],
        },
    )
    return made


def look(session: Session, *, bulk_id: int, by: Principal, at: datetime, chance: random.Random | None = None) -> int:
    """Take the next item of the sample in hand; its id. What others have decided or taken meanwhile is drawn anew.

    Raises: Conflict when the whole sample was looked at, or nothing is left to draw.
    """
    made = _mine(session, bulk_id, by)
    queue = session.get_one(ReviewQueue, made.queue_id)
    for item_id in _view(session, made, queue.name).left:
        one, drawn = item_id, False
        while True:
            if session.exec(_in_hand(one, by, at)).first() is not None:
                return one
            taken = claims.take_item(
                session, item_id=one, lane=Lane.REVIEW, reviewer=by.actor, lease_s=queue.lease_s, at=at
            )
            if taken is not None:
                return one
            others = _open_to(made.queue_id, _filter(made), by, since=made.made_at, at=at)
            left = list(session.exec(others.where(col(ReviewItem.id).not_in(made.sample)).limit(MOST)))
            if not left or drawn:
                break
            one, drawn = (chance or secrets.SystemRandom()).choice(left), True
            made.sample = sorted([*(it for it in made.sample if it != item_id), one])
            session.add(made)
            session.flush()
    raise Conflict("Nothing of the sample is left to look at.", hint="Go back to Decide many.")


def go_on(
    session: Session,
    *,
    bulk_id: int,
    by: Principal,
    at: datetime,
    ids: Ids,
    comment: str = "",
    reasons: Sequence[str] = (),
    limit: int = AT_ONCE,
) -> int:
    """Decide the next few of the rest; how many are left. The bulk decision ends when none is.

    Raises: Conflict while the sample is not looked at, or when one of it was seen differently.
    """
    made = _mine(session, bulk_id, by)
    queue = session.get_one(ReviewQueue, made.queue_id)
    view = _view(session, made, queue.name)
    if view.otherwise:
        raise Conflict(
            f"One of the sample was not decided with {made.verdict!r}, so the rest is not either.",
            code="sample_disagrees",
            hint="End this, and narrow the filter.",
        )
    if view.left:
        raise Conflict(f"{len(view.left)} of the sample have not been looked at yet.", hint="Look at them first.")
    open_now = _open_to(made.queue_id, _filter(made), by, since=made.made_at, at=at)
    few = list(session.exec(open_now.order_by(col(ReviewItem.id)).limit(min(limit, view.rest))))
    said = Said(Verdict(made.verdict), reasons=tuple(reasons), comment=comment)
    for item_id in few:
        taken = claims.take_item(
            session, item_id=item_id, lane=Lane.REVIEW, reviewer=by.actor, lease_s=queue.lease_s, at=at
        )
        if taken is not None:
            actions.decide(session, item_id=item_id, said=said, by=by, at=at, ids=ids, bulk_id=bulk_id)
            made.decided += 1
    session.add(made)
    session.flush()
    rest = max(0, made.population - len(made.sample) - made.decided)
    some = open_now.limit(rest).subquery()
    left = int(session.exec(select(func.count()).select_from(some)).one()) if few and rest else 0
    if not left:
        _end(session, made, by, at, "done")
    return left


def stop(session: Session, *, bulk_id: int, by: Principal, at: datetime) -> None:
    """End it where it stands; what was decided stays decided."""
    _end(session, _mine(session, bulk_id, by), by, at, "stopped")


def _end(session: Session, made: ReviewBulk, by: Principal, at: datetime, outcome: str) -> None:
    made.ended_at, made.outcome = at, outcome
    session.add(made)
    audit.append(
        session,
        by=by,
        at=at,
        action="review.bulk_ended",
        target=shown("bulk", made.id),
        project_id=made.project_id,
        after={"outcome": outcome, "decided": made.decided, "of": made.population},
    )


def _mine(session: Session, bulk_id: int, by: Principal) -> ReviewBulk:
    query = select(ReviewBulk).where(ReviewBulk.id == bulk_id).with_for_update()
    made = session.exec(query).one_or_none()
    if made is None or made.by != by.actor or made.ended_at is not None:
        raise NotFound("This is not under way any more.", hint="Begin to decide many again.")
    require(by, Permission.REVIEW_DECIDE, made.project_id)
    require(by, Permission.REVIEW_LEAD, made.project_id)
    return made


def _stored(meant: Filter) -> Filter:
    """The filter in words that a database has: what is stored was cleaned the same way."""
    return Filter(source=rows.text(meant.source), policy=rows.text(meant.policy), reason=rows.text(meant.reason))


def _filter(made: ReviewBulk) -> Filter:
    return Filter(source=made.source, policy=made.policy, reason=made.reason)


def _view(session: Session, made: ReviewBulk, queue_name: str) -> BulkView:
    """As its maker sees it; what they passed on to others they have seen differently."""
    passed = select(ReviewAway.item_id).where(
        col(ReviewAway.item_id).in_(made.sample), ReviewAway.reviewer == made.by, ReviewAway.at >= made.made_at
    )
    said = select(ReviewDecision.item_id, ReviewDecision.verdict).where(
        col(ReviewDecision.item_id).in_(made.sample),
        ReviewDecision.reviewer == made.by,
        ReviewDecision.at >= made.made_at,
        col(ReviewDecision.undone_at).is_(None),
    )
    told: dict[str, Any] = {
        name: getattr(made, name)
        for name in ("id", "queue_id", "verdict", "source", "policy", "reason", "population", "decided")
    }
    looked_at = dict.fromkeys(session.exec(passed), PASSED_ON) | {
        item: str(verdict) for item, verdict in session.exec(said)
    }
    return BulkView(**told, queue_name=queue_name, sample=tuple(made.sample), looked_at=looked_at)


def _in_hand(item_id: int, by: Principal, at: datetime) -> Any:
    return select(ReviewSlot.number).where(*standing.mine(item_id, by), col(ReviewSlot.lease_until) > at)


def _open_to(queue_id: int, meant: Filter, by: Principal, *, since: datetime, at: datetime) -> Any:
    """The ids of the items that meet the filter, came until `since`, and have a slot free for this person."""
    has_part = or_(
        exists().where(col(ReviewDecision.item_id) == col(ReviewItem.id), col(ReviewDecision.reviewer) == by.actor),
        exists().where(col(ReviewAway.item_id) == col(ReviewItem.id), col(ReviewAway.reviewer) == by.actor),
    )
    slot_free = exists().where(
        col(ReviewSlot.item_id) == col(ReviewItem.id),
        col(ReviewSlot.lane) == Lane.REVIEW,
        col(ReviewSlot.decided_at).is_(None),
        col(ReviewSlot.closed_at).is_(None),
        or_(col(ReviewSlot.lease_until).is_(None), col(ReviewSlot.lease_until) <= at),
    )
    is_held = or_(
        col(ReviewItem.deadline_at).is_not(None), exists().where(col(HeldResponse.item_id) == col(ReviewItem.id))
    )
    wanted: list[Any] = [
        ReviewItem.queue_id == queue_id,
        ReviewItem.state == State.WAITING,
        ReviewItem.lane == Lane.REVIEW,
        ReviewItem.created_at <= since,
        slot_free,
        not_(has_part),
        not_(and_(is_held, col(ReviewItem.severity) >= rules.SEVERE)),
    ]
    wanted += [
        col(getattr(ReviewItem, name)) == value
        for name in Filter.__dataclass_fields__
        if (value := getattr(meant, name))
    ]
    return select(col(ReviewItem.id)).where(*wanted)
