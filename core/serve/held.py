"""Answers that wait for people, in the store: each reaches one final state, in one statement, whatever crashes when.

A row begins when an answer is held, or when a background response is asked for. Its end, what its caller gets, and the
message that announces it are one transaction with the verdict that takes effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import update
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.audit.rules import Actor
from core.calls import rows
from core.errors import CannotHold, GreenroomError
from core.guard.redaction import Redaction, put_back, put_back_answer
from core.guard.rules import Decision
from core.ids import Ids, shown
from core.people.rules import SYSTEM
from core.review import actions as reviewing
from core.review import ends
from core.review.rules import FailSafe, Final, Source, State, Verdict, decided, expired
from core.review.tables import HeldResponse, ReviewItem, ReviewQueue
from core.webhooks import actions as webhooks
from core.webhooks.rules import Event
from core.wire import openai

Json = dict[str, Any]
ASKING = timedelta(minutes=30)
"""How long a background response may take to be asked, before it is given up as lost with its process."""
OPEN = ("queued", "in_progress")
EVENTS = {
    "completed": Event.COMPLETED,
    "incomplete": Event.INCOMPLETE,
    "cancelled": Event.CANCELLED,
    "failed": Event.FAILED,
}


@dataclass(frozen=True, slots=True)
class HeldRow:
    """An answer that waits or waited. `value` is the completion its caller gets, None while it is open or when there
    is none; `body` what was asked, `patience_s` how long its caller waits at once; `error` why it failed."""

    id: int
    project_id: int
    kind: str
    state: str
    reason: str
    created_at: datetime
    deadline_at: datetime
    final_at: datetime | None
    is_reviewed: bool
    is_seen: bool
    body: Json
    patience_s: float
    value: Json | None
    error: Json | None

    @property
    def is_final(self) -> bool:
        return self.final_at is not None


@dataclass(frozen=True, slots=True)
class Kept:
    """What a held answer needs until its end: the request, the caller's own values, for how long a caller waits."""

    body: Mapping[str, Any]
    values: Mapping[str, str]
    patience_s: float

    def packed(self) -> bytes | None:
        return _pack({"body": self.body, "values": self.values, "patience_s": self.patience_s})


def begin(session: Session, *, call_id: int, project_id: int, key_id: int | None, kept: Kept, at: datetime) -> None:
    """A background response, before its model is asked."""
    session.add(
        HeldResponse(
            id=call_id,
            project_id=project_id,
            key_id=key_id,
            kind="background",
            fail_safe=FailSafe.REFUSE,
            request=kept.packed(),
            created_at=at,
            deadline_at=at + ASKING,
        )
    )
    session.flush()


def hold(
    session: Session,
    *,
    call_id: int,
    project_id: int,
    key_id: int | None,
    kind: str,
    kept: Kept,
    draft: Mapping[str, Any],
    decision: Decision,
    by_rules: str,
    at: datetime,
    ids: Ids,
) -> bool:
    """Put an answer that is recorded in front of people; False when its caller has withdrawn it meanwhile.

    Raises: GreenroomError when there is no such queue, or it is closed: the answer must not leave then.
    """
    queue_id = queue_of(session, project_id, decision.queue)
    row = session.exec(select(HeldResponse).where(HeldResponse.id == call_id).with_for_update()).one_or_none()
    if row is not None and row.final_at is not None:
        return False
    deadline = at + timedelta(seconds=decision.deadline_s)
    item = reviewing.send(
        session,
        queue_id=queue_id,
        call_id=call_id,
        source=Source(decision.source),
        by=SYSTEM,
        at=at,
        ids=ids,
        reason=decision.reason,
        risk=decision.risk,
        severity=decision.severity,
        policy=decision.policy,
        deadline_at=deadline,
    )
    if row is None:
        row = HeldResponse(
            id=call_id,
            project_id=project_id,
            key_id=key_id,
            kind=kind,
            fail_safe=decision.fail_safe,
            created_at=at,
            deadline_at=deadline,
        )
    row.call_id, row.item_id, row.state = call_id, item.id, "in_progress"
    row.fail_safe, row.deadline_at = decision.fail_safe, deadline
    row.safe_text = by_rules if FailSafe(decision.fail_safe) is FailSafe.RULES else decision.safe_text
    row.request, row.draft = kept.packed(), _pack(draft)
    session.add(row)
    session.flush()
    return True


