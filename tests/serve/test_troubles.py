"""Whatever a backend does, the caller hears a sentence in OpenAI's shape and the record says what happened."""

from __future__ import annotations

import asyncio
import time

import orjson
import pytest

from core.catalog import discovery
from core.wire import sse
from tests.support.house import House, free_port

pytestmark = pytest.mark.anyio


def heard(raw: bytes) -> list[bytes]:
    """The data of every event, by our own decoder."""
    decoder = sse.Decoder()
    return [event.data for event in (*decoder.feed(raw), *decoder.end()) if event.data]


def words(data: list[bytes]) -> str:
    chunks = [orjson.loads(piece) for piece in data if piece != b"[DONE]"]
    return "".join(
        choice.get("delta", {}).get("content") or "" for chunk in chunks for choice in chunk.get("choices", ())
    )


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("html", 502, "not_json"),
        ("truncated_json", 502, "not_json"),
        ("malformed_json", 502, "not_json"),
        ("empty", 502, "empty"),
        ("gzip_garbage", 502, "bad_gzip"),
        ("cut", 502, "reset"),
        ("reset", 502, "reset"),
        ("reset_mid", 502, "reset"),
        ("bad_http", 502, "protocol"),
    ],
)
async def test_a_broken_answer_is_a_sentence_and_a_row(house: House, kind: str, status: int, code: str) -> None:
    response = await house.ask("hello", x_double={"kind": kind})
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == code
    assert "backend" in error["message"]
    (row,) = house.calls()
    assert (row.status, row.error_kind, row.http_status) == ("upstream_error", code, status)
    assert row.cost_usd == 0


@pytest.mark.parametrize("kind", ["wrong_type", "gzip", "chunked", "until_close", "unknown_fields", "interim"])
async def test_what_can_be_understood_is(house: House, kind: str) -> None:
    response = await house.ask("mark-77", x_double={"kind": kind})
    assert response.status_code == 200
    assert "mark-77" in response.json()["choices"][0]["message"]["content"]


async def test_null_content_is_an_answer(house: House) -> None:
    response = await house.ask("hello", x_double={"kind": "null_content"})
    assert response.json()["choices"][0]["message"]["content"] is None
    assert house.calls()[0].status == "ok"


@pytest.mark.parametrize("kind", ["no_usage", "lying_usage"])
async def test_usage_that_is_missing_or_impossible_is_counted_here_and_marked(house: House, kind: str) -> None:
    await house.ask("how many tokens is this?", x_double={"kind": kind})
    (row,) = house.calls()
    assert row.is_estimated
    assert 5 < row.tokens_in < 60
    assert 0 < row.tokens_out < 200


async def test_twenty_megabytes_come_through(house: House) -> None:
    response = await house.ask("big", x_double={"kind": "big", "size": 20_000_000})
    assert len(response.content) > 20_000_000


@pytest.mark.parametrize(
    "kind", ["crlf", "cr", "no_space", "pings", "one_byte", "split_utf8", "no_done", "unknown_fields"]
)
async def test_a_stream_in_any_dialect_arrives_in_ours(house: House, kind: str) -> None:
    response = await house.ask("mark-é-☂-81", stream=True, x_double={"kind": kind, "tokens": 5})
    data = heard(response.content)
    assert data[-1] == b"[DONE]"
    assert "mark-é-☂-81" in words(data)
    (row,) = house.calls()
    assert (row.status, row.finish_reason) == ("ok", "stop")


@pytest.mark.parametrize(
    ("kind", "code"), [("break", "reset"), ("reset", "reset"), ("stop_early", "cut"), ("error", None)]
)
async def test_a_cut_stream_is_visible_to_the_caller(house: House, kind: str, code: str | None) -> None:
    response = await house.ask(
        "one two three four five six", stream=True, x_double={"kind": kind, "at": 2, "tokens": 8}
    )
    data = heard(response.content)
    error = orjson.loads(data[-1])["error"]
    assert error["message"]
    if code:
        assert error["code"] == code
    assert words(data[:-1])
    (row,) = house.calls()
    assert row.status == "upstream_error"
    assert row.tokens_out > 0
    assert row.is_estimated


