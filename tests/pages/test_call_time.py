"""Where a call's time went: the stretches cover it, in order, whatever was kept of the tries."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from core.calls.views import CallView
from pages.parts import call_time

OPTIONAL = {"alias_version", "key_id", "person_id", "cost_usd", "first_token_ms"}


def call(**values: Any) -> CallView:
    blank = {field.name: None if field.name in OPTIONAL else 0 for field in fields(CallView)}
    words = {"cache": "", "at": datetime(2026, 11, 2, tzinfo=UTC), "tags": (), "detail": {}, "feedback": ()}
    return CallView(**{**blank, **words, **values})


def a_try(began_ms: float, ended_ms: float, **more: Any) -> dict[str, Any]:
    return {"backend": "b", "model": "m", "began_ms": began_ms, "ended_ms": ended_ms, "waited_ms": 0, **more}


def test_a_retry_shows_the_failure_the_wait_and_the_answer() -> None:
    tries = [a_try(2, 102, error="reset"), a_try(300, 800, waited_ms=198, status=200)]
    parts = call_time.stretches(call(total_ms=801, first_token_ms=500.0, detail={"tries": tries}))
    assert [part.name for part in parts] == [
        "before asking",
        "try 1",
        "waiting before try 2",
        "try 2, to the first token",
        "the rest of the answer",
        "after the answer",
    ]
    assert [part.is_trouble for part in parts] == [False, True, False, False, False, False]
    assert sum(part.length_ms for part in parts) == pytest.approx(801)


def test_a_call_from_the_cache_is_one_stretch() -> None:
    assert [part.name for part in call_time.stretches(call(total_ms=1.2, cache="hit"))] == ["from the cache"]


@pytest.mark.parametrize("tries", [None, [], ["x"], [{}], [{"began_ms": "x", "ended_ms": -5}], [a_try(9, 1)]])
def test_whatever_was_kept_it_is_drawn(tries: Any) -> None:
    for part in call_time.stretches(call(total_ms=10.0, upstream_ms=8.0, detail={"tries": tries})):
        assert part.length_ms > 0
