"""A stream adds up to the answer it would have been in one piece, whatever its chunks hold."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from core.wire import gathered, openai
from core.wire.gathered import Gathered
from tests.calls.test_said import JSON


def chunk(index: int = 0, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c-1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def added(*chunks: dict[str, Any]) -> dict[str, Any]:
    whole = Gathered()
    for piece in chunks:
        whole.add(piece)
    return whole.completion()


def message(*chunks: dict[str, Any]) -> dict[str, Any]:
    return dict(added(*chunks)["choices"][0]["message"])


def test_several_answers_are_kept_apart() -> None:
    whole = added(chunk(1, content="b"), chunk(0, content="a"), chunk(1, "stop", content="B"), chunk(0, "length"))
    assert [(c["message"]["content"], c["finish_reason"]) for c in whole["choices"]] == [
        ("a", "length"),
        ("bB", "stop"),
    ]


def test_azures_first_chunk_without_a_name_does_not_name_the_answer() -> None:
    nameless = {"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": [{"index": 0}]}
    whole = added(nameless, chunk(content="hi"))
    assert (whole["id"], whole["model"], whole["prompt_filter_results"]) == ("c-1", "m", [{"index": 0}])


def test_tool_calls_grow_by_their_index_and_whole_ones_without_are_each_their_own() -> None:
    first = {"index": 0, "id": "t-0", "type": "function", "function": {"name": "f", "arguments": ""}}
    more = [{"index": 0, "function": {"arguments": piece}} for piece in ('{"a"', ": 1}")]
    found = message(chunk(tool_calls=[first]), *(chunk(tool_calls=[piece]) for piece in more))
    assert found["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": 1}'}
    whole = [{"id": f"t-{n}", "function": {"name": "g", "arguments": "{}"}} for n in range(2)]
    found = message(*(chunk(tool_calls=[call]) for call in whole))
    assert [call["id"] for call in found["tool_calls"]] == ["t-0", "t-1"]


def test_what_is_neither_words_nor_tools_grows_too() -> None:
    found = message(
        chunk(role="assistant", audio={"id": "a-1", "transcript": "He"}, reasoning="Be", annotations=[1]),
        chunk(audio={"data": "AA", "transcript": "llo"}, reasoning=" kind", annotations=[2], refusal=None),
        chunk(audio={"data": "BB", "expires_at": 9}, function_call={"name": "f", "arguments": "{"}),
        chunk(function_call={"arguments": "}"}),
    )
    assert found["audio"] == {"id": "a-1", "data": "AABB", "transcript": "Hello", "expires_at": 9}
    assert (found["reasoning"], found["annotations"]) == ("Be kind", [1, 2])
    assert found["function_call"] == {"name": "f", "arguments": "{}"}


def test_probabilities_of_words_and_of_a_refusal_are_added_up() -> None:
    pieces = [chunk(content="a"), chunk(content="b")]
    for number, piece in enumerate(pieces):
        piece["choices"][0]["logprobs"] = {"content": [{"token": number}], "refusal": None}
    (choice,) = added(*pieces)["choices"]
    assert choice["logprobs"] == {"content": [{"token": 0}, {"token": 1}], "refusal": None}


def test_looking_at_it_midway_changes_nothing() -> None:
    whole = Gathered()
    whole.add(chunk(content="a", tool_calls=[{"index": 0, "function": {"arguments": "x"}}]))
    early = whole.completion()
    whole.add(chunk(content="b", tool_calls=[{"index": 0, "function": {"arguments": "y"}}]))
    assert early["choices"][0]["message"]["content"] == "a"
    assert early["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == "x"
    assert whole.completion()["choices"][0]["message"]["content"] == "ab"


def test_an_emoji_cut_in_two_is_whole_again() -> None:
    halves = [b'{"choices": [{"delta": {"content": "\\ud83d"}}]}', b'{"choices": [{"delta": {"content": "\\ude00"}}]}']
    written = openai.dumps(added(*(openai.loads(half) for half in halves)))
    assert orjson.loads(written)["choices"][0]["message"]["content"] == "😀"


def test_a_replay_as_chunks_adds_up_to_the_same_answer() -> None:
    tools = [{"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    whole = added(chunk(content="hi", reasoning="hm"), chunk(1, "stop", tool_calls=tools), chunk(0, "stop"))
    assert added(*openai.as_chunks(whole, with_usage=False)) == whole


@given(st.lists(st.dictionaries(st.sampled_from(["id", "model", "choices", "usage", "error"]), JSON, max_size=4)))
def test_any_chunks_are_taken_and_can_be_written(chunks: list[dict[str, Any]]) -> None:
    whole = added(*chunks)
    openai.dumps(whole)
    openai.answer_text(whole)
    openai.finish_of(whole)


@given(st.lists(JSON))
def test_any_stream_is_read_without_an_error(values: list[Any]) -> None:
    body = b"".join(b"data: " + orjson.dumps(value) + b"\n\n" for value in values)
    gathered.of_events(body + b"data: {broken\n\n")


def test_a_delta_nested_without_end_is_taken() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = {"a": deep}
    assert added(chunk(**deep))["choices"][0]["message"]["a"]
