"""Read prompts: the list, one with its versions and labels, what the pipeline needs; every query names its projects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import Session, col, select

from core.calls.rows import text
from core.errors import NotFound
from core.prompts import versions
from core.prompts.tables import (
    Prompt,
    PromptLabel,
    PromptMove,
    PromptProtection,
    PromptRequest,
    PromptVersion,
)
from core.prompts.views import Book, Entry, MoveView, PromptView, RequestView, VersionView


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
    return tuple(_request(row, name, project_id) for row, name, project_id in rows)


def protected(session: Session, *, project_id: int) -> frozenset[str]:
    """The labels of a project that move only when two people agree."""
    return frozenset(protected_since(session, project_id=project_id))


def protected_since(session: Session, *, project_id: int) -> dict[str, datetime]:
    """The same, with since when."""
    query = select(PromptProtection.label, PromptProtection.set_at).where(PromptProtection.project_id == project_id)
    return dict(session.exec(query).all())


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


def _request(row: PromptRequest, prompt: str, project_id: int) -> RequestView:
    told: dict[str, Any] = row.model_dump()
    told |= {"evidence": tuple(row.evidence), "prompt": prompt, "project_id": project_id}
    return RequestView(**told)


def _version(row: PromptVersion) -> VersionView:
    told: dict[str, Any] = row.model_dump(exclude={"model", "content"})
    told["content"] = versions.content_in(row.content)
    return VersionView(**told)


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
