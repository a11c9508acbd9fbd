"""What travelled with a message besides its words, whatever shape it had."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.calls import said
from pages.parts import conversation

ASKED = {
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://example.invalid/x.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
            ],
        },
        {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": '{"a":1}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "a door"},
        {"role": "assistant", "content": "A door.", "reasoning_content": "It has a handle."},
    ]
}


def test_pictures_sounds_tool_calls_and_reasoning_are_found() -> None:
    user, caller, tool, answer = said.asked(ASKED)
    picture, embedded, sound = conversation.media(user)
    assert (picture.address, picture.data_url) == ("https://example.invalid/x.png", "")
    assert embedded.data_url == "data:image/png;base64,AA=="
    assert sound.data_url == "data:audio/mpeg;base64,AA=="
    assert conversation.tools(caller) == (conversation.ToolCall("look", '{"a":1}'),)
    assert conversation.said_aside(tool, "tool_call_id") == "c1"
    assert conversation.said_aside(answer, "reasoning_content") == "It has a handle."


NAMES = ["role", "content", "type", "image_url", "url", "input_audio", "data", "tool_calls", "function", "name"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["image_url", "input_audio", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_a_message_of_any_shape_is_read_without_complaint(content: object) -> None:
    for message in said.asked({"messages": [{"content": content, "tool_calls": content}]}):
        conversation.media(message)
        conversation.tools(message)
