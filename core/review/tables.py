"""Queues, the items that wait in them, who has one in hand, and what was decided, as rows that exclude each other."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from core.calls.tables import BigId, BigKey
from core.db.types import Bytes, Json, UtcDateTime

_OPEN = "decided_at IS NULL AND closed_at IS NULL"


class Rubric(SQLModel, table=True):
    """What a reviewer is asked; its newest version counts."""

    __tablename__ = "rubric"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_rubric_name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=64)
    version: int = 1


class RubricVersion(SQLModel, table=True):
    """One wording of a rubric, immutable: typed questions, reason codes and the policy a reviewer reads beside them."""

    __tablename__ = "rubric_version"

    rubric_id: int = Field(foreign_key="rubric.id", primary_key=True)
    version: int = Field(primary_key=True)
    questions: list[dict[str, Any]] = Field(sa_type=Json)
    reasons: list[dict[str, Any]] = Field(sa_type=Json)
    policy_text: str = ""
    made_by: str
    made_at: datetime = Field(sa_type=UtcDateTime)


class ReviewQueue(SQLModel, table=True):
    """A queue and its rules: how many people look at an item, until when, and what happens when nobody does.

    Of `coverage_percent` of its items `reviewers` people decide, of the others one. `gold_percent` is the share of
    claims that get an item whose right verdict is known, without being told.
    """

    __tablename__ = "review_queue"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_review_queue_name"),)

    id: int | None = Field(default=None, primary_key=True)
    project_id: int = Field(foreign_key="project.id")
    name: str = Field(max_length=64)
    is_open: bool = True
    rubric_id: int | None = Field(default=None, foreign_key="rubric.id")
    reviewers: int = 1
    most_reviewers: int = 3
    service_level_s: int = 3_600
    lease_s: int = 300
    undo_s: int = 10
    is_blind: bool = True
    gold_percent: int = 0
    coverage_percent: int = 100
    version: int = 1
    created_at: datetime = Field(sa_type=UtcDateTime)


class ReviewItem(SQLModel, table=True):
    """One answer that waits for people; once per call and queue.

    `weight` is risk × severity (each 1…3): the oldest item of each weight competes with weight × age. `needed` is how
    many verdicts settle it now. `release_at` is when the settled verdict takes effect and can no longer be undone.
    `rubric_id` and `rubric_version` name the wording it is judged by; without the first it is of the queue's rubric.
    `gold` is the verdict a lead declared right, since `gold_at`: the item then tests who has not seen it before.
    """

    __tablename__ = "review_item"
    __table_args__ = (
        UniqueConstraint("queue_id", "call_id", name="uq_review_item"),
        Index("ix_review_item_queue", "queue_id", "state", "created_at"),
        Index("ix_review_item_call", "call_id"),
        Index(
            "ix_review_item_release",
            "release_at",
            sqlite_where=text("state = 'settled'"),
            postgresql_where=text("state = 'settled'"),
        ),
        Index(
            "ix_review_item_gold",
            "queue_id",
            "id",
            sqlite_where=text("gold_at IS NOT NULL"),
            postgresql_where=text("gold_at IS NOT NULL"),
        ),
        Index(
            "ix_review_item_prompt",
            "prompt_id",
            "prompt_version",
            sqlite_where=text("prompt_id IS NOT NULL"),
            postgresql_where=text("prompt_id IS NOT NULL"),
        ),
        Index(
            "ix_review_item_deadline",
            "deadline_at",
            sqlite_where=text("deadline_at IS NOT NULL AND closed_at IS NULL"),
            postgresql_where=text("deadline_at IS NOT NULL AND closed_at IS NULL"),
        ),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    project_id: int
    queue_id: int = Field(foreign_key="review_queue.id")
    call_id: int = Field(sa_type=BigInteger)
    source: str
    reason: str = ""
    risk: int = 1
    severity: int = 1
    weight: int = 1
    state: str = "waiting"
    lane: str = "review"
    needed: int = 1
    policy: str = ""
    rubric_id: int | None = None
    rubric_version: int | None = None
    gold: dict[str, Any] | None = Field(default=None, sa_type=Json)
    gold_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime)
    deadline_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    verdict: str = ""
    decided_by: str = ""
    decision_id: int | None = Field(default=None, sa_type=BigInteger)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    release_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    prompt_id: int | None = None
    prompt_version: int | None = None


class ReviewSlot(SQLModel, table=True):
    """Room for one reviewer on one item. That there are k of them is what makes k+1 verdicts impossible.

    A claim writes `reviewer` and `lease_until`; a lease that ran out leaves the slot to the next. No person has two
    slots of one item. A claim also notes the wording they are shown (version 0: none), which their verdict is filed
    under, whatever the queue asks by then.
    """

    __tablename__ = "review_slot"
    __table_args__ = (
        UniqueConstraint("item_id", "reviewer", name="uq_review_slot_reviewer"),
        Index(
            "ix_review_slot_open",
            "queue_id",
            "lane",
            "weight",
            "created_at",
            "item_id",
            sqlite_where=text(_OPEN),
            postgresql_where=text(_OPEN),
        ),
        Index("ix_review_slot_reviewer", "reviewer", "decided_at"),
    )

    item_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs=BigId, foreign_key="review_item.id")
    number: int = Field(primary_key=True)
    queue_id: int
    lane: str = "review"
    weight: int = 1
    created_at: datetime = Field(sa_type=UtcDateTime)
    reviewer: str | None = None
    claimed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    rubric_id: int | None = None
    rubric_version: int | None = None


class ReviewAway(SQLModel, table=True):
    """A person an item is not offered to (again): passed it to others, or decided an earlier round of it."""

    __tablename__ = "review_away"

    item_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs=BigId, foreign_key="review_item.id")
    reviewer: str = Field(primary_key=True)
    why: str
    at: datetime = Field(sa_type=UtcDateTime)


class ReviewDecision(SQLModel, table=True):
    """A verdict as data: what, why, how it was changed, by whom, under which wording, in how many seconds."""

    __tablename__ = "review_decision"
    __table_args__ = (
        Index("ix_review_decision_item", "item_id", "id"),
        Index("ix_review_decision_queue", "queue_id", "id"),
        Index("ix_review_decision_reviewer", "reviewer", "id"),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    item_id: int = Field(sa_type=BigInteger, foreign_key="review_item.id")
    queue_id: int
    project_id: int
    slot: int
    lane: str
    reviewer: str
    verdict: str
    reasons: list[str] = Field(sa_type=Json)
    scores: dict[str, Any] = Field(sa_type=Json)
    comment: str = ""
    severity: int = 1
    edited: str | None = None
    edit_distance: int | None = None
    seconds: float = 0.0
    policy: str = ""
    rubric_id: int | None = None
    rubric_version: int | None = None
    bulk_id: int | None = Field(default=None, sa_type=BigInteger)
    at: datetime = Field(sa_type=UtcDateTime)
    undone_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ReviewDraft(SQLModel, table=True):
    """What a reviewer had typed: kept while they work, and when they came too late."""

    __tablename__ = "review_draft"

    item_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs=BigId, foreign_key="review_item.id")
    reviewer: str = Field(primary_key=True)
    state: dict[str, Any] = Field(sa_type=Json)
    at: datetime = Field(sa_type=UtcDateTime)


class ReviewHabit(SQLModel, table=True):
    """How a person likes to work at the desk."""

    __tablename__ = "review_habit"

    reviewer: str = Field(primary_key=True)
    blurs: bool = True
    auto_next: bool = True


class ReviewExposure(SQLModel, table=True):
    """A person has looked at an item with harmful text, once per item."""

    __tablename__ = "review_exposure"
    __table_args__ = (Index("ix_review_exposure_at", "reviewer", "at"),)

    reviewer: str = Field(primary_key=True)
    item_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs=BigId, foreign_key="review_item.id")
    at: datetime = Field(sa_type=UtcDateTime)


class ReviewBulk(SQLModel, table=True):
    """One verdict for everything that waits and meets a filter, after a random sample of it was looked at one by one.

    `population` is how many items met the filter at `made_at`, `sample` the ids of those to look at; "" in a filter
    is any value.
    """

    __tablename__ = "review_bulk"
    __table_args__ = (Index("ix_review_bulk_by", "by", "id"),)

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    project_id: int
    queue_id: int = Field(foreign_key="review_queue.id")
    by: str
    verdict: str
    source: str = ""
    policy: str = ""
    reason: str = ""
    population: int
    sample: list[int] = Field(sa_type=Json)
    decided: int = 0
    made_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str = ""


class Appeal(SQLModel, table=True):
    """Somebody disagrees with a verdict; a person who had no part in it looks again."""

    __tablename__ = "appeal"
    __table_args__ = (Index("ix_appeal_item", "item_id"),)

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    item_id: int = Field(sa_type=BigInteger, foreign_key="review_item.id")
    project_id: int
    by: str
    reason: str
    verdict_before: str
    made_at: datetime = Field(sa_type=UtcDateTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str = ""


class HeldResponse(SQLModel, table=True):
    """An answer its caller waits for (`resp_…`); it reaches one final state, whatever crashes when.

    `state`: queued · in_progress · completed · incomplete · cancelled · failed. `fail_safe` is what happens at
    `deadline_at`. `request` and `draft` are packed bodies, `final` what the caller gets.
    """

    __tablename__ = "held_response"
    __table_args__ = (
        Index("ix_held_response_item", "item_id"),
        Index("ix_held_response_call", "call_id"),
        Index(
            "ix_held_response_deadline",
            "deadline_at",
            sqlite_where=text("final_at IS NULL"),
            postgresql_where=text("final_at IS NULL"),
        ),
    )

    id: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs=BigId)
    project_id: int
    key_id: int | None = None
    kind: str
    call_id: int | None = Field(default=None, sa_type=BigInteger)
    item_id: int | None = Field(default=None, sa_type=BigInteger)
    state: str = "queued"
    reason: str = ""
    fail_safe: str
    safe_text: str = ""
    request: bytes | None = Field(default=None, sa_type=Bytes)
    draft: bytes | None = Field(default=None, sa_type=Bytes)
    final: bytes | None = Field(default=None, sa_type=Bytes)
    created_at: datetime = Field(sa_type=UtcDateTime)
    deadline_at: datetime = Field(sa_type=UtcDateTime)
    final_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
