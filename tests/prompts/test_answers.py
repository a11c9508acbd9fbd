"""Answers as they come and as they were recorded, and what several have in common."""

from __future__ import annotations

import math

import orjson

from core.prompts import answers
from core.prompts.rules import Speaker


def chunk(**delta: object) -> bytes:
    return b"data: " + orjson.dumps({"id": "1", "choices": [{"index": 0, "delta": delta}]}) + b"\n\n"


def test_a_recorded_stream_reads_like_the_answer_it_was() -> None:
    data = chunk(role="assistant") + chunk(content="Gr") + chunk(content="üße") + b"data: [DONE]\n\n"
    assert answers.of_recorded(data).text == "Grüße"


def test_a_cut_stream_keeps_its_words_and_its_error() -> None:
    found = answers.of_recorded(chunk(content="Half") + b'data: {"error": {"message": "It broke."}}\n\n')
    assert (found.text, found.error) == ("Half", "It broke.")


def test_a_recorded_error_is_its_sentence() -> None:
    assert answers.of_recorded(b'{"error": {"message": "No such model."}}').error == "No such model."
    assert answers.of_recorded(b"<html>").is_empty


def test_tool_calls_and_probabilities_are_read() -> None:
    logprob = {"token": "Hi", "logprob": math.log(0.5), "top_logprobs": [{"token": "Yo", "logprob": math.log(0.25)}]}
    completion = {
        "choices": [
            {
                "message": {"tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]},
                "logprobs": {"content": [logprob, {"token": 3}]},
                "finish_reason": "tool_calls",
            }
        ]
    }
    found = answers.of_completion(completion)
    assert found.tool_calls[0].name == "f"
    assert found.tokens[0].alternatives == (("Yo", 0.25),)
    assert found.tokens[0].probability == 0.5
    said, result = found.as_messages()
    assert (said.speaker, result.speaker, result.tool_call_id) == (Speaker.ASSISTANT, Speaker.TOOL, "c1")


def test_continuing_after_plain_words_asks_the_next_question() -> None:
    said, question = answers.Answered(text="Fine.").as_messages()
    assert (said.text, question.speaker, question.text) == ("Fine.", Speaker.USER, "")


def test_answers_that_say_the_same_are_counted_together() -> None:
    groups = answers.alike([(1, "Paris"), (2, "Lyon"), (3, "Paris")])
    assert [(group.essence, group.repeats) for group in groups] == [("Paris", (1, 3)), ("Lyon", (2,))]


def test_the_spread_of_times_names_least_middle_and_most() -> None:
    assert answers.spread([30.0, 10.0, 20.0]) == answers.Spread(10.0, 20.0, 30.0)
    assert answers.spread([]) is None
