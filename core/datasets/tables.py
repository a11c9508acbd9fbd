"""Datasets and their items; versions, splits and exports come on top of these."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from core.calls.tables import BigId, BigKey
from core.db.types import Json, UtcDateTime


class Dataset(SQLModel, table=True):
    """A named collection of examples."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_dataset_name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=64)
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class DatasetItem(SQLModel, table=True):
    """One example. `kind`: item (input, expected) · preference (chosen, rejected) · tuning (a whole conversation).

    `source` names what it was made from (`item_…`, `call_…`): of one source there is one example of each kind.
    """

    __tablename__ = "dataset_item"
    __table_args__ = (
        UniqueConstraint("dataset_id", "kind", "source", name="uq_dataset_item_source"),
        Index("ix_dataset_item_dataset", "dataset_id", "id"),
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
