"""What can be done about datasets: make one, fill it, edit, split, describe it, keep a version of it.

Everything that changes a dataset holds its row, so that nothing slips into a version while it is kept. What is in a
kept version stays as it is (`core.datasets.tables`): an edit ends the old row and begins a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.calls.tables import Call
from core.datasets import cards, rules, splits, versions, written
from core.datasets.cards import Card
from core.datasets.rules import Entry, Kind
from core.datasets.tables import Dataset, DatasetItem, DatasetVersion
from core.errors import Conflict, Invalid, NotFound
from core.ids import Ids, shown
from core.people.rules import Permission, Principal, require
from core.people.tables import Project

MOST_ITEMS = 200_000
MOST_AT_ONCE = 1_000
_PER_SPLIT = 500


def create(session: Session, *, project_id: int, name: str, by: Principal, at: datetime) -> Dataset:
    """Raises: NotAllowed, NotFound, Invalid, Conflict."""
    require(by, Permission.DATASET_CHANGE, project_id)
    name = name.strip()
    if not 1 <= len(name) <= 64 or not name.isprintable():
        raise Invalid("A dataset's name is 1 to 64 characters.", param="name", hint="For example: Refunds, approved.")
    if session.get(Project, project_id) is None:
        raise NotFound("There is no such project.", hint="Reload the page and choose again.")
    row = Dataset(project_id=project_id, name=name, created_by=by.actor, created_at=at)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        raise Conflict(f"There is a dataset named {name!r} already.", hint="Choose another name.") from None
    _tell(session, row, by, at, "created", {"name": name})
    return row


def add(
    session: Session,
    *,
    dataset_id: int,
    kind: Kind,
    messages: Sequence[Any],
    original: str,
    final: str,
    call_id: int,
    by: Principal,
    at: datetime,
    ids: Ids,
    review_item_id: int | None = None,
    tools: Sequence[Any] = (),
) -> DatasetItem:
    """Keep an answer as an example: what was asked, what the model said, what a person approved.

    Raises:
        NotFound: the dataset, or the call in its project.
        Invalid: no example of this kind can be made of it.
        Conflict: this dataset has it already.
    """
    dataset = _held(session, dataset_id, by)
    owner = session.exec(select(Call.project_id).where(Call.id == call_id)).one_or_none()
    if owner != dataset.project_id:
        raise NotFound("There is no such call in this dataset's project.", hint="Look for it in Calls.")
    example = rules.make(kind, messages, original=original, final=final, tools=tools)
    source = shown("call", call_id) if review_item_id is None else shown("item", review_item_id)
    row = written.insert(
        session, dataset, Entry(example, source=source), by=by, at=at, ids=ids, call_id=call_id,
        review_item_id=review_item_id,
    )  # fmt: skip
    _tell(session, dataset, by, at, "item_added", {"example": shown("ex", row.id), "kind": kind, "source": source})
    return row


def write(session: Session, *, dataset_id: int, entry: Entry, by: Principal, at: datetime, ids: Ids) -> DatasetItem:
    """Add an example that somebody wrote by hand. Raises: NotFound, Invalid, Conflict."""
    dataset = _held(session, dataset_id, by)
    rules.check(entry.example)
    row = written.insert(session, dataset, entry, by=by, at=at, ids=ids)
    _tell(session, dataset, by, at, "item_added", {"example": shown("ex", row.id), "kind": entry.example.kind})
    return row


def take(
    session: Session,
    *,
    dataset_id: int,
    entries: Sequence[tuple[int, Entry]],
    origin: str,
    by: Principal,
    at: datetime,
    ids: Ids,
    calls: Mapping[int, int] | None = None,
) -> list[tuple[int, str]]:
    """Add many examples, each with the number of its row; the numbers of those that were refused, each with why.

    `origin` tells the trail where they are from; `calls` has the call behind a number. Raises: NotFound, Conflict when
    the dataset is full.
    """
    dataset = _held(session, dataset_id, by)
    if len(entries) > MOST_AT_ONCE:
        raise Invalid(f"At most {MOST_AT_ONCE:,} examples are added in one step.", hint="Add them in several.")
    counted = select(func.count()).where(DatasetItem.dataset_id == dataset_id, col(DatasetItem.until_version).is_(None))
    if session.exec(counted).one() + len(entries) > MOST_ITEMS:
        raise Conflict(f"A dataset has at most {MOST_ITEMS:,} examples.", hint="Put these into another one.")
    refused = written.insert_all(session, dataset, entries, by=by, at=at, ids=ids, calls=calls or {})
    told = {"from": origin[:200], "taken": len(entries) - len(refused), "refused": len(refused)}
    _tell(session, dataset, by, at, "items_added", told)
    return refused


def edit(
    session: Session, *, dataset_id: int, key: int, seen: int, entry: Entry, by: Principal, at: datetime, ids: Ids
) -> DatasetItem:
    """Say an example anew; `seen` is the id of the state that was edited.

    Raises: NotFound, Invalid, Conflict when somebody else changed it meanwhile.
    """
    dataset = _held(session, dataset_id, by)
    row = _current(session, dataset_id, key)
    if row.id != seen:
        raise Conflict("Somebody changed this example meanwhile.", hint="Reload it; your text is still in the form.")
    rules.check(entry.example)
    made = written.replace(session, dataset, row, entry, by=by, at=at, ids=ids)
    if made is not row:
        if entry.split != row.split:
            written.move(session, dataset, written.group(session, made), entry.split, by=by, at=at, ids=ids)
        _tell(session, dataset, by, at, "item_edited", {"example": shown("ex", key)})
    return made


def remove(session: Session, *, dataset_id: int, keys: Sequence[int], by: Principal, at: datetime) -> tuple[int, ...]:
    """Take examples out of the draft; what `restore` needs to put them back. Raises: NotFound, Invalid."""
    dataset = _held(session, dataset_id, by)
    rows = [_current(session, dataset_id, key) for key in dict.fromkeys(keys[:MOST_AT_ONCE])]
    for row in rows:
        row.until_version = dataset.version + 1
    told = {"examples": [shown("ex", row.key) for row in rows[:50]], "count": len(rows)}
    _tell(session, dataset, by, at, "items_removed", told)
    return tuple(row.id for row in rows)


def restore(session: Session, *, dataset_id: int, removed: Sequence[int], by: Principal, at: datetime) -> int:
    """Put removed examples back, as long as no version was kept without them; how many.

    Raises: NotFound, Conflict when a version was kept, or the example is there again.
    """
    dataset = _held(session, dataset_id, by)
    for number in removed[:MOST_AT_ONCE]:
        row = session.get(DatasetItem, number)
        if row is None or row.dataset_id != dataset_id or row.until_version != dataset.version + 1:
            raise Conflict("A version was kept since: this cannot be undone.", hint="Look at it in the version before.")
        row.until_version = None
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError:
        raise Conflict("The example is in the dataset again.", hint="Nothing needs to be done.") from None
    _tell(session, dataset, by, at, "items_restored", {"count": len(removed)})
    return len(removed)


def keep(session: Session, *, dataset_id: int, note: str, by: Principal, at: datetime) -> DatasetVersion:
    """Keep the draft as the next version; it never changes again. Raises: NotFound, Invalid, Conflict when nothing is
    different from the newest one."""
    dataset = _held(session, dataset_id, by)
    note, number = written.text(note.strip()), dataset.version + 1
    if len(note) > 500:
        raise Invalid("A version's note has up to 500 characters.", hint="Say more on the card.")
    of_it = col(DatasetItem.dataset_id) == dataset_id
    began, ended = col(DatasetItem.from_version) == number, col(DatasetItem.until_version) == number
    session.flush()
    session.execute(delete(DatasetItem).where(of_it, began, ended))  # it was never in any version
    if not session.exec(select(DatasetItem.id).where(of_it, began | ended).limit(1)).all():
        raise Conflict("Nothing has changed since the newest version.", hint="Add or edit an example first.")
    counted = select(DatasetItem.kind, func.count()).where(of_it, col(DatasetItem.until_version).is_(None))
    counts = dict(session.exec(counted.group_by(col(DatasetItem.kind))).all())
    before, dataset.as_in = dataset.as_in, None
    as_in = before if before and not versions.between(session, dataset_id, before, number).count else None
    version = DatasetVersion(
        dataset_id=dataset_id, number=number, note=note, items=counts.get(Kind.ITEM, 0),
        preferences=counts.get(Kind.PREFERENCE, 0), tunings=counts.get(Kind.TUNING, 0), made_by=by.actor, made_at=at,
        as_in=as_in,
    )  # fmt: skip
    session.add(version)
    dataset.version = number
    told = {"version": number, "note": note, "count": sum(counts.values())} | ({"as_in": as_in} if as_in else {})
    _tell(session, dataset, by, at, "version_kept", told)
    return version


def revert(
    session: Session, *, dataset_id: int, version: int, seen: datetime | None, by: Principal, at: datetime, ids: Ids
) -> int:
    """Make the draft what a version is. Returns the version that has what the draft was: the newest, or one that is
    kept of it first, where something was in no version yet.

    `seen` is when the dataset had last been changed for whoever agreed to what would change (`versions.way_back`).
    Raises: NotFound, Conflict when it was changed meanwhile, or is as in that version already.
    """
    dataset = _held(session, dataset_id, by)
    if not 0 < version <= dataset.version:
        raise NotFound("There is no such version.", hint="Choose one from the list.")
    if dataset.changed_at != seen:
        raise Conflict(
            "Somebody changed the dataset meanwhile.", hint="Look at what would change now, and confirm again."
        )
    session.flush()
    draft = dataset.version + 1
    sums = versions.between(session, dataset_id, version, draft).back
    if not sums.count:
        raise Conflict(f"The draft is as in version {version} already.", hint="Nothing needs to be done.")
    unkept, before = versions.unkept_of(session, dataset_id, dataset.version, dataset.as_in)
    if unkept.count:
        note = f"Before going back to version {version}"
        before = keep(session, dataset_id=dataset_id, note=note, by=by, at=at).number
    written.return_to(session, dataset, version, by=by, at=at, ids=ids)
    dataset.as_in = version
    told = {"version": version, "added": sums.added, "removed": sums.removed, "changed": sums.changed}
    _tell(session, dataset, by, at, "reverted", told | {"before": before})
    return before


def current(session: Session, *, dataset_id: int, by: Principal, at: datetime) -> int:
    """The version that says what the draft says, kept now where there is none yet. Raises: NotFound, NotAllowed."""
    try:
        with session.begin_nested():
            return keep(session, dataset_id=dataset_id, note="", by=by, at=at).number
    except Conflict:
        return _held(session, dataset_id, by).version


def match(
    session: Session, *, dataset_id: int, entries: Sequence[Entry], origin: str, by: Principal, at: datetime, ids: Ids
) -> int:
    """Make the examples exactly these, and keep a version when something is different; the number of the version.

    Their sources, which all begin with `origin`, tell them from each other: an example that is there already stays the
    one it was. Raises: NotFound, Invalid for an example that cannot be taken, Conflict when the dataset has examples
    from elsewhere.
    """
    dataset = _held(session, dataset_id, by)
    query = select(DatasetItem).where(DatasetItem.dataset_id == dataset_id, col(DatasetItem.until_version).is_(None))
    there = {row.source or "": row for row in session.exec(query)}
    if any(not source.startswith(origin) for source in there):
        raise Conflict(f"{dataset.name!r} has examples that are not from this file.", hint="Name another dataset.")
    wanted = {entry.source or "": entry for entry in entries}
    gone = [row for source, row in there.items() if not written.says(row, wanted.get(source))]
    for row in gone:
        row.until_version = dataset.version + 1
        session.add(row)
    session.flush()
    kept = there.keys() - {row.source for row in gone}
    new = [(number, entry) for number, entry in enumerate(entries, 1) if entry.source not in kept]
    for start in range(0, len(new), MOST_AT_ONCE):
        some = new[start : start + MOST_AT_ONCE]
        for number, why in written.insert_all(session, dataset, some, by=by, at=at, ids=ids, calls={}):
            raise Invalid(f"Example {number}: {why}", code="invalid_example")
    if gone or new:
        _tell(session, dataset, by, at, "matched", {"taken": len(new), "removed": len(gone)})
    return current(session, dataset_id=dataset_id, by=by, at=at)


def describe(session: Session, *, dataset_id: int, card: Card, by: Principal, at: datetime) -> None:
    """Write the card. Raises: NotFound, Invalid."""
    dataset = _held(session, dataset_id, by)
    before, after = dataset.card, cards.stored(cards.made(cards.stored(card)))
    dataset.card = after
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    _tell(session, dataset, by, at, "described", {"changed": names, "sensitivity": after.get("sensitivity", "")})


def note_export(session: Session, *, dataset_id: int, project_id: int, what: str, by: Principal, at: datetime) -> None:
    """Note that somebody takes examples away; who may read them may. Raises: NotFound, NotAllowed."""
    require(by, Permission.DATASET_READ, project_id)
    row = session.get(Dataset, dataset_id)
    if row is None or row.project_id != project_id:
        raise NotFound("There is no such dataset.", hint="Choose one from the list.")
    audit.append(
        session,
        by=by,
        at=at,
        action="dataset.exported",
        target=f"dataset:{dataset_id}",
        project_id=project_id,
        after={"what": what[:200]},
    )


def set_split(session: Session, *, dataset_id: int, key: int, split: str, by: Principal, at: datetime, ids: Ids) -> int:
    """Put an example, and all whose inputs say the same, into a split by hand; how many moved. Raises: NotFound."""
    dataset, split = _held(session, dataset_id, by), splits.name_of(split)
    rows = written.group(session, _current(session, dataset_id, key))
    moved = written.move(session, dataset, rows, split, by=by, at=at, ids=ids)
    _tell(session, dataset, by, at, "split_set", {"example": shown("ex", key), "split": split, "moved": moved})
    return moved


def plan(session: Session, *, dataset_id: int, percents: Mapping[str, int], by: Principal, at: datetime) -> None:
    """Give the splits these shares; `assign` then moves the examples. Raises: NotFound, Invalid."""
    dataset = _held(session, dataset_id, by)
    dataset.plan = [list(piece) for piece in splits.regrow(splits.read(dataset.plan), percents)]
    _tell(session, dataset, by, at, "split_planned", {"percents": dict(percents)})


def assign(
    session: Session, *, dataset_id: int, after: int = 0, by: Principal, at: datetime, ids: Ids
) -> tuple[int, int | None]:
    """Put the next few hundred examples where the plan has them: how many moved, and where to go on (None: all done).

    What was put somewhere by hand stays. Raises: NotFound.
    """
    dataset = _held(session, dataset_id, by)
    query = (
        select(DatasetItem)
        .where(DatasetItem.dataset_id == dataset_id, col(DatasetItem.until_version).is_(None))
        .where(col(DatasetItem.key) > after)
        .order_by(col(DatasetItem.key))
        .limit(_PER_SPLIT)
    )
    rows, places = session.exec(query).all(), splits.read(dataset.plan)
    wanted: dict[str, list[DatasetItem]] = {}
    for row in rows:
        if not row.is_split_by_hand:
            wanted.setdefault(splits.of(places, row.input_hash), []).append(row)
    moved = sum(
        written.move(session, dataset, some, split, by=by, at=at, ids=ids, is_by_hand=False)
        for split, some in wanted.items()
    )
    if moved:
        _tell(session, dataset, by, at, "split_assigned", {"moved": moved})
    return moved, rows[-1].key if len(rows) == _PER_SPLIT else None


def _held(session: Session, dataset_id: int, by: Principal) -> Dataset:
    """The dataset, held until the transaction ends. Raises: NotFound, NotAllowed."""
    row = session.exec(select(Dataset).where(Dataset.id == dataset_id).with_for_update()).one_or_none()
    if row is None or not (by.grants.get(None) or by.grants.get(row.project_id)):
        raise NotFound("There is no such dataset.", hint="Choose one from the list.")
    require(by, Permission.DATASET_CHANGE, row.project_id)
    return row


def _current(session: Session, dataset_id: int, key: int) -> DatasetItem:
    query = select(DatasetItem).where(
        DatasetItem.dataset_id == dataset_id, DatasetItem.key == key, col(DatasetItem.until_version).is_(None)
    )
    row = session.exec(query).one_or_none()
    if row is None:
        raise NotFound("This example is not in the dataset any more.", hint="Look at its versions.")
    return row


def _tell(session: Session, dataset: Dataset, by: Principal, at: datetime, what: str, after: Mapping[str, Any]) -> None:
    dataset.changed_by, dataset.changed_at = by.actor, at
    audit.append(
        session, by=by, at=at, action=f"dataset.{what}", target=f"dataset:{dataset.id}", project_id=dataset.project_id,
        after=after,
    )  # fmt: skip
