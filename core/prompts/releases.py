"""Labels and who moves them: one person, or two where a label is protected; back to where it was, one is enough.

Whoever moves a label moves it for every application at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.calls import rows
from core.db import marks
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import Ids
from core.people.rules import Permission, Principal, require
from core.people.tables import Project
from core.prompts import held, queries, versions, views
from core.prompts.held import CHANGE, RELEASE, TOPIC
from core.prompts.tables import Prompt, PromptLabel, PromptMove, PromptProtection, PromptRequest

MOST_EVIDENCE = 20


def move(
    session: Session,
    *,
    prompt_id: int,
    label: str,
    number: int | None,
    by: Principal,
    at: datetime,
    ids: Ids,
    note: str = "",
    expected: int | None = None,
) -> bool:
    """Let a label name another version (None: none any more); whether anything changed.

    `expected` is the version it named when somebody decided this; 0: it was not there. Raises: Conflict (code
    "label_protected") where two people must agree, Conflict when it moved meanwhile, Invalid, NotFound, NotAllowed.
    """
    row = held.held(session, prompt_id, by, RELEASE)
    label = versions.check_label(label)
    now = held.labels(session, prompt_id).get(label)
    if expected is not None and (now or 0) != expected:
        raise _moved(row.name, label, now)
    if now == number:
        return False
    if label in queries.protected(session, project_id=row.project_id):
        raise Conflict(
            f"The label {label!r} is protected: it moves when two people agree.",
            code="label_protected",
            hint="Ask for it; somebody else decides.",
        )
    _move(session, row, label, number, before=now, by=by, at=at, ids=ids, note=note)
    return True


def roll_back(
    session: Session,
    *,
    prompt_id: int,
    label: str,
    by: Principal,
    at: datetime,
    ids: Ids,
    note: str = "",
    expected: int | None = None,
) -> int:
    """Let a label name again what it named before its last move; the version. One person is enough, for a protected
    label too: back to what it named when it was protected, or by agreement since.

    Raises: Conflict when it moved meanwhile, NotFound when there is nothing to go back to, NotAllowed.
    """
    row = held.held(session, prompt_id, by, RELEASE)
    now = held.labels(session, prompt_id).get(label)
    if expected is not None and (now or 0) != expected:
        raise _moved(row.name, label, now)
    history = queries.moves(session, prompt_id, project_ids=[row.project_id], label=label, limit=500)
    since = queries.protected_since(session, project_id=row.project_id).get(label)
    target = before_last(history, now, protected_since=since)
    if target is None and before_last(history, now) is not None:
        raise Conflict(
            f"What {label!r} named before is from before it was protected: nobody has agreed to it since.",
            code="label_protected",
            hint="Ask for it; somebody else decides.",
        )
    if target is None:
        raise NotFound(f"The label {label!r} of {row.name!r} has nothing left to go back to.", hint="Move it by hand.")
    said = rows.text(note).strip() or "rolled back"
    _move(session, row, label, target, before=now, by=by, at=at, ids=ids, note=said)
    return target


def ask(
    session: Session,
    *,
    prompt_id: int,
    label: str,
    number: int,
    by: Principal,
    at: datetime,
    ids: Ids,
    note: str,
    evidence: Sequence[str] = (),
) -> int:
    """Ask that a protected label be moved; somebody else decides. The request's id.

    Raises: Invalid without a word of why, Conflict while another request of this label is open, NotFound, NotAllowed.
    """
    row = held.held(session, prompt_id, by, CHANGE)
    label = versions.check_label(label)
    if not note.strip():
        raise Invalid("Say why, in a sentence: somebody else has to decide.", param="note")
    if label not in queries.protected(session, project_id=row.project_id):
        raise Invalid(f"The label {label!r} is not protected here.", hint="Move it.", param="label")
    held.existing(row, number)
    now = held.labels(session, prompt_id).get(label)
    if now == number:
        raise Invalid(f"The label {label!r} names version {number} already.", hint="Choose another version.")
    request = PromptRequest(
        id=ids.next(),
        prompt_id=prompt_id,
        label=label,
        before=now,
        after=number,
        note=held.words(note, "note"),
        evidence=[rows.text(one)[:200] for one in evidence if one.strip()][:MOST_EVIDENCE],
        asked_by=by.actor,
        asked_at=at,
    )
    try:
        with session.begin_nested():
            session.add(request)
            session.flush()
    except IntegrityError:
        raise Conflict(
            f"Somebody has asked to move {label!r} already.", hint="Decide on that request first, or withdraw it."
        ) from None
    after = {"label": label, "from": now, "to": number, "note": request.note, "evidence": request.evidence}
    held.tell(session, "prompt.move_asked", row, by=by, at=at, after=after)
    return request.id


def decide(
    session: Session,
    *,
    request_id: int,
    is_approved: bool,
    by: Principal,
    at: datetime,
    ids: Ids,
    answer: str = "",
) -> bool:
    """Agree to a request, which moves the label, or decline it. Whoever asked cannot.

    Raises: NotAllowed for who asked, Conflict when it is decided, or the label moved since, NotFound, Invalid.
    """
    row, request = _open(session, request_id, by, RELEASE)
    if request.asked_by == by.actor:
        raise NotAllowed("You asked for this yourself.", hint="Somebody else has to decide.")
    if not is_approved and not answer.strip():
        raise Invalid("Say why not, in a sentence.", param="answer")
    now = held.labels(session, request.prompt_id).get(request.label)
    if is_approved and now != request.before:
        raise _moved(row.name, request.label, now)
    request.state = "approved" if is_approved else "declined"
    request.decided_by, request.decided_at, request.answer = by.actor, at, held.words(answer, "answer")
    session.flush()
    after = {"label": request.label, "to": request.after, "asked_by": request.asked_by, "answer": request.answer}
    held.tell(session, f"prompt.move_{request.state}", row, by=by, at=at, after=after)
    if is_approved:
        _move(
            session, row, request.label, request.after, before=now, by=by, at=at, ids=ids, note=request.note,
            request_id=request.id,
        )  # fmt: skip
    return is_approved


def withdraw(session: Session, *, request_id: int, by: Principal, at: datetime) -> None:
    """Take one's own request back. Raises: NotAllowed, Conflict when it is decided, NotFound."""
    row, request = _open(session, request_id, by, CHANGE)
    if request.asked_by != by.actor:
        raise NotAllowed("Somebody else asked for this.", hint="Decline it instead.")
    request.state, request.decided_by, request.decided_at = "withdrawn", by.actor, at
    session.flush()
    held.tell(session, "prompt.move_withdrawn", row, by=by, at=at, after={"label": request.label, "to": request.after})


