"""Read datasets and their items, now or in a version; every query names the projects it may see."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_
from sqlmodel import Session, col, select

from core.datasets import cards, sameness, splits
from core.datasets.cards import Card
from core.datasets.rules import Entry, Example, Kind
from core.datasets.splits import Plan
from core.datasets.tables import Dataset, DatasetItem
from core.errors import NotFound

MOST_ALIKE = 200
"""Examples of a group of duplicates that are looked at together."""


@dataclass(frozen=True, slots=True)
class DatasetView:
    """A dataset with the number of its examples of each kind in the draft; `version` is the newest that was kept."""

    id: int
    project_id: int
    name: str
    created_by: str
    created_at: datetime
    version: int = 0
    changed_by: str = ""
    changed_at: datetime | None = None
    as_in: int | None = None
    card: Card = field(default_factory=Card)
    plan: Plan = splits.EMPTY
    items: int = 0
    preferences: int = 0
    tunings: int = 0

    @property
    def count(self) -> int:
        """How many examples there are."""
        return self.items + self.preferences + self.tunings


@dataclass(frozen=True, slots=True)
class ItemView:
    """One state of one example and where it comes from. `id` is the state's, `key` the example's."""

    id: int
    dataset_id: int
    kind: Kind
    input: dict[str, Any]
    expected: dict[str, Any] | None
    source: str | None
    call_id: int | None
    review_item_id: int | None
    made_by: str
    made_at: datetime
    key: int
    from_version: int
    until_version: int | None
    split: str
    tags: tuple[str, ...]
    notes: str
    content_hash: int
    origin: str = ""
    files: dict[str, str] = field(default_factory=dict)

    @property
    def example(self) -> Example:
        """The example itself."""
        return Example(self.kind, self.input, self.expected)

    @property
    def entry(self) -> Entry:
        """The example with what people say about it."""
        return Entry(self.example, self.notes, self.tags, self.split, self.source, self.origin, self.files)

    @property
    def line(self) -> dict[str, Any]:
        """The example as a line of a JSONL file."""
        return self.example.line


@dataclass(frozen=True, slots=True)
class Items:
    """A page of examples; the next one starts before (or after, in an export) `next_at`."""

    rows: tuple[ItemView, ...]
    next_at: int | None


@dataclass(frozen=True, slots=True)
class Alike:
    """Examples that say the same, or nearly: the oldest first."""

    rows: tuple[ItemView, ...]

    @property
    def is_torn(self) -> bool:
        """Whether they expect different answers."""
        return len({sameness.words({}, row.expected) for row in self.rows}) > 1


def datasets(session: Session, *, project_ids: Sequence[int], limit: int = 200) -> tuple[DatasetView, ...]:
    """The datasets of these projects by name, with counts."""
    query = select(Dataset).where(col(Dataset.project_id).in_(project_ids))
    return _views(session, session.exec(query.order_by(col(Dataset.name), col(Dataset.id)).limit(limit)).all())


def dataset(session: Session, dataset_id: int, *, project_ids: Sequence[int]) -> DatasetView:
    """One dataset. Raises: NotFound when there is none, or not in these projects."""
    return _views(session, [_there(session, dataset_id, project_ids)])[0]


def named(session: Session, dataset_id: int, *, project_ids: Sequence[int]) -> str:
    """The dataset's name. Raises: NotFound when there is none, or not in these projects."""
    return dataset(session, dataset_id, project_ids=project_ids).name


def names(session: Session, marks: Collection[str]) -> dict[str, str]:
    """The names of datasets by their marks (`dataset:7`); what marks something else is left out."""
    numbers = [int(mark[8:]) for mark in marks if mark.startswith("dataset:") and mark[8:].isdecimal()]
    query = select(Dataset.id, Dataset.name).where(col(Dataset.id).in_(numbers))
    return {f"dataset:{number}": name for number, name in session.exec(query)} if numbers else {}


def by_name(session: Session, name: str, *, project_id: int) -> DatasetView | None:
    """The project's dataset of this name; None when there is none."""
    found = session.exec(select(Dataset).where(Dataset.project_id == project_id, Dataset.name == name)).all()
    return next(iter(_views(session, found)), None)


def items(
    session: Session,
    *,
    dataset_id: int,
    project_ids: Sequence[int],
    kind: Kind | None = None,
    split: str | None = None,
    tag: str = "",
    words: str = "",
    before: int | None = None,
    limit: int = 50,
    version: int | None = None,
) -> Items:
    """Examples of the draft, or of a version, newest first; `split` "" asks for those without one. Raises: NotFound."""
    dataset(session, dataset_id, project_ids=project_ids)
    query = select(DatasetItem).where(DatasetItem.dataset_id == dataset_id, within(version))
    if before is not None:
        query = query.where(col(DatasetItem.key) < before)
    if kind is not None:
        query = query.where(DatasetItem.kind == kind)
    if split is not None:
        query = query.where(DatasetItem.split == split)
    if tag:
        query = query.where(col(DatasetItem.tags).contains(f",{tag},", autoescape=True))
    if sought := sameness.normal(words.replace("\0", "")):
        query = query.where(col(DatasetItem.words).contains(sought, autoescape=True))
    return _page(session, query.order_by(col(DatasetItem.key).desc()), limit)


