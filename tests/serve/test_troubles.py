"""Whatever a backend does, the caller hears a sentence in OpenAI's shape and the record says what happened."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest
from sqlalchemy import text

from core import clock
from core.builtin import engine
from core.catalog import actions as catalog
from core.catalog import discovery
from core.people.rules import CLI
from core.serve import tally
from core.wire import sse
from tests.catalog.servers import canned
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
    "kind",
    [
        *("crlf", "cr", "no_space", "pings", "one_byte", "split_utf8", "no_done", "unknown_fields"),
        *("no_blank_end", "stream_html", "wrong_type"),
    ],
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


async def test_a_stream_that_begins_with_an_error_is_asked_elsewhere(house: House) -> None:
    await house.alias("safe", ("double", "double:error_first"), ("double", "double:nothing"), ("double", "m"))
    response = await house.ask("mark-6", model="safe", stream=True)
    assert response.headers["greenroom-model"] == "double/m"
    assert "mark-6" in words(heard(response.content))
    (row,) = house.calls()
    assert (row.status, row.retries, row.fallbacks) == ("ok", 2, 2)
    alone = await house.ask("hello", model="double/double:nothing", stream=True)
    assert (alone.status_code, alone.json()["error"]["code"]) == (502, "cut")


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


@pytest.mark.parametrize("form", ["seconds", "milliseconds", "date"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_rate_limit_is_waited_for_as_asked(house: House, form: str, stream: bool) -> None:
    wish = {
        "seconds": {"retry_after": "1"},
        "milliseconds": {"retry_after_ms": "1000", "retry_after": "60"},
        "date": {"retry_after": format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)},
    }[form]
    began = time.monotonic()
    response = await house.ask("limit", stream=stream, x_double={"fail_first": 1, "status": 429, **wish})
    assert response.status_code == 200
    assert time.monotonic() - began >= 0.9
    (row,) = house.calls()
    assert row.waiting_ms >= 900
    assert row.own_ms < 500


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wish", [{"retry_after": "120"}, {"retry_after_ms": "119500"}, {"retry_after": "a date"}])
async def test_a_long_rate_limit_is_handed_on(house: House, wish: dict[str, str], stream: bool) -> None:
    if wish == {"retry_after": "a date"}:
        wish = {"retry_after": format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)}
    response = await house.ask("limit", stream=stream, x_double={"status": 429, **wish})
    assert response.status_code == 429
    assert 110 <= int(response.headers["retry-after"]) <= 120
    assert response.json()["error"]["type"] == "rate_limit_error"
    assert house.double.stats.requests == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_an_empty_purse_is_not_asked_again(house: House, stream: bool) -> None:
    empty = {"status": 429, "code": "insufficient_quota", "retry_after": "1"}
    response = await house.ask("x", stream=stream, x_double=empty)
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


async def test_a_cached_answer_stays_in_its_project(house: House) -> None:
    await house.alias("cached", ("double", "m"), cache_ttl_s=60)
    other = {"authorization": f"Bearer {await house.project('other')}"}
    for headers in ({}, other, other):
        last = await house.ask("what?", model="cached", headers=headers)
    assert last.headers["greenroom-cache"] == "hit"
    assert house.double.stats.requests == 2
    assert [(row.project_id, row.cache) for row in house.calls()] == [(1, ""), (2, ""), (2, "hit")]


async def test_what_the_rules_said_while_every_model_was_down_is_not_kept(house: House) -> None:
    await house.alias("kind", ("double", "m"), answers_by_rules=True, cache_ttl_s=60)
    down = await house.ask("hello", model="kind", x_double={"status": 503})
    assert down.headers["greenroom-model"] == "builtin/rules"
    assert "greenroom-cache" not in (await house.ask("hello", model="kind", x_double={"status": 503})).headers


async def test_an_alias_with_every_backend_off_says_so_where_no_rule_can_answer(house: House) -> None:
    await house.alias("off", ("double", "m"), answers_by_rules=True)

    def switch_off() -> None:
        with house.runtime.db.write() as session:
            catalog.set_backend_enabled(session, name="double", is_enabled=False, by=CLI, at=clock.now())
        house.runtime.refresh()

    await asyncio.to_thread(switch_off)
    assert (await house.ask("hello", model="off")).headers["greenroom-model"] == "builtin/rules"
    embedded = await house.client.post("/v1/embeddings", json={"model": "off", "input": "x"})
    assert (embedded.status_code, embedded.json()["error"]["code"]) == (503, "backend_unavailable")
    assert len(house.calls()) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_mistake_of_ours_is_a_sentence_and_a_row_too(
    house: House, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(engine, "complete", broken)
    monkeypatch.setattr(engine, "stream", broken)
    response = await house.ask("hello", model="builtin/tiny", stream=stream)
    assert response.status_code == 500
    assert "Greenroom made a mistake" in response.json()["error"]["message"]
    assert "a bug" not in response.text
    (row,) = house.calls()
    assert (row.error_kind, row.http_status) == ("internal_error", 500)


async def test_a_backend_given_up_on_may_have_cost_something(house: House) -> None:
    await house.backend("hasty", house.double.url, first_token_s=0.4)
    await house.ask("how many tokens is this?", model="hasty/m", x_double={"kind": "hang"})
    (row,) = house.calls()
    assert (row.status, row.is_estimated, row.price_source) == ("upstream_error", True, "unpriced")
    assert row.tokens_in > 5
    assert row.cost_usd is None


async def test_a_request_without_a_floor_is_refused(house: House) -> None:
    deep: object = "x"
    for _ in range(400):
        deep = [deep]
    response = await house.ask("hello", odd=deep)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/moderations"])
async def test_json_that_answers_nothing_is_no_answer(house: House, path: str) -> None:
    async with canned(b'{"status": "fine"}') as server:
        await house.backend("odd", server.base_url)
        response = await house.client.post(path, json={"model": "odd/m", "input": "x"})
    assert (response.status_code, response.json()["error"]["code"]) == (502, "not_an_answer")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"message": "slow down", "code": 429}, 429, "rate_limit_exceeded"),
        ({"message": "no credit", "code": "402"}, 402, "upstream_error"),
        ({"message": "bad key", "code": 401}, 502, "upstream_auth"),
        ({"message": "overloaded", "code": "busy"}, 502, "busy"),
    ],
)
async def test_an_error_with_status_200_has_the_status_it_names(
    house: House, error: dict[str, object], status: int, code: str
) -> None:
    house.runtime.serve.asking.chance = lambda: 0.0
    async with canned(orjson.dumps({"error": error})) as server:
        await house.backend("proxy", server.base_url)
        response = await house.ask("hello", model="proxy/m")
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


async def test_a_key_no_header_can_carry_is_not_the_callers_fault(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD_API_KEY", "sk-“quoted”")
    await house.backend("odd", house.double.url, key_env="ODD_API_KEY")
    response = await house.ask("hello", model="odd/m")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "bad_header")
    monkeypatch.setenv("LINE_API_KEY", "sk-line\n")
    await house.backend("line", house.double.url, key_env="LINE_API_KEY")
    assert (await house.ask("hello", model="line/m")).status_code == 200
    assert house.double.stats.seen[-1].headers["authorization"] == "Bearer sk-line"


async def test_half_an_emoji_and_no_number_pass_through(house: House) -> None:
    raw = b'{"choices": [{"message": {"content": "a\\ud83d"}, "logprobs": {"content": [{"logprob": -Infinity}]}}]}'
    async with canned(raw) as server:
        await house.backend("loose", server.base_url)
        response = await house.ask("hello", model="loose/m")
    assert response.content == raw
    (row,) = house.calls()
    assert row.status == "ok"
    assert house.payload(row).answered == "a\ufffd"


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
    (attempt,) = house.payload(row).detail["tries"]  # type: ignore[index]
    assert attempt["error"] == "the caller left"
    assert abs(attempt["ended_ms"] - row.total_ms) < 200
    assert row.own_ms < 200


async def test_a_caller_who_leaves_while_its_row_is_written_is_recorded_once(house: House) -> None:
    db, is_held, is_over = house.runtime.db, threading.Event(), threading.Event()

    def keep_the_store_busy() -> None:
        with db.write() as session:
            session.execute(text("SELECT 1" if db.is_sqlite else "LOCK TABLE call IN EXCLUSIVE MODE"))
            is_held.set()
            is_over.wait(20)

    busy = asyncio.get_running_loop().create_task(asyncio.to_thread(keep_the_store_busy))
    await asyncio.to_thread(is_held.wait, 20)
    asking = asyncio.get_running_loop().create_task(house.ask("hello"))
    while not house.double.stats.answered:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    asking.cancel()
    await asyncio.sleep(0.2)
    is_over.set()
    await busy
    (row,) = await house.settled(1)
    await house.runtime.serve.drain()
    assert row.status == "ok"
    for _ in range(100):  # it is counted a moment after it can be seen
        if house.runtime.recorder.written:
            break
        await asyncio.sleep(0.01)
    assert house.runtime.recorder.written == 1


@pytest.mark.parametrize("kind", ["echo", "stream_html"])
async def test_streams_leave_as_they_come(house: House, kind: str) -> None:
    moments = []
    async with house.client.stream(
        "POST",
        "/v1/chat/completions",
        json={
            "model": "double/m",
            "messages": [{"role": "user", "content": "slow"}],
            "stream": True,
            "x_double": {"tokens": 6, "gap_s": 0.1, "kind": kind},
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


def test_an_input_of_tokens_is_counted_as_such() -> None:
    assert tally.tokens_given({"input": [[1, 2, 3], [4, 5]]}) == 5
    assert tally.tokens_given({"input": [1, 2, 3]}) == 3
    assert tally.tokens_given({"input": ["1", "2"]}) == tally.tokens_given({"input": "1 2"}) == 0


async def test_a_question_nested_too_deeply_for_the_cache_is_told_so(house: House) -> None:
    await house.alias("cached", ("double", "m"), cache_ttl_s=60)
    deep: object = "x"
    for _ in range(300):
        deep = [deep]
    answer = await house.ask("hello", model="cached", extra=deep)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")
