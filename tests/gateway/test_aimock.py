"""Behind the gateway stands a server nobody here wrote: what it does well and badly arrives, and is recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import orjson
import pytest
from openai import AsyncOpenAI

from core.calls.tables import Call
from tests.support import aimock, upstream
from tests.support.aimock import Aimock
from tests.support.house import House, standing

pytestmark = [pytest.mark.anyio, pytest.mark.node]
STORY = "Once upon a time there was a tortoise who answered every letter. She read it twice, thought, and wrote back."
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Aimock]:
    with aimock.running(tmp_path / "aimock.log") as running:
        yield running


@pytest.fixture
async def house(sqlite_url: str, tmp_path: Path, server: Aimock) -> AsyncIterator[House]:
    async with upstream.running() as double, standing(tmp_path / "data", sqlite_url, double) as built:
        await built.backend("aimock", server.url)
        yield built


def client_of(house: House) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key, max_retries=0)


def said(text: str) -> list[dict[str, Any]]:
    """A prompt as messages."""
    return [{"role": "user", "content": text}]


def events(raw: str) -> list[Any]:
    """The events of a stream; `[DONE]` stays text."""
    datas = [line.removeprefix("data: ") for line in raw.split("\n") if line.startswith("data: ")]
    return [data if data == "[DONE]" else orjson.loads(data) for data in datas]


def content(chunks: list[Any]) -> str:
    pieces = [
        chunk["choices"][0]["delta"].get("content") or ""
        for chunk in chunks
        if chunk != "[DONE]" and chunk.get("choices")
    ]
    return "".join(pieces)


def only(house: House) -> Call:
    (row,) = house.calls()
    return row


async def test_a_stream_arrives_whole_and_its_usage_is_recorded(house: House) -> None:
    answer = await house.ask("a long story", model="aimock/gpt-4o", stream=True, stream_options={"include_usage": True})
    got = events(answer.text)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert content(got) == STORY
    assert got[-1] == "[DONE]"
    usage = got[-2]["usage"]
    row = only(house)
    assert row.status == "ok"
    assert (row.tokens_in, row.tokens_out) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert not row.is_estimated
    assert row.first_token_ms is not None
    assert row.finish_reason == "stop"


async def test_the_official_client_reads_the_same_stream(house: House) -> None:
    async with client_of(house) as client:
        stream = await client.chat.completions.create(
            model="aimock/gpt-4o",
            messages=said("a long story"),  # type: ignore[arg-type]
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == STORY
    assert chunks[-1].usage is not None
    assert only(house).tokens_out == chunks[-1].usage.completion_tokens


async def test_usage_nobody_asked_for_is_recorded_and_not_sent(house: House) -> None:
    answer = await house.ask("a long story", model="aimock/gpt-4o", stream=True)
    got = events(answer.text)
    assert content(got) == STORY
    assert not any(chunk.get("usage") for chunk in got if chunk != "[DONE]")
    assert only(house).tokens_out > 0


@pytest.mark.parametrize("streams", [False, True])
async def test_tool_calls_arrive_whole(house: House, streams: bool) -> None:
    asked: dict[str, Any] = {"model": "aimock/gpt-4o", "messages": said("the weather"), "tools": [TOOL]}
    async with client_of(house) as client:
        if streams:
            async with client.chat.completions.stream(**asked) as stream:
                answer = await stream.get_final_completion()
        else:
            answer = await client.chat.completions.create(**asked)
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.function.name == "get_weather"
    assert orjson.loads(call.function.arguments) == {"city": "Lisbon", "unit": "celsius"}
    assert only(house).finish_reason == "tool_calls"


@pytest.mark.parametrize("streams", [False, True])
async def test_two_503s_are_retried_and_the_third_answer_counts(house: House, streams: bool) -> None:
    answer = await house.ask("fails twice", model="aimock/gpt-4o", stream=streams)
    assert answer.status_code == 200, answer.text
    if streams:
        assert content(events(answer.text)) == "Third time lucky."
    else:
        assert answer.json()["choices"][0]["message"]["content"] == "Third time lucky."
    row = only(house)
    assert (row.status, row.retries) == ("ok", 2)


async def test_a_503_that_stays_is_the_clients_own_error(house: House) -> None:
    async with client_of(house) as client:
        with pytest.raises(openai.InternalServerError) as raised:
            await client.chat.completions.create(model="aimock/gpt-4o", messages=said("always down"))  # type: ignore[arg-type]
    assert raised.value.status_code == 503
    assert "Closed for today." in str(raised.value)
    row = only(house)
    assert (row.status, row.http_status, row.retries) == ("upstream_error", 503, 2)


async def test_a_429_that_asks_for_a_minute_is_not_waited_for_and_says_so(house: House) -> None:
    answer = await house.ask("too fast", model="aimock/gpt-4o")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "60"
    assert answer.json()["error"]["type"] == "rate_limit_error"
    row = only(house)
    assert (row.status, row.http_status, row.retries) == ("upstream_error", 429, 0)


async def test_rate_limits_on_an_error_are_passed_on(house: House) -> None:
    answer = await house.ask("too fast", model="aimock/gpt-4o")
    assert answer.headers["x-ratelimit-limit-requests"] == "60"
    assert answer.headers["x-ratelimit-reset-tokens"] == "6m0s"


async def test_a_server_that_limits_everybody_is_asked_again_after_the_second_it_names(
    house: House, server: Aimock
) -> None:
    async with httpx2.AsyncClient() as control:
        told = await control.post(f"{server.origin}/__aimock/chaos", json={"rateLimitRate": 1})
        assert told.status_code == 200
    async with client_of(house) as client:
        with pytest.raises(openai.RateLimitError) as raised:
            await client.chat.completions.create(model="aimock/gpt-4o", messages=said("a long story"))  # type: ignore[arg-type]
    assert raised.value.response.headers["retry-after"]
    row = only(house)
    assert (row.status, row.http_status, row.retries) == ("upstream_error", 429, 2)
    assert row.waiting_ms >= 2_000
    async with httpx2.AsyncClient() as control:
        await control.delete(f"{server.origin}/__aimock/chaos")
    assert (await house.ask("a long story", model="aimock/gpt-4o")).status_code == 200


async def test_a_stream_that_is_cut_ends_with_an_error_event(house: House) -> None:
    answer = await house.ask("cut me off", model="aimock/gpt-4o", stream=True)
    got = events(answer.text)
    assert answer.status_code == 200
    assert got[-1]["error"]["message"]
    assert "[DONE]" not in got
    row = only(house)
    assert row.status == "upstream_error"
    assert 0 < len(content(got[:-1])) < 80
    assert row.error_kind


async def test_the_official_client_raises_where_a_stream_is_cut(house: House) -> None:
    async with client_of(house) as client:
        stream = await client.chat.completions.create(
            model="aimock/gpt-4o",
            messages=said("cut me off"),  # type: ignore[arg-type]
            stream=True,
        )
        with pytest.raises(openai.APIError):
            async for _ in stream:
                pass
    assert only(house).status == "upstream_error"


@pytest.mark.parametrize("streams", [False, True])
async def test_garbled_json_is_a_sentence_and_no_stack(house: House, streams: bool) -> None:
    answer = await house.ask("garbled", model="aimock/gpt-4o", stream=streams)
    assert answer.status_code == 502, answer.text
    error = answer.json()["error"]
    assert error["type"] == "upstream_error"
    assert "Traceback" not in error["message"]
    assert only(house).status == "upstream_error"


async def test_a_question_it_does_not_know_is_its_own_404(house: House) -> None:
    async with client_of(house) as client:
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="aimock/gpt-4o", messages=said("unheard of"))  # type: ignore[arg-type]
    assert only(house).http_status == 404


async def test_embeddings_and_moderations(house: House) -> None:
    raw = await house.client.post("/v1/embeddings", json={"model": "aimock/e", "input": "a tortoise"})
    assert raw.json()["data"][0]["embedding"] == [0.25, -0.5, 0.125]
    async with client_of(house) as client:
        embedded = await client.embeddings.create(model="aimock/e", input="a tortoise", encoding_format="float")
        assert embedded.data[0].embedding == [0.25, -0.5, 0.125]
        judged = await client.moderations.create(model="aimock/omni-moderation-latest", input="a tortoise")
        assert judged.results[0].flagged is False
    assert [row.route for row in house.calls()] == ["/v1/embeddings", "/v1/embeddings", "/v1/moderations"]
    assert {row.status for row in house.calls()} == {"ok"}
