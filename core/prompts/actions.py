"""What can be done with prompts: keep a version, move a label, ask for a protected one, agree to it, go back.

A version never changes and a name stays. Whoever moves a label moves it for every application at once, so a protected
label takes two people; only back to where it was, one is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.calls import rows
from core.db import marks
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import Ids
from core.people.rules import Permission, Principal, require
from core.people.tables import Project
from core.prompts import queries, versions
from core.prompts.files import PromptFile
from core.prompts.tables import (
    Prompt,
    PromptLabel,
    PromptMove,
    PromptProtection,
    PromptRequest,
    PromptVersion,
)
from core.prompts.versions import MAIN, Content, Variable

TOPIC = "prompts"
CHANGE, RELEASE = Permission.PROMPT_CHANGE, Permission.PROMPT_RELEASE
MOST_EVIDENCE = 20


@dataclass(frozen=True, slots=True)
class Saved:
    """The version that says what was saved; `is_new`: it did not exist before."""

    prompt_id: int
    number: int
    is_new: bool


def create(
    session: Session,
    *,
    project_id: int,
    name: str,
    content: Content,
    by: Principal,
    at: datetime,
    description: str = "",
    tags: Sequence[str] = (),
    note: str = "",
    known: Iterable[Variable] = (),
) -> Saved:
    """A prompt and its first version.

    Raises: Invalid for a content that could never be asked, Conflict when the name is taken, NotFound, NotAllowed.
    """
    require(by, CHANGE, project_id)
    if session.get(Project, project_id) is None:
        raise NotFound("There is no such project.", hint="Reload the page and choose again.")
    row = Prompt(
        project_id=project_id,
        name=versions.check_name(name),
        description=_words(description, "description"),
        tags=list(versions.check_tags(tags)),
        created_by=by.actor,
        created_at=at,
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        raise Conflict(
            f"There is a prompt named {row.name!r} already.", hint="Make a version of it, or choose another name."
        ) from None
    return _save(session, row, content, note=note, by=by, at=at, branch=MAIN, parent=None, known=known)


def save(
    session: Session,
    *,
    prompt_id: int,
    content: Content,
    by: Principal,
    at: datetime,
    note: str = "",
    branch: str = MAIN,
    parent: int | None = None,
    expected_newest: int | None = None,
    known: Iterable[Variable] = (),
) -> Saved:
    """Keep a version, made from the version `parent`; what the branch's newest says already makes none.

    A branch that is not there begins with it. Raises: Conflict when somebody else has saved since `expected_newest`,
    Invalid, NotFound, NotAllowed.
    """
    row = _row(session, prompt_id, by, CHANGE)
    if expected_newest is not None and row.newest != expected_newest:
        raise Conflict(
            f"Somebody else has kept version {row.newest} of {row.name!r} meanwhile.",
            code="prompt_changed",
            hint="Look at it; to keep yours as well, save again, or save it on a branch.",
        )
    return _save(session, row, content, note=note, by=by, at=at, branch=branch, parent=parent, known=known)


def push(
    session: Session,
    *,
    project_id: int,
    file: PromptFile,
    by: Principal,
    at: datetime,
    branch: str = MAIN,
    note: str = "",
) -> Saved:
    """Keep what a file says: a new prompt, or a version more where it says something new. `note` where it has none.

    Raises: Invalid, NotFound, NotAllowed.
    """
    require(by, CHANGE, project_id)
    said = file.note or note
    query = select(Prompt.id).where(Prompt.project_id == project_id, Prompt.name == file.name)
    prompt_id = session.exec(query).first()
    told: dict[str, Any] = {"content": file.content, "note": said, "by": by, "at": at}
    if prompt_id is None:
        return create(
            session, project_id=project_id, name=file.name, description=file.description, tags=file.tags, **told
        )
    describe(session, prompt_id=prompt_id, description=file.description, tags=file.tags, by=by, at=at)
    return save(session, prompt_id=prompt_id, branch=branch, **told)


def describe(
    session: Session,
    *,
    prompt_id: int,
    description: str,
    tags: Sequence[str],
    by: Principal,
    at: datetime,
) -> bool:
    """Say what a prompt is for; whether anything changed. Raises: Invalid, NotFound, NotAllowed."""
    row = _row(session, prompt_id, by, CHANGE)
    said, kept = _words(description, "description"), list(versions.check_tags(tags))
    before, after = {"description": row.description, "tags": row.tags}, {"description": said, "tags": kept}
    if before == after:
        return False
    row.description, row.tags = said, kept
    session.flush()
    _tell(session, "prompt.described", row, by=by, at=at, before=before, after=after)
    return True


def archive(session: Session, *, prompt_id: int, is_archived: bool, by: Principal, at: datetime) -> bool:
    """Take a prompt out of use, or bring it back: nothing of it is lost. Whether anything changed.

    Raises: Conflict while a protected label names one of its versions, NotFound, NotAllowed.
    """
    row = _row(session, prompt_id, by, RELEASE)
    if (row.archived_at is not None) == is_archived:
        return False
    if is_archived:
        held = _labels(session, prompt_id).keys() & queries.protected(session, project_id=row.project_id)
        if held:
            raise Conflict(
                f"{row.name!r} is in use: its label {min(held)!r} is protected.",
                code="label_protected",
                hint="Take the label off first; for that two people must agree.",
            )
    row.archived_at = at if is_archived else None
    session.flush()
    _tell(session, "prompt.archived" if is_archived else "prompt.restored", row, by=by, at=at)
    return True


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
    row = _row(session, prompt_id, by, RELEASE)
    label = versions.check_label(label)
    now = _labels(session, prompt_id).get(label)
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
    label too: that version was agreed to once.

    Raises: Conflict when it moved meanwhile, NotFound when there is nothing to go back to, NotAllowed.
    """
    row = _row(session, prompt_id, by, RELEASE)
    now = _labels(session, prompt_id).get(label)
    if expected is not None and (now or 0) != expected:
        raise _moved(row.name, label, now)
    history = queries.moves(session, prompt_id, project_ids=[row.project_id], label=label, limit=500)
    target = _before_last(history, now)
    if target is None:
        raise NotFound(
            f"The label {label!r} of {row.name!r} has named no other version before.", hint="Move it by hand."
        )
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
    row = _row(session, prompt_id, by, CHANGE)
    label = versions.check_label(label)
    if not note.strip():
        raise Invalid("Say why, in a sentence: somebody else has to decide.", param="note")
    if label not in queries.protected(session, project_id=row.project_id):
        raise Invalid(f"The label {label!r} is not protected here.", hint="Move it.", param="label")
    _existing(row, number)
    now = _labels(session, prompt_id).get(label)
    if now == number:
        raise Invalid(f"The label {label!r} names version {number} already.", hint="Choose another version.")
    request = PromptRequest(
        id=ids.next(),
        prompt_id=prompt_id,
        label=label,
        before=now,
        after=number,
        note=_words(note, "note"),
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
    _tell(session, "prompt.move_asked", row, by=by, at=at, after=after)
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
    now = _labels(session, request.prompt_id).get(request.label)
    if is_approved and now != request.before:
        raise _moved(row.name, request.label, now)
    request.state = "approved" if is_approved else "declined"
    request.decided_by, request.decided_at, request.answer = by.actor, at, _words(answer, "answer")
    session.flush()
    after = {"label": request.label, "to": request.after, "asked_by": request.asked_by, "answer": request.answer}
    _tell(session, f"prompt.move_{request.state}", row, by=by, at=at, after=after)
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
    _tell(session, "prompt.move_withdrawn", row, by=by, at=at, after={"label": request.label, "to": request.after})


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


def _save(
    session: Session,
    row: Prompt,
    content: Content,
    *,
    note: str,
    by: Principal,
    at: datetime,
    branch: str,
    parent: int | None,
    known: Iterable[Variable],
) -> Saved:
    branch = branch if branch == MAIN else versions.check_label(branch)
    content = _storable(content)
    pinned, texts = queries.pins(session, content.texts, project_id=row.project_id, of=row.name)
    content = _storable(versions.with_variables(content, known, texts=texts.values()))
    versions.check(content)
    made_of = versions.digest(content, pinned)
    query = (
        select(PromptVersion)
        .where(PromptVersion.prompt_id == row.id, PromptVersion.branch == branch)
        .order_by(col(PromptVersion.number).desc())
        .limit(1)
    )
    last = session.exec(query).first()
    if last is not None and last.digest == made_of:
        return Saved(row.id or 0, last.number, is_new=False)
    if parent is not None:
        _existing(row, parent)
    row.newest += 1
    if branch == MAIN:
        row.latest = row.newest
    made = PromptVersion(
        prompt_id=row.id or 0,
        number=row.newest,
        branch=branch,
        parent=parent if parent is not None else last.number if last is not None else row.latest or None,
        model=content.model,
        content=versions.content_out(content),
        pinned=pinned,
        digest=made_of,
        note=_words(note, "note"),
        made_by=by.actor,
        made_at=at,
    )
    if made.parent == made.number:
        made.parent = None
    session.add(made)
    session.flush()
    after = {"version": made.number, "branch": branch, "model": made.model, "digest": made_of, "note": made.note}
    _tell(session, "prompt.version_saved", row, by=by, at=at, after=after)
    return Saved(row.id or 0, made.number, is_new=True)


def _storable(content: Content) -> Content:
    """The content without what no database takes (NUL, half a surrogate pair)."""
    told = versions.content_out(content)
    cleaned = rows.plain(told)
    return content if cleaned == told else versions.content_in(cleaned)


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
        _existing(row, number)
    note = _words(note, "note")
    held = session.get(PromptLabel, (row.id, label))
    if number is None:
        session.delete(held)
    elif held is None:
        session.add(PromptLabel(prompt_id=row.id, label=label, number=number, moved_by=by.actor, moved_at=at))
    else:
        held.number, held.moved_by, held.moved_at = number, by.actor, at
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
    _tell(session, "prompt.label_moved", row, by=by, at=at, before={"version": before}, after=after)


def _before_last(history: Sequence[queries.MoveView], now: int | None) -> int | None:
    """What a label named before it came to name what it names now: going back twice goes back two steps.

    The moves, newest first, are followed as one would undo them: a move back is no step to go back over.
    """
    stack: list[int | None] = []
    for one in reversed(history):
        if len(stack) >= 2 and one.after == stack[-2]:
            stack.pop()
        else:
            stack.append(one.after)
    while stack and stack[-1] != now:
        stack.pop()
    return next((number for number in reversed(stack[:-1]) if number is not None), None)


def _row(session: Session, prompt_id: int, by: Principal, permission: Permission) -> Prompt:
    """The prompt's row, held until the transaction ends; not yours is as if it were not there."""
    row = session.exec(select(Prompt).where(Prompt.id == prompt_id).with_for_update()).first()
    if row is None or not by.may(Permission.PROMPT_READ, row.project_id):
        raise NotFound("There is no such prompt, or it is not yours to see.", hint="Look for it under Prompts.")
    require(by, permission, row.project_id)
    return row


def _open(session: Session, request_id: int, by: Principal, permission: Permission) -> tuple[Prompt, PromptRequest]:
    """The prompt's row, then the request's: held in the order in which everybody else holds them."""
    query = select(PromptRequest.prompt_id, Prompt.project_id).join(Prompt, col(Prompt.id) == PromptRequest.prompt_id)
    prompt_id, project_id = session.exec(query.where(PromptRequest.id == request_id)).first() or (None, None)
    if prompt_id is None or not by.may(Permission.PROMPT_READ, project_id):
        raise NotFound("There is no such request.", hint="It may have been withdrawn.")
    row = _row(session, prompt_id, by, permission)
    request = session.exec(select(PromptRequest).where(PromptRequest.id == request_id).with_for_update()).one()
    if request.state != "open":
        raise Conflict(
            f"This request was {request.state} by {request.decided_by} already.", hint="Reload to see what it led to."
        )
    return row, request


def _labels(session: Session, prompt_id: int) -> dict[str, int]:
    query = select(PromptLabel.label, PromptLabel.number).where(PromptLabel.prompt_id == prompt_id)
    return dict(session.exec(query).all())


def _existing(row: Prompt, number: int) -> None:
    if not 1 <= number <= row.newest:
        raise NotFound(f"There is no version {number} of {row.name!r}.", hint=f"Its newest is {row.newest}.")


def _moved(name: str, label: str, now: int | None) -> Conflict:
    said = f"now names version {now}" if now else "is not there any more"
    return Conflict(
        f"Somebody has moved the label {label!r} of {name!r} meanwhile: it {said}.",
        code="label_moved",
        hint="Look at it again, then decide.",
    )


def _words(said: str, name: str) -> str:
    said = rows.text(said).strip()
    if len(said) > versions.LONGEST_NOTE:
        raise Invalid(f"The {name} has at most {versions.LONGEST_NOTE:,} characters.", param=name)
    return said


def _tell(
    session: Session,
    action: str,
    row: Prompt,
    *,
    by: Principal,
    at: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    marks.bump(session, TOPIC)
    audit.append(
        session, by=by, at=at, action=action, target=f"prompt:{row.name}", project_id=row.project_id, before=before,
        after=after,
    )  # fmt: skip
