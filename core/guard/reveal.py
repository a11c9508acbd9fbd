"""What is masked in a recorded call is shown to a person who says why; the trail has who, what and the reason."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from core.audit import actions as audit
from core.calls import queries, rows
from core.errors import Invalid
from core.people.rules import Permission, Principal, require

LONGEST = 500


def reveal(session: Session, *, call_id: int, project_id: int, reason: str, by: Principal, at: datetime) -> None:
    """Note that a person is about to read what is masked in a call. Raises: NotFound, NotAllowed, Invalid without a
    reason."""
    require(by, Permission.CALLS_READ, project_id)
    call = queries.call(session, call_id, (project_id,))
    reason = rows.text(reason.strip())[:LONGEST]
    if not reason:
        raise Invalid("Say why you need to read what is masked.", hint="A few words; they go into the audit trail.")
    audit.append(
        session,
        by=by,
        at=at,
        action="call.revealed",
        target=call.shown_id,
        project_id=project_id,
        after={"reason": reason},
    )
