"""Records that look like real calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from core.calls.record import CallRecord

AT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
_ANSWER = "Returns are free within thirty days; keep the receipt and the box it came in."


def record(
    number: int, *, asked: str = "May I return the blue lamp?", answered: str = _ANSWER, **changes: Any
) -> CallRecord:
    """One answered chat completion; any value may be replaced."""
    request = {"model": "support", "messages": [{"role": "user", "content": asked}], "temperature": 0.2}
    response = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": answered}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 21, "completion_tokens": 17, "total_tokens": 38},
    }
    made = CallRecord(
        id=number,
        project_id=1,
        at=AT,
        status="ok",
        http_status=200,
        finish_reason="stop",
        route="/v1/chat/completions",
        actor="key:1",
        key_id=1,
        model_asked="support",
        model_served="gpt-4o-mini",
        backend="openai",
        alias="support",
        alias_version=3,
        tokens_in=21,
        tokens_out=17,
        cost_usd=Decimal("0.000013350"),
        price_source="genai-prices",
        first_token_ms=212.5,
        total_ms=845.25,
        own_ms=0.6,
        upstream_ms=844.0,
        request_id=f"req_{number}",
        response_id=f"chatcmpl-{number}",
        asked_text=asked,
        answered_text=answered,
        detail={"tries": [{"backend": "openai", "model": "gpt-4o-mini", "ms": 844.0, "status": 200}]},
        request=orjson.dumps(request),
        response=orjson.dumps(response),
        tags=(("team", "returns"),),
    )
    return replace(made, **changes)