async def test_a_stalled_stream_ends_with_an_error_and_not_never(house: House) -> None:
    await house.backend("hasty", house.double.url, between_tokens_s=0.3, first_token_s=0.5)
    response = await house.ask("a b c", model="hasty/m", stream=True, x_double={"kind": "stall", "at": 2})
    assert orjson.loads(heard(response.content)[-1])["error"]["code"] == "stalled"


async def test_a_backend_that_never_starts_is_given_up(house: House) -> None:
    await house.backend("hasty", house.double.url, between_tokens_s=0.3, first_token_s=0.4)
    for stream in (False, True):
        response = await house.ask("a b c", model="hasty/m", stream=stream, x_double={"kind": "hang"})
        assert (response.status_code, response.json()["error"]["code"]) == (504, "first_token_timeout")


async def test_a_failure_that_passes_is_tried_again_and_recorded_so(house: House) -> None:
    response = await house.ask("flaky-1", x_double={"fail_first": 2, "status": 503})
    assert response.status_code == 200
    (row,) = house.calls()
    assert (row.retries, row.status) == (2, "ok")
    assert house.double.stats.requests == 3


async def test_three_failures_are_the_end(house: House) -> None:
    response = await house.ask("flaky-2", x_double={"status": 503})
    assert response.status_code == 503
    assert house.double.stats.requests == 3


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_what_the_caller_got_wrong_is_told_once(house: House, status: int) -> None:
    response = await house.ask("x", x_double={"status": status, "message": "bad temperature", "code": "bad_value"})
    assert response.status_code == status
    assert "bad temperature" in response.json()["error"]["message"]
    assert house.double.stats.requests == 1


async def test_our_key_being_refused_is_not_the_callers_fault(house: House) -> None:
    response = await house.ask("x", x_double={"status": 401, "message": "Incorrect key sk-upstream"})
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_auth")
    assert "sk-upstream" not in response.text
    assert house.double.stats.requests == 1


async def test_a_rate_limit_is_waited_for_as_asked(house: House) -> None:
    began = time.monotonic()
    response = await house.ask("limit", x_double={"fail_first": 1, "status": 429, "retry_after": "1"})
    assert response.status_code == 200
    assert time.monotonic() - began >= 1.0
    (row,) = house.calls()
    assert row.waiting_ms >= 1000


async def test_a_long_rate_limit_is_handed_on(house: House) -> None:
    response = await house.ask("limit", x_double={"status": 429, "retry_after": "120"})
    assert (response.status_code, response.headers["retry-after"]) == (429, "120")
    assert response.json()["error"]["type"] == "rate_limit_error"
    assert house.double.stats.requests == 1


async def test_an_empty_purse_is_not_asked_again(house: House) -> None:
    response = await house.ask("x", x_double={"status": 429, "code": "insufficient_quota"})
    assert (response.status_code, response.json()["error"]["code"]) == (429, "insufficient_quota")
    assert house.double.stats.requests == 1


async def test_an_alias_falls_back_in_order_and_says_so(house: House) -> None:
    await house.backend("down", f"http://127.0.0.1:{free_port()}/v1")
    await house.alias("safe", ("down", "m"), ("double", "m2"))
    response = await house.ask("mark-5", model="safe")
    assert response.status_code == 200
    assert response.headers["greenroom-model"] == "double/m2"
    (row,) = house.calls()
    assert (row.alias, row.alias_version, row.fallbacks, row.model_served) == ("safe", 1, 1, "m2")
    tries = house.payload(row).detail["tries"]  # type: ignore[index]
    assert [attempt["backend"] for attempt in tries] == ["down", "down", "down", "double"]


