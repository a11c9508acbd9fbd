"""A recorded call read as a conversation, whatever its bytes are."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pages.parts import conversation

ASKED = orjson.dumps(
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "https://example.invalid/x.png"}},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                ],
            },
            {"role": "assistant", "tool_calls": [{"function": {"name": "look", "arguments": '{"a":1}'}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "a door"},
        ]
    }
)


def test_turns_keep_words_pictures_and_tool_calls() -> None:
    system, user, assistant, tool = conversation.turns(ASKED)
    assert (system.role, system.text) == ("system", "Be brief.")
    assert user.text == "What is this?"
    assert [media.address for media in user.media] == ["https://example.invalid/x.png", ""]
    assert assistant.tools == (("look", '{"a":1}'),)
    assert (tool.tool, tool.text) == ("c1", "a door")


def test_every_choice_is_a_reply() -> None:
    body = {"choices": [{"message": {"content": text}} for text in ("one", "two")]}
    assert [reply.text for reply in conversation.replies(orjson.dumps(body))] == ["one", "two"]


def test_a_stream_with_two_choices_is_two_replies() -> None:
    stream = b"".join(
        b"data: " + orjson.dumps({"choices": [{"index": index, "delta": {"content": text}}]}) + b"\n\n"
        for index, text in ((0, "o"), (1, "t"), (0, "ne"), (1, "wo"))
    )
    assert [reply.text for reply in conversation.replies(stream)] == ["one", "two"]


def test_the_inputs_of_an_embedding_are_turns() -> None:
    assert [turn.text for turn in conversation.turns(b'{"input": ["a", "b"]}')] == ["a", "b"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "role", "content", "type", "image_url", "url", "input", "tool_calls", "function"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_a_body_of_any_shape_is_read_without_complaint(body: object) -> None:
    conversation.turns(orjson.dumps(body))
    conversation.replies(orjson.dumps(body))


@given(st.binary(max_size=60))
def test_bytes_that_are_no_body_are_read_without_complaint(data: bytes) -> None:
    assert conversation.turns(data) == () or data.strip()
    conversation.replies(data)
