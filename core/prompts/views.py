"""Prompts, versions, labels and requests as everybody but the verbs sees them: frozen, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from core.errors import NotFound
from core.prompts.includes import Reference
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


def _no_version(name: str, what: str, hint: str) -> NotFound:
    return NotFound(f"The prompt {name!r} has {what}.", code="prompt_not_found", param="model", hint=hint)
