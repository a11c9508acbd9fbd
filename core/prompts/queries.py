"""Read prompts: the list, one with its versions and labels, what the pipeline needs; every query names its projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import Session, col, select

from core.calls.rows import text
from core.errors import Invalid, NotFound
from core.prompts import includes, versions
from core.prompts.includes import Reference
from core.prompts.tables import (
    Prompt,
    PromptLabel,
    PromptMove,
    PromptProtection,
    PromptRequest,
    PromptVersion,
)
from core.prompts.versions import LATEST, PRODUCTION, Content


@dataclass(frozen=True, slots=True)
class Entry:
    """A prompt as the pipeline sees it: which version each label names now."""

    id: int
    name: str
    latest: int
    newest: int
    labels: Mapping[str, int]

    def number(self, wanted: Reference) -> int:
        """The version a reference means now: `@production` where it says nothing.

        Raises: NotFound (code "prompt_not_found") with what there is.
        """
        if wanted.number is not None:
            if 1 <= wanted.number <= self.newest:
                return wanted.number
            raise _no_version(self.name, f"no version {wanted.number}", f"Its newest is {self.newest}.")
        label = wanted.label or PRODUCTION
        found = self.latest if label == LATEST else self.labels.get(label, 0)
        if not found:
            known = [*sorted(self.labels), *([LATEST] if self.latest else [])]
            hint = f"It has: {', '.join(f'{self.name}@{one}' for one in known)}." if known else "Give it a label first."
            raise _no_version(self.name, f"no version labelled {label!r}", hint)
        return found


@dataclass(frozen=True, slots=True)
class Book:
    """Every prompt in use by (project, name), at one moment."""

    entries: Mapping[tuple[int, str], Entry] = field(default_factory=dict)

    def entry(self, project_id: int, name: str) -> Entry:
        """Raises: NotFound (code "prompt_not_found")."""
        found = self.entries.get((project_id, name))
        if found is None:
            raise NotFound(
                f"There is no prompt named {name[:140]!r} in this project.",
                code="prompt_not_found",
                param="model",
                hint="Prompts in the console lists what there is.",
            )
        return found

    def names(self, project_id: int) -> list[str]:
        """The names of a project's prompts that have a version in production."""
        return sorted(
            name for (owner, name), entry in self.entries.items() if owner == project_id and PRODUCTION in entry.labels
        )


@dataclass(frozen=True, slots=True)
class PromptView:
    """A prompt as people see it."""

    id: int
    project_id: int
    name: str
    description: str
    tags: tuple[str, ...]
    newest: int
    latest: int
    labels: Mapping[str, int]
    created_by: str
    created_at: datetime
    archived_at: datetime | None
    changed_at: datetime
    changed_by: str

    @property
    def folder(self) -> str:
        """The part of the name before the last slash."""
        return self.name.rpartition("/")[0]

    @property
    def entry(self) -> Entry:
        """The same, for finding versions."""
        return Entry(self.id, self.name, self.latest, self.newest, self.labels)


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version and how it came to be."""

    prompt_id: int
    number: int
    branch: str
    parent: int | None
    content: Content
    pinned: Mapping[str, int]
    digest: str
    note: str
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class MoveView:
    """One move of a label."""

    id: int
    label: str
    before: int | None
    after: int | None
    note: str
    moved_by: str
    moved_at: datetime
    request_id: int | None


@dataclass(frozen=True, slots=True)
class RequestView:
    """Somebody's wish to move a protected label, and what became of it."""

    id: int
    prompt_id: int
    prompt: str
    project_id: int
    label: str
    before: int | None
    after: int
    note: str
    evidence: tuple[str, ...]
    state: str
    asked_by: str
    asked_at: datetime
    decided_by: str
    decided_at: datetime | None
    answer: str


def book(session: Session) -> Book:
    """All prompts in use; read again when the change mark "prompts" grows."""
    labels: dict[int, dict[str, int]] = {}
    for prompt_id, label, number in session.exec(select(PromptLabel.prompt_id, PromptLabel.label, PromptLabel.number)):
        labels.setdefault(prompt_id, {})[label] = number
    found = session.exec(select(Prompt).where(col(Prompt.archived_at).is_(None)))
    return Book(
        {
            (row.project_id, row.name): Entry(
                row.id or 0, row.name, row.latest, row.newest, labels.get(row.id or 0, {})
            )
            for row in found
        }
    )


