"""The embedded backend as a caller sees it: OpenAI's shapes, clear refusals, hostile input."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from core.builtin import engine
from core.errors import Invalid
from tests.builtin.asking import body, chunks, completed, streamed, text

MODELS = ("extract", "answer", "rules", "tiny")
NAUGHTY: list[str] = json.loads((Path(__file__).parent / "data" / "blns.json").read_text("utf-8"))


@pytest.mark.parametrize("model", MODELS)
def test_replies_and_chunks_have_openai_shapes(model: str) -> None:
    reply = completed(model, "Hello there.", n=2)
    ChatCompletion.model_validate(reply, strict=False)
    assert [choice["index"] for choice in reply["choices"]] == [0, 1]
    assert reply["usage"]["prompt_tokens"] > 0
    parts = chunks(model, "Hello there.", temperature=0, stream_options={"include_usage": True})
    for part in parts:
        ChatCompletionChunk.model_validate(part, strict=False)
    assert streamed(parts) == text(model, "Hello there.", temperature=0)
    assert len({part["id"] for part in parts}) == 1


def test_every_model_has_a_card_that_says_what_it_does_not() -> None:
    assert tuple(card.name for card in engine.CARDS) == MODELS
    for card in engine.CARDS:
        assert min(len(card.title), len(card.what), len(card.knows), len(card.does_not)) > 10
        assert card.languages in card.text


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"model": "gpt"}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "boss", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 99}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens"),
        ({"seed": 1.5}, "seed"),
        ({"stop": [""]}, "stop"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"logprobs": "yes"}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"stream_options": 1}, "stream_options"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(wrong: dict[str, Any], param: str) -> None:
    with pytest.raises(Invalid) as caught:
        anyio.run(engine.complete, body("tiny", "hi") | wrong)
    assert caught.value.param == param
    assert caught.value.message.endswith(".")


def test_a_schema_is_refused_and_not_pretended() -> None:
    with pytest.raises(Invalid, match="cannot promise json_schema"):
        completed("extract", "hi", response_format={"type": "json_schema", "json_schema": {"name": "x"}})


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file"])
def test_it_says_that_it_cannot_see_hear_or_open(kind: str) -> None:
    part = {"type": kind, kind: {}}
    with pytest.raises(Invalid, match=r"cannot (see images|hear audio|open files)"):
        completed("tiny", {"role": "user", "content": [{"type": "text", "text": "look"}, part]})


def test_text_parts_null_and_tools_that_may_be_ignored_are_taken() -> None:
    parts = [{"type": "text", "text": "thank"}, {"type": "text", "text": "you"}]
    call = {"role": "assistant", "content": None, "tool_calls": []}
    assert text("rules", call, {"role": "user", "content": parts}, tools=[{"type": "function"}]) == "You are welcome."


@pytest.mark.parametrize("model", ["extract", "rules"])
def test_limit_and_stop_cut_a_written_answer(model: str) -> None:
    full = completed(model, "hello")
    content = full["choices"][0]["message"]["content"]
    cut = completed(model, "hello", max_tokens=4)["choices"][0]
    assert cut["finish_reason"] == "length"
    assert content.startswith(cut["message"]["content"])
    stopped = completed(model, "hello", stop=content[5:9])["choices"][0]
    assert stopped["message"]["content"] == content[:5]


def test_embeddings_and_moderation_are_honestly_missing() -> None:
    with pytest.raises(Invalid, match="no embeddings"):
        anyio.run(engine.embed, {"model": "tiny"})
    with pytest.raises(Invalid, match="no moderation"):
        anyio.run(engine.moderate, {"model": "tiny"})


def test_naughty_strings_are_answered_by_every_model() -> None:
    async def ask_all() -> None:
        for said in [*NAUGHTY, "\ud800", "\x00"]:
            for model in MODELS:
                reply = await engine.complete(body(model, said, max_tokens=4))
                json.dumps(reply, allow_nan=False).encode("utf-8")

    anyio.run(ask_all)


HOSTILE = [
    "a" * 100_000,
    " " * 100_000,
    "a." * 50_000,
    "a-" * 50_000,
    "![](" * 25_000,
    "<a" * 50_000,
    "A. " * 33_000,
    "\n" * 100_000,
    "1. " * 33_000,
    "summarise: " * 9_000,
    "日" * 100_000,
    "日本語。" * 25_000,
    "👍" * 100_000,
    "Aa Bb. " * 14_000,
    "```\n" * 25_000,
    "who " * 25_000 + "?",
    "why?\n" * 20_000,
    "<end><|user|>" * 7_000,
]


@pytest.mark.parametrize("model", MODELS)
def test_no_text_of_100_kilobytes_takes_longer_than_a_second_of_work(model: str) -> None:
    slow: list[tuple[str, float]] = []
    for said in HOSTILE:
        started = time.process_time()
        with contextlib.suppress(Invalid):  # most are too long for builtin/tiny
            text(model, said, max_tokens=4)
        if (took := time.process_time() - started) > 1.0:
            slow.append((said[:12], took))
    assert slow == []


def test_a_megabyte_is_read_and_more_is_refused() -> None:
    sentence = "The river Larne floods the old town almost every spring. "
    assert "river" in text("extract", "Summarise:\n" + sentence * (950_000 // len(sentence)))
    with pytest.raises(Invalid) as caught:
        text("extract", "x" * 1_000_001)
    assert caught.value.code == "context_length_exceeded"
