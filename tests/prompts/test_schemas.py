"""Schemas and tools as people type them, and answers held against them."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import orjson
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


DOUBLING = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)} | {"d40": {"type": "object"}}
JUNGLE = {"type": "object", "$defs": DOUBLING, "$ref": "#/$defs/d0"}
DRAFT = "https://json-schema.org/draft/2020-12/schema"
BACKTRACKING = {"type": "string", "pattern": "^(a|a)+$"}
LONG_WORD = orjson.dumps({"a": "a" * 60 + "!"}).decode()


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        (JUNGLE, "{}"),
        ({**JUNGLE, "$schema": DRAFT}, "{}"),
        ({"type": "object", "properties": {"a": BACKTRACKING}}, LONG_WORD),
        ({"type": "object", "properties": {"a": {**BACKTRACKING, "$schema": DRAFT}}}, LONG_WORD),
        ({"type": "object", "patternProperties": {"^(a|a)+$": {}}}, orjson.dumps({"a" * 60 + "!": 1}).decode()),
        ({"type": "object", "properties": {"a": {"pattern": "("}}}, '{"a": "a"}'),
        ({"type": "object", "properties": {"a": {"pattern": "a" * 1000}}}, '{"a": "a"}'),
        (
            {"type": "object", "properties": {"a": {"uniqueItems": True}}},
            orjson.dumps({"a": [{"n": n} for n in range(20_000)]}).decode(),
        ),
        ({"type": "object", "allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"unevaluatedProperties": False}}}, "{}"),
        ({"type": "object"}, '{"a":' + "[" * 500 + "]" * 500 + "}"),
        ({"type": "object"}, orjson.dumps({"a": "x" * schemas.MOST_ANSWER}).decode()),
    ],
)
def test_no_schema_keeps_the_server_busy(schema: dict[str, Any], answer: str) -> None:
    began = time.perf_counter()
    found = schemas.mismatch(orjson.dumps(schema).decode(), answer)
    # a second of the budget, and what the last step before it took
    assert time.perf_counter() - began < 6
    assert found == "" or "cannot be checked" in found or "does not fit" in found


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "object", "properties": ' + '{"a": {"properties": ' * 300 + "{}" + "}}" * 300 + "}",
        orjson.dumps({"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(6_900)}}).decode(),
    ],
    ids=["deep", "wide"],
)
def test_a_schema_too_large_to_check_is_refused_soon(text: str) -> None:
    began = time.perf_counter()
    with contextlib.suppress(Invalid):
        schemas.schema(text)
    assert time.perf_counter() - began < 6


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ('{"a": "aaa", "x-1": 5}', ""),
        ('{"a": "aab"}', "does not match"),
        ('{"a": "a", "x-1": "five"}', "“x-1” must be a whole number"),
        ('{"a": "a", "b": 1}', "“b”, which the schema does not allow"),
        ('{"a": "a", "list": [1, 1]}', "non-unique"),
    ],
)
def test_patterns_and_further_names_are_checked(answer: str, says: str) -> None:
    schema = {
        "$schema": DRAFT,
        "type": "object",
        "properties": {"a": {"type": "string", "pattern": "^a+$"}, "list": {"type": "array", "uniqueItems": True}},
        "patternProperties": {"^x-": {"type": "integer"}},
        "additionalProperties": False,
    }
    found = schemas.mismatch(orjson.dumps(schema).decode(), answer)
    assert says in found
    assert bool(says) is bool(found)
