"""The official `openai` client, unchanged but for its address, does its work through the gateway."""

from __future__ import annotations

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.support.house import House

pytestmark = pytest.mark.anyio
ASKED = [{"role": "user", "content": "mark-42"}]


def client_of(house: House, key: str | None = None) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{house.url}/v1", api_key=key or house.key, max_retries=0)


class City(BaseModel):
    name: str
    people: int


async def test_a_whole_answer(house: House) -> None:
    async with client_of(house) as client:
        answer = await client.chat.completions.create(model="double/m", messages=ASKED)  # type: ignore[arg-type]
    assert "mark-42" in (answer.choices[0].message.content or "")
    assert answer.usage is not None


async def test_a_stream_with_its_usage(house: House) -> None:
    async with client_of(house) as client:
        stream = await client.chat.completions.create(
            model="double/m",
            messages=ASKED,  # type: ignore[arg-type]
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    assert "mark-42" in "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[-1].usage is not None


async def test_tools(house: House) -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    async with client_of(house) as client:
        answer = await client.chat.completions.create(
            model="double/m",
            messages=ASKED,  # type: ignore[arg-type]
            tools=[tool],  # type: ignore[list-item]
            tool_choice="required",
        )
    calls = answer.choices[0].message.tool_calls
    assert calls
    assert calls[0].function.name == "weather"  # type: ignore[union-attr]
    (row,) = house.calls()
    assert row.finish_reason == "tool_calls"


async def test_a_json_schema_answer_is_parsed(house: House) -> None:
    async with client_of(house) as client:
        answer = await client.chat.completions.parse(model="double/m", messages=ASKED, response_format=City)  # type: ignore[arg-type]
    assert answer.choices[0].message.parsed == City(name="mark-42", people=7)


async def test_embeddings_and_models_and_moderations(house: House) -> None:
    async with client_of(house) as client:
        embedded = await client.embeddings.create(model="double/e", input=["one", "two"])
        assert len(embedded.data) == 2
        assert [m.id async for m in await client.models.list()]
        judged = await client.moderations.create(model="double/mod", input="hello")
        assert judged.results


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_every_error_of_a_backend_is_the_clients_own_class(
    house: House, status: int, error: type[openai.APIStatusError]
) -> None:
    async with client_of(house) as client:
        with pytest.raises(error) as raised:
            await client.chat.completions.create(
                model="double/m",
                messages=ASKED,  # type: ignore[arg-type]
                extra_body={"x_double": {"status": status, "message": "because", "retry_after": "60"}},
            )
    assert "because" in str(raised.value)
    assert raised.value.request_id == house.calls()[0].request_id


async def test_errors_of_ours_are_the_clients_own_classes(house: House) -> None:
    async with client_of(house, "gr_wrong") as client:
        with pytest.raises(openai.AuthenticationError):
            await client.chat.completions.create(model="double/m", messages=ASKED)  # type: ignore[arg-type]
    async with client_of(house) as client:
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="nothing", messages=ASKED)  # type: ignore[arg-type]
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(model="double/m", messages=[])


async def test_a_cut_stream_raises_instead_of_ending(house: House) -> None:
    async with client_of(house) as client:
        stream = await client.chat.completions.create(
            model="double/m",
            messages=ASKED,  # type: ignore[arg-type]
            stream=True,
            extra_body={"x_double": {"kind": "break", "at": 2, "tokens": 9}},
        )
        with pytest.raises(openai.APIError):
            async for _ in stream:
                pass


async def test_the_clients_own_timeout_is_a_caller_who_left(house: House) -> None:
    async with client_of(house) as client:
        with pytest.raises(openai.APITimeoutError):
            await client.chat.completions.create(
                model="double/m",
                messages=ASKED,  # type: ignore[arg-type]
                extra_body={"x_double": {"latency_s": 20}},
                timeout=httpx2.Timeout(0.5),
            )
    (row,) = await house.settled(1)
    assert row.status == "cancelled"
