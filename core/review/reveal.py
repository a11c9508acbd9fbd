"""What stands behind a mask is shown to a person who says why; the trail has who, what and the reason."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from core.audit import actions as audit
from core.calls import queries, rows
from core.errors import Invalid
from core.ids import shown
from core.people.rules import Permission, Principal, require
from core.review import standing

LONGEST = 500


def reveal(session: Session, *, item_id: int, reason: str, by: Principal, at: datetime) -> None:
    """Note that a person is about to read what is masked in an item. Raises: NotFound, Invalid without a reason."""
    item, _ = standing.item(session, item_id, by, permission=Permission.REVIEW_DECIDE)
    audit.append(
        session,
        by=by,
        at=at,
        action="review.revealed",
        target=shown("item", item_id),
        project_id=item.project_id,
        after={"reason": _why(reason), "call": shown("call", item.call_id)},
    )


def reveal_call(session: Session, *, call_id: int, project_id: int, reason: str, by: Principal, at: datetime) -> None:
    """The same of a recorded call, in review or not. Raises: NotFound, NotAllowed, Invalid without a reason."""
    require(by, Permission.CALLS_READ, project_id)
    call = queries.call(session, call_id, (project_id,))
    audit.append(
        session,
        by=by,
        at=at,
        action="call.revealed",
        target=call.shown_id,
        project_id=project_id,
        after={"reason": _why(reason)},
    )


def _why(reason: str) -> str:
    reason = rows.text(reason).strip()[:LONGEST]
    if not reason:
        raise Invalid("Say why you need to read what is masked.", hint="A few words; they go into the audit trail.")
    return reason
