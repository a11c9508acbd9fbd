"""The playground's state: variants, messages, and how they survive the store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.prompts import stored
from core.prompts.rules import Attachment, Message, Parameters, RunState, Speaker, ToolCall, Variant


def full() -> RunState:
    """A state that uses everything there is."""
    variant = Variant(
        "A",
        "tuned",
        parameters=Parameters(temperature=0.0, max_tokens=20, seed=7, stop=("\n", "END"), logprobs=True),
        asks_schema=True,
        schema="{",
        asks_tools=True,
        tools="[]",
        extra={"reasoning_effort": "low"},
    ).said(
        Message(Speaker.SYSTEM, "You are {{ role }}."),
        Message(Speaker.USER, "See:", (Attachment("a.png", "image/png", "data:image/png;base64,AAAA"),)),
        Message(Speaker.ASSISTANT, "", tool_calls=(ToolCall("c1", "look", '{"at": 1}'),)),
        Message(Speaker.TOOL, "42", tool_call_id="c1", tool_name="look"),
    )
    return RunState((variant,), {"role": "a clerk", "old": "kept"}, repeats=3)


def test_what_is_stored_comes_back_the_same() -> None:
    state = full().added().added()
    assert stored.from_dict(stored.to_dict(state)) == state


def test_a_new_variant_copies_the_last_and_takes_the_free_letter() -> None:
    state = full().added().added().removed("B").added()
    assert [variant.letter for variant in state.variants] == ["A", "B", "C"]
    assert state.variants[1].messages == state.variants[0].messages


def test_there_are_never_more_than_four_variants_nor_fewer_than_one() -> None:
    state = full()
    for _ in range(6):
        state = state.added()
    assert len(state.variants) == 4
    for letter in "ABCD":
        state = state.removed(letter)
    assert len(state.variants) == 1


def test_numbers_of_messages_stay_when_others_go() -> None:
    variant = full().variants[0].without(2).said(Message(Speaker.USER, "And now?"))
    assert [message.mark for message in variant.messages] == [1, 3, 4, 5]


def test_parameters_say_only_what_is_set() -> None:
    assert Parameters(temperature=0.7, max_tokens=200, stop=("END",)).said() == (
        "temperature 0.7 · max tokens 200 · stop at “END”"
    )
    assert Parameters().said() == ""


def test_a_state_from_elsewhere_is_read_as_far_as_it_can_be() -> None:
    strange: dict[str, Any] = {
        "version": 99,
        "variants": [
            {
                "letter": "Z",
                "messages": [{"speaker": "alien"}, {"speaker": "user", "text": "hi"}, 7],
                "parameters": {"temperature": "hot", "seed": float("inf"), "max_tokens": 5.0, "top_p": 9, "stop": 3},
            },
            None,
        ],
        "repeats": 1000,
        "variables": {"a": 1},
    }
    state = stored.from_dict(strange)
    assert state is not None
    assert state.variants[0].letter == "A"
    assert [m.text for m in state.variants[0].messages] == ["hi"]
    assert state.variants[0].parameters == Parameters(max_tokens=5, top_p=1.0)
    assert (state.repeats, state.variables) == (10, {"a": "1"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["variants", "messages", "speaker", "parameters", "letter", "tool_calls", "mark", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_no_stored_value_breaks_the_page(value: Any) -> None:
    stored.from_dict({"variants": [value], "variables": value, "repeats": value})


def test_an_answer_goes_behind_the_question_and_an_empty_one_gives_way() -> None:
    asked = Variant("A").said(Message(Speaker.USER, "Why?"))
    answer = Message(Speaker.ASSISTANT, "Because.")
    once = asked.answered(answer, Message(Speaker.USER))
    again = once.answered(Message(Speaker.ASSISTANT, "So it is."), Message(Speaker.USER))
    assert [(m.speaker, m.text) for m in again.messages] == [
        ("user", "Why?"),
        ("assistant", "Because."),
        ("assistant", "So it is."),
        ("user", ""),
    ]
    assert len({m.mark for m in again.messages}) == 4


def test_whether_a_conversation_goes_on_from_an_answer_is_known() -> None:
    asked = Variant("A").said(Message(Speaker.USER, "Why?"), Message(Speaker.USER))
    answer = Message(Speaker.ASSISTANT, "Because.")
    goes_on = asked.answered(answer, Message(Speaker.USER, "And?"))
    assert goes_on.holds(answer, asked)
    assert not asked.holds(answer, asked)
    assert not goes_on.holds(answer, goes_on)
    assert not asked.answered(replace(answer, text="Because I say so.")).holds(answer, asked)
