"""Answers that wait for people, through the official `openai` client: held, edited, rejected, expired, withdrawn."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import orjson
import pytest
from openai import AsyncOpenAI
from sqlmodel import select

from core import clock, ids
from core.audit.tables import AuditEvent
from core.people.rules import Role
from core.review.rules import Said, Verdict
from core.review.tables import HeldResponse
from core.serve import held as rows
from core.serve.held import Kept
from core.webhooks import actions as webhooks
from core.webhooks.tables import Delivery
from tests.guard.policies import on, rule
from tests.review.waiting import APPROVE, REJECT, edit, person
from tests.support.house import House
from tests.support.reviewing import MIA, NOAH, decided, item, policy, queue, take

pytestmark = pytest.mark.anyio
MAIL = "mia.berg@example.org"
SAMPLE = {"on": "sample", "percent": 100}


def client_of(house: House) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key, max_retries=0)


async def ended(client: AsyncOpenAI, response_id: str) -> Any:
    """Ask as an application would until a response has ended."""
    for _ in range(300):
        found = await client.responses.retrieve(response_id)
        if found.status not in ("queued", "in_progress"):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"still {found.status}")


def held(house: House) -> list[HeldResponse]:
    with house.runtime.db.read() as session:
        return list(session.exec(select(HeldResponse)))


def cancelled(house: House) -> list[tuple[str, str, dict[str, Any] | None]]:
    """What the trail says of responses that were withdrawn: by whom, which, and why."""
    with house.runtime.db.read() as session:
        told = session.exec(select(AuditEvent).where(AuditEvent.action == "response.cancelled"))
        return [(event.actor, event.target, event.after) for event in told]


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


async def test_a_held_answer_waits_is_edited_and_reaches_its_caller_once(house: House) -> None:
    queue_id = await queue(house)
    await policy(house, rule("hold", on("personal", side="output"), severity=3))
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input=f"Write to {MAIL}.", background=True)
        assert made.status == "queued"
        item_id = await decided(house, queue_id, edit("Write to us."))
        done = await ended(client, made.id)
        assert (done.status, done.output_text) == ("completed", "Write to us.")
        assert (await client.responses.retrieve(made.id)).output_text == "Write to us."
        assert (await client.responses.cancel(made.id)).status == "completed"  # too late, and told so
    waited = await item(house, item_id)
    assert (waited.state, waited.severity, waited.reason) == ("released", 3, "Rules, version 1: hold it")
    assert MAIL in house.payload(house.calls()[0]).answered


async def test_an_approved_answer_is_delivered_as_it_was_with_the_callers_own_words(house: House) -> None:
    queue_id = await queue(house)
    await policy(house, rule("redact", on("personal", side="input")), rule("hold", SAMPLE))
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input=f"Write to {MAIL}.", background=True)
        await decided(house, queue_id, APPROVE)
        done = await ended(client, made.id)
    assert done.output_text == f"echo: Write to {MAIL}."
    assert done.usage.output_tokens > 0
    assert "[EMAIL_1]" in house.payload(house.calls()[0]).answered  # reviewers and the record read the placeholder


async def test_a_rejected_answer_is_incomplete_and_says_why(house: House) -> None:
    queue_id = await queue(house)
    await policy(house, rule("hold", SAMPLE))
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input="hello", background=True)
        await decided(house, queue_id, REJECT)
        done = await ended(client, made.id)
    assert (done.status, done.output, done.incomplete_details.reason) == ("incomplete", [], "content_filter")
    assert done.model_extra["greenroom"] == {"review": "ended", "reason": "wrong"}


@pytest.mark.parametrize(
    ("fail_safe", "status", "text"),
    [
        ("safe text", "completed", "Please call us."),
        ("pass", "completed", "echo: hello"),
        ("refuse", "incomplete", ""),
        ("rule-based answer", "completed", "Hello"),
    ],
)
async def test_when_nobody_decides_in_time_the_declared_fail_safe_is_the_end(
    house: House, fail_safe: str, status: str, text: str
) -> None:
    queue_id = await queue(house)
    await policy(house, rule("hold", SAMPLE, deadline_s=1, fail_safe=fail_safe, safe_text="Please call us."))
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input="hello", background=True)
        done = await ended(client, made.id)
    assert done.status == status
    assert done.output_text.startswith(text)
    (row,) = held(house)
    assert await asyncio.to_thread(take, house.runtime.db, queue_id, MIA) is None
    waited = await item(house, row.item_id or 0)
    assert waited.state == "expired"
    if fail_safe == "refuse":
        assert done.model_extra["greenroom"]["reason"] == "review_deadline"


async def test_a_chat_completion_waits_for_people_while_its_policy_is_patient(house: House) -> None:
    queue_id = await queue(house)
    await policy(house, rule("hold", SAMPLE, patience_s=20))
    asking = asyncio.create_task(house.ask("hello"))
    await decided(house, queue_id, edit("Good day."))
    answer = await asking
    choice = answer.json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Good day.", "stop")
    assert answer.headers["greenroom-response-id"].startswith("resp_")


@pytest.mark.parametrize("stream", [False, True])
async def test_then_it_says_the_holding_text_and_by_which_name_to_ask_later(house: House, stream: bool) -> None:
    queue_id = await queue(house)
    await policy(house, rule("hold", SAMPLE, patience_s=0.3, holding_text="One moment, please."))
    answer = await house.ask("hello", stream=stream)
    assert answer.status_code == 200
    assert "One moment, please." in answer.text
    assert "content_filter" in answer.text
    assert "echo: hello" not in answer.text
    name = answer.headers["greenroom-response-id"]
    async with client_of(house) as client:
        assert (await client.responses.retrieve(name)).status == "in_progress"
        await decided(house, queue_id, APPROVE)
        done = await ended(client, name)
    assert (done.status, done.output_text) == ("completed", "echo: hello")


async def test_a_rejected_chat_completion_is_the_policys_refusal(house: House) -> None:
    queue_id = await queue(house)
    await policy(house, rule("hold", SAMPLE, refusal_text="We cannot say that."))
    for stream in (False, True):
        asking = asyncio.create_task(house.ask("hello", stream=stream))
        await decided(house, queue_id, REJECT)
        answer = await asking
        assert "We cannot say that." in answer.text
        assert "content_filter" in answer.text
        assert "echo" not in answer.text


async def test_who_leaves_without_a_name_to_ask_by_leaves_no_work_behind(house: House) -> None:
    await queue(house)
    await policy(house, rule("hold", SAMPLE))
    with pytest.raises(httpx2.ReadTimeout):
        await house.client.post(
            "/v1/chat/completions",
            json={"model": "double/m", "messages": [{"role": "user", "content": "hello"}]},
            timeout=1.0,
        )
    for _ in range(200):
        rows = await asyncio.to_thread(held, house)
        if rows and rows[0].state == "cancelled":
            break
        await asyncio.sleep(0.02)
    (row,) = await asyncio.to_thread(held, house)
    assert (row.state, row.reason) == ("cancelled", "the caller left")
    ((_, _, after),) = await asyncio.to_thread(cancelled, house)
    assert after == {"reason": "the caller left", "item": ids.shown("item", row.item_id or 0)}
    assert (await item(house, row.item_id or 0)).state == "withdrawn"
    (call,) = await house.settled(1)
    assert call.status == "ok"


async def test_a_response_that_is_not_in_the_background_waits_then_tells_its_name(house: House) -> None:
    queue_id = await queue(house)
    await policy(house, rule("hold", SAMPLE, patience_s=0.3))
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input="hello")
        assert made.status == "in_progress"
        await decided(house, queue_id, edit("Good day."))
        assert (await ended(client, made.id)).output_text == "Good day."
        stream = await client.responses.create(model="double/m", input="hello", stream=True)
        deciding = asyncio.create_task(decided(house, queue_id, edit("Good night."), by=NOAH))
        events = [event async for event in stream]
        await deciding
    assert events[-1].type == "response.completed"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Good night."


async def test_cancelling_a_held_response_takes_it_from_the_queue(house: House) -> None:
    queue_id = await queue(house)
    await policy(house, rule("hold", SAMPLE))
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input="hello", background=True)
        while not (found := await asyncio.to_thread(held, house)) or found[0].item_id is None:
            await asyncio.sleep(0.02)
        assert (await client.responses.retrieve(made.id)).status == "in_progress"
        for _ in range(2):
            assert (await client.responses.cancel(made.id)).status == "cancelled"
    assert await asyncio.to_thread(take, house.runtime.db, queue_id, MIA) is None
    ((actor, target, after),) = await asyncio.to_thread(cancelled, house)
    assert (actor.partition(":")[0], target) == ("key", made.id)
    assert after == {"reason": "cancelled by the application", "item": ids.shown("item", found[0].item_id or 0)}


async def test_a_queue_that_is_not_there_keeps_the_answer_back(house: House) -> None:
    await policy(house, rule("hold", SAMPLE))
    answer = await house.ask("hello")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_review_queue")
    assert "echo" not in answer.text
    (call,) = await house.settled(1)
    assert (call.status, call.error_kind) == ("refused", "no_review_queue")
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input="hello", background=True)
        assert (await ended(client, made.id)).error.code == "no_review_queue"


async def test_two_people_and_one_verdict(house: House) -> None:
    queue_id = await queue(house, reviewers=2, most_reviewers=3)
    await policy(house, rule("hold", SAMPLE))
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input="hello", background=True)
        await decided(house, queue_id, APPROVE, by=MIA)
        assert (await client.responses.retrieve(made.id)).status == "in_progress"
        assert await asyncio.to_thread(take, house.runtime.db, queue_id, MIA) is None
        await decided(house, queue_id, APPROVE, by=NOAH)
        assert (await ended(client, made.id)).status == "completed"


async def test_its_end_is_announced_once_in_the_transaction_that_makes_it(house: House) -> None:
    queue_id = await queue(house)

    def listen() -> None:
        with house.runtime.db.write() as session:
            webhooks.create(
                session,
                project_id=1,
                url="http://127.0.0.1:9/hook",
                events=["response.completed"],
                allows_private=True,
                by=person("ada", Role.ADMIN),
                at=clock.now(),
                vault=house.runtime.vault,
            )

    await asyncio.to_thread(listen)
    await policy(house, rule("hold", SAMPLE))
    async with client_of(house) as client:
        made = await client.responses.create(model="double/m", input="hello", background=True)
        await decided(house, queue_id, Said(Verdict.APPROVE))
        await ended(client, made.id)

    def told() -> list[Delivery]:
        with house.runtime.db.read() as session:
            return list(session.exec(select(Delivery)))

    (delivery,) = await asyncio.to_thread(told)
    payload = orjson.loads(delivery.payload)
    assert (payload["type"], payload["data"]) == ("response.completed", {"id": made.id})


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
