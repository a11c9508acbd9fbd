"""A project with a queue and answers that wait in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.calls.writing import PostgresWriting, SqliteWriting
from core.db.engine import Database
from core.ids import Ids
from core.people import actions as people
from core.people.rules import CLI, SYSTEM, Principal, Role
from core.review import actions, rubrics
from core.review.rules import Lane, Said, Source, Verdict
from core.review.standing import Judged
from core.review.tables import ReviewItem
from tests.calls.records import record

APPROVE = Said(Verdict.APPROVE)
REJECT = Said(Verdict.REJECT, reasons=("wrong",))
ESCALATE = Said(Verdict.ESCALATE, comment="Not for me.")


def edit(text: str) -> Said:
    return Said(Verdict.EDIT, edited=text)


def person(name: str, *roles: Role) -> Principal:
    """A person with roles in every project."""
    return Principal(f"person:{name}", name, grants={None: frozenset(roles or (Role.REVIEWER,))})


LEAD = person("lead", Role.LEAD_REVIEWER)


@dataclass
class Waiting:
    """A store with one queue; `items` are in the order in which they came."""

    db: Database
    ids: Ids
    at: datetime
    queue_id: int = 0
    items: list[int] = field(default_factory=list)
    unsent: list[int] = field(default_factory=list)

    def fill(self, count: int, **settings: Any) -> Waiting:
        """Record so many calls and send each to a queue with these settings."""
        self.open(count, **settings)
        with self.db.write() as session:
            self.items = [self.send(session, call_id) for call_id in self.unsent]
        self.unsent = []
        return self

    def open(self, count: int, *, name: str = "Answers", **settings: Any) -> Waiting:
        """Record so many calls and open a queue with these settings; none of them is sent."""
        with self.db.write() as session:
            people.ensure_default_project(session, by=SYSTEM, at=self.at)
        records = [record(self.ids.next(), at=self.at, answered=f"Answer {n}.") for n in range(count)]
        writing = SqliteWriting() if self.db.is_sqlite else PostgresWriting()
        pooled = self.db.writer.raw_connection()
        for start in range(0, count, 500):
            writing.write(pooled.driver_connection, records[start : start + 500])
        pooled.close()
        with self.db.write() as session:
            queue = rubrics.open_queue(session, project_id=1, name=name, by=LEAD, at=self.at, **settings)
            assert queue.id is not None
            self.queue_id = queue.id
        self.unsent = [one.id for one in records]
        return self

    def send(self, session: Any, call_id: int, **told: Any) -> int:
        return actions.send(
            session,
            **{"queue_id": self.queue_id, "call_id": call_id, "source": Source.MANUAL, "by": CLI, "at": self.at}
            | {"ids": self.ids}
            | told,
        ).id


def claim(waiting: Waiting, by: Principal, at: datetime, lane: Lane = Lane.REVIEW) -> int | None:
    with waiting.db.write() as session:
        taken = actions.claim(session, queue_id=waiting.queue_id, by=by, at=at, lane=lane)
    return None if taken is None else taken.item_id


def decide(waiting: Waiting, item_id: int, by: Principal, at: datetime, said: Any = APPROVE) -> Judged:
    with waiting.db.write() as session:
        return actions.decide(session, item_id=item_id, said=said, by=by, at=at, ids=waiting.ids)


def item(waiting: Waiting, item_id: int) -> ReviewItem:
    with waiting.db.read() as session:
        found = session.get(ReviewItem, item_id)
        assert found is not None
        return found


def run(waiting: Waiting, action: Any, **told: Any) -> Any:
    with waiting.db.write() as session:
        return action(session, **told)
