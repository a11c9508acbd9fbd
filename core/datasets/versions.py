"""Read versions: which there are, and what changed between two. What is compared are the changes, not the versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import and_, or_
from sqlmodel import Session, col, select

from core.datasets import queries
from core.datasets.queries import ItemView
from core.datasets.tables import DatasetItem, DatasetVersion
from core.errors import NotFound


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version that was kept, with how many examples of each kind it has."""

    number: int
    note: str
    items: int
    preferences: int
    tunings: int
    made_by: str
    made_at: datetime

    @property
    def count(self) -> int:
        """How many examples it has."""
        return self.items + self.preferences + self.tunings


class What(StrEnum):
    """What happened to an example between two versions."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One example that differs; `before` is None when it was added, `after` when it was removed."""

    key: int
    before: ItemView | None
    after: ItemView | None

    @property
    def what(self) -> What:
        """What happened to it."""
        if self.before is None:
            return What.ADDED
        return What.REMOVED if self.after is None else What.CHANGED


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of changes in the order of the examples; the next one starts after `next_after`."""

    rows: tuple[Change, ...]
    next_after: int | None


def versions(
    session: Session, dataset_id: int, *, project_ids: Sequence[int], before: int | None = None, limit: int = 50
) -> tuple[VersionView, ...]:
    """The versions of a dataset, newest first. Raises: NotFound."""
    queries.dataset(session, dataset_id, project_ids=project_ids)
    query = select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id)
    if before is not None:
        query = query.where(col(DatasetVersion.number) < before)
    found = session.exec(query.order_by(col(DatasetVersion.number).desc()).limit(limit))
    return tuple(VersionView(**{n: getattr(row, n) for n in VersionView.__dataclass_fields__}) for row in found)


def diff(
    session: Session,
    dataset_id: int,
    *,
    project_ids: Sequence[int],
    old: int,
    new: int | None,
    after: int = 0,
    limit: int = 50,
) -> Changes:
    """What is different in `new` (None: the draft) seen from `old` (0: empty), page by page.

    A row that begins or ends between the two says where to look, so that the cost is that of the changes. Raises:
    NotFound when there is no such dataset or version.
    """
    newest = queries.dataset(session, dataset_id, project_ids=project_ids).version
    upto = newest + 1 if new is None else new
    if not 0 <= old <= newest or not 0 < upto <= newest + 1 or (new is not None and new > newest):
        raise NotFound("There is no such version.", hint="Choose one from the list.")
    low, high, is_back = min(old, upto), max(old, upto), upto < old
    begins = and_(col(DatasetItem.from_version) > low, col(DatasetItem.from_version) <= high)
    ends = and_(col(DatasetItem.until_version) > low, col(DatasetItem.until_version) <= high)
    found: list[Change] = []
    while True:
        query = (
            select(DatasetItem.key)
            .where(DatasetItem.dataset_id == dataset_id, or_(begins, ends), col(DatasetItem.key) > after)
            .distinct()
            .order_by(col(DatasetItem.key))
            .limit(limit + 1)
        )
        keys = session.exec(query).all()
        lows, highs = (_rows(session, dataset_id, keys, version) for version in (low, high))
        for key in keys:
            one, other = lows.get(key), highs.get(key)
            if (one.content_hash if one else None) == (other.content_hash if other else None):
                continue
            if len(found) == limit:
                return Changes(tuple(found), found[-1].key)
            found.append(Change(key, other, one) if is_back else Change(key, one, other))
        if len(keys) <= limit:
            return Changes(tuple(found), None)
        after = keys[-1]


def _rows(session: Session, dataset_id: int, keys: Sequence[int], version: int) -> dict[int, ItemView]:
    query = select(DatasetItem).where(
        DatasetItem.dataset_id == dataset_id, col(DatasetItem.key).in_(keys), queries.within(version)
    )
    return {row.key: queries.seen(row) for row in session.exec(query)}
