"""Append to the trail: the last step of every action, in the action's own transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import bindparam, select, update
from sqlmodel import Session

from core.audit import rules
from core.audit.tables import AuditEvent, AuditHead
from core.db.rows import insert, run, table

_AT = table(AuditHead).c
_HEAD = select(_AT.number, _AT.hash).where(_AT.id == 1).with_for_update()
_MOVE = update(table(AuditHead)).where(_AT.id == 1).values(number=bindparam("to"), hash=bindparam("with"))

_APPEND = _MOVE.add_cte(
    table(AuditEvent)
    .insert()
    .values({column.name: bindparam(column.name, type_=column.type) for column in table(AuditEvent).columns})
    .cte("appended")
)


def append(
    session: Session,
    *,
    by: rules.Actor,
    at: datetime,
    action: str,
    target: str,
    project_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Write what was done; the head's lock makes appends wait for each other, so that there is one chain."""
    session.flush()
    head = run(session, _HEAD, {}).one()
    number, previous = int(head.number) + 1, str(head.hash) or rules.GENESIS
    before, after = _plain(before), _plain(after)
    told: dict[str, Any] = {
        "number": number,
        "at": at,
        "actor": by.actor,
        "action": action,
        "target": target,
        "project_id": project_id,
        "before": before,
        "after": after,
        "previous_hash": previous,
    }
    event = AuditEvent(**told, hash=rules.hash_of(**told))
    moved = {"to": number, "with": event.hash}
    if session.get_bind().dialect.name == "sqlite":
        insert(session, event)
        run(session, _MOVE, moved)
    else:  # while the head is locked everybody waits: one round trip, not two
        run(session, _APPEND, {**told, "hash": event.hash, **moved})
    return event


def _plain(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The values as JSON gives them back, so that the hash is of what is stored; a moment becomes its text."""
    return None if told is None else dict(orjson.loads(orjson.dumps(told, default=str)))