def count(
    session: Session, *, dataset_id: int, kind: Kind | None = None, version: int | None = None, split: str | None = None
) -> int:
    """How many examples there are of a kind, in a version (None: the draft), in a split."""
    query = select(func.count()).where(DatasetItem.dataset_id == dataset_id, within(version))
    if kind is not None:
        query = query.where(DatasetItem.kind == kind)
    if split is not None:
        query = query.where(DatasetItem.split == split)
    return session.exec(query).one()


def in_order(
    session: Session,
    *,
    dataset_id: int,
    kind: Kind | None = None,
    after: int,
    limit: int,
    version: int | None = None,
    split: str | None = None,
) -> Items:
    """Examples in the order in which they were added, as an export takes them."""
    query = select(DatasetItem).where(
        DatasetItem.dataset_id == dataset_id, within(version), col(DatasetItem.key) > after
    )
    if kind is not None:
        query = query.where(DatasetItem.kind == kind)
    if split is not None:
        query = query.where(DatasetItem.split == split)
    return _page(session, query.order_by(col(DatasetItem.key)), limit)


def size(
    session: Session, *, dataset_id: int, kind: Kind = Kind.ITEM, version: int | None = None, split: str | None = None
) -> int:
    """How many examples of a kind there are, in a version or the draft, in a split or all."""
    query = select(func.count()).where(DatasetItem.dataset_id == dataset_id, within(version), DatasetItem.kind == kind)
    return session.exec(query if split is None else query.where(DatasetItem.split == split)).one()


def item(session: Session, key: int, *, dataset_id: int, project_ids: Sequence[int]) -> ItemView:
    """One example of the draft. Raises: NotFound."""
    dataset(session, dataset_id, project_ids=project_ids)
    query = select(DatasetItem).where(DatasetItem.dataset_id == dataset_id, DatasetItem.key == key, within(None))
    row = session.exec(query).one_or_none()
    if row is None:
        raise NotFound("This example is not in the dataset any more.", hint="Look at its versions.")
    return seen(row)


def of_version(
    session: Session, dataset_id: int, version: int, keys: Sequence[int], *, project_ids: Sequence[int]
) -> dict[int, ItemView]:
    """These examples as a version has them, by key. Raises: NotFound."""
    dataset(session, dataset_id, project_ids=project_ids)
    query = select(DatasetItem).where(
        DatasetItem.dataset_id == dataset_id, within(version), col(DatasetItem.key).in_(keys)
    )
    return {row.key: seen(row) for row in session.exec(query)}


def by_split(session: Session, dataset_id: int, *, project_ids: Sequence[int]) -> dict[str, int]:
    """How many examples of the draft are in each split; "" has none. Raises: NotFound."""
    dataset(session, dataset_id, project_ids=project_ids)
    query = (
        select(DatasetItem.split, func.count())
        .where(DatasetItem.dataset_id == dataset_id, within(None))
        .group_by(col(DatasetItem.split))
        .order_by(col(DatasetItem.split))
    )
    return dict(session.exec(query).all())


def tags(session: Session, dataset_id: int, *, project_ids: Sequence[int], limit: int = 200) -> tuple[str, ...]:
    """The tags of the draft's examples, read from at most `limit` sets of them. Raises: NotFound."""
    dataset(session, dataset_id, project_ids=project_ids)
    query = (
        select(DatasetItem.tags)
        .where(DatasetItem.dataset_id == dataset_id, within(None), DatasetItem.tags != "")
        .distinct()
        .limit(limit)
    )
    return tuple(sorted({tag for found in session.exec(query) for tag in found.strip(",").split(",")}))


def same(
    session: Session, dataset_id: int, *, project_ids: Sequence[int], start: int = 0, limit: int = 20
) -> tuple[tuple[Alike, ...], int]:
    """Examples of one kind whose inputs say the same, the largest groups first, from the group `start` on; and how
    many groups there are. Raises: NotFound."""
    _there(session, dataset_id, project_ids)
    grouped = (
        select(DatasetItem.kind, DatasetItem.input_hash)
        .where(DatasetItem.dataset_id == dataset_id, within(None), col(DatasetItem.kind).in_(list(Kind)))
        .group_by(col(DatasetItem.kind), col(DatasetItem.input_hash))
        .having(func.count() > 1)
    )
    count = session.exec(select(func.count()).select_from(grouped.subquery())).one()
    largest = grouped.order_by(func.count().desc(), func.min(DatasetItem.key)).offset(start).limit(limit)
    found = []
    for kind, number in session.exec(largest).all():
        query = (
            select(DatasetItem)
            .where(DatasetItem.dataset_id == dataset_id, DatasetItem.kind == kind, DatasetItem.input_hash == number)
            .where(within(None))
            .order_by(col(DatasetItem.key))
            .limit(MOST_ALIKE)
        )
        found.append(Alike(tuple(seen(row) for row in session.exec(query))))
    return tuple(found), count


