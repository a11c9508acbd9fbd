"""The three shapes of an example, and what cannot be one."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletionAssistantMessageParam, ChatCompletionMessageParam
from pydantic import TypeAdapter

from core.datasets import rules
from core.datasets.rules import Example, Kind
from core.errors import Invalid

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "May I return the blue lamp?"}]
TOOL = {"type": "function", "function": {"name": "stock", "parameters": {"type": "object"}}}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "stock", "arguments": "{}"}}],
}


def make(kind: Kind, messages: Any = ASKED, **told: Any) -> Example:
    return rules.make(kind, messages, **{"original": "No.", "final": "Yes, within 30 days."} | told)


def test_an_item_is_what_was_asked_and_what_is_expected() -> None:
    assert make(Kind.ITEM).line == {
        "input": {"messages": ASKED},
        "expected": {"role": "assistant", "content": "Yes, within 30 days."},
    }


def test_a_preference_pair_is_the_row_of_openais_guide() -> None:
    # keys and nesting as in the guide "Direct preference optimization", section "Data format"
    assert make(Kind.PREFERENCE, tools=[TOOL]).line == {
        "input": {"messages": ASKED, "tools": [TOOL]},
        "preferred_output": [{"role": "assistant", "content": "Yes, within 30 days."}],
        "non_preferred_output": [{"role": "assistant", "content": "No."}],
    }


def test_a_row_to_fine_tune_on_is_the_whole_conversation_ending_in_the_approved_text() -> None:
    assert make(Kind.TUNING).line == {
        "messages": [*ASKED, {"role": "assistant", "content": "Yes, within 30 days."}],
    }


def test_every_message_of_an_example_is_one_that_openais_own_types_accept() -> None:
    messages = [*ASKED, CALLED, {"role": "tool", "tool_call_id": "c1", "content": "3"}]
    row = make(Kind.TUNING, messages, tools=[TOOL]).line
    TypeAdapter(list[ChatCompletionMessageParam]).validate_python(row["messages"])
    pair = make(Kind.PREFERENCE, messages, tools=[TOOL]).line
    TypeAdapter(list[ChatCompletionMessageParam]).validate_python(pair["input"]["messages"])
    for name in ("preferred_output", "non_preferred_output"):
        TypeAdapter(list[ChatCompletionAssistantMessageParam]).validate_python(pair[name])


def test_what_backends_add_to_messages_is_left_out() -> None:
    messages = [*ASKED, {**CALLED, "reasoning_content": "Hm.", "annotations": []}, {"role": "user", "content": "And?"}]
    assert make(Kind.TUNING, messages).line["messages"][2] == {n: v for n, v in CALLED.items() if v is not None}


def test_the_conversation_is_found_in_a_recorded_request() -> None:
    assert rules.asked({"messages": ASKED, "tools": [TOOL], "model": "m"}) == (ASKED, [TOOL])
    assert rules.asked({"input": "text", "messages": None}) == ([], [])


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    "messages",
    [
        [],
        ["text"],
        [{"role": "system", "content": "Be brief."}],
        [{"role": "wizard", "content": "x"}],
        [{"role": "user"}],
        [{"role": "user", "content": 7}],
        [{"role": "user", "content": []}],
        [{"role": "user", "content": [{"type": "hologram", "hologram": {}}]}],
        [*ASKED, {"role": "tool", "content": "3"}],
        [*ASKED, {"role": "user", "content": "x", "tool_calls": CALLED["tool_calls"]}],
        [*ASKED, {"role": "assistant", "tool_calls": [{"id": "c"}]}],
    ],
)
def test_a_conversation_that_cannot_be_read_makes_no_example(kind: Kind, messages: Any) -> None:
    with pytest.raises(Invalid):
        make(kind, messages)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("final", ["", "  \n"])
def test_an_answer_without_text_makes_no_example(kind: Kind, final: str) -> None:
    with pytest.raises(Invalid):
        make(kind, final=final)


@pytest.mark.parametrize("kind", [Kind.ITEM, Kind.PREFERENCE])
def test_an_input_that_ends_with_an_answer_makes_no_example(kind: Kind) -> None:
    with pytest.raises(Invalid, match="already"):
        make(kind, [*ASKED, {"role": "assistant", "content": "No."}])


def test_an_answer_approved_as_it_was_is_no_preference() -> None:
    with pytest.raises(Invalid, match="nothing to prefer"):
        make(Kind.PREFERENCE, final="No.")


@pytest.mark.parametrize(
    ("part", "kinds"),
    [
        ({"type": "text", "text": "x"}, set(Kind)),
        ({"type": "image_url", "image_url": {"url": "data:,"}}, {Kind.ITEM, Kind.TUNING}),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, {Kind.ITEM}),
        ({"type": "file", "file": {"file_id": "f"}}, {Kind.ITEM}),
    ],
)
def test_parts_are_taken_by_the_kinds_whose_documents_allow_them(part: dict[str, Any], kinds: set[Kind]) -> None:
    messages = [{"role": "user", "content": [part]}]
    for kind in kinds:
        make(kind, messages)
    for kind in set(Kind) - kinds:
        with pytest.raises(Invalid, match=part["type"]):
            make(kind, messages)