def flag(
    session: Session, *, call_id: int, project_id: int, decision: Decision, at: datetime, ids: Ids, source: str = ""
) -> bool:
    """Put a delivered answer in front of people, to look at later; False where its queue has it, or does not exist."""
    try:
        reviewing.send(
            session,
            queue_id=queue_of(session, project_id, decision.queue),
            call_id=call_id,
            source=Source(source or decision.source),
            by=SYSTEM,
            at=at,
            ids=ids,
            reason=decision.reason,
            risk=decision.risk,
            severity=decision.severity,
            policy=decision.policy,
        )
    except GreenroomError:
        return False
    return True


def asking(session: Session, *, call_id: int) -> bool:
    """The model is being asked now; False when the caller has withdrawn the response."""
    started = update(HeldResponse).where(col(HeldResponse.id) == call_id, col(HeldResponse.final_at).is_(None))
    return session.execute(started.values(state="in_progress").returning(col(HeldResponse.id))).first() is not None


def answered(session: Session, *, call_id: int, value: Json | None, error: Json | None, at: datetime, ids: Ids) -> bool:
    """The end of a background response that nobody need look at; True when this was its end."""
    state = "failed" if error is not None else "completed"
    final = {"error": error} if error is not None else {"value": value}
    return _end(session, [call_id], state, "", final, at, ids)


def cancel(session: Session, *, call_id: int, reason: str, by: Actor, at: datetime, ids: Ids) -> bool:
    """The caller wants the answer no longer, which the trail tells; True when it was still open."""
    if not _end(session, [call_id], "cancelled", reason, {}, at, ids):
        return False
    columns = select(HeldResponse.item_id, HeldResponse.project_id).where(HeldResponse.id == call_id)
    item_id, project_id = session.exec(columns).one()
    told = {"reason": reason}
    if item_id is not None:
        ends.withdraw(session, item_id=item_id, at=at)
        told["item"] = shown("item", item_id)
    audit.append(
        session,
        by=by,
        at=at,
        action="response.cancelled",
        target=shown("resp", call_id),
        project_id=project_id,
        after=told,
    )
    return True


def is_due(session: Session, *, at: datetime) -> bool:
    """Whether `close_due` has something to do: three looks into small indexes."""
    settled = select(ReviewItem.id).where(ReviewItem.state == State.SETTLED, col(ReviewItem.release_at) <= at)
    waiting = select(ReviewItem.id).where(
        col(ReviewItem.deadline_at) <= at,
        col(ReviewItem.deadline_at).is_not(None),
        col(ReviewItem.closed_at).is_(None),
        ReviewItem.state == State.WAITING,
    )
    lost = select(HeldResponse.id).where(col(HeldResponse.deadline_at) <= at, col(HeldResponse.final_at).is_(None))
    return any(session.exec(query.limit(1)).first() is not None for query in (settled, waiting, lost))


def close_due(session: Session, *, at: datetime, ids: Ids) -> list[int]:
    """Verdicts take effect, deadlines pass; the held answers that ended by it, each exactly once."""
    closed = [*ends.release_due(session, at=at), *ends.expire_due(session, at=at)]
    ended = []
    if closed:
        items = {one.item_id: one for one in closed}
        query = select(HeldResponse).where(
            col(HeldResponse.item_id).in_(list(items)), col(HeldResponse.final_at).is_(None)
        )
        for row in session.exec(query).all():
            assert row.item_id is not None
            if _close(session, row, items[row.item_id], at, ids):
                ended.append(row.id)
    lost = (
        select(HeldResponse.id)
        .where(
            col(HeldResponse.deadline_at) <= at - timedelta(seconds=5),
            col(HeldResponse.final_at).is_(None),
            col(HeldResponse.item_id).is_(None),
        )
        .limit(100)
    )
    error = {"code": "server_error", "message": "The answer was lost: Greenroom stopped while it was being made."}
    gone = session.exec(lost).all()
    ended += [one for one in gone if _end(session, [one], "failed", "interrupted", {"error": error}, at, ids)]
    return ended


def of(session: Session, call_id: int, *, project_id: int) -> HeldRow | None:
    """One held answer of a project."""
    query = select(HeldResponse).where(HeldResponse.id == call_id, HeldResponse.project_id == project_id)
    row = session.exec(query).one_or_none()
    return None if row is None else _row(row)


