"""Rows of examples: made, replaced, moved to another split, so that none in a kept version is ever changed.

Whoever calls holds the dataset's row and tells the trail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Insert, and_, bindparam, literal, null, update
from sqlalchemy import insert as insert_into
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from core.calls import rows
from core.calls.rows import text
from core.datasets import rules, sameness, splits
from core.datasets.rules import Entry, Kind
from core.datasets.splits import Plan
from core.datasets.tables import Dataset, DatasetItem
from core.db.rows import table
from core.errors import Conflict, GreenroomError, Invalid
from core.ids import Ids
from core.people.rules import Principal

LONGEST = 1_000_000
LONGEST_WITH_MEDIA = 8_000_000

MOST_FILES = 50
LONGEST_SOURCE = 200
_PER_COPY = 1_000

__all__ = [
    "LONGEST", "LONGEST_WITH_MEDIA", "group", "insert", "insert_all", "move", "replace", "return_to", "says", "text",
]  # fmt: skip


def insert(
    session: Session,
    dataset: Dataset,
    entry: Entry,
    *,
    by: Principal,
    at: datetime,
    ids: Ids,
    key: int | None = None,
    call_id: int | None = None,
    review_item_id: int | None = None,
) -> DatasetItem:
    """A new row of the draft. Without a split of its own it gets that of inputs that say the same, else the plan's.

    Raises: Invalid when it is too large, Conflict when its source, or its key, is in the draft already.
    """
    row = _row(dataset, entry, by=by, at=at, number=ids.next(), key=key)
    row.call_id, row.review_item_id = call_id, review_item_id
    _place(row, next(iter(group(session, row, limit=1)), None), splits.read(dataset.plan))
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        raise Conflict(
            _there(dataset, row), code="example_exists", hint="Nothing needs to be done, or choose another dataset."
        ) from None
    return row


def insert_all(
    session: Session,
    dataset: Dataset,
    entries: Sequence[tuple[int, Entry]],
    *,
    by: Principal,
    at: datetime,
    ids: Ids,
    calls: Mapping[int, int],
) -> list[tuple[int, str]]:
    """The same for many numbered examples, in a few statements; the numbers of those that were refused, with why."""
    refused: list[tuple[int, str]] = []
    made: list[tuple[int, DatasetItem]] = []
    for number, entry in entries:
        try:
            rules.check(entry.example)
            row = _row(dataset, entry, by=by, at=at, number=ids.next(), key=None)
        except GreenroomError as error:
            refused.append((number, error.message))
            continue
        row.call_id = calls.get(number)
        made.append((number, row))
    of_it = (DatasetItem.dataset_id == dataset.id, col(DatasetItem.until_version).is_(None))
    kinds = col(DatasetItem.kind).in_(list(Kind))
    sources = {row.source for _, row in made if row.source}
    found = select(DatasetItem.kind, DatasetItem.source).where(*of_it, kinds, col(DatasetItem.source).in_(sources))
    there: set[tuple[str, str | None]] = set(session.exec(found).all())
    alike = select(DatasetItem).where(*of_it, kinds, col(DatasetItem.input_hash).in_({r.input_hash for _, r in made}))
    mates: dict[int, DatasetItem] = {}
    for one in session.exec(alike.order_by(col(DatasetItem.key))):
        mates.setdefault(one.input_hash, one)
    plan = splits.read(dataset.plan)
    for number, row in made:
        if row.source and (row.kind, row.source) in there:
            refused.append((number, _there(dataset, row)))
            continue
        there.add((row.kind, row.source))
        _place(row, mates.get(row.input_hash), plan)
        mates.setdefault(row.input_hash, row)
        session.add(row)
    session.flush()
    return sorted(refused)


def says(row: DatasetItem, entry: Entry | None) -> bool:
    """Whether the row has this example, as it is kept."""
    if entry is None or row.kind != entry.example.kind or row.notes != text(entry.notes.strip()):
        return False
    clean = orjson.loads(rows.detail_json({"input": entry.example.input, "expected": entry.example.expected}))
    return bool(row.input == clean["input"] and row.expected == clean["expected"])


def replace(
    session: Session, dataset: Dataset, old: DatasetItem, entry: Entry, *, by: Principal, at: datetime, ids: Ids
) -> DatasetItem:
    """The row that stands for an example from now on; the old one itself when nothing is different."""
    row = _row(dataset, entry, by=by, at=at, number=ids.next(), key=old.key)
    row.source, row.origin, row.call_id, row.review_item_id = old.source, old.origin, old.call_id, old.review_item_id
    row.split, row.is_split_by_hand = old.split, old.is_split_by_hand
    mate = next((one for one in group(session, row, limit=2) if one.key != old.key), None)
    if mate is not None and row.input_hash != old.input_hash:
        row.split, row.is_split_by_hand = mate.split, mate.is_split_by_hand  # what says the same is in one split
    row.content_hash = _content(row)
    if row.content_hash == old.content_hash and entry.split == old.split:
        return old
    _end(session, dataset, old)
    session.add(row)
    session.flush()
    return row


def move(
    session: Session,
    dataset: Dataset,
    found: Sequence[DatasetItem],
    split: str,
    *,
    by: Principal,
    at: datetime,
    ids: Ids,
    is_by_hand: bool = True,
) -> int:
    """Put these rows into a split; how many were elsewhere. A row that no version has yet is changed itself."""
    moved, begun = 0, []
    for old in found:
        is_elsewhere = old.split != split
        if not is_elsewhere and old.is_split_by_hand == is_by_hand:
            continue
        row = old
        if old.from_version <= dataset.version and is_elsewhere:
            told: dict[str, Any] = old.model_dump(exclude={"id", "from_version", "made_by", "made_at"})
            row = DatasetItem(**told, id=ids.next(), from_version=dataset.version + 1, made_by=by.actor, made_at=at)
            old.until_version = dataset.version + 1
            session.add(old)
        row.split, row.is_split_by_hand = split, is_by_hand
        row.content_hash = _content(row)
        begun.append(row)
        moved += is_elsewhere
    session.flush()  # the places of the old rows in the draft are free before the new ones take them
    session.add_all(begun)
    session.flush()
    return moved


def return_to(session: Session, dataset: Dataset, version: int, *, by: Principal, at: datetime, ids: Ids) -> None:
    """Make the draft what a version is. Rows that both have stay; the cost is that of what differs.

    A row of the version that ended only in the draft is in it again; of one that ended before, a copy begins.
    """
    draft, of_it = dataset.version + 1, col(DatasetItem.dataset_id) == dataset.id
    other = aliased(DatasetItem)
    of_the_same = and_(col(other.dataset_id) == dataset.id, col(other.key) == DatasetItem.key)
    was_the_same = (
        select(other.id)
        .where(of_the_same, col(other.from_version) <= version, col(other.until_version) > version)
        .where(col(other.content_hash) == DatasetItem.content_hash)
    )
    is_later = and_(of_it, col(DatasetItem.until_version).is_(None), col(DatasetItem.from_version) > version)
    session.flush()
    session.execute(
        update(DatasetItem)
        .where(is_later, ~was_the_same.exists())
        .values(until_version=draft)
        .execution_options(synchronize_session=False)
    )
    is_lacking = ~select(other.id).where(of_the_same, col(other.until_version).is_(None)).exists()
    was_in = and_(of_it, col(DatasetItem.from_version) <= version, is_lacking)
    session.execute(
        update(DatasetItem)
        .where(was_in, col(DatasetItem.until_version) == draft)
        .values(until_version=None)
        .execution_options(synchronize_session=False)
    )
    ended = and_(col(DatasetItem.until_version) > version, col(DatasetItem.until_version) < draft)
    query = select(DatasetItem.id).where(was_in, ended).limit(_PER_COPY)
    copied = _copying(dataset, by=by, at=at)
    while lacking := session.exec(query).all():
        session.connection().execute(copied, [{"old": old, "new": ids.next()} for old in lacking])


def _copying(dataset: Dataset, *, by: Principal, at: datetime) -> Insert:
    """The statement by which a row (`old`) begins again in the draft (as `new`)."""
    items = table(DatasetItem)
    told: dict[str, Any] = {
        "id": bindparam("new", type_=items.c.id.type),
        "made_by": literal(by.actor),
        "made_at": literal(at, items.c.made_at.type),
        "from_version": literal(dataset.version + 1),
        "until_version": null(),
    }
    names = list(items.c.keys())
    chosen = select(*(told.get(name, items.c[name]) for name in names)).where(items.c.id == bindparam("old"))
    return insert_into(items).from_select(names, chosen)


def group(session: Session, row: DatasetItem, *, limit: int = 1_000) -> Sequence[DatasetItem]:
    """The rows of the draft, of every kind, whose inputs say the same as this one's."""
    query = (
        select(DatasetItem)
        .where(DatasetItem.dataset_id == row.dataset_id, col(DatasetItem.until_version).is_(None))
        .where(col(DatasetItem.kind).in_(list(Kind)), DatasetItem.input_hash == row.input_hash)
        .order_by(col(DatasetItem.key))
        .limit(limit)
    )
    return session.exec(query).all()