def protect(session: Session, *, project_id: int, label: str, is_protected: bool, by: Principal, at: datetime) -> bool:
    """Let a label of this project move only when two people agree, or no longer; whether anything changed.

    Raises: NotAllowed for who may not change the project (else one person could lift it, move, and set it again).
    """
    require(by, Permission.PROJECT_CHANGE, project_id)
    label = versions.check_label(label)
    if session.get(Project, project_id, with_for_update={"key_share": True}) is None:  # one at a time
        raise NotFound("There is no such project.", hint="Reload the page and choose again.")
    row = session.get(PromptProtection, (project_id, label))
    if (row is not None) == is_protected:
        return False
    if row is None:
        session.add(PromptProtection(project_id=project_id, label=label, set_by=by.actor, set_at=at))
    else:
        session.delete(row)
    session.flush()
    marks.bump(session, TOPIC)
    verb = "prompt.label_protected" if is_protected else "prompt.label_unprotected"
    audit.append(session, by=by, at=at, action=verb, target=f"label:{label}", project_id=project_id)
    return True


def _move(
    session: Session,
    row: Prompt,
    label: str,
    number: int | None,
    *,
    before: int | None,
    by: Principal,
    at: datetime,
    ids: Ids,
    note: str,
    request_id: int | None = None,
) -> None:
    assert row.id is not None
    if number is not None:
        held.existing(row, number)
    note = held.words(note, "note")
    there = session.get(PromptLabel, (row.id, label))
    if number is None:
        session.delete(there)
    elif there is None:
        session.add(PromptLabel(prompt_id=row.id, label=label, number=number, moved_by=by.actor, moved_at=at))
    else:
        there.number, there.moved_by, there.moved_at = number, by.actor, at
    session.add(
        PromptMove(
            id=ids.next(),
            prompt_id=row.id,
            label=label,
            before=before,
            after=number,
            note=note,
            moved_by=by.actor,
            moved_at=at,
            request_id=request_id,
        )
    )
    session.flush()
    after = {"label": label, "version": number, "note": note}
    held.tell(session, "prompt.label_moved", row, by=by, at=at, before={"version": before}, after=after)


def before_last(
    history: Sequence[views.MoveView], now: int | None, *, protected_since: datetime | None = None
) -> int | None:
    """What a label named before it came to name what it names now: going back twice goes back two steps.

    The moves, newest first, are followed as one would undo them: a move back is no step to go back over, unless
    two people agreed to it. Of a protected label what it named only before it was protected is nothing to go back to.
    """
    stack: list[int | None] = []
    for one in reversed(history):
        if len(stack) >= 2 and one.after == stack[-2] and one.request_id is None:
            stack.pop()
        else:
            stack.append(one.after)
    while stack and stack[-1] != now:
        stack.pop()
    known = set(stack)
    if protected_since is not None:
        known = {one.after for one in history if one.moved_at > protected_since}
        known.add(next((one.after for one in history if one.moved_at <= protected_since), None))
    return next((number for number in reversed(stack[:-1]) if number is not None and number in known), None)


def _open(session: Session, request_id: int, by: Principal, permission: Permission) -> tuple[Prompt, PromptRequest]:
    """The prompt's row, then the request's: held in the order in which everybody else holds them."""
    query = select(PromptRequest.prompt_id, Prompt.project_id).join(Prompt, col(Prompt.id) == PromptRequest.prompt_id)
    prompt_id, project_id = session.exec(query.where(PromptRequest.id == request_id)).first() or (None, None)
    if prompt_id is None or not by.may(Permission.PROMPT_READ, project_id):
        raise NotFound("There is no such request.", hint="It may have been withdrawn.")
    row = held.held(session, prompt_id, by, permission)
    request = session.exec(select(PromptRequest).where(PromptRequest.id == request_id).with_for_update()).one()
    if request.state != "open":
        raise Conflict(f"This request was {request.state} already.", hint="Reload to see what it led to.")
    return row, request


def _moved(name: str, label: str, now: int | None) -> Conflict:
    said = f"now names version {now}" if now else "is not there any more"
    return Conflict(
        f"Somebody has moved the label {label!r} of {name!r} meanwhile: it {said}.",
        code="label_moved",
        hint="Look at it again, then decide.",
    )