def final(session: Session, call_ids: Iterable[int]) -> dict[int, HeldRow]:
    """Of these held answers, those that have ended."""
    query = select(HeldResponse).where(
        col(HeldResponse.id).in_(list(call_ids)), col(HeldResponse.final_at).is_not(None)
    )
    return {row.id: _row(row) for row in session.exec(query)}


def seen(session: Session, *, call_id: int, at: datetime) -> None:
    """Note when a caller first had the end of it."""
    first = (
        col(HeldResponse.id) == call_id,
        col(HeldResponse.seen_at).is_(None),
        col(HeldResponse.final_at).is_not(None),
    )
    session.execute(update(HeldResponse).where(*first).values(seen_at=at))


def _close(session: Session, row: HeldResponse, closed: ends.Closed, at: datetime, ids: Ids) -> bool:
    """Give a held answer the end that its item came to."""
    kept, draft = _unpack(row.request), _unpack(row.draft)
    if closed.verdict:
        told = decided(
            Verdict(closed.verdict), answer="", edited=closed.edited, reason=", ".join(closed.reasons) or "rejected"
        )
        as_it_was = closed.verdict == Verdict.APPROVE
    else:
        told = expired(FailSafe(row.fail_safe), answer="", safe_text=row.safe_text, by_rules=row.safe_text)
        as_it_was = row.fail_safe == FailSafe.PASS
    value = _value(told, draft, kept, as_it_was=as_it_was)
    return _end(session, [row.id], told.state, told.reason, {"value": value}, at, ids)


def _value(told: Final, draft: Json, kept: Json, *, as_it_was: bool) -> Json | None:
    """The completion the caller gets: the draft as it was, or with another text; the caller's own values put back."""
    made = Redaction(kept.get("values") or {})
    if told.state != "completed":
        return None
    if as_it_was:
        return put_back_answer(draft, made)
    text = put_back(told.text or "", made)
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {**draft, "choices": [choice]}


def _end(
    session: Session, call_ids: Sequence[int], state: str, reason: str, final: Json, at: datetime, ids: Ids
) -> bool:
    """The one place where a held answer ends: only a row that is still open does."""
    ended = session.execute(
        update(HeldResponse)
        .where(col(HeldResponse.id).in_(call_ids), col(HeldResponse.final_at).is_(None))
        .values(state=state, reason=reason[:500], final=_pack(final), final_at=at)
        .returning(col(HeldResponse.id), col(HeldResponse.project_id))
        .execution_options(synchronize_session=False)
    ).all()
    for row in ended:
        told = {"id": shown("resp", row.id)}
        webhooks.enqueue(session, project_id=row.project_id, event=EVENTS[state], data=told, at=at, ids=ids)
    return bool(ended)


def queue_of(session: Session, project_id: int, name: str) -> int:
    """The open queue of this name. Raises: CannotHold."""
    query = select(ReviewQueue).where(ReviewQueue.project_id == project_id, ReviewQueue.name == name)
    queue = session.exec(query).one_or_none()
    if queue is None or not queue.is_open or queue.id is None:
        raise CannotHold(
            f"A policy sends this answer to the review queue {name!r}, which "
            f"{'is closed' if queue is not None else 'does not exist'}.",
            hint="Open the queue under Routing and policies, or give the policy another one.",
        )
    return queue.id


def _row(row: HeldResponse) -> HeldRow:
    kept, final = _unpack(row.request), _unpack(row.final)
    return HeldRow(
        id=row.id,
        project_id=row.project_id,
        kind=row.kind,
        state=row.state,
        reason=row.reason,
        created_at=row.created_at,
        deadline_at=row.deadline_at,
        final_at=row.final_at,
        is_reviewed=row.item_id is not None,
        is_seen=row.seen_at is not None,
        body=kept.get("body") or {},
        patience_s=kept.get("patience_s") or 0.0,
        value=final.get("value"),
        error=final.get("error"),
    )


def _pack(value: Mapping[str, Any]) -> bytes | None:
    return rows.pack(openai.dumps(dict(value)))


def _unpack(stored: bytes | None) -> Json:
    packed = rows.unpack(stored)
    return orjson.loads(packed) if packed else {}
