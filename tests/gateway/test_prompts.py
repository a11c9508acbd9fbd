"""Prompts served by name: the version a label means now, filled and asked; moved without a deploy, recorded exactly."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import orjson
import pytest

from core import clock
from core.prompts import actions, releases
from core.prompts.rules import Parameters
from core.prompts.versions import Content, Kind, Variable
from tests.guard.policies import on, rule
from tests.prompts.shelf import ANN, content
from tests.support.house import House
from tests.support.reviewing import policy, queue

pytestmark = pytest.mark.anyio
SUPPORT = content("You help {{ customer }} with {{ topic }}.", model="double/m")


async def keep(house: House, name: str, made: Content, *labels: str) -> int:
    """A prompt with one version more, and labels on it; the version."""

    def put() -> int:
        at, ids = clock.now(), house.runtime.ids
        with house.runtime.db.write() as session:
            known = house.runtime.prompts.entries.get((1, name))
            if known is None:
                saved = actions.create(session, project_id=1, name=name, content=made, by=ANN, at=at)
            else:
                saved = actions.save(session, prompt_id=known.id, content=made, by=ANN, at=at)
            for label in labels:
                releases.move(
                    session, prompt_id=saved.prompt_id, label=label, number=saved.number, by=ANN, at=at, ids=ids
                )
        house.runtime.refresh()
        return saved.number

    return await asyncio.to_thread(put)


def seen(house: House) -> dict[str, Any]:
    """The last request the model got."""
    body: dict[str, Any] = orjson.loads(house.double.stats.seen[-1].raw)
    return body


async def test_a_prompt_is_asked_by_name_and_the_call_knows_its_version(house: House) -> None:
    made = Content(
        "double/m", SUPPORT.messages, Parameters(temperature=0.5, max_tokens=50),
        variables=(Variable("customer"), Variable("topic", Kind.CHOICE, choices=("refunds", "orders"))),
    )  # fmt: skip
    await keep(house, "support/refund", made, "production")
    values = {"customer": "Mia", "topic": "refunds", "unknown": 1}
    told = await house.ask("Where is it?", model="prompt:support/refund", prompt_variables=values, temperature=0.1)
    assert told.status_code == 200, told.text
    assert told.headers["greenroom-prompt"] == "support/refund@1"
    body = seen(house)
    assert body["messages"] == [
        {"role": "system", "content": "You help Mia with refunds."}, {"role": "user", "content": "Where is it?"},
    ]  # fmt: skip
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("m", 0.1, 50)
    assert "prompt_variables" not in body
    (call,) = await house.settled(1)
    assert (call.prompt_version, call.model_asked, call.model_served) == (1, "prompt:support/refund", "m")
    assert call.prompt_id is not None


@pytest.mark.parametrize("stream", [False, True])
async def test_a_moved_label_is_served_at_once_and_each_call_records_one_version(house: House, stream: bool) -> None:
    await keep(house, "support", content("One.", model="double/m"), "production")
    await house.ask(model="prompt:support@production", stream=stream)
    await keep(house, "support", content("Two.", model="double/m"))
    await house.ask(model="prompt:support@production", stream=stream)
    assert seen(house)["messages"][0]["content"] == "One."
    await keep(house, "support", content("Two.", model="double/m"), "production")
    for name in ("production", "latest", "2"):
        await house.ask(model=f"prompt:support@{name}", stream=stream)
        assert seen(house)["messages"][0]["content"] == "Two."
    await house.ask(model="prompt:support@1", stream=stream)
    assert [call.prompt_version for call in await house.settled(6)] == [1, 1, 2, 2, 2, 1]


async def test_another_process_serves_a_moved_label_within_seconds(house: House) -> None:
    """A change that only the store knows of, as another process makes it."""
    await keep(house, "support", content("One.", model="double/m"), "production")
    prompt = house.runtime.prompts.entry(1, "support")

    def elsewhere() -> None:
        with house.runtime.db.write() as session:
            told: dict[str, Any] = {"by": ANN, "at": clock.now()}
            made = actions.save(session, prompt_id=prompt.id, content=content("Two.", model="double/m"), **told)
            releases.move(
                session, prompt_id=prompt.id, label="production", number=made.number, ids=house.runtime.ids, **told
            )

    await asyncio.to_thread(elsewhere)
    for _ in range(50):
        await house.ask(model="prompt:support")
        if seen(house)["messages"][0]["content"] == "Two.":
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the label was not seen to move within five seconds")


async def test_included_prompts_are_in_their_place(house: House) -> None:
    await keep(house, "tone", content("Be {{ tone }}.", model="double/m"))
    made = content('Help. {% include "tone" %}{% for n in range(2) %}!{% endfor %}', model="double/m")
    await keep(house, "support", made, "production")
    await house.ask(model="prompt:support", prompt_variables={"tone": "kind"})
    assert seen(house)["messages"][0]["content"] == "Help. Be kind.!!"


async def test_a_prompt_with_its_question_needs_no_messages(house: House) -> None:
    await keep(house, "joke", content("Be funny.", "A joke about {{ what }}?", model="double/m"), "production")
    told = await house.client.post(
        "/v1/chat/completions", json={"model": "prompt:joke", "prompt_variables": {"what": "cats"}}
    )
    assert told.json()["choices"][0]["message"]["content"] == "echo: A joke about cats?"


@pytest.mark.parametrize(
    ("model", "more", "status", "code"),
    [
        ("prompt:gone", {}, 404, "prompt_not_found"),
        ("prompt:", {}, 404, "prompt_not_found"),
        ("prompt:support@staging", {}, 404, "prompt_not_found"),
        ("prompt:support@7", {}, 404, "prompt_not_found"),
        ("prompt:support@0", {}, 404, "prompt_not_found"),
        ("prompt:support", {}, 400, "variable"),
        ("prompt:support", {"prompt_variables": {"customer": "Mia", "topic": "{{ x }}", "n": "many"}}, 400, "variable"),
        ("prompt:support", {"prompt_variables": [1]}, 400, "invalid_type"),
    ],
)
async def test_what_cannot_be_asked_is_told_and_recorded(
    house: House, model: str, more: dict[str, Any], status: int, code: str
) -> None:
    made = content("{{ customer }} {{ topic }} {{ n }}", model="double/m", variables=(Variable("n", Kind.NUMBER),))
    await keep(house, "support", made, "production")
    told = await house.ask(model=model, **more)
    assert (told.status_code, told.json()["error"]["code"]) == (status, code), told.text
    (call,) = await house.settled(1)
    assert (call.status, call.model_asked) == ("refused", model)
    assert not house.double.stats.seen


async def test_a_value_is_text_and_never_a_template(house: House) -> None:
    await keep(house, "support", SUPPORT, "production")
    hostile = "{{ topic }}{% include 'x' %}"
    await house.ask(model="prompt:support", prompt_variables={"customer": hostile, "topic": "x"})
    assert seen(house)["messages"][0]["content"] == f"You help {hostile} with x."


async def test_another_projects_prompt_is_not_there(house: House) -> None:
    await keep(house, "support", content(model="double/m"), "production")
    key = await house.project("other")
    told = await house.ask(model="prompt:support", headers={"authorization": f"Bearer {key}"})
    assert (told.status_code, told.json()["error"]["code"]) == (404, "prompt_not_found")
    listed = await house.client.get("/v1/models", headers={"authorization": f"Bearer {key}"})
    assert "prompt:support" not in [one["id"] for one in listed.json()["data"]]
    mine = await house.client.get("/v1/models")
    assert mine.json()["data"][0]["id"] == "prompt:support"
    one = await house.client.get("/v1/models/prompt:support")
    assert one.json() == {"id": "prompt:support", "object": "model", "created": 0, "owned_by": "greenroom"}


async def test_a_prompt_answers_no_embeddings(house: House) -> None:
    await keep(house, "support", content(model="double/m"), "production")
    told = await house.client.post("/v1/embeddings", json={"model": "prompt:support", "input": "x"})
    assert told.status_code == 400


async def test_openais_own_client_asks_a_stored_prompt(house: House) -> None:
    await keep(house, "support", SUPPORT, "production")
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key) as client:
        told = await client.responses.create(
            prompt={"id": "support", "version": "1", "variables": {"customer": "Mia", "topic": "refunds"}},
            input="Where is it?",
        )
        assert told.output_text == "echo: Where is it?"
        chat = await client.chat.completions.create(
            model="prompt:support@1",
            messages=[{"role": "user", "content": "And now?"}],
            extra_body={"prompt_variables": {"customer": "Mia", "topic": "refunds"}},
        )
        assert chat.choices[0].message.content == "echo: And now?"
        with pytest.raises(openai.BadRequestError, match="not both"):
            await client.responses.create(model="double/m", prompt={"id": "support"}, input="x")
    assert [call.prompt_version for call in await house.settled(3)][:2] == [1, 1]


async def test_a_new_version_of_a_prompt_waits_for_people_until_enough_calls_were_made(house: House) -> None:
    number = await queue(house)
    assert number
    new = {"on": "new version", "of": "prompt", "calls": 2}
    await policy(house, rule("flag", new, queue="Answers"), routes=["prompt:support"])
    await keep(house, "support", content(model="double/m"), "production")
    await keep(house, "sales", content(model="double/m"), "production")
    for _ in range(3):
        await house.ask(model="prompt:support")
    await house.ask(model="prompt:sales")
    await keep(house, "support", content("Two.", model="double/m"), "production")
    await house.ask(model="prompt:support")
    calls = await house.settled(5)
    acts = [house.payload(call).detail.get("guard", {}).get("act", "none") for call in calls]  # type: ignore[union-attr]
    assert acts == ["flag", "flag", "pass", "none", "flag"]


async def test_a_redacted_prompt_keeps_its_version(house: House) -> None:
    await policy(house, rule("redact", on("personal", side="input")))
    await keep(house, "support", SUPPORT, "production")
    values = {"customer": "mia.berg@example.org", "topic": "x"}
    await house.ask(model="prompt:support", prompt_variables=values)
    assert seen(house)["messages"][0]["content"] == "You help [EMAIL_1] with x."
    assert (await house.settled(1))[0].prompt_version == 1
