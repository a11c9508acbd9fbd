"""What is shown of reviewing, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.review.rules import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A queue as the board shows it. `waiting` counts places for reviewers that nobody holds, by lane; `hands` who
    holds how many; `pace` items decided in the last day and the seconds one took, None without any."""

    id: int
    name: str
    is_open: bool
    reviewers: int
    service_level_s: int
    waiting: Mapping[Lane, int] = field(default_factory=dict)
    hands: Mapping[str, int] = field(default_factory=dict)
    oldest_at: datetime | None = None
    overdue: int = 0
    arrivals: int = 0
    decided: int = 0
    handling_s: float | None = None

    @property
    def to_review(self) -> int:
        return self.waiting.get(Lane.REVIEW, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """A verdict and what explains it."""

    id: int
    item_id: int
    reviewer: str
    verdict: str
    reasons: tuple[str, ...]
    scores: Mapping[str, Any]
    comment: str
    edited: str | None
    severity: int
    lane: str
    seconds: float
    at: datetime
    undone_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """One item for the person who looks at it. `slot_until` is the end of their lease, None when it is not in their
    hands. `decisions` are empty while their own is to be independent of them. `is_gold`: it tests reviewers (leads)."""

    id: int
    project_id: int
    queue_id: int
    queue_name: str
    call_id: int
    source: str
    reason: str
    severity: int
    risk: int
    state: str
    lane: str
    policy: str
    created_at: datetime
    due_at: datetime
    deadline_at: datetime | None
    release_at: datetime | None
    verdict: str
    decided_by: str
    is_blind: bool
    undo_s: int
    slot_until: datetime | None
    claimed_at: datetime | None
    questions: tuple[Mapping[str, Any], ...]
    reasons: tuple[Mapping[str, Any], ...]
    policy_text: str
    draft: Mapping[str, Any]
    decisions: tuple[DecisionView, ...]
    appeals: tuple[str, ...]
    is_gold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRow:
    """An item as a list shows it."""

    id: int
    queue_id: int
    queue_name: str
    call_id: int
    source: str
    state: str
    lane: str
    verdict: str
    decided_by: str
    created_at: datetime
    closed_at: datetime | None
    severity: int
