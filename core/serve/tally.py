"""What a call consumed and cost, and the row that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import orjson
from anyio import to_thread

from core import clock
from core.calls import tokens as counting
from core.calls.record import CallRecord, Exposure
from core.catalog import prices
from core.catalog.rules import Snapshot
from core.serve import rules
from core.serve.asked import Asked, Progress
from core.wire import openai
from core.wire.openai import Tokens

SESSION_NAMES = ("session_id", "session")
MAX_TAGS = 16
MAX_TAG_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Sums:
    """Tokens and dollars of one call; `cost_usd` None is "unpriced", `entry` the price that was applied."""

    tokens: Tokens
    is_estimated: bool = False
    cost_usd: Decimal | None = None
    price_source: str = ""
    entry: Mapping[str, Any] | None = None
    doubted: Any = None


NOTHING = Sums(Tokens(0, 0), cost_usd=Decimal(0), price_source="free: nothing was answered")


def of_known(tokens: Tokens) -> Sums:
    """An answer from the cache: what it consumed the first time, at no cost now."""
    return Sums(tokens, cost_usd=Decimal(0), price_source="free: from the cache")


async def of_answer(snapshot: Snapshot, progress: Progress, value: dict[str, Any], size: int) -> Sums:
    """The upstream's usage where it can be true, else our own count (marked estimated), and its price at call time."""
    given = openai.tokens_of(value.get("usage"))
    doubted = None
    if given is not None and not _is_plausible(given, progress.asked, value, size):
        given, doubted = None, value.get("usage")
    estimated = given is None
    if given is None:
        given = await _counted(progress.model_served or progress.asked.body.get("model", ""), progress.asked, value)
    backend = snapshot.backends.get(progress.backend)
    if backend is None:
        return Sums(given, estimated, None, "unpriced", None, doubted)
    tier = value.get("service_tier")
    priced = prices.price(
        snapshot,
        backend=backend,
        model=progress.model_served,
        tokens_in=given.input,
        tokens_out=given.output,
        tokens_cached=given.cached,
        tokens_reasoning=given.reasoning,
        at=progress.at,
        service_tier=tier if isinstance(tier, str) else None,
    )
    return Sums(given, estimated, priced.cost_usd, priced.source, priced.entry, doubted)


def _is_plausible(given: Tokens, asked: Asked, value: dict[str, Any], size: int) -> bool:
    text = openai.answer_text(value)
    return rules.is_plausible(given, asked_bytes=len(asked.raw), text_bytes=len(text), answered_bytes=size)


async def _counted(model: str, asked: Asked, value: dict[str, Any]) -> Tokens:
    """Our own count, made in a thread: tiktoken holds no lock, and a long text must not keep others waiting."""

    def count() -> Tokens:
        messages = asked.body.get("messages")
        if isinstance(messages, list):
            given, _ = counting.count_messages(model, [m for m in messages if isinstance(m, dict)])
        else:
            given = counting.count_text(model, openai.asked_text(asked.body))[0] + tokens_given(asked.body)
        answered = openai.answer_text(value)
        made = counting.count_text(model, answered)[0] if answered else 0
        return Tokens(given, made)

    return await to_thread.run_sync(count)


def tokens_given(body: Mapping[str, Any]) -> int:
    """Tokens of an embeddings input that its caller made into tokens already: a list of numbers, or lists of them."""
    given = body.get("input")
    if not isinstance(given, list):
        return 0
    lists = [one for one in given if isinstance(one, list)]
    return sum(isinstance(one, int) for some in (given, *lists) for one in some)


