"""What the verbs of prompts share: the row held until the transaction ends, its labels, words, the trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from core.audit import actions as audit
from core.calls import rows
from core.db import marks
from core.errors import Invalid, NotFound
from core.people.rules import Permission, Principal, require
from core.prompts import versions
from core.prompts.tables import Prompt, PromptLabel

TOPIC = "prompts"
CHANGE, RELEASE = Permission.PROMPT_CHANGE, Permission.PROMPT_RELEASE


def held(session: Session, prompt_id: int, by: Principal, permission: Permission) -> Prompt:
    """The prompt's row, held until the transaction ends; not yours is as if it were not there."""
    row = session.exec(select(Prompt).where(Prompt.id == prompt_id).with_for_update()).first()
    if row is None or not by.may(Permission.PROMPT_READ, row.project_id):
        raise NotFound("There is no such prompt, or it is not yours to see.", hint="Look for it under Prompts.")
    require(by, permission, row.project_id)
    return row


def labels(session: Session, prompt_id: int) -> dict[str, int]:
    """Which version each label of a prompt names now."""
    query = select(PromptLabel.label, PromptLabel.number).where(PromptLabel.prompt_id == prompt_id)
    return dict(session.exec(query).all())


def existing(row: Prompt, number: int) -> None:
    """Raises: NotFound for a version that is not there."""
    if not 1 <= number <= row.newest:
        raise NotFound(f"There is no version {number} of {row.name!r}.", hint=f"Its newest is {row.newest}.")


def words(said: str, name: str) -> str:
    """Words of people as they can be stored. Raises: Invalid when they are too many."""
    said = rows.text(said).strip()
    if len(said) > versions.LONGEST_NOTE:
        raise Invalid(f"The {name} has at most {versions.LONGEST_NOTE:,} characters.", param=name)
    return said


def tell(
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
