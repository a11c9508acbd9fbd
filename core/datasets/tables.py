"""Datasets, their versions and items. A version is no copy: an item says from which version until which it is in.

The invariant: a row that is in a kept version is never changed, except that `until_version` is set once, to a version
that is not kept yet. What keeping versions costs therefore grows with what changed, not with how many there are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.calls.tables import BigId, BigKey
from core.db.types import Json, UtcDateTime


def _of_the_draft(name: str, *columns: str, unique: bool = False) -> Index:
    """An index over what is in the draft: reading that costs the same however long its history is."""
    only = text("until_version IS NULL")
    return Index(name, *columns, unique=unique, sqlite_where=only, postgresql_where=only)


class Dataset(SQLModel, table=True):
    """A named collection of examples.

    `version` is the newest that was kept (0: none); the draft, what people work on, is the one after it. `as_in` is the
    version the draft was taken back to, until the next one is kept. `card` is `core.datasets.cards.Card`, `plan` the
    plan of its splits (`core.datasets.splits`).
    """

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_dataset_name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=64)
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    version: int = 0
    card: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    plan: list[Any] = Field(default_factory=list, sa_type=Json)
    changed_by: str = ""
    changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    as_in: int | None = None


class DatasetVersion(SQLModel, table=True):
    """A state of the list of items that never changes again, with how many there are of each kind.

    `as_in` is the earlier version whose examples it has again (NULL: it is none's).
    """

    __tablename__ = "dataset_version"

    dataset_id: int = Field(foreign_key="dataset.id", primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    note: str
    items: int
    preferences: int
    tunings: int
    made_by: str
    made_at: datetime = Field(sa_type=UtcDateTime)
    as_in: int | None = None


class DatasetItem(SQLModel, table=True):
    """One state of one example. `kind`: item (input, expected) · preference (chosen, rejected) · tuning (a whole
    conversation).

    `key` stays when the example is edited; it is the id of its first row. The row is in the versions from
    `from_version` up to but not including `until_version` (NULL: it is in the draft). `source` names what it was made
    from (`item_…`, `call_…`, `file_…`): of one source there is one example of each kind. `origin` says the same to
    people ("refunds.csv, row 3"); `files` has the names of what is attached. `tags` stand between commas (",a,b,").
    `words` is what is searched and compared, `input_hash` the same for inputs that say the same, `content_hash` for
    examples that are equal (`core.datasets.sameness`).
    """

    __tablename__ = "dataset_item"
    __table_args__ = (
        _of_the_draft("uq_dataset_item_source", "dataset_id", "kind", "source", unique=True),
        _of_the_draft("uq_dataset_item_key", "dataset_id", "key", unique=True),
        _of_the_draft("ix_dataset_item_kind", "dataset_id", "kind", "key"),
        _of_the_draft("ix_dataset_item_input", "dataset_id", "kind", "input_hash"),
        Index("ix_dataset_item_dataset", "dataset_id", "key"),
        Index("ix_dataset_item_from", "dataset_id", "from_version", "key"),
        Index("ix_dataset_item_until", "dataset_id", "until_version", "key"),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    dataset_id: int = Field(foreign_key="dataset.id")
    kind: str = "item"
    input: dict[str, Any] = Field(sa_type=Json)
    expected: dict[str, Any] | None = Field(default=None, sa_type=Json)
    source: str | None = None
    call_id: int | None = Field(default=None, sa_type=BigInteger)
    review_item_id: int | None = Field(default=None, sa_type=BigInteger)
    made_by: str
    made_at: datetime = Field(sa_type=UtcDateTime)
    key: int = Field(sa_type=BigInteger)
    from_version: int
    until_version: int | None = None
    split: str = ""
    is_split_by_hand: bool = False
    tags: str = ""
    notes: str = Field(default="", sa_type=Text)
    words: str = Field(default="", sa_type=Text)
    input_hash: int = Field(sa_type=BigInteger)
    content_hash: int = Field(sa_type=BigInteger)
    origin: str = ""
    files: dict[str, str] = Field(default_factory=dict, sa_type=Json)
