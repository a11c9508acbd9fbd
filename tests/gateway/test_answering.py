"""An application asks, gets its answer, and finds it recorded."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from core import clock
from core.calls import rows
from core.people import actions as people
from core.people.rules import CLI
from tests.support.house import House

pytestmark = pytest.mark.anyio


def events(text: str) -> list[bytes]:
    return [line[6:].encode() for line in text.splitlines() if line.startswith("data: ")]


async def test_an_answer_reaches_the_caller_unchanged_and_is_recorded(house: House) -> None:
    response = await house.ask("what is a green room?", metadata={"team": "search", "session_id": "s-1"}, user="u-7")
    assert response.status_code == 200, response.text
    assert "what is a green room?" in response.json()["choices"][0]["message"]["content"]
    (row,) = house.calls()
    assert (row.status, row.http_status, row.backend, row.model_served) == ("ok", 200, "double", "m")
    assert (row.session, row.end_user, row.is_estimated) == ("s-1", "u-7", False)
    assert row.tokens_in > 0
    assert row.tokens_out > 0
    assert row.cost_usd is None
    assert row.price_source == "unpriced"
    assert row.total_ms >= row.upstream_ms > 0
    assert response.headers["greenroom-call-id"].startswith("call_")
    assert response.headers["x-request-id"] == row.request_id


async def test_a_safety_identifier_names_the_end_user(house: House) -> None:
    await house.ask(safety_identifier="s-1", user="u-1")
    await house.ask(user="u-2", headers={"greenroom-session": "thread-7"})
    assert [(row.end_user, row.session) for row in house.calls()] == [("s-1", ""), ("u-2", "thread-7")]


async def test_a_stream_arrives_as_events_and_ends_when_it_is_recorded(house: House) -> None:
    response = await house.ask("count with me", stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    chunks = events(response.text)
    assert chunks[-1] == b"[DONE]"
    words = "".join(
        choice["delta"].get("content") or "" for chunk in chunks[:-1] for choice in orjson.loads(chunk)["choices"]
    )
    assert "count with me" in words
    assert not any(orjson.loads(chunk).get("usage") for chunk in chunks[:-1])
    (row,) = house.calls()
    assert (row.status, row.is_stream, row.is_estimated) == ("ok", True, False)
    assert row.first_token_ms is not None


async def test_a_caller_who_asks_for_usage_gets_it_last(house: House) -> None:
    response = await house.ask("hi", stream=True, stream_options={"include_usage": True})
    chunks = events(response.text)
    assert orjson.loads(chunks[-2])["usage"]["prompt_tokens"] > 0


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [({"authorization": "Bearer gr_wrong"}, 401, "invalid_api_key"), ({"authorization": ""}, 401, "invalid_api_key")],
)
async def test_without_a_right_key_there_is_no_answer(
    house: House, header: dict[str, str], status: int, code: str
) -> None:
    response = await house.ask(headers=header)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert house.double.stats.requests == 0


async def test_an_unknown_model_is_refused_with_a_suggestion_and_recorded(house: House) -> None:
    response = await house.ask(model="bultin/tiny")
    assert response.status_code == 404
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    (row,) = house.calls()
    assert (row.status, row.error_kind) == ("refused", "model_not_found")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"[]", None),
        (b'{"messages": []}', "model"),
        (b'{"model": "double/m"}', "messages"),
        (b'{"model": "double/m", "messages": [1]}', "messages[0]"),
        (b'{"model": "double/m", "messages": [{"role": "user"}], "stream": 1}', "stream"),
    ],
)
async def test_a_request_that_cannot_be_used_names_what_is_wrong(house: House, body: bytes, param: str | None) -> None:
    response = await house.client.post("/v1/chat/completions", content=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
    assert response.json()["error"]["type"] == "invalid_request_error"
    (row,) = house.calls()
    assert (row.status, row.http_status, row.request_id) == ("refused", 400, response.headers["x-request-id"])
    assert rows.unpack(house.payload(row).request) == body


async def test_a_body_over_the_limit_is_413_before_it_is_read_and_recorded(house: House) -> None:
    response = await house.client.post("/v1/chat/completions", content=b"x" * (26 * 1024 * 1024))
    assert response.status_code == 413
    error = response.json()["error"]
    assert error["code"] == "request_too_large"
    assert "25 MB" in error["message"]
    (row,) = house.calls()
    assert (row.status, row.error_kind, row.http_status) == ("refused", "request_too_large", 413)
    said = await house.client.post("/v1/feedback", content=b"x" * 300_000)
    assert said.status_code == 413
    assert "256 KB" in said.json()["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_the_caller_sends_and_the_backend_answers_passes_as_it_is(house: House, stream: bool) -> None:
    sent: dict[str, Any] = {
        "model": "double/m",
        "messages": [
            {"role": "developer", "content": "Be kind."},
            {
                "role": "user",
                "name": "ann",
                "content": [
                    {"type": "text", "text": "mark-9"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
                    {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                ],
            },
        ],
        "n": 1 if stream else 2,
        "seed": 7,
        "logprobs": True,
        "top_logprobs": 2,
        "response_format": {"type": "json_object"},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": "none",
        "modalities": ["text"],
        "temperature": 0.30000000000000004,
        "vendor_option": {"deep": [1, None, "ü"]},
    }
    if stream:
        sent |= {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}}
    response = await house.client.post("/v1/chat/completions", json=sent)
    assert response.status_code == 200, response.text
    (seen,) = house.double.stats.seen
    assert orjson.loads(seen.raw) == {**sent, "model": "m"}
    direct = await house.client.post(f"{house.double.url}/chat/completions", json={**sent, "model": "m"})
    if not stream:
        assert response.content == direct.content
        assert len(response.json()["choices"]) == 2
        assert response.json()["choices"][0]["logprobs"]["content"]
    assert events(response.text) == events(direct.text)


async def test_several_requests_at_once_under_one_idempotency_key_ask_once(house: House) -> None:
    headers = {"idempotency-key": "at-once"}
    asking = [house.ask("once", headers=headers, x_double={"latency_s": 0.5}) for _ in range(6)]
    given = await asyncio.gather(*asking)
    assert sorted(response.status_code for response in given) == [200, *[409] * 5]
    waiting = next(response for response in given if response.status_code == 409)
    assert (waiting.json()["error"]["code"], waiting.headers["retry-after"]) == ("idempotency_key_in_use", "1")
    again = await house.ask("once", headers=headers, x_double={"latency_s": 0.5})
    assert again.content == next(response for response in given if response.status_code == 200).content
    assert house.double.stats.requests == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_under_an_idempotency_key_is_not_kept(house: House, stream: bool) -> None:
    headers = {"idempotency-key": "unlucky"}
    body = {"kind": "break", "at": 2, "tokens": 9} if stream else {"status": 400}
    for _ in range(2):
        response = await house.ask("x", stream=stream, headers=headers, x_double=body)
        assert "idempotent-replayed" not in response.headers
    assert house.double.stats.requests == 2


async def test_an_idempotency_key_of_another_project_is_another_key(house: House) -> None:
    other = await house.project("other")
    for key in (house.key, other):
        headers = {"idempotency-key": "same", "authorization": f"Bearer {key}"}
        assert "idempotent-replayed" not in (await house.ask("x", headers=headers)).headers
    assert house.double.stats.requests == 2


async def test_a_large_picture_passes(house: House) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 20_000_000}}
    text = {"type": "text", "text": "what is this?"}
    response = await house.ask(messages=[{"role": "user", "content": [text, picture]}])
    assert response.status_code == 200


async def test_the_same_idempotency_key_asks_once(house: House) -> None:
    headers = {"idempotency-key": "order-17"}
    first = await house.ask("once", headers=headers)
    second = await house.ask("once", headers=headers)
    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"
    assert first.headers["greenroom-call-id"] == second.headers["greenroom-call-id"]
    assert house.double.stats.requests == 1
    other = await house.ask("another question", headers=headers)
    assert other.json()["error"]["code"] == "idempotency_key_reused"


async def test_a_stream_under_an_idempotency_key_is_replayed_whole(house: House) -> None:
    headers = {"idempotency-key": "stream-1"}
    first = await house.ask("again", stream=True, headers=headers)
    second = await house.ask("again", stream=True, headers=headers)
    assert first.text == second.text
    assert house.double.stats.requests == 1


async def test_embeddings_and_moderations_take_the_same_way(house: House) -> None:
    embedded = await house.client.post("/v1/embeddings", json={"model": "double/e", "input": "words"})
    assert embedded.json()["data"][0]["embedding"]
    judged = await house.client.post("/v1/moderations", json={"model": "double/mod", "input": "words"})
    assert "results" in judged.json()
    assert [row.route for row in house.calls()] == ["/v1/embeddings", "/v1/moderations"]


async def test_feedback_is_kept_on_the_answer_and_only_in_its_project(house: House) -> None:
    answered = await house.ask("tell me")
    call = answered.headers["greenroom-call-id"]
    said = await house.client.post("/v1/feedback", json={"id": call, "thumb": "down", "comment": "wrong"})
    assert said.status_code == 200, said.text
    missing = await house.client.post("/v1/feedback", json={"id": "call_0000000000000", "thumb": "up"})
    assert missing.status_code == 404
    empty = await house.client.post("/v1/feedback", json={"id": call})
    assert empty.status_code == 400
    lost = await house.client.post("/v1/feedback", json={"id": call, "thumb": "down", "reasons": ["wrong"]})
    assert (lost.status_code, lost.json()["error"]["param"]) == (400, "reasons")


async def test_models_lists_aliases_first(house: House) -> None:
    await house.alias("support", ("double", "m"))
    listed = (await house.client.get("/v1/models")).json()["data"]
    assert listed[0]["id"] == "support"
    assert (await house.client.get("/v1/models/support")).json()["owned_by"] == "greenroom"


async def test_an_unknown_route_is_a_404_in_the_same_shape(house: House) -> None:
    for path in ("/v1", "/v1/", "/v1/nothing", "/v1/chat/completions/"):
        response = await house.client.post(path, json={})
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "unknown_url"
    for method, path, allowed in (
        ("GET", "/v1/chat/completions", "POST"),
        ("HEAD", "/v1/chat/completions", "POST"),
        ("POST", "/v1/models/double/m", "GET"),
    ):
        wrong = await house.client.request(method, path)
        assert (wrong.status_code, wrong.headers["allow"]) == (405, allowed)


async def test_liveness_and_readiness_need_no_key(house: House) -> None:
    open_client = {"authorization": ""}
    assert (await house.client.get("/healthz", headers=open_client)).json() == {"status": "ok"}
    assert (await house.client.get("/readyz", headers=open_client)).json() == {"status": "ok", "reasons": []}
    for path in ("/healthz", "/readyz"):
        looked = await house.client.head(path, headers=open_client)
        assert (looked.status_code, looked.content) == (200, b"")
    assert (await house.client.get("/metrics", headers=open_client)).status_code == 401
    told = (await house.client.get("/metrics")).text
    assert f'greenroom_requests_total{{process="{house.runtime.ids.process}",route="/healthz",status="200"}}' in told


async def test_a_key_made_a_moment_ago_elsewhere_opens_the_door(house: House) -> None:
    def make() -> str:
        with house.runtime.db.write() as session:
            told: dict[str, Any] = {"by": CLI, "at": clock.now(), "vault": house.runtime.vault}
            return people.create_key(session, project_id=1, name="new", **told)[1]

    key = await asyncio.to_thread(make)
    answer = await house.ask("hello", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    wrong = await house.ask("hello", headers={"authorization": "Bearer gr_wrong"})
    assert wrong.status_code == 401
