"""Read datasets and their items; every query names the projects it may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from core.datasets.rules import Example, Kind
from core.datasets.tables import Dataset, DatasetItem
from core.errors import NotFound


@dataclass(frozen=True, slots=True)
class DatasetView:
    """A dataset with the number of its examples of each kind."""

    id: int
    project_id: int
    name: str
    created_by: str
    created_at: datetime
    items: int = 0
    preferences: int = 0
    tunings: int = 0


@dataclass(frozen=True, slots=True)
class ItemView:
    """One example and where it comes from."""

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

    @property
    def line(self) -> dict[str, Any]:
        """The example as a line of a JSONL file."""
        return Example(self.kind, self.input, self.expected).line


@dataclass(frozen=True, slots=True)
class Items:
    """A page of examples; the next one starts before (or after, in an export) `next_at`."""

    rows: tuple[ItemView, ...]
    next_at: int | None


def datasets(session: Session, *, project_ids: Sequence[int], limit: int = 200) -> tuple[DatasetView, ...]:
    """The datasets of these projects by name, with counts."""
    found = session.exec(
        select(Dataset)
        .where(col(Dataset.project_id).in_(project_ids))
        .order_by(col(Dataset.name), col(Dataset.id))
        .limit(limit)
    ).all()
    counted = session.exec(
        select(DatasetItem.dataset_id, DatasetItem.kind, func.count())
        .where(col(DatasetItem.dataset_id).in_([row.id for row in found]))
        .group_by(col(DatasetItem.dataset_id), col(DatasetItem.kind))
    ).all()
    counts = {(dataset_id, kind): count for dataset_id, kind, count in counted}
    return tuple(
        DatasetView(
            **row.model_dump(),
            items=counts.get((row.id or 0, Kind.ITEM), 0),
            preferences=counts.get((row.id or 0, Kind.PREFERENCE), 0),
            tunings=counts.get((row.id or 0, Kind.TUNING), 0),
        )
        for row in found
    )


def items(
    session: Session,
    *,
    dataset_id: int,
    project_ids: Sequence[int],
    kind: Kind | None = None,
    before: int | None = None,
    limit: int = 50,
) -> Items:
    """Examples of a dataset, newest first. Raises: NotFound."""
    named(session, dataset_id, project_ids=project_ids)
    query = select(DatasetItem).where(DatasetItem.dataset_id == dataset_id).order_by(col(DatasetItem.id).desc())
    if before is not None:
        query = query.where(col(DatasetItem.id) < before)
    return _page(session, query if kind is None else query.where(DatasetItem.kind == kind), limit)


def in_order(session: Session, *, dataset_id: int, kind: Kind, after: int, limit: int) -> Items:
    """Examples in the order they were added, as an export takes them."""
    query = (
        select(DatasetItem)
        .where(DatasetItem.dataset_id == dataset_id, DatasetItem.kind == kind, col(DatasetItem.id) > after)
        .order_by(col(DatasetItem.id))
    )
    return _page(session, query, limit)


def made_from(session: Session, *, source: str, project_ids: Sequence[int], limit: int = 100) -> list[tuple[str, str]]:
    """Where a source was used already: names of datasets and kinds."""
    query = (
        select(Dataset.name, DatasetItem.kind)
        .join(Dataset, col(Dataset.id) == col(DatasetItem.dataset_id))
        .where(DatasetItem.source == source, col(Dataset.project_id).in_(project_ids))
        .order_by(col(Dataset.name), col(DatasetItem.kind))
        .limit(limit)
    )
    return list(session.exec(query).all())


def named(session: Session, dataset_id: int, *, project_ids: Sequence[int]) -> str:
    """The dataset's name. Raises: NotFound when there is none, or not in these projects."""
    row = session.get(Dataset, dataset_id)
    if row is None or row.project_id not in project_ids:
        raise NotFound("There is no such dataset.", hint="Choose one from the list.")
    return row.name


def _page(session: Session, query: Any, limit: int) -> Items:
    found = session.exec(query.limit(limit + 1)).all()
    rows = tuple(ItemView(**(row.model_dump() | {"kind": Kind(row.kind)})) for row in found[:limit])
    return Items(rows, rows[-1].id if len(found) > limit else None)