def _row(dataset: Dataset, entry: Entry, *, by: Principal, at: datetime, number: int, key: int | None) -> DatasetItem:
    example = entry.example
    packed = rows.detail_json({"input": example.input, "expected": example.expected})
    if len(packed) > LONGEST and (len(packed) > LONGEST_WITH_MEDIA or "data:" not in packed):
        raise Invalid(
            "The conversation is larger than a megabyte.",
            code="example_too_large",
            hint="Take one without pictures or files.",
        )
    notes = text(entry.notes.strip())
    if len(notes) > rules.LONGEST_NOTES:
        raise Invalid(f"Notes have up to {rules.LONGEST_NOTES:,} characters.", hint="Say it in less.")
    clean = orjson.loads(packed)
    tags = rules.tidied(text(tag) for tag in entry.tags)
    return DatasetItem(
        id=number,
        key=number if key is None else key,
        dataset_id=dataset.id or 0,
        kind=example.kind,
        input=clean["input"],
        expected=clean["expected"],
        source=text(entry.source)[:LONGEST_SOURCE] if entry.source is not None else None,
        made_by=by.actor,
        made_at=at,
        from_version=dataset.version + 1,
        split=splits.name_of(text(entry.split)),
        tags=f",{','.join(tags)}," if tags else "",
        notes=notes,
        words=sameness.words(clean["input"], clean["expected"]),
        input_hash=sameness.input_hash(example.kind, clean["input"]),
        content_hash=0,
        origin=text(entry.origin)[:200],
        files={text(mark)[:32]: text(name)[:200] for mark, name in list(entry.files.items())[:MOST_FILES]},
    )


def _place(row: DatasetItem, mate: DatasetItem | None, plan: Plan) -> None:
    """Give a new row its split: that of inputs that say the same, its own, the plan's."""
    if mate is not None and mate.split:
        row.split, row.is_split_by_hand = mate.split, mate.is_split_by_hand
    elif row.split:
        row.is_split_by_hand = True
    else:
        row.split = splits.of(plan, row.input_hash)
    row.content_hash = _content(row)


def _there(dataset: Dataset, row: DatasetItem) -> str:
    return f"{dataset.name!r} has this answer already ({row.kind})."


def _content(row: DatasetItem) -> int:
    return sameness.content_hash(row.input, row.expected, row.notes, row.tags, row.split)


def _end(session: Session, dataset: Dataset, old: DatasetItem) -> None:
    """The row is in no version from the draft on. Written at once: its place in the draft is free for another."""
    old.until_version = dataset.version + 1
    session.add(old)
    session.flush()
