"""The upstream double is what it says: the official client can talk to it, and it misbehaves only when asked to."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import orjson
import pytest

from core.wire.sse import Decoder
from tests.support.upstream import Double
from tests.wire.conftest import LIMIT, Asking

pytestmark = pytest.mark.anyio
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


async def events(asking: Asking, text: str, **how: Any) -> list[bytes]:
    decoder = Decoder()
    reply = await asking.send(text, stream=True, **how)
    found = [event async for piece in reply.chunks() for event in decoder.feed(piece)]
    return [event.data for event in found + decoder.end() if event.data]


def text_of(data: list[bytes]) -> str:
    deltas = [orjson.loads(one)["choices"][0]["delta"] for one in data if one != b"[DONE]"]
    return "".join(delta.get("content") or "" for delta in deltas)


async def test_the_official_client_is_understood(double: Double) -> None:
    asked: Any = [{"role": "user", "content": "hi there"}]
    async with openai.AsyncOpenAI(base_url=double.url, api_key="k", max_retries=0) as client:
        whole = await client.chat.completions.create(model="m", messages=asked)
        assert whole.choices[0].message.content == "echo: hi there"
        assert whole.usage is not None
        assert whole.usage.prompt_tokens == 2
        stream = await client.chat.completions.create(
            model="m", messages=asked, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "echo: hi there"
        assert chunks[-1].usage is not None
        tooled: Any = await client.chat.completions.create(model="m", messages=asked, tools=[TOOL])  # type: ignore[call-overload]
        assert tooled.choices[0].message.tool_calls[0].function.name == "look_up"
        vectors = await client.embeddings.create(model="e", input=["a", "b"])
        assert [len(item.embedding) for item in vectors.data] == [8, 8]
        assert (await client.models.list()).data[0].id == "double-small"
        assert (await client.moderations.create(input="violence")).results[0].flagged
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(model="m", messages=asked, extra_body={"x_double": {"status": 429}})


@pytest.mark.parametrize(
    "kind", ["echo", "crlf", "cr", "no_space", "pings", "one_byte", "split_utf8", "unknown_fields", "no_blank_end"]
)
async def test_a_stream_of_any_habit_says_the_same(asking: Asking, kind: str) -> None:
    data = await events(asking, "naïve 😀 mark", kind=kind)
    assert text_of(data) == "echo: naïve 😀 mark"
    assert data[-1] == b"[DONE]"


async def test_a_stream_may_end_without_done_and_may_report_an_error(asking: Asking) -> None:
    assert (await events(asking, "a b c", kind="no_done"))[-1] != b"[DONE]"
    broken = await events(asking, "a b c", kind="error", message="overloaded")
    assert orjson.loads(broken[-1])["error"]["message"] == "overloaded"
    early = await events(asking, "a b c d", kind="stop_early", at=3)
    assert text_of(early) == "echo: a"


async def test_a_refusal_carries_every_form_of_when_to_come_back(asking: Asking) -> None:
    reply = await asking.send(
        status=429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT", retry_after_ms="1500", reset_requests="6m0s"
    )
    assert reply.headers["retry-after"] == "Wed, 21 Oct 2026 07:28:00 GMT"
    assert reply.headers["retry-after-ms"] == "1500"
    assert reply.headers["x-ratelimit-reset-requests"] == "6m0s"
    await reply.read(LIMIT)


async def test_a_question_fails_as_often_as_asked_and_then_succeeds(asking: Asking) -> None:
    statuses = []
    for _ in range(4):
        reply = await asking.send("again", fail_first=2, status=500)
        statuses.append(reply.status)
        await reply.read(LIMIT)
    assert statuses == [500, 500, 200, 200]


async def test_words_and_model_names_say_it_too(asking: Asking) -> None:
    assert (await (await asking.send("please double(status=418 code=teapot)")).read(LIMIT)).count(b"teapot") == 1
    reply = await asking.client.send(
        "POST", f"{asking.double.url}/chat/completions", content=b'{"model":"double:html","messages":[]}'
    )
    assert reply.headers["content-type"].startswith("text/html")
    assert (await reply.read(LIMIT)).startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    ("kind", "holds"),
    [("null_content", b'"content":null'), ("lying_usage", b"-5"), ("malformed_json", b'"='), ("empty", b"")],
)
async def test_answers_that_lie_are_sent_as_asked(asking: Asking, kind: str, holds: bytes) -> None:
    answer = await asking.read(kind=kind)
    assert holds in answer
    assert (kind == "empty") == (answer == b"")


async def test_what_it_has_seen_can_be_asked_for(asking: Asking) -> None:
    await asking.read("one")
    task = asyncio.create_task(asking.read("two", kind="hang"))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.05)
    reply = await asking.client.send("GET", f"{asking.double.origin}/_double/stats")
    stats = orjson.loads(await reply.read(LIMIT))
    assert stats["requests"] == 2
    assert stats["marks"] == {"one": 1, "two": 1}
    assert [left["mark"] for left in stats["cancelled"]] == ["two"]
