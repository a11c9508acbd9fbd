"""Answers that wait for people, through the official `openai` client: held, edited, rejected, expired, withdrawn."""

from __future__ import annotations

import asyncio

import httpx2
import orjson
import pytest
from sqlmodel import select

from core import clock, ids
from core.people.rules import Role
from core.review.rules import Said, Verdict
from core.webhooks import actions as webhooks
from core.webhooks.tables import Delivery
from tests.guard.policies import on, rule
from tests.review.waiting import APPROVE, REJECT, edit, person
from tests.support.house import House
from tests.support.responses import cancelled, client_of, ended, held
from tests.support.reviewing import MIA, NOAH, decided, item, policy, queue, take

pytestmark = pytest.mark.anyio
MAIL = "mia.berg@example.org"
SAMPLE = {"on": "sample", "percent": 100}


# Without policies


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