def record(
    progress: Progress,
    *,
    sums: Sums,
    value: dict[str, Any],
    response: bytes,
    http_status: int,
    status: str = "ok",
    cache: str = "",
    error: dict[str, Any] | None = None,
    error_kind: str = "",
    ended_ms: float | None = None,
) -> CallRecord:
    """The row of a call that ended now (or at `ended_ms`, monotonic)."""
    asked = progress.asked
    body = asked.body
    total_ms = (clock.ticks_ms() if ended_ms is None else ended_ms) - progress.began_ms
    if error is not None and status == "ok":
        status = "upstream_error"
    tags = tags_of(asked)
    response_id = value.get("id")
    tokens = sums.tokens
    return CallRecord(
        id=progress.call_id,
        project_id=asked.project_id,
        at=progress.at,
        status=status,
        http_status=http_status,
        error_kind=error_kind if error is not None else "",
        finish_reason=openai.finish_of(value)[:64],
        route=asked.route,
        actor=asked.actor,
        key_id=asked.key_id,
        person_id=asked.person_id,
        end_user=end_user_of(body)[:200],
        session=session_of(tags)[:200],
        model_asked=(progress.named or (asked.prompt.asked if asked.prompt else str(body.get("model") or "")))[:200],
        model_served=progress.model_served,
        backend=progress.backend,
        alias=progress.alias,
        alias_version=progress.alias_version,
        is_stream=bool(body.get("stream")),
        cache=cache,
        tokens_in=tokens.input,
        tokens_out=tokens.output,
        tokens_cached=tokens.cached,
        tokens_reasoning=tokens.reasoning,
        is_estimated=sums.is_estimated,
        cost_usd=sums.cost_usd,
        price_source=sums.price_source,
        first_token_ms=progress.first_token_ms,
        total_ms=total_ms,
        own_ms=max(0.0, total_ms - progress.upstream_ms - progress.waiting_ms),
        upstream_ms=progress.upstream_ms,
        waiting_ms=progress.waiting_ms,
        retries=progress.retries,
        fallbacks=progress.fallbacks,
        request_id=asked.request_id,
        response_id=response_id[:200] if isinstance(response_id, str) else "",
        prompt_id=asked.prompt.id if asked.prompt else None,
        prompt_version=asked.prompt.number if asked.prompt else None,
        asked_text=openai.asked_text(body),
        asked_preview=openai.last_question(body),
        answered_text=openai.answer_text(value),
        error_text=str(error.get("message", "")) if error is not None else "",
        detail=_detail(progress, sums),
        request=asked.raw or orjson.dumps(body),
        response=response,
        tags=tags,
        findings=() if progress.guarding is None else progress.guarding.rows(progress.call_id, asked.project_id),
        exposure=_exposure(progress),
    )


def _exposure(progress: Progress) -> Exposure | None:
    """The arm of a live test, and whether another model answered than the arm's first."""
    exposure = progress.exposure
    if exposure is None or not (progress.fallbacks or progress.is_last_resort):
        return exposure
    return replace(exposure, is_fallback=True)


def _detail(progress: Progress, sums: Sums) -> dict[str, Any]:
    detail: dict[str, Any] = {"tries": [attempt.shown() for attempt in progress.tries]}
    if sums.entry is not None:
        detail["price"] = sums.entry
    if sums.doubted is not None:
        detail["usage_doubted"] = sums.doubted
    if progress.guarding is not None:
        detail["guard"] = progress.guarding.shown()
    return detail


def tags_of(asked: Asked) -> tuple[tuple[str, str], ...]:
    """The call's tags: its `metadata`, then what its caller's headers say."""
    metadata = asked.body.get("metadata")
    given = list(metadata.items())[:MAX_TAGS] if isinstance(metadata, dict) else ()
    pairs = [(str(name)[:64], openai.words(value)[:MAX_TAG_LENGTH]) for name, value in given]
    return (*pairs, *asked.tags)


def session_of(tags: Iterable[tuple[str, str]]) -> str:
    """The conversation a call belongs to; "" when it says none."""
    return next((value for name, value in tags if name in SESSION_NAMES), "")


def end_user_of(body: Mapping[str, Any]) -> str:
    """Whom the application serves; "" when it does not say."""
    found = body.get("safety_identifier") or body.get("user") or ""
    return found if isinstance(found, str) else ""
