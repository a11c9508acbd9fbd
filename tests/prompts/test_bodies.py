"""From the playground to the request, and from a recorded request back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from core.errors import Invalid
from core.prompts import bodies
from core.prompts.rules import Attachment, Message, Parameters, Speaker, ToolCall, Variant

PICTURE = Attachment("a.png", "image/png", "data:image/png;base64,AAAA")
SOUND = Attachment("a.wav", "audio/wav", "data:audio/wav;base64,BBBB")


def asking(text: str = "Hi {{ name }}", **fields: Any) -> Variant:
    return Variant("A", "tuned", **fields).said(Message(Speaker.SYSTEM), Message(Speaker.USER, text))


def test_only_what_is_set_is_sent() -> None:
    assert bodies.body_of(asking(), {"name": "Mia"}) == {
        "model": "tuned",
        "messages": [{"role": "user", "content": "Hi Mia"}],
    }


def test_a_variable_left_empty_has_no_value() -> None:
    with pytest.raises(Invalid, match="“name” has no value"):
        bodies.body_of(asking(), {"name": ""})
    assert bodies.body_of(asking('Hi {{ name|default("you") }}'), {"name": ""})["messages"][0]["content"] == "Hi you"


def test_zero_is_a_choice_and_is_sent() -> None:
    body = bodies.body_of(asking("x", parameters=Parameters(temperature=0.0, seed=0, logprobs=True)), {})
    assert (body["temperature"], body["seed"]) == (0.0, 0)
    assert (body["logprobs"], body["top_logprobs"]) == (True, 5)
    assert "top_p" not in body


def test_pictures_and_sounds_travel_as_parts_where_the_model_takes_them() -> None:
    variant = Variant("A", "m").said(Message(Speaker.USER, "What is it?", (PICTURE, SOUND)))
    content = bodies.body_of(variant, {})["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "input_audio"]
    assert content[2]["input_audio"] == {"data": "BBBB", "format": "wav"}
    without = bodies.body_of(variant, {}, sends_image=False, sends_audio=False)
    assert without["messages"][0]["content"] == "What is it?"


def test_a_tool_call_and_its_result_travel_in_the_protocols_form() -> None:
    variant = asking("Weather?").said(
        Message(Speaker.ASSISTANT, tool_calls=(ToolCall("c1", "weather", '{"city":"Bonn"}'),)),
        Message(Speaker.TOOL, "12 °C", tool_call_id="c1", tool_name="weather"),
    )
    messages = bodies.body_of(variant, {})["messages"]
    assert messages[1]["content"] is None
    assert messages[1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"Bonn"}'}
    assert messages[2] == {"role": "tool", "tool_call_id": "c1", "content": "12 °C"}


def test_nothing_asked_is_a_sentence() -> None:
    with pytest.raises(Invalid, match="no question"):
        bodies.body_of(Variant("A", "m").said(Message(Speaker.SYSTEM, "Be brief."), Message(Speaker.USER, "  ")), {})


def test_schema_and_tools_are_sent_only_when_switched_on() -> None:
    shape = '{"type": "object", "properties": {}}'
    assert "response_format" not in bodies.body_of(asking("x", schema=shape, tools="[]"), {})
    body = bodies.body_of(asking("x", schema=shape, asks_schema=True, tools='{"name": "f"}', asks_tools=True), {})
    assert body["response_format"]["json_schema"]["schema"] == orjson.loads(shape)
    assert body["tools"] == [{"type": "function", "function": {"name": "f"}}]


def test_a_recorded_request_opens_as_it_was_said() -> None:
    recorded = {
        "model": "backend/model",
        "stream": True,
        "messages": [
            {"role": "developer", "content": "Use {{mustache}} and {% raw %}."},
            {"role": "user", "content": [{"type": "text", "text": "Look"}, _picture_part()]},
            {"role": "assistant", "content": None, "tool_calls": [_call()]},
            {"role": "tool", "tool_call_id": "c1", "content": "ok"},
        ],
        "max_completion_tokens": 9,
        "stop": "END",
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
        "reasoning_effort": "low",
        "metadata": {"team": "x"},
    }
    state = bodies.state_of(recorded)
    body = bodies.body_of(state.variants[0], {})
    assert body["messages"][0] == {"role": "system", "content": "Use {{mustache}} and {% raw %}."}
    assert body["messages"][1:] == recorded["messages"][1:]  # type: ignore[index]
    assert (body["max_tokens"], body["stop"], body["reasoning_effort"]) == (9, ["END"], "low")
    assert body["tools"] == recorded["tools"]
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert "metadata" not in body


def _picture_part() -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": PICTURE.data_url}}


def _call() -> dict[str, object]:
    return {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
