"""Prompts as files of a repository, taken and kept many at once: one way for the command line and for the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from core.errors import Invalid
from core.ids import Ids
from core.people.rules import Principal
from core.prompts import actions, includes, queries, releases
from core.prompts.files import PromptFile
from core.prompts.includes import reference
from core.prompts.versions import LATEST, MAIN
from core.prompts.views import PromptView

MOST_FILES = 500


@dataclass(frozen=True, slots=True)
class Taken:
    """One version of a prompt as its file."""

    file: PromptFile
    number: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a file: the version that says it; whether that is new, and whether the label moved to it."""

    name: str
    number: int
    is_new: bool
    has_moved: bool


def every(session: Session, *, project_id: int, folder: str = "") -> list[PromptView]:
    """Every prompt of a project, or of a folder and what is in it, by name."""
    found: list[PromptView] = []
    while page := queries.prompts(
        session, project_ids=[project_id], folder=folder, after=found[-1].name if found else "", limit=200
    ):
        found += page
    return found


def taken(session: Session, wanted: str, *, project_id: int) -> Taken:
    """The file of `NAME`, `NAME@LABEL` or `NAME@VERSION`; the newest of main without. Raises: NotFound."""
    row, number = _named(session, wanted, project_id)
    made = queries.version(session, row.id, number, project_ids=[project_id])
    return Taken(PromptFile(row.name, made.content, row.description, row.tags, made.note), number)


def kept(
    session: Session,
    files: Sequence[PromptFile],
    *,
    project_id: int,
    by: Principal,
    at: datetime,
    ids: Ids,
    label: str = "",
    branch: str = MAIN,
    note: str = "",
) -> list[Kept]:
    """Keep what files say, a version more where one says something new, and let `label` name it; included prompts come
    first. All or nothing is the caller's transaction. Raises: Invalid, NotFound, NotAllowed, Conflict."""
    if len(files) > MOST_FILES:
        raise Invalid(f"These are more than {MOST_FILES} prompts.", hint="Push a folder at a time.")
    found = []
    for file in ordered(files):
        saved = actions.push(session, project_id=project_id, file=file, note=note, branch=branch, by=by, at=at)
        has_moved = bool(label) and releases.move(
            session, prompt_id=saved.prompt_id, label=label, number=saved.number, by=by, at=at, ids=ids
        )
        found.append(Kept(file.name, saved.number, saved.is_new, has_moved))
    return found


def moved(
    session: Session, wanted: str, label: str, *, note: str, project_id: int, by: Principal, at: datetime, ids: Ids
) -> Kept:
    """Let `label` name what `NAME`, `NAME@LABEL` or `NAME@VERSION` names. Raises: NotFound, NotAllowed, Conflict."""
    row, number = _named(session, wanted, project_id)
    has_moved = releases.move(session, prompt_id=row.id, label=label, number=number, by=by, at=at, ids=ids, note=note)
    return Kept(row.name, number, is_new=False, has_moved=has_moved)


def ordered(files: Sequence[PromptFile]) -> list[PromptFile]:
    """Included prompts before those that include them, so that a folder can be kept at once.

    Raises: Invalid where two files are of one prompt, or prompts include each other in a circle.
    """
    left = {file.name: file for file in files}
    if len(left) < len(files):
        names = [file.name for file in files]
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid(f"Two files are both of the prompt {twice!r}.", hint="Keep one of them.")
    done: list[PromptFile] = []
    while left:
        ready = [
            file
            for file in left.values()
            if not any(reference(one).name in left for one in includes.references(file.content.texts))
        ]
        if not ready:
            raise Invalid(f"These prompts include each other in a circle: {', '.join(left)}.", code="include")
        done += ready
        for file in ready:
            del left[file.name]
    return done


def _named(session: Session, wanted: str, project_id: int) -> tuple[PromptView, int]:
    asked = reference(wanted)
    row = queries.named(session, asked.name, project_id=project_id)
    return row, row.entry.number(reference(f"{row.name}@{asked.number or asked.label or LATEST}"))
