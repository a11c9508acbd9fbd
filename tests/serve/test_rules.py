"""The pure decisions of the pipeline."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.errors import BackendUnavailable, UpstreamBroken, UpstreamRejected, UpstreamTimeout
from core.serve import breaker, rules
from core.serve.breaker import CLOSED, State
from core.wire.openai import Tokens

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_twice_more(status: int) -> None:
    error = UpstreamRejected("no", upstream_status=status)
    assert [rules.may_retry(error, retries=n) for n in range(4)] == [True, True, False, False]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_is_wrong_stays_wrong(status: int) -> None:
    assert not rules.may_retry(UpstreamRejected("no", upstream_status=status), retries=0)


def test_an_empty_purse_is_not_asked_again() -> None:
    error = UpstreamRejected("no", code="insufficient_quota", upstream_status=429)
    assert not rules.may_retry(error, retries=0)
    assert rules.may_fall_back(error)
    assert not rules.counts_against(error)


def test_a_slow_answer_is_not_asked_again_but_a_lost_connection_is() -> None:
    assert not rules.may_retry(UpstreamTimeout("slow", code="first_token_timeout"), retries=0)
    assert rules.may_retry(BackendUnavailable("no", code="connect_failed"), retries=0)
    assert rules.may_retry(UpstreamBroken("no", code="reset"), retries=0)
    assert not rules.may_retry(UpstreamBroken("no", code="not_json"), retries=0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Mon, 02 Nov 2026 09:30:10 GMT"}, 10.0),
        ({"retry-after": "Mon, 02 Nov 2026 09:29:10 GMT"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30.5s"}, 90.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "12ms"}, 0.012),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "12ms"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_every_form_of_retry_after_is_understood(headers: dict[str, str], seconds: float | None) -> None:
    assert rules.retry_after(headers, now=NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20m52.666s", 1252.666), ("12ms", 0.012), ("1h2m", 3720.0), ("7", 7.0), ("", None), ("x", None), ("5y", None)],
)
def test_durations_are_read(text: str, seconds: float | None) -> None:
    assert rules.duration_s(text) == (None if seconds is None else pytest.approx(seconds))


def test_backoff_is_jittered_fully_and_a_stated_wish_is_never_shortened() -> None:
    assert rules.delay_s(0, retry_after_s=None, chance=0.0) == 0.0
    assert rules.delay_s(1, retry_after_s=None, chance=1.0) == 2 * rules.FIRST_DELAY_S
    assert rules.delay_s(9, retry_after_s=None, chance=1.0) == rules.LONGEST_DELAY_S
    wished = rules.delay_s(0, retry_after_s=2.0, chance=0.5)
    assert wished is not None
    assert wished >= 2.0
    assert rules.delay_s(0, retry_after_s=3600, chance=0.5) is None


def test_usage_that_cannot_be_true_is_not_believed() -> None:
    seen = {"asked_bytes": 300, "text_bytes": 80, "answered_bytes": 200}
    assert rules.is_plausible(Tokens(10, 20), **seen)
    assert rules.is_plausible(Tokens(900_000, 20), **seen)
    assert rules.is_plausible(Tokens(10, 5000, reasoning=4990), **seen)
    assert rules.is_plausible(Tokens(10, 0), **{**seen, "text_bytes": 0})
    for lie in (Tokens(10, 0), Tokens(0, 20), Tokens(10, 9_000_000), Tokens(10**9, 20)):
        assert not rules.is_plausible(lie, **seen)


def test_a_breaker_opens_after_five_failures_probes_once_and_closes_on_success() -> None:
    state = CLOSED
    for _ in range(5):
        state = breaker.failed(state, now_s=100.0)
    assert state.state is State.OPEN
    assert breaker.asked(state, now_s=101.0)[0] is False
    allowed, probing = breaker.asked(state, now_s=106.0)
    assert (allowed, probing.state) == (True, State.HALF_OPEN)
    assert breaker.asked(probing, now_s=106.0)[0] is False
    again = breaker.failed(probing, now_s=106.5)
    assert (again.state, again.pause_s) == (State.OPEN, 10.0)


def test_a_backend_that_answers_again_starts_clean() -> None:
    breakers = breaker.Breakers()
    for _ in range(5):
        breakers.failed("slow", now_s=0.0)
    assert not breakers.may_ask("slow", now_s=1.0)
    assert breakers.may_ask("slow", now_s=6.0)
    breakers.succeeded("slow")
    assert breakers.states() == {}
