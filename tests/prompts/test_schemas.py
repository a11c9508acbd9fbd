"""Schemas and tools as people type them, and answers held against them."""

from __future__ import annotations

import pytest

from core.errors import Invalid
from core.prompts import schemas


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ('{"type": "object",', "line 1"),
        ("[1]", "must be an object"),
        ('{"type": "string"}', "describe an object"),
        ('{"type": "object", "properties": {"a": {"type": "strng"}}}', "properties.a.type"),
    ],
)
def test_a_mistake_in_a_schema_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        schemas.schema(text)


def test_a_type_that_does_not_exist_is_named_and_those_that_do_are_told() -> None:
    with pytest.raises(Invalid) as caught:
        schemas.schema('{"type": "object", "properties": {"a": {"type": "strng"}}}')
    assert caught.value.message == "The schema is not valid at “properties.a.type”: there is no type “strng”."
    assert "string, number" in caught.value.hint


def test_the_examples_offered_are_valid() -> None:
    assert schemas.response_format(schemas.EXAMPLE_SCHEMA)["json_schema"]["strict"] is True
    assert schemas.tools(schemas.EXAMPLE_TOOLS)[0]["function"]["name"] == "get_weather"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ('{"title": "x", "score": 3}', ""),
        ("Sure! Here it is:", "The answer is not JSON."),
        ("", "The answer is empty."),
        ('{"title": "x"}', "The answer lacks “score”."),
        ('{"title": "x", "score": "3"}', "“score” must be a whole number."),
        ('{"title": "x", "score": 3, "z": 1}', "The answer has “z”, which the schema does not allow."),
        ('{"title": "x", "score": 9}', "“score” does not fit the schema: 9 is greater than the maximum of 5."),
    ],
)
def test_an_answer_of_another_shape_is_told_in_a_sentence(answer: str, says: str) -> None:
    assert schemas.mismatch(schemas.EXAMPLE_SCHEMA, answer) == says


def test_a_schema_never_makes_the_server_fetch_an_address() -> None:
    pointing = '{"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:1/x.json"}}}'
    assert "http://127.0.0.1:1/x.json" in schemas.mismatch(pointing, '{"a": 1}')


@pytest.mark.parametrize(
    ("text", "says"),
    [("[]", "empty"), ('[{"description": "x"}]', "Tool 1 needs a name"), ('{"name": "f", "parameters": 3}', "of f")],
)
def test_a_mistake_in_a_tool_names_the_tool(text: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        schemas.tools(text)