async def test_a_wrong_request_falls_back_nowhere(house: House) -> None:
    await house.alias("safe", ("double", "m"), ("double", "m2"))
    response = await house.ask("x", model="safe", x_double={"status": 400})
    assert response.status_code == 400
    assert house.double.stats.requests == 1


async def test_at_last_the_rules_answer_where_the_alias_allows(house: House) -> None:
    await house.backend("down", f"http://127.0.0.1:{free_port()}/v1")
    await house.alias("kind", ("down", "m"), answers_by_rules=True)
    response = await house.ask("hello", model="kind")
    assert response.status_code == 200
    assert response.headers["greenroom-model"] == "builtin/rules"
    (row,) = house.calls()
    assert (row.backend, row.cost_usd) == ("builtin", 0)


async def test_a_backend_that_keeps_failing_is_left_alone(house: House) -> None:
    for number in range(2):
        await house.ask(f"fail-{number}", x_double={"status": 500})
    seen = house.double.stats.requests
    response = await house.ask("are you there?")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "breaker_open")
    assert house.double.stats.requests == seen
    assert house.runtime.serve.breakers.states()["double"].state == "open"


async def test_the_same_question_costs_nothing_the_second_time_where_the_alias_caches(house: House) -> None:
    await house.alias("cached", ("double", "m"), cache_ttl_s=60)
    first = await house.ask("what?", model="cached", user="ann")
    second = await house.ask("what?", model="cached", user="bob")
    assert first.json()["choices"] == second.json()["choices"]
    assert second.headers["greenroom-cache"] == "hit"
    streamed = await house.ask("what?", model="cached", stream=True)
    assert words(heard(streamed.content)) == first.json()["choices"][0]["message"]["content"]
    assert house.double.stats.requests == 1
    rows = house.calls()
    assert [row.cache for row in rows] == ["", "hit", "hit"]
    assert [row.cost_usd for row in rows[1:]] == [0, 0]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_who_leaves_cancels_the_upstream_within_a_second(house: House, stream: bool) -> None:
    behaviour = {"tokens": 400, "gap_s": 0.05} if stream else {"latency_s": 20}
    asking = asyncio.get_running_loop().create_task(house.ask("mark-gone", stream=stream, x_double=behaviour))
    while not house.double.stats.requests:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    left = time.monotonic()
    asking.cancel()
    while not house.double.stats.cancelled:
        await asyncio.sleep(0.005)
        assert time.monotonic() - left < 1.0
    (row,) = await house.settled(1)
    assert (row.status, row.http_status) == ("cancelled", 499)
    if stream:
        assert row.tokens_out > 0


async def test_streams_leave_as_they_come(house: House) -> None:
    moments = []
    async with house.client.stream(
        "POST",
        "/v1/chat/completions",
        json={
            "model": "double/m",
            "messages": [{"role": "user", "content": "slow"}],
            "stream": True,
            "x_double": {"tokens": 6, "gap_s": 0.1},
        },
    ) as response:
        moments = [time.monotonic() async for piece in response.aiter_bytes() if piece]
    assert moments[-1] - moments[0] > 0.3


async def test_a_backend_whose_address_has_a_query_gets_it_on_every_route(house: House) -> None:
    await house.backend("azure", f"{house.double.origin}/openai/deployments/d?api-version=2024-10-21", key="az-secret")
    view = house.runtime.catalog.backends["azure"]
    assert await discovery.discover(house.runtime.client, view)
    for stream in (False, True):
        assert (await house.ask("hello", model="azure/m", stream=stream)).status_code == 200
    embedded = await house.client.post("/v1/embeddings", json={"model": "azure/e", "input": "x"})
    assert embedded.status_code == 200
    paths = [f"/openai/deployments/d/{path}?api-version=2024-10-21" for path in ("models", "embeddings")]
    assert set(paths) < set(house.double.stats.paths)
    assert house.double.stats.paths["/openai/deployments/d/chat/completions?api-version=2024-10-21"] == 2
    for request in house.double.stats.seen:
        assert request.headers["api-key"] == "az-secret"
        assert "authorization" not in request.headers
