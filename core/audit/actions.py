"""Append to the trail: the last step of every action, in the action's own transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

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
    told = {"number": number, "at": at, "actor": by.actor, "action": action, "target": target}
    kept = {**told, "project_id": project_id, "before": before, "after": after, "previous_hash": previous}
    event = AuditEvent(**kept, hash=rules.hash_of(**kept))
    session.add(event)
    head.number, head.hash = number, event.hash
    session.add(head)
    session.flush()
    return event
