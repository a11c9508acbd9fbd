"""A project with prompts, and people who may change and release them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.db.engine import Database
from core.ids import Ids
from core.people import actions as people
from core.people.rules import SYSTEM, Principal, Role
from core.prompts import actions, queries, releases, views
from core.prompts.rules import Message, Speaker
from core.prompts.versions import Content

ANN = Principal("person:ann", "Ann", grants={None: frozenset({Role.PRODUCT_MANAGER})})
BEN = Principal("person:ben", "Ben", grants={None: frozenset({Role.PRODUCT_MANAGER})})
EVE = Principal("person:eve", "Eve", grants={7: frozenset({Role.PRODUCT_MANAGER})})
ROOT = Principal("person:root", "Root", grants={None: frozenset({Role.ADMIN})})


def content(system: str = "You are kind.", question: str = "", model: str = "builtin/rules", **told: Any) -> Content:
    """A system message, and a question where one is given."""
    said = [Message(Speaker.SYSTEM, system, mark=1)]
    said += [Message(Speaker.USER, question, mark=2)] if question else []
    return Content(model, tuple(said), **told)


@dataclass
class Shelf:
    """A store with a default project; each verb is a minute later than the one before."""

    db: Database
    ids: Ids
    at: datetime

    def __post_init__(self) -> None:
        with self.db.write() as session:
            people.ensure_default_project(session, by=SYSTEM, at=self.at)

    def _later(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at

    def create(self, name: str = "support", made: Content | None = None, by: Principal = ANN, **told: Any) -> int:
        given = {"project_id": 1} | told
        with self.db.write() as session:
            saved = actions.create(session, name=name, content=made or content(), by=by, at=self._later(), **given)
        return saved.prompt_id

    def save(self, prompt_id: int, made: Content, by: Principal = ANN, **told: Any) -> actions.Saved:
        with self.db.write() as session:
            return actions.save(session, prompt_id=prompt_id, content=made, by=by, at=self._later(), **told)

    def move(self, prompt_id: int, label: str, number: int | None, by: Principal = ANN, **told: Any) -> bool:
        with self.db.write() as session:
            return releases.move(
                session, prompt_id=prompt_id, label=label, number=number, by=by, at=self._later(), ids=self.ids, **told
            )

    def roll_back(self, prompt_id: int, label: str = "production", by: Principal = ANN, **told: Any) -> int:
        with self.db.write() as session:
            return releases.roll_back(
                session, prompt_id=prompt_id, label=label, by=by, at=self._later(), ids=self.ids, **told
            )

    def ask(self, prompt_id: int, number: int, by: Principal = ANN, note: str = "Better.", **told: Any) -> int:
        given = {"label": "production"} | told
        with self.db.write() as session:
            return releases.ask(
                session, prompt_id=prompt_id, number=number, by=by, at=self._later(), ids=self.ids, note=note, **given
            )

    def decide(self, request_id: int, is_approved: bool = True, by: Principal = BEN, answer: str = "") -> bool:
        with self.db.write() as session:
            return releases.decide(
                session, request_id=request_id, is_approved=is_approved, by=by, at=self._later(), ids=self.ids,
                answer=answer,
            )  # fmt: skip

    def protect(self, label: str = "production", is_protected: bool = True, by: Principal = ROOT) -> bool:
        with self.db.write() as session:
            return releases.protect(
                session, project_id=1, label=label, is_protected=is_protected, by=by, at=self._later()
            )

    def view(self, prompt_id: int) -> views.PromptView:
        with self.db.read() as session:
            return queries.prompt(session, prompt_id, project_ids=[1])

    def version(self, prompt_id: int, number: int) -> views.VersionView:
        with self.db.read() as session:
            return queries.version(session, prompt_id, number, project_ids=[1])
