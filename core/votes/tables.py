"""Comparisons, who contends and on what, their answers, the pairs put before people, and the sums of votes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.calls.tables import BigId, BigKey
from core.db.types import Json, UtcDateTime


class Comparison(SQLModel, table=True):
    """What is compared: `question` is what a voter decides on, `voters` who may vote (actors; none: whoever has the
    right), `stays_hidden` whether names stay hidden after a vote until the comparison is closed; `run_id` the
    experiment whose answers it puts before people, which asks nothing itself."""

    __tablename__ = "comparison"
    __table_args__ = (
        UniqueConstraint("project_id", "name", name="uq_comparison_name"),
        Index("ix_comparison_run", "run_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=64)
    question: str
    reasons: list[str] = Field(default_factory=list, sa_type=Json)
    voters: list[str] = Field(default_factory=list, sa_type=Json)
    stays_hidden: bool = False
    run_id: int | None = Field(default=None, sa_type=BigInteger)
    created_by: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Contestant(SQLModel, table=True):
    """Who contends: `model` is what is asked (a model, an alias, or `prompt:name@3`), `own_names` the words by which an
    answer would give it away."""

    __tablename__ = "compare_contestant"
    __table_args__ = (UniqueConstraint("comparison_id", "name", name="uq_compare_contestant_name"),)

    id: int | None = Field(default=None, primary_key=True)
    comparison_id: int = Field(foreign_key="comparison.id")
    name: str = Field(max_length=64)
    model: str
    parameters: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    own_names: list[str] = Field(default_factory=list, sa_type=Json)


class CompareQuestion(SQLModel, table=True):
    """What all contestants are asked; `source` is where it comes from (`call_01j…`, empty: it was typed), `variables`
    what the prompts among them are filled with."""

    __tablename__ = "compare_question"
    __table_args__ = (UniqueConstraint("comparison_id", "digest", name="uq_compare_question"),)

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    comparison_id: int = Field(foreign_key="comparison.id")
    messages: list[dict[str, Any]] = Field(sa_type=Json)
    variables: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    source: str = ""
    digest: str


class CompareAnswer(SQLModel, table=True):
    """One contestant's answer to one question: `waiting` to be asked (in somebody's hands until `lease_until`),
    `ready`, or `failed`. `digest` is of the text as people read it, `named` the models and vendors it names."""

    __tablename__ = "compare_answer"
    __table_args__ = (
        PrimaryKeyConstraint("question_id", "contestant_id"),
        Index("ix_compare_answer_contestant", "contestant_id", "state"),
        Index("ix_compare_answer_comparison", "comparison_id", "state"),
        Index("ix_compare_answer_call", "call_id"),
        Index(
            "ix_compare_answer_waiting",
            "question_id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    question_id: int = Field(sa_type=BigInteger, foreign_key="compare_question.id")
    contestant_id: int = Field(foreign_key="compare_contestant.id")
    comparison_id: int = Field(foreign_key="comparison.id")
    state: str = "waiting"
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    text: str = ""
    digest: str = ""
    named: list[str] = Field(default_factory=list, sa_type=Json)
    error: str = ""
    call_id: int | None = Field(default=None, sa_type=BigInteger)
    made_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ComparePair(SQLModel, table=True):
    """Two answers put before one person: whose stood on which side, by which draw; then the vote, for good.

    `low_id` and `high_id` are the same two contestants, the smaller id first: one person has a pair once. One pair of a
    comparison is open for a person at a time.
    """

    __tablename__ = "compare_pair"
    __table_args__ = (
        UniqueConstraint("voter", "question_id", "low_id", "high_id", name="uq_compare_pair"),
        Index(
            "uq_compare_pair_open",
            "comparison_id",
            "voter",
            unique=True,
            sqlite_where=text("choice IS NULL AND skipped_at IS NULL"),
            postgresql_where=text("choice IS NULL AND skipped_at IS NULL"),
        ),
        Index("ix_compare_pair_comparison", "comparison_id", "id"),
        Index("ix_compare_pair_cell", "comparison_id", "low_id", "high_id", "id"),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    comparison_id: int = Field(foreign_key="comparison.id")
    question_id: int = Field(sa_type=BigInteger, foreign_key="compare_question.id")
    left_id: int
    right_id: int
    low_id: int
    high_id: int
    voter: str
    draw: float
    is_named: bool
    served_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    choice: str | None = None
    reasons: list[str] = Field(default_factory=list, sa_type=Json)
    comment: str = ""
    seconds: float | None = None
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    skipped_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class CompareCount(SQLModel, table=True):
    """How often two contestants met with this outcome, over all voters; `choice` as if `low_id` stood left.

    `is_named`: one of the two answers named a model or a vendor.
    """

    __tablename__ = "compare_count"
    __table_args__ = (
        PrimaryKeyConstraint("comparison_id", "low_id", "high_id", "choice", "is_named"),
        {"sqlite_with_rowid": False},
    )

    comparison_id: int = Field(foreign_key="comparison.id")
    low_id: int
    high_id: int
    choice: str
    is_named: bool
    votes: int


class CompareVoter(SQLModel, table=True):
    """The same for one voter: votes of one person belong together."""

    __tablename__ = "compare_voter"
    __table_args__ = (
        PrimaryKeyConstraint("comparison_id", "voter", "low_id", "high_id", "choice", "is_named"),
        {"sqlite_with_rowid": False},
    )

    comparison_id: int = Field(foreign_key="comparison.id")
    voter: str
    low_id: int
    high_id: int
    choice: str
    is_named: bool
    votes: int