def said(
    session: Session, dataset_id: int, *, project_ids: Sequence[int], after: int = 0, limit: int = 2_000
) -> list[tuple[int, str]]:
    """Keys and words of the draft's examples in their order, a page at a time. Raises: NotFound."""
    _there(session, dataset_id, project_ids)
    query = (
        select(DatasetItem.key, DatasetItem.words)
        .where(DatasetItem.dataset_id == dataset_id, within(None), col(DatasetItem.key) > after)
        .order_by(col(DatasetItem.key))
        .limit(limit)
    )
    return list(session.exec(query).all())


def words_of(session: Session, dataset_id: int, keys: Sequence[int]) -> dict[int, str]:
    """The words of these examples of the draft, by key; of up to a thousand or so."""
    query = select(DatasetItem.key, DatasetItem.words).where(
        DatasetItem.dataset_id == dataset_id, within(None), col(DatasetItem.key).in_(keys)
    )
    return dict(session.exec(query).all())


def alike(
    session: Session, dataset_id: int, groups: Sequence[Sequence[int]], *, project_ids: Sequence[int]
) -> tuple[Alike, ...]:
    """Groups of keys as they are in the draft; those of which fewer than two are left are not. Raises: NotFound."""
    _there(session, dataset_id, project_ids)
    found = []
    for keys in groups:
        query = select(DatasetItem).where(
            DatasetItem.dataset_id == dataset_id, within(None), col(DatasetItem.key).in_(keys[:MOST_ALIKE])
        )
        rows = tuple(seen(row) for row in session.exec(query.order_by(col(DatasetItem.key))))
        if len(rows) > 1:
            found.append(Alike(rows))
    return tuple(found)


def made_from(session: Session, *, source: str, project_ids: Sequence[int], limit: int = 100) -> list[tuple[str, str]]:
    """Where a source is used: names of datasets and kinds."""
    query = (
        select(Dataset.name, DatasetItem.kind)
        .join(Dataset, col(Dataset.id) == col(DatasetItem.dataset_id))
        .where(DatasetItem.source == source, col(Dataset.project_id).in_(project_ids), within(None))
        .order_by(col(Dataset.name), col(DatasetItem.kind))
        .limit(limit)
    )
    return list(session.exec(query).all())


def within(version: int | None) -> Any:
    """The condition of being in a version; None is the draft."""
    until = col(DatasetItem.until_version)
    if version is None:
        return until.is_(None)
    return and_(col(DatasetItem.from_version) <= version, or_(until.is_(None), until > version))


def seen(row: DatasetItem) -> ItemView:
    """A row as readers get it."""
    told: dict[str, Any] = {name: getattr(row, name) for name in ItemView.__dataclass_fields__}
    told |= {"kind": Kind(row.kind), "tags": tuple(filter(None, row.tags.split(",")))}
    return ItemView(**told)


def _there(session: Session, dataset_id: int, project_ids: Sequence[int]) -> Dataset:
    row = session.get(Dataset, dataset_id)
    if row is None or row.project_id not in project_ids:
        raise NotFound("There is no such dataset.", hint="Choose one from the list.")
    return row


def _views(session: Session, found: Sequence[Dataset]) -> tuple[DatasetView, ...]:
    counted = session.exec(
        select(DatasetItem.dataset_id, DatasetItem.kind, func.count())
        .where(col(DatasetItem.dataset_id).in_([row.id for row in found]), within(None))
        .group_by(col(DatasetItem.dataset_id), col(DatasetItem.kind))
    ).all()
    counts = {(dataset_id, kind): count for dataset_id, kind, count in counted}
    told: dict[int | None, dict[str, Any]] = {
        row.id: row.model_dump() | {"card": cards.made(row.card), "plan": splits.read(row.plan)} for row in found
    }
    return tuple(
        DatasetView(
            **told[row.id],
            items=counts.get((row.id or 0, Kind.ITEM), 0),
            preferences=counts.get((row.id or 0, Kind.PREFERENCE), 0),
            tunings=counts.get((row.id or 0, Kind.TUNING), 0),
        )
        for row in found
    )


def _page(session: Session, query: Any, limit: int) -> Items:
    found = session.exec(query.limit(limit + 1)).all()
    rows = tuple(seen(row) for row in found[:limit])
    return Items(rows, rows[-1].key if len(found) > limit else None)
