"""A project with a comparison whose answers are there, and people who vote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.db.engine import Database
from core.ids import Ids
from core.people import actions as people
from core.people.rules import SYSTEM, Principal, Role
from core.statistics.votes import Choice
from core.votes import actions, making, queries, rules
from core.votes.queries import ComparisonView, Unvoted, Voted
from core.votes.rules import Draws, Entrant, Question

LEAD = Principal("person:ann", "Ann", grants={None: frozenset({Role.PRODUCT_MANAGER})})
BEN = Principal("person:ben", "Ben", grants={None: frozenset({Role.REVIEWER})})
CAT = Principal("person:cat", "Cat", grants={None: frozenset({Role.REVIEWER})})
EVE = Principal("person:eve", "Eve", grants={7: frozenset({Role.PRODUCT_MANAGER})})
ROOT = Principal("person:root", "Root", grants={None: frozenset({Role.ADMIN})})
SEES = Principal("person:sue", "Sue", grants={None: frozenset({Role.AUDITOR})})

Says = Callable[[str, str], str]


def person(name: str) -> Principal:
    return Principal(f"person:{name}", name, grants={None: frozenset({Role.REVIEWER})})


def asks(*texts: str) -> list[Question]:
    return [Question(({"role": "user", "content": text},)) for text in texts]


def differ(model: str, question: str) -> str:
    """Every contestant says something else to everything."""
    return f"{question.upper()} {sum(map(ord, model)) % 97} words"


@dataclass
class Arena:
    """A store with a default project; each verb is a second later than the one before."""

    db: Database
    ids: Ids
    at: datetime

    def __post_init__(self) -> None:
        with self.db.write() as session:
            people.ensure_default_project(session, by=SYSTEM, at=self.at)

    def later(self, by: timedelta = timedelta(seconds=1)) -> datetime:
        self.at += by
        return self.at

    def create(
        self, *models: str, questions: Sequence[str] = ("one?", "two?"), by: Principal = LEAD, **told: Any
    ) -> int:
        given: dict[str, Any] = {
            "project_id": 1, "name": "Which?", "question": "Which answer helps more?",
            "contestants": [Entrant("", model) for model in models or ("m/a", "m/b")], "questions": asks(*questions),
        } | told  # fmt: skip
        with self.db.write() as session:
            return actions.create(session, by=by, at=self.later(), ids=self.ids, **given)

    def answer(self, says: Says = differ, served: Sequence[str] = ()) -> int:
        """Every answer that waits is made; "" is a failure."""
        made = 0
        while True:
            with self.db.write() as session:
                tasks = making.take(session, at=self.later(), limit=50)
                for task in tasks:
                    text = says(task.model, task.messages[-1]["content"])
                    error = "" if text else "It is down."
                    told: dict[str, Any] = {"text": text, "error": error, "call_id": 77, "served": served}
                    made += making.settle(session, task, at=self.later(), **told)
            if not tasks:
                return made

    def ready(self, *models: str, says: Says = differ, **told: Any) -> int:
        number = self.create(*models, **told)
        self.answer(says)
        return number

    def serve(
        self, number: int, by: Principal = BEN, pair: float = 0.0, question: float = 0.0, side: float = 0.0
    ) -> int | None:
        with self.db.write() as session:
            return actions.serve(
                session, comparison_id=number, by=by, at=self.later(), ids=self.ids, draws=Draws(pair, question, side)
            )

    def vote(self, pair_id: int | None, choice: Choice = Choice.LEFT, by: Principal = BEN, **told: Any) -> None:
        assert pair_id is not None
        with self.db.write() as session:
            actions.vote(session, pair_id=pair_id, choice=choice, by=by, at=self.later(), **told)

    def skip(self, pair_id: int | None, by: Principal = BEN) -> None:
        assert pair_id is not None
        with self.db.write() as session:
            actions.skip(session, pair_id=pair_id, by=by, at=self.later())

    def do(self, action: Callable[..., Any], number: int, by: Principal = LEAD, **told: Any) -> Any:
        with self.db.write() as session:
            return action(session, comparison_id=number, by=by, at=self.later(), **told)

    def view(self, number: int) -> ComparisonView:
        with self.db.read() as session:
            return queries.comparison(session, number, project_ids=[1])

    def unvoted(self, pair_id: int | None, by: Principal = BEN) -> Unvoted:
        with self.db.read() as session:
            return queries.unvoted(session, pair_id or 0, by=by)

    def voted(self, number: int, by: Principal = BEN, **told: Any) -> tuple[Voted, ...]:
        with self.db.read() as session:
            return queries.voted(session, comparison=self.view(number), by=by, **told)

    def read(self, query: Callable[..., Any], *args: Any, **told: Any) -> Any:
        with self.db.read() as session:
            return query(session, *args, **told)


GOOD_FOR = rules.GOOD_FOR
