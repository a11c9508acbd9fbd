"""What was said is read out of whole and streamed bodies, and out of broken ones as far as it goes."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calls import rows, said


def _stream(*deltas: dict[str, object]) -> bytes:
    lines = [b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": delta}]}) + b"\n\n" for delta in deltas]
    return b"".join(lines) + b"data: [DONE]\n\n"


def test_a_stream_is_read_as_one_answer() -> None:
    body = _stream({"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"})
    (answer,) = said.answered(said.value(body))
    assert (answer.role, answer.text) == ("assistant", "Hello")


def test_tool_calls_of_a_stream_are_put_together() -> None:
    first = {"index": 0, "id": "call_1", "function": {"name": "look", "arguments": '{"a"'}}
    second = {"index": 0, "function": {"arguments": ": 1}"}}
    (answer,) = said.answered(said.value(_stream({"tool_calls": [first]}, {"tool_calls": [second]})))
    call = answer.extras[0]["tool_calls"][0]
    assert (call["id"], call["function"]) == ("call_1", {"name": "look", "arguments": '{"a": 1}'})


def test_a_stream_that_was_cut_gives_what_arrived() -> None:
    body = _stream({"content": "Hel"})[:-14] + b'data: {"choices": [{"ind'
    assert said.answered(said.value(body))[0].text == "Hel"


def test_a_token_of_no_probability_and_half_an_emoji_are_read_too() -> None:
    body = b'{"choices": [{"message": {"content": "a\\ud83d"}, "logprobs": {"content": [{"logprob": -Infinity}]}}]}'
    assert said.answered(said.value(body))[0].text == "a\ufffd"


def test_parts_that_are_not_text_are_kept_beside_it() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    request = {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]}
    (message,) = said.asked(request)
    assert (message.text, message.extras) == ("What is this?", (image,))


def test_the_input_of_an_embedding_is_a_message() -> None:
    assert said.asked({"input": ["a", "b"]})[0].text == "a\nb"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b"null", b'{"choices": 3}', b'{"choices": [null, {}]}', b"data: 3\n"]
)
def test_a_foreign_body_is_no_error(body: bytes) -> None:
    value = said.value(body)
    said.asked(value)
    said.answered(value)


WORDS = "choices messages message delta content tool_calls function index role input logprobs name type text"
LEAF = st.none() | st.booleans() | st.text(max_size=5) | st.integers(0, 9)
NAME = st.sampled_from(WORDS.split())
JSON = st.recursive(
    LEAF, lambda item: st.lists(item, max_size=3) | st.dictionaries(NAME, item, max_size=4), max_leaves=12
)


@given(JSON)
def test_any_json_is_read_without_an_error(value: object) -> None:
    said.asked(value)
    said.answered(value)


@given(st.binary(max_size=3_000))
def test_a_stored_body_comes_back_as_it_travelled(body: bytes) -> None:
    assert rows.unpack(rows.pack(body)) == body


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(ValueError, match="unknown byte"):
        rows.unpack(b"\x09abc")
