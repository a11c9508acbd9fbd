"""Reading the trail, and checking it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

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
    """Newest first; the next page starts before the last row's number.

    `action` is a kind ("key.created"), or a family of them ("key.").
    """
    query = select(AuditEvent).order_by(col(AuditEvent.number).desc()).limit(limit)
    if before_number is not None:
        query = query.where(AuditEvent.number < before_number)
    if actor:
        query = query.where(AuditEvent.actor == actor)
    if action:
        is_family = action.endswith(".")
        kind = col(AuditEvent.action)
        query = query.where(kind.startswith(action, autoescape=True) if is_family else kind == action)
    if project_id is not None:
        query = query.where(AuditEvent.project_id == project_id)
    return [_view(row) for row in session.exec(query)]


def actors(session: Session, *, project_id: int | None = None, limit: int = 500) -> list[str]:
    """Everyone who did something."""
    return _values(session, AuditEvent.actor, project_id, limit)


def kinds(session: Session, *, project_id: int | None = None, limit: int = 500) -> list[str]:
    """Everything that was ever done, by its kind ("key.created")."""
    return _values(session, AuditEvent.action, project_id, limit)


def _values(session: Session, column: Any, project_id: int | None, limit: int) -> list[str]:
    """Each value of an indexed column once, in order: one look into the index per value, however long the trail.

    A "loose index scan" as in the PostgreSQL wiki; `SELECT DISTINCT` would read every row.
    """
    within = () if project_id is None else (col(AuditEvent.project_id) == project_id,)
    found = select(func.min(column).label("value")).where(*within).cte("found", recursive=True)
    following = select(func.min(column)).where(column > found.c.value, *within).scalar_subquery()
    found = found.union_all(select(following).where(found.c.value.is_not(None)))
    rows = session.exec(select(found.c.value).where(found.c.value.is_not(None)).limit(limit))
    return list(rows)


def verify(session: Session) -> Verdict:
    """Walk the whole trail in order, a thousand rows at a time, and check every link and the end.

    A row that was changed, left out, added or put elsewhere breaks the chain at itself or at the next row; rows cut
    off the end disagree with the head. Whoever can rewrite the whole store can also rewrite the whole chain: keep
    the last hash (`greenroom audit verify` prints it) somewhere else to notice even that.
    """
    stray = session.exec(select(AuditEvent.number).where(AuditEvent.number < 1).limit(1)).first()
    if stray is not None:
        return Verdict(False, 0, stray, "it stands before the beginning")
    last = session.exec(select(func.max(AuditEvent.number))).one() or 0
    # read after `last`: a head is never behind its rows, and rows appended from here on are left to the next check
    head = session.exec(select(AuditHead).where(AuditHead.id == 1)).first()
    known, known_hash = (head.number, head.hash) if head else (0, "")
    if head is None or last > known:
        return Verdict(False, known, known + 1, "it was added without the head knowing")
    verdict, ends_with = _walk(session, known)
    if verdict.ok and known and known_hash != ends_with:
        return Verdict(False, known - 1, known, "the head says that the trail ends with another row")
    return verdict


def _walk(session: Session, known: int) -> tuple[Verdict, str]:
    """The verdict on rows 1 to `known`, and the hash of the last one."""
    expected, previous, at_once = 1, rules.GENESIS, _AT_ONCE
    while expected <= known:
        query = select(AuditEvent).where(AuditEvent.number >= expected).order_by(col(AuditEvent.number)).limit(at_once)
        try:
            rows = session.exec(query).all()
        except (ValueError, TypeError, OverflowError):
            if at_once == 1:
                return Verdict(False, expected - 1, expected, "its contents cannot be read any more"), previous
            at_once = 1  # one of these cannot be read: find out which
            continue
        if not rows:
            return Verdict(False, expected - 1, expected, "it is missing, and so is all that followed"), previous
        for row in rows:
            if why := _wrong(row, expected, previous):
                return Verdict(False, expected - 1, expected, why), previous
            if expected == known:
                return Verdict(True, known), row.hash
            expected, previous = expected + 1, row.hash
        session.expunge_all()
    return Verdict(True, known), previous


def _wrong(row: AuditEvent, expected: int, previous: str) -> str:
    """What is wrong with a row in this place; "" when nothing is."""
    if row.number != expected:
        return "it is missing"
    if row.previous_hash != previous:
        return "it does not follow from the row before it"
    try:
        told = row.model_dump(exclude={"number", "previous_hash", "hash"})
        is_whole = row.hash == rules.hash_of(row.number, row.previous_hash, rules.around(**told))
    except (ValueError, TypeError, OverflowError):
        is_whole = False
    return "" if is_whole else "its contents were changed after it was written"


def last_hash(session: Session) -> str:
    """The hash the trail ends with: keep it elsewhere to prove later that nothing before it changed."""
    head = session.exec(select(AuditHead).where(AuditHead.id == 1)).one()
    return head.hash or rules.GENESIS


def _view(row: AuditEvent) -> EventView:
    return EventView(**row.model_dump())
