"""What is known of one call when it ends: the values of its row, its texts, its bodies and its tags.

One frozen value, made by whoever answered the call and handed to the recorder, which alone writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

OK, UPSTREAM_ERROR, REFUSED, CANCELLED = "ok", "upstream_error", "refused", "cancelled"
STATUSES = (OK, UPSTREAM_ERROR, REFUSED, CANCELLED)
CACHE_HIT = "hit"
JUDGE, JUDGE_MODERATION, JUDGE_EMBEDDINGS = "judge", "judge: moderation", "judge: embeddings"
JUDGES = (JUDGE, JUDGE_MODERATION, JUDGE_EMBEDDINGS)
"""Routes by which a policy or a scorer asks a model what it thinks of a text: calls that nobody made."""
JUDGED_TAG = "judges"
"""The tag by which a judge's call names the call that it judges."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """Which arm of which live test a call was given, under which version of its settings; `arm` None: it had no unit.

    `slice` is the call's value of the tag that the test is also looked at by.
    """

    trial_id: int
    version: int
    arm: int | None
    unit: str = ""
    slice: str = ""
    is_fallback: bool = False


@dataclass(slots=True, kw_only=True)  # not frozen: fifty guarded assignments a call are a tenth of what one costs
class CallRecord:
    """One call, whatever its end. The first part has the names of the columns of `tables.Call`.

    `asked_text` and `answered_text` are everything said, for search; `asked_preview` is the line a list shows
    (the last user message; the beginning of `asked_text` when left empty). `request` and `response` are the
    bodies as they travelled, not compressed. `detail` explains the call: each try with its times, the price entry.
    `findings` are rows of `call_finding` by column: what the policies in force found, `exposure` the arm of a
    live test.
    """

    id: int
    project_id: int
    at: datetime
    status: str
    http_status: int
    route: str
    actor: str
    error_kind: str = ""
    finish_reason: str = ""
    key_id: int | None = None
    person_id: int | None = None
    end_user: str = ""
    session: str = ""
    model_asked: str = ""
    model_served: str = ""
    backend: str = ""
    alias: str = ""
    alias_version: int | None = None
    is_stream: bool = False
    cache: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    is_estimated: bool = False
    cost_usd: Decimal | None = None
    price_source: str = ""
    first_token_ms: float | None = None
    total_ms: float = 0.0
    own_ms: float = 0.0
    upstream_ms: float = 0.0
    waiting_ms: float = 0.0
    retries: int = 0
    fallbacks: int = 0
    request_id: str = ""
    response_id: str = ""
    prompt_id: int | None = None
    prompt_version: int | None = None

    asked_text: str = ""
    answered_text: str = ""
    asked_preview: str = ""
    error_text: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    request: bytes = b""
    response: bytes = b""
    tags: tuple[tuple[str, str], ...] = ()
    findings: tuple[Mapping[str, Any], ...] = ()
    exposure: Exposure | None = None
