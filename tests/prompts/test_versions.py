"""What a version says: it is read as it was kept, two that say the same are one, bad ones are refused in a sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.prompts import versions
from core.prompts.rules import Attachment, Message, Parameters, Speaker, ToolCall, Variant
from core.prompts.versions import Content, Kind, Variable
from tests.prompts.shelf import content

TOOLS = '[{"name": "look", "parameters": {"type": "object"}}]'
SCHEMA = '{"type": "object", "properties": {"ok": {"type": "boolean"}}}'

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
variables = st.builds(
    Variable, name=st.from_regex(r"[a-z_]{1,8}", fullmatch=True), kind=st.sampled_from(Kind), example=texts,
    choices=st.lists(texts, max_size=3).map(tuple), about=texts, is_required=st.booleans(),
)  # fmt: skip
messages = st.builds(
    Message, speaker=st.sampled_from(Speaker), text=texts,
    attachments=st.lists(st.builds(Attachment, texts, st.just("image/png"), st.just("data:image/png;base64,AA==")),
                         max_size=1).map(tuple),
    tool_calls=st.lists(st.builds(ToolCall, texts, texts, texts), max_size=1).map(tuple),
    tool_call_id=texts, tool_name=texts,
)  # fmt: skip
parameters = st.builds(
    Parameters, temperature=st.none() | st.floats(0, 2), top_p=st.none() | st.floats(0, 1),
    max_tokens=st.none() | st.integers(1, 9_999), seed=st.none() | st.integers(-9, 9),
    stop=st.lists(texts, max_size=2).map(tuple), logprobs=st.booleans(),
)  # fmt: skip
contents = st.builds(
    Content, model=texts, messages=st.lists(messages, max_size=4).map(lambda m: tuple(m)), parameters=parameters,
    schema=texts, tools=texts, extra=st.dictionaries(texts, st.integers(-(2**63), 2**64 - 1) | texts, max_size=2),
    variables=st.lists(variables, max_size=3).map(tuple),
)  # fmt: skip


@given(contents)
def test_a_content_is_read_as_it_was_kept(made: Content) -> None:
    made = replace(made, messages=versions.numbered(tuple(replace(m, mark=0) for m in made.messages)))
    assert versions.content_in(versions.content_out(made)) == made


def test_what_is_not_sent_makes_no_other_version() -> None:
    variant = Variant("C", "m", (Message(Speaker.SYSTEM, "Be kind.", mark=9), Message(Speaker.USER, mark=4)))
    other = replace(variant, letter="A", schema=SCHEMA, tools=TOOLS)  # typed, and switched off
    ours, theirs = Content.of_variant(variant), Content.of_variant(other)
    assert versions.digest(ours, {}) == versions.digest(theirs, {})
    assert versions.digest(ours, {}) != versions.digest(Content.of_variant(replace(other, asks_tools=True)), {})
    assert versions.digest(ours, {"tone@production": 1}) != versions.digest(ours, {"tone@production": 2})
    assert [message.mark for message in ours.messages] == [1]


def test_variables_are_those_the_texts_ask_for_and_keep_what_was_said_of_them() -> None:
    made = content("Hello {{ name }}, {{ tone|default('kind') }}.", "{{ question }}")
    known = [Variable("name", Kind.TEXT, "Mia"), Variable("gone")]
    found = versions.with_variables(made, known, texts=["{% if vip %}Dear{% endif %}"]).variables
    spared = Variable("tone", is_required=False)  # it says what stands there without it
    assert found == (Variable("name", Kind.TEXT, "Mia"), spared, Variable("question"), Variable("vip"))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (content(model=" "), "No model"),
        (content(model="prompt:other"), "not another prompt"),
        (content("  "), "says nothing"),
        (content("{{ broken"), "Message 1: Line 1"),
        (content(schema="{"), "schema"),
        (content(tools="{"), "tools"),
        (content(variables=(Variable("x", Kind.CHOICE),)), "nothing to choose from"),
        (content(variables=(Variable("x", Kind.NUMBER, "many"),)), "takes a number"),
        (content("x" * 1_000_001), "megabyte"),
        (content(extra={"seed": 2**70}), "cannot be kept"),
    ],
)
def test_what_could_never_be_asked_is_refused(made: Content, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        versions.check(made)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Kind.TEXT, 3, "3"), (Kind.TEXT, ["a"], '["a"]'), (Kind.NUMBER, "1.5", "1.5"), (Kind.NUMBER, 2, "2"),
        (Kind.YES_NO, True, "true"), (Kind.YES_NO, "no", "no"), (Kind.CHOICE, "red", "red"),
        (Kind.JSON, {"a": 1}, '{"a":1}'),
    ],
)  # fmt: skip
def test_a_value_of_its_kind_fills_a_variable(kind: Kind, value: Any, text: str) -> None:
    assert Variable("x", kind, choices=("red", "blue")).accepted(value) == text


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Kind.NUMBER, "nan"), (Kind.NUMBER, "x"), (Kind.YES_NO, "maybe"), (Kind.CHOICE, "green"), (Kind.JSON, "{")],
)
def test_a_value_of_another_kind_is_refused_by_name(kind: Kind, value: Any) -> None:
    with pytest.raises(Invalid, match="'x'") as refused:
        Variable("x", kind, choices=("red",)).accepted(value)
    assert refused.value.param == "prompt_variables.x"


@pytest.mark.parametrize("name", ["", "Support", "a b", "a//b", "/a/../b", "a@b", "-a", "a" * 129, "a/b/c/d/e/f"])
def test_a_name_nobody_could_ask_for_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        versions.check_name(name)


@pytest.mark.parametrize("label", ["latest", "3", "a b", "", "x" * 33, "a@b"])
def test_a_label_that_would_mean_something_else_is_refused(label: str) -> None:
    with pytest.raises(Invalid):
        versions.check_label(label)
