"""Values that never reach a backend, and come back to their caller wherever the answer is cut."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from core.guard import detecting, redaction
from core.guard.findings import passages_of_answer, passages_of_request, with_texts
from core.guard.redaction import PuttingBack, Redaction, put_back, put_back_answer
from tests.guard.policies import on, policy, rule

REQUEST: dict[str, Any] = {
    "model": "support",
    "instructions": "Write to ops@lamphouse.example when in doubt.",
    "messages": [
        {"role": "system", "content": "You are Ada."},
        {"role": "user", "content": "I am jane@example.org, card 4111 1111 1111 1111."},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"to": "jane@example.org"}'}}],
        },
        {"role": "tool", "content": [{"type": "text", "text": "sent to jane@example.org and bob@example.org"}]},
        {"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": "Was it? Say [EMAIL_2]."}]},
    ],
}


def redacted(body: dict[str, Any]) -> tuple[dict[str, Any], Redaction]:
    asked = passages_of_request(body)
    running = detecting.detectors([policy(rule("redact", on("personal")))])
    return redaction.redact_body(body, asked, detecting.scan(running, asked).findings)


def test_every_text_of_a_request_is_a_passage() -> None:
    assert {one.place: one.role for one in passages_of_request(REQUEST)} == {
        "instructions": "system",
        "messages.0.content": "system",
        "messages.1.content": "user",
        "messages.2.tool_calls.0.function.arguments": "assistant",
        "messages.3.content.0.text": "tool",
        "messages.4.content.1.text": "user",
    }
    responses = {"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}, "b"], "prompt": "c"}
    assert [(one.place, one.text) for one in passages_of_request(responses)] == [
        ("input.0.content.0.text", "a"),
        ("input.1", "b"),
        ("prompt", "c"),
    ]


def test_strange_bodies_have_no_passages() -> None:
    for body in ({}, {"messages": "x"}, {"messages": [None, 3, {"content": 5, "tool_calls": [None, {"function": 1}]}]}):
        assert passages_of_request(body) == ()
        assert passages_of_answer(body) == ()


def test_the_same_value_has_the_same_placeholder_everywhere() -> None:
    body, made = redacted(REQUEST)
    text = orjson.dumps(body).decode()
    assert "example.org" not in text
    assert "4111" not in text
    assert body["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"to": "[EMAIL_3]"}'
    assert body["messages"][3]["content"][0]["text"] == "sent to [EMAIL_3] and [EMAIL_4]"
    assert made.values["[EMAIL_3]"] == "jane@example.org"


def test_a_placeholder_that_somebody_wrote_is_not_given_to_a_value() -> None:
    body, made = redacted(REQUEST)
    assert "[EMAIL_2]" not in made.values
    assert body["messages"][4] == REQUEST["messages"][4]


def test_redacting_changes_nothing_in_the_given_body() -> None:
    before = orjson.dumps(REQUEST)
    redacted(REQUEST)
    assert orjson.dumps(REQUEST) == before


def test_values_come_back_in_texts_and_in_arguments_of_tools() -> None:
    made = Redaction({"[NOTE_1]": 'say "hi"\n', "[EMAIL_1]": "a@b.example"})
    answer = {
        "choices": [
            {
                "message": {
                    "content": "To [EMAIL_1]: [NOTE_1]; [EMAIL_9] stays",
                    "tool_calls": [{"function": {"name": "f", "arguments": '{"x": "[NOTE_1]"}'}}],
                }
            }
        ]
    }
    message = put_back_answer(answer, made)["choices"][0]["message"]
    assert message["content"] == 'To a@b.example: say "hi"\n; [EMAIL_9] stays'
    assert orjson.loads(message["tool_calls"][0]["function"]["arguments"]) == {"x": 'say "hi"\n'}


MADE = Redaction({f"[EMAIL_{n}]": f"user{n}@example.org" for n in range(1, 12)} | {"[CARD_1]": "4111 [EMAIL_1] 1111"})
PIECES = st.lists(
    st.sampled_from([*MADE.values, "[", "[EMA", "]", "[[", " and ", "EMAIL_1]", "é", "[EMAIL_12]"]), max_size=12
)


@given(PIECES, st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_a_placeholder_cut_anywhere_comes_back_whole(pieces: list[str], sizes: list[int]) -> None:
    text = "".join(pieces)
    stream, out, at, turn = PuttingBack(MADE), "", 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        out += stream.feed(text[at : at + size])
        at, turn = at + size, turn + 1
    assert out + stream.end() == put_back(text, MADE)


def test_only_what_may_be_a_placeholder_waits() -> None:
    stream = PuttingBack(MADE)
    assert [stream.feed(part) for part in ("Hi [", "x] [EM", "AIL_1", "] bye [")] == [
        "Hi ",
        "[x] ",
        "",
        "user1@example.org bye ",
    ]
    assert stream.end() == "["


def test_texts_are_replaced_where_they_stand() -> None:
    changed = with_texts(REQUEST, {"messages.3.content.0.text": "x", "instructions": "y"})
    assert (changed["messages"][3]["content"][0]["text"], changed["instructions"]) == ("x", "y")
    assert changed["messages"][1] is REQUEST["messages"][1]
