"""What a run will cost, before it is run: the question's tokens at today's price, and the most the answer can add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.calls import tokens
from core.catalog import prices, rules
from core.errors import GreenroomError

MEDIA_PARTS = ("image_url", "input_audio")


@dataclass(frozen=True, slots=True)
class Estimate:
    """`tokens_in` of the question (`is_exact` where the model's own tokenizer counted), its cost, and with `max_tokens`
    the most the whole call can cost. None: not known. `price_source` is empty when the model cannot be found."""

    tokens_in: int
    is_exact: bool
    cost_in_usd: Decimal | None = None
    cost_most_usd: Decimal | None = None
    price_source: str = ""


def estimate(snapshot: rules.Snapshot, body: Mapping[str, Any], at: datetime) -> Estimate:
    """The estimate for one call with this request."""
    asked = str(body.get("model") or "")
    try:
        step = next(iter(rules.resolve(snapshot, asked).steps), None)
    except GreenroomError:
        step = None
    model = step.model if step else asked
    tokens_in, is_exact = tokens.count_messages(model, body["messages"])
    is_exact = is_exact and not _has_media(body["messages"])
    if step is None:
        return Estimate(tokens_in, is_exact)
    question = prices.price(snapshot, backend=step.backend, model=model, tokens_in=tokens_in, tokens_out=0, at=at)
    most = body.get("max_tokens")
    if not isinstance(most, int) or question.cost_usd is None:
        return Estimate(tokens_in, is_exact, question.cost_usd, None, question.source)
    whole = prices.price(snapshot, backend=step.backend, model=model, tokens_in=tokens_in, tokens_out=most, at=at)
    return Estimate(tokens_in, is_exact, question.cost_usd, whole.cost_usd, question.source)


def _has_media(messages: list[dict[str, Any]]) -> bool:
    return any(
        isinstance(part, dict) and part.get("type") in MEDIA_PARTS
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
    )
