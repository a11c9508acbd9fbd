"""What readers of the record get: frozen rows, moments aware in UTC, money in dollars as `Decimal`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core import ids


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A call as a list shows it. `cost_usd` None is unpriced; `key_name` is "" without a key."""

    id: int
    project_id: int
    at: datetime
    status: str
    http_status: int
    error_kind: str
    finish_reason: str
    route: str
    actor: str
    key_id: int | None
    key_name: str
    person_id: int | None
    end_user: str
    session: str
    model_asked: str
    model_served: str
    backend: str
    alias: str
    alias_version: int | None
    is_stream: bool
    cache: str
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    tokens_reasoning: int
    is_estimated: bool
    cost_usd: Decimal | None
    price_source: str
    first_token_ms: float | None
    total_ms: float
    own_ms: float
    upstream_ms: float
    waiting_ms: float
    retries: int
    fallbacks: int
    request_id: str
    response_id: str
    prompt_id: int | None
    prompt_version: int | None
    asked: str
    answered: str
    error: str

    @property
    def shown_id(self) -> str:
        """`call_01j…`, as people and programs name it."""
        return ids.shown("call", self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackView:
    """What one reader said of the answer."""

    id: int
    at: datetime
    actor: str
    end_user: str
    thumb: int | None
    rating: int | None
    reason: str
    comment: str
    correction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView(CallRow):
    """A call with everything but its bodies. `detail` explains it: each try, the price entry that matched."""

    tags: tuple[tuple[str, str], ...]
    detail: dict[str, Any]
    feedback: tuple[FeedbackView, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Calls, newest first. `next_before` asks for the page after; None when there is none.

    With filters that no index answers, a page may end before it is full: `searched_to` is then how far back it
    looked, and `next_before` goes on from there.
    """

    rows: tuple[CallRow, ...]
    next_before: int | None
    searched_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One thing said: role, text, and what is not text (tool calls, images …) as JSON values."""

    role: str
    text: str
    name: str = ""
    extras: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The bodies of a call: decoded for people, and as they travelled."""

    call_id: int
    messages: tuple[Message, ...]
    answers: tuple[Message, ...]
    request: Any
    response: Any
    raw_request: bytes
    raw_response: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over calls. Shares are of `calls`, 0…1; quantiles are within 1 % and None without calls."""

    calls: int = 0
    errors: int = 0
    cached: int = 0
    estimated: int = 0
    unpriced: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    cost_usd: Decimal = Decimal(0)
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    first_p50_ms: float | None = None
    first_p95_ms: float | None = None
    first_p99_ms: float | None = None

    @property
    def error_share(self) -> float:
        return self.errors / self.calls if self.calls else 0.0

    @property
    def unpriced_share(self) -> float:
        return self.unpriced / self.calls if self.calls else 0.0

    @property
    def estimated_share(self) -> float:
        return self.estimated / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point(Totals):
    """The sums of one hour or day; `at` is its start, in the reader's time zone."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Share(Totals):
    """The sums of one model, backend, key or tag; `label` is what people call it."""

    value: str
    label: str
    project_id: int | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A period and the equally long one before it."""

    now: Totals
    before: Totals


@dataclass(frozen=True, slots=True)
class Attention:
    """Something a person should look at: `calls` of `of` calls.

    `kind` is "errors" (`subject` is a backend) or "unpriced" (`subject` is a model).
    """

    kind: str
    subject: str
    calls: int
    of: int


@dataclass(frozen=True, slots=True)
class Run:
    """What a person had on the playground."""

    id: int
    project_id: int
    actor: str
    at: datetime
    is_draft: bool
    state: dict[str, Any]
