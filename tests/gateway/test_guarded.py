"""Policies between an application and its model: redacted, replaced, refused, flagged; whole and streamed."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from sqlmodel import select

from core.guard.tables import CallFinding, PolicyVersion
from core.review.tables import ReviewItem
from tests.guard.policies import on, rule
from tests.support.house import House
from tests.support.reviewing import policy, queue

pytestmark = pytest.mark.anyio
MAIL = "mia.berg@example.org"


async def said(house: House, text: str, **body: Any) -> tuple[str, str | None]:
    """What a caller reads, whole or streamed, and the reason it ended for."""
    answer = await house.ask(text, **body)
    assert answer.status_code == 200, answer.text
    if not body.get("stream"):
        choice = answer.json()["choices"][0]
        return choice["message"]["content"], choice["finish_reason"]
    words, reason = "", None
    assert answer.text.endswith("data: [DONE]\n\n")
    for line in answer.text.splitlines():
        if line.startswith("data: {"):
            for choice in orjson.loads(line[6:])["choices"]:
                words += choice["delta"].get("content") or ""
                reason = choice["finish_reason"] or reason
    return words, reason


def asked(house: House) -> str:
    """The last question the model got."""
    return str(orjson.loads(house.double.stats.seen[-1].raw)["messages"][-1]["content"])


def findings(house: House, call_id: int) -> list[CallFinding]:
    with house.runtime.db.read() as session:
        return list(session.exec(select(CallFinding).where(CallFinding.call_id == call_id)))


@pytest.mark.parametrize("stream", [False, True])
async def test_the_model_reads_placeholders_and_the_caller_its_own_words(house: House, stream: bool) -> None:
    await policy(house, rule("redact", on("personal", side="input")))
    words, reason = await said(house, f"Write to {MAIL} and {MAIL}, please.", stream=stream)
    assert words == f"echo: Write to {MAIL} and {MAIL}, please."
    assert reason == "stop"
    assert asked(house) == "Write to [EMAIL_1] and [EMAIL_1], please."
    (call,) = await house.settled(1)
    found = findings(house, call.id)
    assert [(one.side, one.kind, one.act, one.policy) for one in found] == [("input", "email", "redact", "Rules/1")] * 2
    assert [(one.start, one.stop) for one in found] == [(9, 29), (34, 54)]
    detail = house.payload(call).detail
    assert detail["guard"]["act"] == "redact"  # type: ignore[index]
    assert detail["guard"]["redacted"] == 1  # type: ignore[index]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_found_in_an_answer_leaves_as_a_placeholder(house: House, stream: bool) -> None:
    await policy(house, rule("redact", on("personal", side="output")))
    words, _ = await said(house, f"Write to {MAIL}, please.", stream=stream)
    assert words == "echo: Write to [EMAIL], please."
    (call,) = await house.settled(1)
    assert [(one.side, one.act) for one in findings(house, call.id)] == [("input", "pass"), ("output", "redact")]
    assert MAIL in house.payload(call).answered  # the record has what the model said
    if stream:
        delay = house.payload(call).detail["guard"]["delay_ms"]  # type: ignore[index]
        assert 0 <= delay["mean"] <= delay["most"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refused_question_never_reaches_the_model(house: House, stream: bool) -> None:
    await policy(house, rule("refuse", on("personal", side="input"), refusal_text="No addresses here."))
    answer = await house.ask(f"Write to {MAIL}.", stream=stream)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "No addresses here."
    assert answer.json()["error"]["code"] == "content_filter"
    assert house.double.stats.requests == 0
    (call,) = await house.settled(1)
    assert (call.status, call.error_kind, call.cost_usd) == ("refused", "content_filter", 0)
    assert len(findings(house, call.id)) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refused_answer_stays_in_the_record_only(house: House, stream: bool) -> None:
    await policy(house, rule("refuse", on("personal", side="output"), refusal_text="No addresses here."))
    answer = await house.ask(f"Write to {MAIL}.", stream=stream)
    assert MAIL not in answer.text
    (call,) = await house.settled(1)
    assert MAIL in house.payload(call).answered
    if stream:
        assert '"content_filter"' in answer.text  # what had been said before it could not be taken back
    else:
        assert (answer.status_code, call.status) == (400, "refused")
        assert call.tokens_out > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("side", ["input", "output"])
async def test_another_text_stands_in_the_place_of_an_answer(house: House, stream: bool, side: str) -> None:
    await policy(house, rule("replace", on("word", side=side), replacement="Let us talk of lamps."), settings=WORDS)
    words, reason = await said(house, "Tell me about zeppelins.", stream=stream)
    assert reason == "content_filter"
    if side == "output" and stream:
        assert "zeppelin" not in words
    else:
        assert words == "Let us talk of lamps."
    assert house.double.stats.requests == (0 if side == "input" else 1)


WORDS = {"words": [{"term": "zeppelin*"}]}


async def test_a_stream_that_must_be_seen_whole_is_held_back_to_its_end(house: House) -> None:
    await policy(
        house, rule("replace", on("length", side="output"), replacement="Too long."), settings={"most_characters": 30}
    )
    assert await said(house, "short", stream=True) == ("echo: short", "stop")
    assert await said(house, "long " * 20, stream=True) == ("Too long.", "content_filter")


async def test_a_call_no_policy_is_for_passes_as_it_was(house: House) -> None:
    await policy(house, rule("refuse", on("personal")), routes=["support"])
    words, _ = await said(house, f"Write to {MAIL}.")
    assert MAIL in words
    (call,) = await house.settled(1)
    assert findings(house, call.id) == []


async def test_an_embeddings_input_is_redacted_and_holding_it_means_refusing(house: House) -> None:
    await policy(house, rule("redact", on("personal")))
    answer = await house.client.post("/v1/embeddings", json={"model": "double/e", "input": [f"of {MAIL}"]})
    assert answer.status_code == 200
    assert orjson.loads(house.double.stats.seen[-1].raw)["input"] == ["of [EMAIL_1]"]
    await queue(house)
    await policy(house, rule("hold", on("word", side="input")), name="Words", settings=WORDS)
    answer = await house.client.post("/v1/embeddings", json={"model": "double/e", "input": "zeppelin"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "content_filter")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_flagged_answer_is_delivered_and_waits_in_its_queue(house: House, stream: bool) -> None:
    await queue(house)
    await policy(house, rule("flag", on("personal", side="output"), queue="Answers", severity=3))
    words, _ = await said(house, f"Write to {MAIL}.", stream=stream)
    assert MAIL in words
    with house.runtime.db.read() as session:
        (waiting,) = session.exec(select(ReviewItem)).all()
    (call,) = await house.settled(1)
    assert (waiting.call_id, waiting.source, waiting.severity) == (call.id, "policy", 3)
    assert waiting.reason == "Rules, version 1: flag it"
    assert waiting.deadline_at is None


async def test_a_policy_nobody_can_read_lets_nothing_through(house: House) -> None:
    number = await policy(house, rule("flag", on("personal")))

    def spoil() -> None:
        with house.runtime.db.write() as session:
            row = session.exec(select(PolicyVersion).where(PolicyVersion.policy_id == number)).one()
            row.rules = [{"name": "x", "when": [{"on": "a feeling"}], "act": "flag"}]
            session.add(row)
            from core.db import marks

            marks.bump(session, "guard")
        house.runtime.refresh()

    await asyncio.to_thread(spoil)
    answer = await house.ask("hello")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "policy_unreadable")
    assert house.double.stats.requests == 0
    other = await house.project("other")
    answer = await house.ask("hello", headers={"authorization": f"Bearer {other}"})
    assert answer.status_code == 200


async def test_a_judge_is_a_call_of_its_own_and_what_it_says_counts(house: House) -> None:
    judge = {"model": "double/judge", "kind": "moderation"}
    await policy(house, rule("refuse", on("judge", side="output", confidence=0.3)), settings={"judge": judge})
    answer = await house.ask("something violent")
    calls = await house.settled(2)
    assert sorted(call.route for call in calls) == ["/v1/chat/completions", "judge: moderation"]
    assert all(call.key_id for call in calls)
    judged = next(call for call in calls if call.route != "judge: moderation")
    found = findings(house, judged.id)
    assert found
    assert {one.detector for one in found} == {"judge/1:double/judge"}
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize("act", ["redact", "flag"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_judge_does_not_read_what_is_private(house: House, stream: bool, act: str) -> None:
    judge = {"model": "double/judge", "kind": "moderation", "side": None}
    private = rule(act, on("personal"), name="private")
    await policy(house, private, rule("flag", on("judge"), name="judged"), settings={"judge": judge})
    await said(house, f"Write to {MAIL}, please.", stream=stream)
    judging = [call for call in await house.settled(3) if call.route == "judge: moderation"]
    recorded = [str(house.payload(call).asked) for call in judging]
    assert len(recorded) == 2
    assert not [text for text in recorded if MAIL in text]
    judged = [orjson.loads(one.raw)["input"] for one in house.double.stats.seen if one.path.endswith("/moderations")]
    echoed = "[EMAIL_1]" if act == "redact" else "[EMAIL]"
    assert sorted(judged) == ["Write to [EMAIL], please.", f"echo: Write to {echoed}, please."]


async def test_a_judge_that_gives_no_verdict_closes_a_strict_rule(house: House) -> None:
    judge = {"model": "double/m", "kind": "chat", "categories": {"violence": "harm to people"}}
    await policy(house, rule("refuse", on("judge", side="output")), settings={"judge": judge})
    answer = await house.ask("hello")  # the double echoes the question, which is no verdict
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "content_filter")
    call = next(call for call in await house.settled(2) if call.route == "/v1/chat/completions")
    (row,) = findings(house, call.id)
    assert (row.family, row.kind, row.act) == ("judge", "failed", "refuse")
    assert "judge/1" in house.payload(call).detail["guard"]["failed_closed"]  # type: ignore[index]


async def test_tool_calls_are_looked_at_before_they_leave(house: House) -> None:
    await policy(house, rule("redact", on("personal", side="output")))
    tool = {"type": "function", "function": {"name": "mail", "parameters": {"type": "object", "properties": {}}}}
    for stream in (False, True):
        answer = await house.ask(f"Write to {MAIL}.", tools=[tool], tool_choice="required", stream=stream)
        assert answer.status_code == 200
        assert MAIL not in answer.text
        assert "[EMAIL]" in answer.text


async def test_a_cached_alias_under_a_policy_asks_each_time(house: House) -> None:
    await house.alias("cached", ("double", "m"), cache_ttl_s=600)
    await policy(house, rule("redact", on("personal", side="input")))
    for mail in (MAIL, "noah@example.org"):
        words, _ = await said(house, f"Write to {mail}.", model="cached")
        assert mail in words
    assert house.double.stats.requests == 2


async def test_a_report_or_a_low_rating_puts_the_answer_in_front_of_people_once(house: House) -> None:
    await queue(house)
    reported = rule("flag", {"on": "report", "reasons": ["wrong"]}, queue="Answers", name="Reported", risk=3)
    rated = rule("flag", {"on": "score", "name": "rating", "below": 3}, queue="Answers", name="Rated")
    await policy(house, reported, rated)

    async def told(number: int, **body: Any) -> Any:
        name = (await house.ask(f"mark-{number}")).headers["greenroom-call-id"]
        for _ in range(2):
            answer = await house.client.post("/v1/feedback", json={"id": name, **body})
            assert answer.status_code == 200
        return name

    await told(1, thumb="down", reason="wrong")
    await told(2, thumb="down", reason="rude")
    await told(3, thumb="up", reason="wrong")
    await told(4, rating=2)
    await told(5, rating=3)
    with house.runtime.db.read() as session:
        found = session.exec(select(ReviewItem).order_by(ReviewItem.id)).all()  # type: ignore[arg-type]
    assert [(one.source, one.reason, one.risk) for one in found] == [
        ("report", "Rules, version 1: Reported", 3),
        ("score", "Rules, version 1: Rated", 2),
    ]


async def test_feedback_under_an_idempotency_key_is_given_once(house: House) -> None:
    name = (await house.ask("hello")).headers["greenroom-call-id"].replace("call_", "resp_")
    headers = {"idempotency-key": "thumb-1"}
    first, again = [
        await house.client.post("/v1/feedback", json={"id": name, "thumb": "up"}, headers=headers) for _ in range(2)
    ]
    assert first.json() == again.json()
    other = await house.client.post("/v1/feedback", json={"id": name, "thumb": "down"}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
