"""Responses: made, streamed, made meanwhile, cancelled, of nobody else; none of them waits for people."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from core import clock, ids
from core.serve import held as rows
from core.serve.held import Kept
from tests.support.house import House
from tests.support.responses import client_of, ended

pytestmark = pytest.mark.anyio


# Without policies


async def test_a_response_is_answered_and_can_be_looked_at_again(house: House) -> None:
    async with client_of(house) as client:
        made = await client.responses.create(
            model="double/m", input="mark-1", instructions="Be kind.", metadata={"team": "a"}, max_output_tokens=50
        )
        assert made.status == "completed"
        assert made.output_text == "echo: mark-1"
        assert made.usage is not None
        assert made.usage.output_tokens > 0
        assert made.metadata == {"team": "a"}
        again = await client.responses.retrieve(made.id)
    assert (again.status, again.output_text, again.usage) == ("completed", "echo: mark-1", made.usage)
    sent = orjson.loads(house.double.stats.seen[-1].raw)
    assert [m["role"] for m in sent["messages"]] == ["system", "user"]
    assert sent["max_completion_tokens"] == 50
    (call,) = house.calls()
    assert (call.route, made.id) == ("/v1/responses", ids.shown("resp", call.id))


async def test_a_streamed_response_comes_as_events(house: House) -> None:
    asked = {"model": "double/m", "input": "one two three four"}
    async with client_of(house) as client, client.responses.stream(**asked) as stream:  # type: ignore[call-overload]
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds.count("response.output_text.delta") > 1
    assert kinds[-1] == "response.completed"
    assert final.output_text == "echo: one two three four"


async def test_functions_of_a_response(house: House) -> None:
    tool: Any = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input="hi", tools=[tool], tool_choice="required")
        (call,) = made.output
        assert (call.type, call.name) == ("function_call", "weather")  # type: ignore[union-attr]
        given: Any = [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            call.model_dump(exclude_none=True),
            {"type": "function_call_output", "call_id": call.call_id, "output": "12 degrees"},  # type: ignore[union-attr]
        ]
        await client.responses.create(model="double/m", input=given)
    sent = orjson.loads(house.double.stats.seen[-1].raw)["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "double/m"}, "input"),
        ({"input": "x"}, "model"),
        ({"model": "double/m", "input": []}, "input"),
        ({"model": "double/m", "input": ["x"]}, "input[0]"),
        ({"model": "double/m", "input": [{"content": "x"}]}, "input[0].role"),
        ({"model": "double/m", "input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"model": "double/m", "input": "x", "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"model": "double/m", "input": "x", "tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"model": "double/m", "input": "x", "background": "yes"}, "background"),
        ({"model": "double/m", "input": "x", "stream": 1}, "stream"),
        ({"model": "double/m", "input": "x", "instructions": ["x"]}, "instructions"),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(house: House, body: dict[str, Any], param: str) -> None:
    answer = await house.client.post("/v1/responses", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert [call.status for call in await house.settled(1)] == ["refused"]


async def test_a_background_response_is_made_meanwhile(house: House) -> None:
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input="mark-2", background=True)
        assert made.status == "queued"
        assert made.output == []
        done = await ended(client, made.id)
        assert (done.status, done.output_text, done.background) == ("completed", "echo: mark-2", True)
        failed = await client.responses.create(
            model="double/m", input="x", background=True, extra_body={"model": "nowhere/m"}
        )
        gone = await ended(client, failed.id)
    assert gone.status == "failed"
    assert "nowhere" in gone.error.message


async def test_a_background_response_can_be_followed_and_taken_up_again(house: House) -> None:
    async with client_of(house) as client:
        stream = await client.responses.create(model="double/m", input="mark-3", background=True, stream=True)
        events = [event async for event in stream]
        again = await client.responses.retrieve(events[0].response.id, stream=True, starting_after=2)  # type: ignore[union-attr]
        rest = [event async for event in again]
    assert [event.type for event in events[:3]] == ["response.created", "response.queued", "response.in_progress"]
    assert events[-1].type == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.model_dump() for event in rest] == [event.model_dump() for event in events[3:]]


async def test_cancelling_withdraws_a_background_response_once(house: House) -> None:
    async with client_of(house) as client:
        made = await client.responses.create(
            model="double/m", input="slow", background=True, extra_body={"model": "double:stall"}
        )
        slow = await client.responses.create(model="double/m", input="double(latency_s=20)", background=True)
        for one in (slow, slow):
            assert (await client.responses.cancel(one.id)).status == "cancelled"
        assert (await client.responses.retrieve(slow.id)).status == "cancelled"
        await ended(client, made.id)
    (call,) = [call for call in await house.settled(2) if ids.shown("resp", call.id) == slow.id]
    assert call.status == "cancelled"


async def test_nobody_sees_or_cancels_the_responses_of_another_project(house: House) -> None:
    key = await house.project("other")
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input="secret", background=True)
        whole = await client.responses.create(model="double/m", input="secret")
    for name in (made.id, whole.id, "resp_nonsense", "resp_0000000000000", ids.shown("resp", 1)):
        for method, path in (("GET", name), ("POST", f"{name}/cancel"), ("GET", f"{name}?stream=true")):
            answer = await house.client.request(
                method, f"/v1/responses/{path}", headers={"authorization": f"Bearer {key}"}
            )
            assert (answer.status_code, "secret" in answer.text) == (404, False)


async def test_the_same_idempotency_key_is_one_response(house: House) -> None:
    body = {"model": "double/m", "input": "x", "background": True}
    headers = {"idempotency-key": "once"}
    first = await house.client.post("/v1/responses", json=body, headers=headers)
    second = await house.client.post("/v1/responses", json=body, headers=headers)
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    other = await house.client.post("/v1/responses", json={**body, "input": "y"}, headers=headers)
    assert other.json()["error"]["code"] == "idempotency_key_reused"
    assert len(await house.settled(2)) == 2  # one asked, one refused


# Held


async def test_a_response_lost_with_its_process_fails_after_its_time(house: House) -> None:
    call_id = house.runtime.ids.next()

    def lose() -> None:
        with house.runtime.db.write() as session:
            at = clock.now() - timedelta(hours=2)
            rows.begin(session, call_id=call_id, project_id=1, key_id=None, kept=Kept({}, {}, 0.0), at=at)

    await asyncio.to_thread(lose)
    async with client_of(house) as client:
        done = await ended(client, ids.shown("resp", call_id))
    assert (done.status, done.error.code) == ("failed", "server_error")


async def test_a_response_that_is_being_made_when_greenroom_stops_says_so(house: House) -> None:
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input="double(latency_s=20)", background=True)
        while not house.double.stats.requests:
            await asyncio.sleep(0.01)
        await house.runtime.holding.stop()
        done = await client.responses.retrieve(made.id)
    assert (done.status, done.error.code) == ("failed", "server_error")  # type: ignore[union-attr]
    assert "Ask again" in done.error.message  # type: ignore[union-attr]
