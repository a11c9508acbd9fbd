"""Pure decisions of the pipeline: whether to try again, when, and what to believe."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from core.errors import BackendUnavailable, Upstream, UpstreamBroken, UpstreamTimeout
from core.wire.openai import Tokens

MAX_RETRIES = 2
MAX_STALE = 3
RETRIED_STATUS = frozenset({408, 409, 429})
NEVER_ELSEWHERE = frozenset({400, 413, 422})
FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 8.0
PATIENCE_S = 30.0
LARGEST_WINDOW = 10_000_000
"""Tokens: the largest context window any model offers."""
QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "quota_exceeded", "billing_not_active"})


def is_quota(code: str, kind: str) -> bool:
    """Whether a 429 means "pay first" rather than "slow down": asking again cannot help."""
    return code in QUOTA_CODES or kind in QUOTA_CODES


def may_retry(error: Upstream, *, retries: int) -> bool:
    """Whether the same backend may be asked again for the same thing.

    Yes for 408, 409, 429 (not quota), 5xx and connections that failed or broke; at most twice; never for what the
    caller or our configuration got wrong (400, 401, 403, 404), nor after the time the caller gave was used up.
    """
    if retries >= MAX_RETRIES:
        return False
    if error.upstream_status is not None:
        retried = error.upstream_status in RETRIED_STATUS or error.upstream_status >= 500
        return retried and error.code != "insufficient_quota"
    if isinstance(error, BackendUnavailable):
        return error.code in ("connect_failed", "connect_timeout")
    if isinstance(error, UpstreamBroken):
        return error.code == "reset"
    return False


def may_fall_back(error: Upstream) -> bool:
    """Whether the next model of the alias may be asked: not for a request that is wrong anywhere."""
    return error.upstream_status not in NEVER_ELSEWHERE


def counts_against(error: Upstream) -> bool:
    """Whether a failure says the backend is unwell (and not the request, the key or the quota)."""
    if error.upstream_status is not None:
        return error.upstream_status >= 500
    return isinstance(error, UpstreamTimeout | UpstreamBroken | BackendUnavailable) and error.code not in (
        "breaker_open",
        "backend_key_missing",
        "stale",
    )


def delay_s(retries: int, *, retry_after_s: float | None, chance: float) -> float | None:
    """Seconds until the next try, None when the backend's own wish is longer than a caller should wait.

    Exponential backoff with full jitter, `chance` uniform in [0, 1). Source: M. Brooker, "Exponential Backoff And
    Jitter", AWS Architecture Blog, 2015. A stated `Retry-After` is honoured and never shortened.
    """
    jittered = chance * min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0**retries)
    if retry_after_s is None:
        return jittered
    return None if retry_after_s > PATIENCE_S else max(retry_after_s, 0.0) + jittered * 0.1


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """How long the backend asks to wait, in seconds, in any form servers use.

    `retry-after-ms` (Azure, OpenAI), `retry-after` as seconds or as an HTTP date (RFC 9110 §10.2.3), else
    `x-ratelimit-reset-*` as a duration ("1m30.5s", "12ms") or seconds where the matching remaining count is 0.
    """
    if (ms := _number(headers.get("retry-after-ms"))) is not None:
        return ms / 1000
    stated = headers.get("retry-after")
    if stated is not None:
        if (seconds := _number(stated)) is not None:
            return seconds
        try:
            moment = parsedate_to_datetime(stated)
        except ValueError:
            moment = None
        if moment is not None:
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return max(0.0, (moment - now).total_seconds())
    spent = [kind for kind in ("requests", "tokens") if headers.get(f"x-ratelimit-remaining-{kind}", "").strip() == "0"]
    waits = [duration_s(headers.get(f"x-ratelimit-reset-{kind}", "")) for kind in spent]
    known = [wait for wait in waits if wait is not None]
    return max(known) if known else None


def duration_s(text: str) -> float | None:
    """`"20m52.666s"`, `"12ms"`, `"1h2m"`, `"7"` → seconds; None when it is none of these."""
    text = text.strip()
    if (plain := _number(text)) is not None:
        return plain
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "d": 86400.0, "us": 1e-6, "µs": 1e-6}
    total, number, unit = 0.0, "", ""
    for letter in text + "0":
        if letter.isdigit() or letter == ".":
            if unit:
                value = _number(number)
                if value is None or unit not in units:
                    return None
                total, number, unit = total + value * units[unit], "", ""
            number += letter
        else:
            unit += letter
    return total if text and number == "0" else None


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text.strip())
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None


def is_plausible(tokens: Tokens, *, asked_bytes: int, text_bytes: int, answered_bytes: int) -> bool:
    """Whether the upstream's usage can be true of what was asked and answered: words cost tokens, and a token is not
    weightless. What a question names without holding it (a picture's address, a file) fits into a context window.

    Guards the record against servers that report zero for a long answer, or millions for a short one.
    """
    if tokens.input == 0 or (text_bytes > 0 and tokens.output == 0):
        return False
    if tokens.input > 4 * asked_bytes + LARGEST_WINDOW:
        return False
    return tokens.output - tokens.reasoning <= 4 * answered_bytes + 512
