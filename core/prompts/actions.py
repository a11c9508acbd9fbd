"""What can be done with prompts: make one, keep a version, say what it is for, take it out of use.

A version never changes and a name stays. Labels and who may move them are `releases`'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.calls import rows
from core.errors import Conflict, NotFound
from core.people.rules import Principal, require
from core.people.tables import Project
from core.prompts import held, included, queries, versions
from core.prompts.files import PromptFile
from core.prompts.held import CHANGE, RELEASE
from core.prompts.tables import Prompt, PromptVersion
from core.prompts.versions import MAIN, Content, Variable


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
        description=held.words(description, "description"),
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
    row = held.held(session, prompt_id, by, CHANGE)
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
    row = held.held(session, prompt_id, by, CHANGE)
    said, kept = held.words(description, "description"), list(versions.check_tags(tags))
    before, after = {"description": row.description, "tags": row.tags}, {"description": said, "tags": kept}
    if before == after:
        return False
    row.description, row.tags = said, kept
    session.flush()
    held.tell(session, "prompt.described", row, by=by, at=at, before=before, after=after)
    return True


def archive(session: Session, *, prompt_id: int, is_archived: bool, by: Principal, at: datetime) -> bool:
    """Take a prompt out of use, or bring it back: nothing of it is lost. Whether anything changed.

    Raises: Conflict while a protected label names one of its versions, NotFound, NotAllowed.
    """
    row = held.held(session, prompt_id, by, RELEASE)
    if (row.archived_at is not None) == is_archived:
        return False
    if is_archived:
        named = held.labels(session, prompt_id).keys() & queries.protected(session, project_id=row.project_id)
        if named:
            raise Conflict(
                f"{row.name!r} is in use: its label {min(named)!r} is protected.",
                code="label_protected",
                hint="Take the label off first; for that two people must agree.",
            )
    row.archived_at = at if is_archived else None
    session.flush()
    held.tell(session, "prompt.archived" if is_archived else "prompt.restored", row, by=by, at=at)
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
    pinned, texts = included.pins(session, content.texts, project_id=row.project_id, of=row.name)
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
        held.existing(row, parent)
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
        note=held.words(note, "note"),
        made_by=by.actor,
        made_at=at,
    )
    if made.parent == made.number:
        made.parent = None
    session.add(made)
    session.flush()
    after = {"version": made.number, "branch": branch, "model": made.model, "digest": made_of, "note": made.note}
    held.tell(session, "prompt.version_saved", row, by=by, at=at, after=after)
    return Saved(row.id or 0, made.number, is_new=True)


def _storable(content: Content) -> Content:
    """The content without what no database takes (NUL, half a surrogate pair)."""
    told = versions.content_out(content)
    cleaned = rows.plain(told)
    return content if cleaned == told else versions.content_in(cleaned)
