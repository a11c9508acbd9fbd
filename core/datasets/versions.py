"""Read versions: which there are, and what changed between two. What is compared are the changes, not the versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Text, and_, case, cast, func, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from core.datasets import queries
from core.datasets.queries import ItemView
from core.datasets.rules import Kind
from core.datasets.tables import DatasetItem, DatasetVersion
from core.errors import NotFound

GROUP = "group:"
"""How a tag begins by which people say that examples belong together."""
_PER_READ = 500


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
    as_in: int | None = None

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
class Sums:
    """How many examples differ between two versions."""

    added: int = 0
    removed: int = 0
    changed: int = 0

    @property
    def count(self) -> int:
        """All of them."""
        return self.added + self.removed + self.changed

    @property
    def back(self) -> Sums:
        """The same seen from the other version."""
        return Sums(self.removed, self.added, self.changed)


@dataclass(frozen=True, slots=True)
class Way:
    """What going back to a version would do to the draft, and what of the draft is in no version yet."""

    changes: Sums
    unkept: Sums


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
    old: int | None,
    new: int | None,
    after: int = 0,
    limit: int = 50,
) -> Changes:
    """What is different in `new` seen from `old` (None: the draft, 0: empty), page by page.

    A row that begins or ends between the two says where to look, so that the cost is that of the changes. Raises:
    NotFound when there is no such dataset or version.
    """
    low, high, is_back = _ends(session, dataset_id, project_ids, old, new)
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


def sums(session: Session, dataset_id: int, *, project_ids: Sequence[int], old: int | None, new: int | None) -> Sums:
    """How many examples are different in `new` seen from `old` (None: the draft, 0: empty). Raises: NotFound."""
    low, high, is_back = _ends(session, dataset_id, project_ids, old, new)
    found = between(session, dataset_id, low, high)
    return found.back if is_back else found


def turns(
    session: Session, dataset_id: int, version: int, *, project_ids: Sequence[int]
) -> Iterator[tuple[int, list[dict[str, Any]], list[str]]]:
    """Key, messages and marks of every item of a version, in order: its tags `group:…`, and one that items which ask
    the same share. Nothing where none is a turn of another's conversation, asks the same, or has such a tag. Raises:
    NotFound.
    """
    queries.dataset(session, dataset_id, project_ids=project_ids)
    of_it = and_(col(DatasetItem.dataset_id) == dataset_id, col(DatasetItem.kind) == Kind.ITEM, queries.within(version))
    has_turns = cast(col(DatasetItem.input), Text).contains('"assistant"')
    has_any = or_(has_turns, col(DatasetItem.tags).contains(f",{GROUP}"))
    twice = select(DatasetItem.input_hash).where(of_it).group_by(col(DatasetItem.input_hash))
    if (
        session.exec(select(DatasetItem.id).where(of_it, has_any).limit(1)).first() is None
        and session.exec(twice.having(func.count() > 1).limit(1)).first() is None
    ):
        return
    after: int | None = 0
    while after is not None:
        columns = DatasetItem.key, DatasetItem.input, DatasetItem.tags, DatasetItem.input_hash
        query = select(*columns).where(of_it, col(DatasetItem.key) > after)
        found = session.exec(query.order_by(col(DatasetItem.key)).limit(_PER_READ)).all()
        for key, given, tags, same in found:
            marks = [tag for tag in tags.split(",") if tag.startswith(GROUP)]
            yield key, list(given.get("messages") or ()), [*marks, f"={same}"]
        after = found[-1][0] if len(found) == _PER_READ else None


def way_back(session: Session, dataset_id: int, *, project_ids: Sequence[int], version: int) -> Way:
    """What `actions.revert` would do. Raises: NotFound."""
    low, draft, _ = _ends(session, dataset_id, project_ids, version, None)
    as_in = queries.dataset(session, dataset_id, project_ids=project_ids).as_in
    unkept, _ = unkept_of(session, dataset_id, draft - 1, as_in)
    return Way(between(session, dataset_id, low, draft).back, unkept)


def unkept_of(session: Session, dataset_id: int, newest: int, as_in: int | None) -> tuple[Sums, int]:
    """What of the draft is in no version, and the version it is held against: the newest, or the one it was taken back
    to, as long as nothing was changed since."""
    if as_in is not None and not between(session, dataset_id, as_in, newest + 1).count:
        return Sums(), as_in
    return between(session, dataset_id, newest, newest + 1), newest


def between(session: Session, dataset_id: int, low: int, high: int) -> Sums:
    """How many examples are different in version `high` seen from `low`, the earlier one; the draft's number is that
    of the version it would become."""
    before, after = aliased(DatasetItem), aliased(DatasetItem)
    gone = (
        col(before.dataset_id) == dataset_id,
        col(before.until_version) > low,
        col(before.until_version) <= high,
        col(before.from_version) <= low,
    )
    new = (
        col(after.dataset_id) == dataset_id,
        col(after.from_version) > low,
        col(after.from_version) <= high,
        or_(col(after.until_version).is_(None), col(after.until_version) > high),
    )
    equal = case((col(before.content_hash) == after.content_hash, 1), else_=0)
    joined = select(func.count(), func.coalesce(func.sum(equal), 0)).select_from(before)
    both, same = session.exec(joined.join(after, col(after.key) == before.key).where(*gone, *new)).one()
    removed = session.exec(select(func.count()).select_from(before).where(*gone)).one()
    added = session.exec(select(func.count()).select_from(after).where(*new)).one()
    return Sums(added - both, removed - both, both - int(same))


def _ends(
    session: Session, dataset_id: int, project_ids: Sequence[int], old: int | None, new: int | None
) -> tuple[int, int, bool]:
    """The earlier and the later of two versions, the draft as the one it would become, and whether `old` is the later.

    Raises: NotFound when there is no such dataset or version.
    """
    newest = queries.dataset(session, dataset_id, project_ids=project_ids).version
    if not 0 <= (old or 0) <= newest or new == 0 or not 0 <= (new or 0) <= newest:
        raise NotFound("There is no such version.", hint="Choose one from the list.")
    since, upto = (newest + 1 if number is None else number for number in (old, new))
    return min(since, upto), max(since, upto), upto < since


def _rows(session: Session, dataset_id: int, keys: Sequence[int], version: int) -> dict[int, ItemView]:
    query = select(DatasetItem).where(
        DatasetItem.dataset_id == dataset_id, col(DatasetItem.key).in_(keys), queries.within(version)
    )
    return {row.key: queries.seen(row) for row in session.exec(query)}