def prompts(
    session: Session,
    *,
    project_ids: Sequence[int],
    folder: str = "",
    tag: str = "",
    words: str = "",
    archived: bool = False,
    after: str = "",
    limit: int = 50,
) -> tuple[PromptView, ...]:
    """Prompts by name, those after the name `after`; of a folder and what is in it, with a tag, with words in the
    name or description."""
    folder, tag, words, after = text(folder), text(tag), text(words), text(after)
    query = select(Prompt).where(col(Prompt.project_id).in_(project_ids))
    query = query.where(col(Prompt.archived_at).is_not(None) if archived else col(Prompt.archived_at).is_(None))
    if folder:
        query = query.where(col(Prompt.name).startswith(f"{folder}/", autoescape=True))
    for word in words.casefold().split()[:8]:
        query = query.where(_has(word))
    if after:
        query = query.where(col(Prompt.name) > after)
    rows = session.exec(query.order_by(col(Prompt.name)).limit(limit if not tag else 10_000)).all()
    kept = [row for row in rows if not tag or tag in row.tags][:limit]
    return _views(session, kept)


def folders_and_tags(session: Session, *, project_ids: Sequence[int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every folder that holds a prompt (and those above it), and every tag in use."""
    query = select(Prompt.name, Prompt.tags).where(col(Prompt.project_id).in_(project_ids))
    found = session.exec(query.where(col(Prompt.archived_at).is_(None))).all()
    folders: set[str] = set()
    for name, _ in found:
        parts = name.split("/")[:-1]
        folders |= {"/".join(parts[:deep]) for deep in range(1, len(parts) + 1)}
    return tuple(sorted(folders)), tuple(sorted({tag for _, tags in found for tag in tags}))


def prompt(session: Session, prompt_id: int, *, project_ids: Sequence[int]) -> PromptView:
    """One prompt. Raises: NotFound when there is none, or not in these projects."""
    row = session.get(Prompt, prompt_id)
    if row is None or row.project_id not in project_ids:
        raise _no_prompt()
    return _views(session, [row])[0]


def named(session: Session, name: str, *, project_id: int) -> PromptView:
    """One prompt by its name. Raises: NotFound."""
    row = session.exec(select(Prompt).where(Prompt.project_id == project_id, Prompt.name == text(name))).first()
    if row is None:
        raise NotFound(
            f"There is no prompt named {name[:140]!r} here.", code="prompt_not_found", hint="Look for it under Prompts."
        )
    return _views(session, [row])[0]


def names_of(session: Session, prompt_ids: Sequence[int], *, project_ids: Sequence[int]) -> dict[int, str]:
    """The names of these prompts."""
    query = select(Prompt.id, Prompt.name).where(
        col(Prompt.id).in_(prompt_ids), col(Prompt.project_id).in_(project_ids)
    )
    return {prompt_id or 0: name for prompt_id, name in session.exec(query)}


def version_list(
    session: Session,
    prompt_id: int,
    *,
    project_ids: Sequence[int],
    before: int | None = None,
    branch: str = "",
    limit: int = 50,
) -> tuple[VersionView, ...]:
    """Versions, newest first, older than the number `before`. Raises: NotFound."""
    _owned(session, prompt_id, project_ids)
    query = select(PromptVersion).where(PromptVersion.prompt_id == prompt_id)
    if before is not None:
        query = query.where(PromptVersion.number < before)
    if branch:
        query = query.where(PromptVersion.branch == branch)
    rows = session.exec(query.order_by(col(PromptVersion.number).desc()).limit(limit)).all()
    return tuple(_version(row) for row in rows)


def branches(session: Session, prompt_id: int, *, project_ids: Sequence[int]) -> tuple[tuple[str, int], ...]:
    """The branches of a prompt with the newest version of each, main first. Raises: NotFound."""
    _owned(session, prompt_id, project_ids)
    query = (
        select(PromptVersion.branch, func.max(PromptVersion.number))
        .where(PromptVersion.prompt_id == prompt_id)
        .group_by(PromptVersion.branch)
    )
    found = [(branch, int(number)) for branch, number in session.exec(query)]
    return tuple(sorted(found, key=lambda pair: (pair[0] != versions.MAIN, pair[0])))


def version(session: Session, prompt_id: int, number: int, *, project_ids: Sequence[int]) -> VersionView:
    """One version. Raises: NotFound."""
    _owned(session, prompt_id, project_ids)
    row = session.get(PromptVersion, (prompt_id, number))
    if row is None:
        raise NotFound("There is no such version of this prompt.", hint="Choose one from the list.")
    return _version(row)


def moves(
    session: Session, prompt_id: int, *, project_ids: Sequence[int], label: str = "", limit: int = 50
) -> tuple[MoveView, ...]:
    """How labels moved, newest first. Raises: NotFound."""
    _owned(session, prompt_id, project_ids)
    query = select(PromptMove).where(PromptMove.prompt_id == prompt_id)
    if label:
        query = query.where(PromptMove.label == label)
    rows = session.exec(query.order_by(col(PromptMove.id).desc()).limit(limit)).all()
    return tuple(MoveView(**row.model_dump(exclude={"prompt_id"})) for row in rows)


def requests(
    session: Session,
    *,
    project_ids: Sequence[int],
    prompt_id: int | None = None,
    state: str = "",
    limit: int = 50,
) -> tuple[RequestView, ...]:
    """Wishes to move protected labels, newest first."""
    query = (
        select(PromptRequest, Prompt.name, Prompt.project_id)
        .join(Prompt, col(Prompt.id) == col(PromptRequest.prompt_id))
        .where(col(Prompt.project_id).in_(project_ids))
    )
    if prompt_id is not None:
        query = query.where(PromptRequest.prompt_id == prompt_id)
    if state:
        query = query.where(PromptRequest.state == state)
    rows = session.exec(query.order_by(col(PromptRequest.id).desc()).limit(limit)).all()
    return tuple(
        RequestView(**(row.model_dump() | {"evidence": tuple(row.evidence)}), prompt=name, project_id=project_id)
        for row, name, project_id in rows
    )


def protected(session: Session, *, project_id: int) -> frozenset[str]:
    """The labels of a project that move only when two people agree."""
    query = select(PromptProtection.label).where(PromptProtection.project_id == project_id)
    return frozenset(session.exec(query).all())


def users_of(session: Session, name: str, *, project_id: int, limit: int = 50) -> tuple[tuple[str, int], ...]:
    """The prompts whose newest version on main includes this one: name and the version of it that is pinned there."""
    query = (
        select(Prompt.name, PromptVersion.pinned)
        .join(PromptVersion, col(PromptVersion.prompt_id) == col(Prompt.id))
        .where(
            Prompt.project_id == project_id,
            col(Prompt.archived_at).is_(None),
            col(PromptVersion.number) == col(Prompt.latest),
        )
        .order_by(col(Prompt.name))
    )
    found = []
    for user, pinned in session.exec(query):
        for written, number in pinned.items():
            if includes.reference(written).name == name:
                found.append((user, number))
                break
        if len(found) == limit:
            break
    return tuple(found)


def pins(
    session: Session, texts: Sequence[str], *, project_id: int, of: str = ""
) -> tuple[dict[str, int], dict[str, str]]:
    """What texts include: the version each reference means now, and its whole text with what it includes in turn.

    `of` is the name of the prompt the texts are of, which cannot include itself.
    Raises: Invalid (code "include") for one that cannot be included, NotFound for one that is not there.
    """
    written = includes.references(texts)
    if len(written) > includes.MOST_INCLUDED:
        raise Invalid(f"A prompt includes at most {includes.MOST_INCLUDED} others.", code="include")
    numbers: dict[str, int] = {}
    for one in written:
        wanted = includes.reference(one)
        if wanted.name == of:
            raise Invalid(f"The prompt {of!r} cannot include itself.", code="include", hint="Include another one.")
        entry = named(session, wanted.name, project_id=project_id).entry
        # without a label the newest is meant: who writes a prompt sees what is there now
        numbers[one] = entry.number(wanted if wanted.label or wanted.number else Reference(wanted.name, LATEST))
    return numbers, fragments(session, numbers, project_id=project_id)


def fragments(session: Session, pinned: Mapping[str, int], *, project_id: int, deep: int = 1) -> dict[str, str]:
    """The whole text of each pinned prompt. Raises: Invalid (code "include"), NotFound."""
    if deep > includes.MOST_DEEP:
        raise Invalid(
            f"Prompts include each other more than {includes.MOST_DEEP} deep.",
            code="include",
            hint="Include the innermost one directly.",
        )
    found: dict[str, str] = {}
    for written, number in pinned.items():
        name = includes.reference(written).name
        query = (
            select(PromptVersion)
            .join(Prompt, col(Prompt.id) == col(PromptVersion.prompt_id))
            .where(Prompt.project_id == project_id, Prompt.name == name, PromptVersion.number == number)
        )
        row = session.exec(query).first()
        if row is None:
            raise NotFound(f"There is no version {number} of the prompt {name!r}.", code="prompt_not_found")
        text = versions.content_in(row.content).fragment
        if text is None:
            raise Invalid(
                f"The prompt {name!r} cannot be included: it is more than one message of text.",
                code="include",
                hint="Keep the part you share as a prompt of its own, with one message.",
            )
        inner = fragments(session, row.pinned, project_id=project_id, deep=deep + 1) if row.pinned else {}
        found[written] = includes.expanded(text, inner)
    return found


def ready(session: Session, prompt_id: int, number: int) -> tuple[Content, dict[str, str]]:
    """A version and the texts it includes, as the pipeline asks it. Raises: NotFound."""
    row, owner = session.get(PromptVersion, (prompt_id, number)), session.get(Prompt, prompt_id)
    if row is None or owner is None:
        raise NotFound("There is no such version of this prompt.", code="prompt_not_found", param="model")
    return versions.content_in(row.content), fragments(session, row.pinned, project_id=owner.project_id)


def _has(word: str) -> ColumnElement[bool]:
    return or_(
        func.lower(col(Prompt.name)).contains(word, autoescape=True),
        func.lower(col(Prompt.description)).contains(word, autoescape=True),
    )


def _views(session: Session, rows: Sequence[Prompt]) -> tuple[PromptView, ...]:
    numbers = [row.id or 0 for row in rows]
    labels: dict[int, dict[str, int]] = {}
    for label in session.exec(select(PromptLabel).where(col(PromptLabel.prompt_id).in_(numbers))):
        labels.setdefault(label.prompt_id, {})[label.label] = label.number
    query = (
        select(PromptVersion.prompt_id, PromptVersion.made_at, PromptVersion.made_by)
        .join(Prompt, col(Prompt.id) == col(PromptVersion.prompt_id))
        .where(col(Prompt.id).in_(numbers), col(PromptVersion.number) == col(Prompt.newest))
    )
    last = {prompt_id: (made_at, made_by) for prompt_id, made_at, made_by in session.exec(query)}
    return tuple(
        PromptView(
            id=row.id or 0,
            project_id=row.project_id,
            name=row.name,
            description=row.description,
            tags=tuple(row.tags),
            newest=row.newest,
            latest=row.latest,
            labels=dict(sorted(labels.get(row.id or 0, {}).items())),
            created_by=row.created_by,
            created_at=row.created_at,
            archived_at=row.archived_at,
            changed_at=last.get(row.id or 0, (row.created_at, ""))[0],
            changed_by=last.get(row.id or 0, (None, row.created_by))[1],
        )
        for row in rows
    )


def _version(row: PromptVersion) -> VersionView:
    return VersionView(**(row.model_dump(exclude={"model", "content"}) | {"content": versions.content_in(row.content)}))


def _owned(session: Session, prompt_id: int, project_ids: Sequence[int]) -> Any:
    row = session.get(Prompt, prompt_id)
    if row is None or row.project_id not in project_ids:
        raise _no_prompt()
    return row


def _no_prompt() -> NotFound:
    return NotFound(
        "There is no such prompt, or it is not yours to see.",
        code="prompt_not_found",
        hint="Look for it under Prompts.",
    )


def _no_version(name: str, what: str, hint: str) -> NotFound:
    return NotFound(f"The prompt {name!r} has {what}.", code="prompt_not_found", param="model", hint=hint)
