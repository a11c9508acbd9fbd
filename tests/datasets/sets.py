"""A project with one dataset, and the verbs with everything that is always the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.datasets import actions, queries, versions
from core.datasets.queries import ItemView
from core.datasets.rules import Entry, Example, Kind
from core.db.engine import Database
from core.ids import Ids
from core.people import actions as people
from core.people.rules import SYSTEM, Principal, Role
from tests.review.waiting import person

ANN = person("ann", Role.PRODUCT_MANAGER)


def entry(asked: str, answer: str | None = "Yes.", *, kind: Kind = Kind.ITEM, **told: Any) -> Entry:
    """An example of one question and one answer."""
    said = {"role": "assistant", "content": answer}
    given: dict[str, Any] = {"messages": [{"role": "user", "content": asked}]}
    if kind is Kind.TUNING:
        return Entry(Example(kind, {"messages": [*given["messages"], said]}), **told)
    if kind is Kind.PREFERENCE:
        pair = {"preferred_output": [said], "non_preferred_output": [{"role": "assistant", "content": "No."}]}
        return Entry(Example(kind, given, pair), **told)
    return Entry(Example(kind, given, None if answer is None else said), **told)


@dataclass
class Sets:
    """One dataset in one store."""

    db: Database
    ids: Ids
    at: datetime
    id: int = 0
    by: Principal = ANN

    def do(self, action: Any, *args: Any, **told: Any) -> Any:
        """One verb on this dataset in one transaction."""
        given = {"dataset_id": self.id, "by": self.by, "at": self.at} | told
        with self.db.write() as session:
            return action(session, *args, **given)

    def write(self, *entries: Entry) -> list[int]:
        """Add examples; their keys."""
        return [self.do(actions.write, entry=one, ids=self.ids).key for one in entries]

    def keep(self, note: str = "") -> int:
        return int(self.do(actions.keep, note=note).number)

    def edit(self, key: int, changed: Entry) -> None:
        seen = next(row.id for row in self.listed() if row.key == key)
        self.do(actions.edit, key=key, seen=seen, entry=changed, ids=self.ids)

    def back(self, version: int, **told: Any) -> int:
        """Go back to a version, having seen how it is now."""
        with self.db.read() as session:
            seen = queries.dataset(session, self.id, project_ids=[1]).changed_at
        return int(self.do(actions.revert, **{"version": version, "seen": seen, "ids": self.ids} | told))

    def remove(self, *keys: int) -> tuple[int, ...]:
        removed: tuple[int, ...] = self.do(actions.remove, keys=keys)
        return removed

    def listed(self, version: int | None = None) -> list[ItemView]:
        """What is in a version, oldest first."""
        with self.db.read() as session:
            return list(queries.in_order(session, dataset_id=self.id, after=0, limit=1_000, version=version).rows)

    def said(self, version: int | None = None) -> list[str]:
        return [str(row.input["messages"][0]["content"]) for row in self.listed(version)]

    def diff(self, old: int | None, new: int | None = None, *, limit: int = 50) -> list[tuple[str, int]]:
        """What changed, over all pages."""
        found: list[tuple[str, int]] = []
        after: int | None = 0
        while after is not None:
            with self.db.read() as session:
                page = versions.diff(session, self.id, project_ids=[1], old=old, new=new, after=after, limit=limit)
            found += [(str(change.what), change.key) for change in page.rows]
            after = page.next_after
        return found


def opened(db: Database, ids: Ids, at: datetime) -> Sets:
    """A project with one dataset."""
    with db.write() as session:
        people.ensure_default_project(session, by=SYSTEM, at=at)
        row = actions.create(session, project_id=1, name="Refunds", by=ANN, at=at)
        return Sets(db, ids, at, row.id or 0)
