"""What can be done about datasets: make one, add to it what people have approved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from core.audit import actions as audit
from core.calls import rows
from core.calls.tables import Call
from core.datasets import rules
from core.datasets.rules import Kind
from core.datasets.tables import Dataset, DatasetItem
from core.errors import Conflict, Invalid, NotFound
from core.ids import Ids, shown
from core.people.rules import Permission, Principal, require
from core.people.tables import Project

LONGEST = 1_000_000


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
    audit.append(
        session,
        by=by,
        at=at,
        action="dataset.created",
        target=f"dataset:{row.id}",
        project_id=project_id,
        after={"name": name},
    )
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
    dataset = session.get(Dataset, dataset_id)
    if dataset is None or not by.may(Permission.USAGE_READ, dataset.project_id):
        raise NotFound("There is no such dataset.", hint="Choose one from the list.")
    require(by, Permission.DATASET_CHANGE, dataset.project_id)
    owner = session.exec(select(Call.project_id).where(Call.id == call_id)).one_or_none()
    if owner != dataset.project_id:
        raise NotFound("There is no such call in this dataset's project.", hint="Look for it in Calls.")
    example = rules.make(kind, messages, original=original, final=final, tools=tools)
    packed = rows.detail_json({"input": example.input, "expected": example.expected})
    if len(packed) > LONGEST:
        raise Invalid(
            "The conversation is larger than a megabyte.",
            code="example_too_large",
            hint="Take one without pictures or files.",
        )
    clean = orjson.loads(packed)
    source = shown("call", call_id) if review_item_id is None else shown("item", review_item_id)
    row = DatasetItem(
        id=ids.next(),
        dataset_id=dataset_id,
        kind=kind,
        input=clean["input"],
        expected=clean["expected"],
        source=source,
        call_id=call_id,
        review_item_id=review_item_id,
        made_by=by.actor,
        made_at=at,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        raise Conflict(
            f"{dataset.name!r} has this answer already ({kind}).",
            code="example_exists",
            hint="Nothing needs to be done, or choose another dataset.",
        ) from None
    audit.append(
        session,
        by=by,
        at=at,
        action="dataset.item_added",
        target=f"dataset:{dataset_id}",
        project_id=dataset.project_id,
        after={"example": shown("ex", row.id), "kind": kind, "source": source},
    )
    return row
