"""Append to the trail: the last step of every action, in the action's own transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlmodel import Session, select

from core.audit import rules
from core.audit.tables import AuditEvent, AuditHead


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
    head = session.exec(select(AuditHead).where(AuditHead.id == 1).with_for_update()).one()
    number, previous = head.number + 1, head.hash or rules.GENESIS
    before, after = _plain(before), _plain(after)
    event = AuditEvent(
        number=number,
        at=at,
        actor=by.actor,
        action=action,
        target=target,
        project_id=project_id,
        before=dict(before) if before is not None else None,
        after=dict(after) if after is not None else None,
        previous_hash=previous,
        hash="",
    )
    event.hash = rules.hash_of(**event.model_dump(exclude={"hash"}))
    session.add(event)
    head.number, head.hash = number, event.hash
    session.add(head)
    session.flush()
    return event


def _plain(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The values as JSON gives them back, so that the hash is of what is stored; a moment becomes its text."""
    return None if told is None else dict(orjson.loads(orjson.dumps(told, default=str)))
