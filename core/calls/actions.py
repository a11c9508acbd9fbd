"""What people do with recorded calls: say what they think of an answer, keep a run of the playground."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import delete, or_, update
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.calls import rows
from core.calls.tables import Call, Feedback, PlaygroundRun
from core.errors import Conflict, Invalid, NotFound, TooLarge
from core.ids import Ids, shown
from core.people.rules import Permission, Principal, require

LONGEST = 10_000
LONGEST_NAME = 200
LARGEST_STATE = 30_000_000  # bytes of JSON: a run keeps the images it was made with
MOST_DRAFTS = 50
"""Drafts of one person in one project; a new one makes the one longest untouched give way."""
DRAFT_KEPT = timedelta(days=30)
"""How long a draft nobody touches is kept. Runs, which a link may name, are kept for good."""


def give(
    session: Session,
    *,
    call_id: int,
    by: Principal,
    at: datetime,
    ids: Ids,
    thumb: int | None = None,
    rating: int | None = None,
    reason: str = "",
    comment: str = "",
    correction: str = "",
    end_user: str = "",
) -> Feedback:
    """Say what a reader thought of an answer: a thumb (1 or -1), a rating (1 to 5), words, or a better answer.

    Raises:
        NotFound: no such call where `by` may give feedback.
        Invalid: nothing was said, or a value is out of its range.
    """
    project_id = session.exec(select(Call.project_id).where(Call.id == call_id)).one_or_none()
    if project_id is None or not by.may(Permission.FEEDBACK_GIVE, project_id):
        raise _missing(call_id)
    require(by, Permission.FEEDBACK_GIVE, project_id)
    _check(thumb, rating, {"reason": reason, "comment": comment, "correction": correction}, end_user)
    given = Feedback(
        id=ids.next(),
        call_id=call_id,
        project_id=project_id,
        at=at,
        actor=by.actor,
        end_user=rows.text(end_user),
        thumb=thumb,
        rating=rating,
        reason=rows.text(reason.strip()),
        comment=rows.text(comment.strip()),
        correction=rows.text(correction.strip()),
    )
    session.add(given)
    said = {"thumb": thumb, "rating": rating, "reason": given.reason}
    audit.append(
        session, by=by, at=at, action="feedback.given", target=shown("call", call_id), project_id=project_id, after=said
    )
    return given


def save_run(
    session: Session,
    *,
    project_id: int,
    by: Principal,
    at: datetime,
    ids: Ids,
    state: Mapping[str, Any],
    run_id: int | None = None,
) -> int:
    """Keep what a person has on the playground as their draft: a new one, or the one they are typing in.

    A new one makes their oldest give way (`MOST_DRAFTS`, `DRAFT_KEPT`). Not in the audit trail: nothing has happened
    yet. Returns the run's id.

    Raises:
        Conflict: that run was frozen, it is somebody else's, or it is gone.
    """
    require(by, Permission.PLAYGROUND_USE, project_id)
    kept = _state(state)
    if run_id is None:
        run = PlaygroundRun(id=ids.next(), project_id=project_id, actor=by.actor, at=at, is_draft=True, state=kept)
        session.add(run)
        session.flush()
        _let_go(session, project_id, by, at)
        return run.id
    if session.execute(_own(run_id, project_id, by).values(state=kept, at=at)).first() is None:
        raise _frozen()
    return run_id


def freeze(
    session: Session, run_id: int, *, project_id: int, by: Principal, at: datetime, state: Mapping[str, Any]
) -> None:
    """Close a draft with what was run and what came back: the URL that names it shows this for good.

    The calls it made are the record of what happened, so the audit trail is not told again.

    Raises:
        Conflict: it was frozen before, it is somebody else's, or it is gone.
    """
    require(by, Permission.PLAYGROUND_USE, project_id)
    frozen = _own(run_id, project_id, by).values(state=_state(state), at=at, is_draft=False)
    if session.execute(frozen).first() is None:
        raise _frozen()


def _let_go(session: Session, project_id: int, by: Principal, at: datetime) -> None:
    """Drop this person's drafts that are too many or too old."""
    drafts = (
        col(PlaygroundRun.actor) == by.actor,
        col(PlaygroundRun.project_id) == project_id,
        col(PlaygroundRun.is_draft),
    )
    newest = (
        select(PlaygroundRun.id).where(*drafts).order_by(col(PlaygroundRun.at).desc(), col(PlaygroundRun.id).desc())
    )
    kept = select(newest.limit(MOST_DRAFTS).subquery().c.id)
    session.execute(
        delete(PlaygroundRun)
        .where(*drafts, or_(col(PlaygroundRun.id).not_in(kept), col(PlaygroundRun.at) < at - DRAFT_KEPT))
        .execution_options(synchronize_session=False)
    )


def _own(run_id: int, project_id: int, by: Principal) -> Any:
    own = update(PlaygroundRun).where(
        col(PlaygroundRun.id) == run_id,
        col(PlaygroundRun.project_id) == project_id,
        col(PlaygroundRun.actor) == by.actor,
        col(PlaygroundRun.is_draft),
    )
    return own.returning(col(PlaygroundRun.id))


def _state(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state as plain JSON any database takes."""
    written = rows.detail_json(dict(state))
    if len(written) > LARGEST_STATE:
        raise TooLarge("This run is too large to keep.", hint="Use smaller images or shorter texts.")
    kept: dict[str, Any] = orjson.loads(written)
    return kept


def _check(thumb: int | None, rating: int | None, words: Mapping[str, str], end_user: str) -> None:
    if thumb is None and rating is None and not any(text.strip() for text in words.values()):
        raise Invalid("The feedback says nothing.", code="empty_feedback", hint="Give a thumb, a rating or a comment.")
    if thumb is not None and (isinstance(thumb, bool) or thumb not in (-1, 1)):
        raise Invalid("A thumb is 1 (up) or -1 (down).", code="bad_feedback", param="thumb")
    if rating is not None and (isinstance(rating, bool) or rating not in (1, 2, 3, 4, 5)):
        raise Invalid("A rating is a whole number from 1 to 5.", code="bad_feedback", param="rating")
    for name, text in words.items():
        if len(text) > LONGEST:
            raise Invalid(f"The {name} is longer than {LONGEST:,} characters.", code="bad_feedback", param=name)
    if len(end_user) > LONGEST_NAME:
        raise Invalid(f"The user is longer than {LONGEST_NAME} characters.", code="bad_feedback", param="user")


def _missing(call_id: int) -> NotFound:
    return NotFound(
        f"There is no call {shown('call', call_id)}, or you may not say anything about it.",
        hint="Use the id of an answer you received.",
    )


def _frozen() -> Conflict:
    return Conflict("This run cannot be changed any more.", hint="Change it and run it again: that makes a new one.")
