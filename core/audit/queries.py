"""Reading the trail, and checking it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from core.audit import rules
from core.audit.tables import AuditEvent, AuditHead

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class EventView:
    """One row of the trail."""

    number: int
    at: datetime
    actor: str
    action: str
    target: str
    project_id: int | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the trail is whole: how many rows were read, the first bad row's number and what is wrong with it."""

    ok: bool
    rows: int
    first_bad: int | None = None
    why: str = ""


def events(
    session: Session,
    *,
    before_number: int | None = None,
    limit: int = 50,
    actor: str | None = None,
    action: str | None = None,
    project_id: int | None = None,
) -> list[EventView]:
    """Newest first; the next page starts before the last row's number."""
    query = select(AuditEvent).order_by(col(AuditEvent.number).desc()).limit(limit)
    if before_number is not None:
        query = query.where(AuditEvent.number < before_number)
    if actor:
        query = query.where(AuditEvent.actor == actor)
    if action:
        query = query.where(col(AuditEvent.action).startswith(action, autoescape=True))
    if project_id is not None:
        query = query.where(AuditEvent.project_id == project_id)
    return [_view(row) for row in session.exec(query)]


def verify(session: Session) -> Verdict:
    """Walk the whole trail in order, a thousand rows at a time, and check every link and the end.

    A row that was changed, left out, added or put elsewhere breaks the chain at itself or at the next row; rows cut
    off the end disagree with the head. Whoever can rewrite the whole store can also rewrite the whole chain: keep
    the last hash (`greenroom audit verify` prints it) somewhere else to notice even that.
    """
    expected, previous = 1, rules.GENESIS
    while True:
        query = select(AuditEvent).where(AuditEvent.number >= expected).order_by(col(AuditEvent.number)).limit(_AT_ONCE)
        rows = session.exec(query).all()
        for row in rows:
            if row.number != expected:
                return Verdict(False, expected - 1, expected, f"row {expected} is missing")
            if row.previous_hash != previous:
                return Verdict(False, expected - 1, expected, "it does not follow from the row before it")
            if row.hash != _hash(row):
                return Verdict(False, expected - 1, expected, "its contents were changed after it was written")
            expected, previous = expected + 1, row.hash
        session.expunge_all()
        if len(rows) < _AT_ONCE:
            break
    stray = session.exec(select(AuditEvent.number).where(AuditEvent.number < 1).limit(1)).first()
    if stray is not None:
        return Verdict(False, expected - 1, stray, "it stands before the beginning")
    head = session.exec(select(AuditHead).where(AuditHead.id == 1)).first()
    if head is None or head.number > expected - 1:
        return Verdict(False, expected - 1, expected, f"row {expected} is missing from the end")
    if head.number < expected - 1 or (head.number and head.hash != previous):
        return Verdict(False, expected - 1, head.number + 1, "it was added without the head knowing")
    return Verdict(True, expected - 1)


def last_hash(session: Session) -> str:
    """The hash the trail ends with: keep it elsewhere to prove later that nothing before it changed."""
    head = session.exec(select(AuditHead).where(AuditHead.id == 1)).one()
    return head.hash or rules.GENESIS


def _hash(row: AuditEvent) -> str:
    return rules.hash_of(**row.model_dump(exclude={"hash"}))


def _view(row: AuditEvent) -> EventView:
    return EventView(**row.model_dump())
