"""An upstream that sends what nobody foresaw: every call still ends in a status, an answer and exactly one row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from core.calls.rows import unpack
from core.serve.heard import LONGEST_CODE
from tests.support import verbatim
from tests.support.house import House
from tests.support.verbatim import EVENTS, JSON, Verbatim

pytestmark = pytest.mark.anyio

DEEP = "[" * 600 + "]" * 600
DEEP_OBJECT = '{"a":' * 600 + "1" + "}" * 600
KEY = "sk-never-to-be-seen-0123456789"
END: Any = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


@pytest.fixture
async def upstream(house: House) -> AsyncIterator[Verbatim]:
    async with verbatim.running() as found:
        await house.backend("raw", found.url, key=KEY)
        await house.alias("cached", ("raw", "m"), cache_ttl_s=60)
        yield found


def whole(**changes: Any) -> bytes:
    message = {"role": "assistant", "content": "hi"}
    good = {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return orjson.dumps({**good, **changes})


def events(*chunks: Any) -> bytes:
    raw = [chunk if isinstance(chunk, bytes) else orjson.dumps(chunk) for chunk in chunks]
    return b"".join(b"data: " + piece + b"\n\n" for piece in [*raw, b"[DONE]"])


WHOLE = {
    "choices of text": whole(choices=["x"]),
    "choices of nothing": whole(choices=[None]),
    "choices a number": whole(choices=5),
    "a message of text": whole(choices=[{"message": "x"}]),
    "tool calls of anything": whole(
        choices=[{"message": {"tool_calls": ["x", 5, None, {"function": 5}, {"function": {"name": 5}}]}}]
    ),
    "tool calls a number": whole(choices=[{"message": {"tool_calls": 5}}]),
    "content of anything": whole(choices=[{"message": {"content": [5, None, {"type": 5}, ["x"]]}}]),
    "a finish reason of numbers": whole(choices=[{"message": {"content": "x"}, "finish_reason": 5}]),
    "huge counts": whole(usage={"prompt_tokens": 2**63, "completion_tokens": 2**64 - 1}),
    "usage of text": whole(usage="x"),
    "an id with a zero byte": whole(id="a\0b"),
    "an error of lists": orjson.dumps({"error": {"message": {"a": 1}, "code": {"b": 1}, "type": [1]}}),
    "deep arguments": b'{"choices":[{"message":{"tool_calls":[{"function":{"arguments":%s}}]}}]}' % DEEP.encode(),
    "deep content": f'{{"choices":[{{"message":{{"content":{DEEP}}}}}]}}'.encode(),
    "a deep field": f'{{"choices":[{{"message":{{"content":"hi"}}}}],"x":{DEEP}}}'.encode(),
    "a deep error": f'{{"error":{{"x":{DEEP}}}}}'.encode(),
    "half a surrogate pair": b'{"choices":[{"message":{"content":"\\ud800"}}]}',
    "letters that are none": b'{"choices":[{"message":{"content":"\xff\xfe"}}]}',
}
STREAMED = {
    "choices of text": events({"choices": ["x"]}, END),
    "a delta of text": events({"choices": [{"delta": "x"}]}, END),
    "tools of anything": events(
        {"choices": [{"delta": {"tool_calls": ["x", 5, {"index": 0, "function": {"name": 5, "arguments": 5}}]}}]}, END
    ),
    "tools far away": events({"choices": [{"delta": {"tool_calls": [{"index": 10**9, "id": "a"}]}}]}, END),
    "a refusal of numbers": events({"choices": [{"delta": {"refusal": 5}}]}, END),
    "a finish reason of objects": events({"choices": [{"delta": {"content": "x"}, "finish_reason": {"a": 1}}]}),
    "an error of lists": events({"error": {"message": ["x"], "code": {"a": 1}}}),
    "a zero byte": events({"id": "a\0", "choices": [{"delta": {"content": "a\0b"}}]}, END),
    "a deep head": events(f'{{"y":{DEEP},"choices":[{{"delta":{{"content":"x"}}}}]}}'.encode(), END),
    "deep usage": events({"choices": [{"delta": {"content": "x"}}]}, END, f'{{"usage":{DEEP_OBJECT}}}'.encode()),
    "a deep error": events(f'{{"error":{{"x":{DEEP}}}}}'.encode()),
    "nothing": b"",
    "only the end": events(),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", WHOLE)
async def test_an_answer_of_any_shape_is_answered_and_recorded_once(
    house: House, upstream: Verbatim, name: str, stream: bool
) -> None:
    upstream.body = WHOLE[name]
    for count, model in enumerate(("raw/m", "cached"), 1):
        response = await house.ask("hello", model=model, stream=stream)
        assert response.status_code in {200, 502}, response.text
        assert len(await house.settled(count)) == count
        house.runtime.serve.breakers.reset("raw")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", STREAMED)
async def test_a_stream_of_any_shape_ends_and_is_recorded_once(
    house: House, upstream: Verbatim, name: str, stream: bool
) -> None:
    upstream.body, upstream.content_type = STREAMED[name], EVENTS
    for count, model in enumerate(("raw/m", "cached"), 1):
        response = await house.ask("hello", model=model, stream=stream)
        assert response.status_code in {200, 502}, response.text
        assert len(await house.settled(count)) == count
        house.runtime.serve.breakers.reset("raw")


async def test_an_embedding_of_any_shape_is_recorded(house: House, upstream: Verbatim) -> None:
    upstream.body = orjson.dumps({"choices": 5, "data": [{"embedding": [0.1]}]})
    response = await house.client.post("/v1/embeddings", json={"model": "raw/m", "input": "x"})
    assert response.status_code == 200
    assert [row.status for row in house.calls()] == ["ok"]


async def test_an_event_over_several_lines_reaches_the_caller_as_one(house: House, upstream: Verbatim) -> None:
    upstream.content_type = EVENTS
    upstream.body = b'data: {"choices": [{"delta": {"content": "x"}}],\ndata:  "y": 1}\n\n' + events(END)
    response = await house.ask("hello", model="raw/m", stream=True)
    first = response.content.split(b"\n\n")[0]
    assert orjson.loads(first.removeprefix(b"data: "))["y"] == 1


async def test_a_stream_that_never_ends_is_cut(
    house: House, upstream: Verbatim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.serve.relaying.LARGEST_ANSWER", 100_000)
    upstream.content_type = EVENTS
    upstream.body = events(*[{"choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}] * 200, END)
    response = await house.ask("hello", model="raw/m", stream=True)
    assert b'"too_large"' in response.content
    assert [row.error_kind for row in house.calls()] == ["too_large"]


@pytest.mark.parametrize("status", ["600 Odd", "999 Odd"])
async def test_a_status_there_is_not_becomes_a_bad_gateway(house: House, upstream: Verbatim, status: str) -> None:
    upstream.status = status
    response = await house.ask("hello", model="raw/m")
    assert response.status_code == 502
    assert response.json()["error"]["message"]


async def test_a_status_below_all_is_broken_http(house: House, upstream: Verbatim) -> None:
    upstream.status = "000 Odd"
    response = await house.ask("hello", model="raw/m")
    assert (response.status_code, response.json()["error"]["code"]) == (502, "protocol")


async def test_what_a_backend_says_of_its_errors_is_cut(house: House, upstream: Verbatim) -> None:
    upstream.status = "400 Bad"
    upstream.body = orjson.dumps({"error": {"message": "m" * 500_000, "code": "c" * 500_000}})
    response = await house.ask("hello", model="raw/m")
    assert response.status_code == 400
    assert len(response.content) < 20_000
    assert house.calls()[0].error_kind == "c" * LONGEST_CODE


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("status", ["400 Bad", "401 No", "500 Oh", "200 OK"])
async def test_a_backend_that_repeats_its_key_tells_it_to_nobody(
    house: House, upstream: Verbatim, status: str, stream: bool
) -> None:
    upstream.status = status
    upstream.headers = f"x-ratelimit-key: {KEY}\r\n"
    for body, kind in (
        (orjson.dumps({"error": {"message": f"wrong: Bearer {KEY}", "code": KEY}}), JSON),
        (events({"choices": [{"delta": {"content": KEY}}]}, {"error": {"message": f"Bearer {KEY}"}}), EVENTS),
        (whole(choices=[{"message": {"content": f"it is {KEY}"}}]), JSON),
    ):
        upstream.body, upstream.content_type = body, kind
        response = await house.ask("hello", model="raw/m", stream=stream)
        assert KEY not in response.text
        assert KEY not in repr(response.headers)
        house.runtime.serve.breakers.reset("raw")
    for call in house.calls():
        kept = house.payload(call)
        assert KEY not in repr((call, kept.error, kept.detail, kept.answered))
        assert KEY.encode() not in unpack(kept.response)
