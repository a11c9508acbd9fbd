"""Which versions a prompt includes, and what their texts are; pinned when a version is kept, read when it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlmodel import Session, col, select

from core.errors import Invalid, NotFound
from core.prompts import includes, queries, versions
from core.prompts.includes import Reference
from core.prompts.tables import Prompt, PromptVersion
from core.prompts.versions import LATEST, Content


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
        entry = queries.named(session, wanted.name, project_id=project_id).entry
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
