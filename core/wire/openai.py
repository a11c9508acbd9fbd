"""The shapes of the OpenAI protocol, read tolerantly: real servers leave out, add and rename.

Nothing here changes what passes through; these functions only look.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

from core.wire import nesting

Json = dict[str, Any]

_LOOSE = re.compile(rb"NaN|Infinity|\\u[dD][89a-fA-F]")


def loads(data: bytes, *, deepest: int = nesting.DEEPEST) -> Any:
    """The JSON of these bytes, also with what common writers let through: NaN, and half of a surrogate pair where a
    stream was cut inside an emoji.

    Raises: ValueError when it is not JSON, TooDeep when it is nested deeper than `deepest`.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        if not _LOOSE.search(data):
            raise
        try:
            value = json.loads(data)
        except RecursionError as error:
            raise nesting.TooDeep("nested too deeply") from error
    nesting.check(value, data, deepest=deepest)
    return value


def dumps(value: Any) -> bytes:
    """The JSON bytes of what `loads` gave, halves of pairs as escapes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a call consumed, in tokens. `input` includes `cached`, `output` includes `reasoning`."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0


def _count(value: Any) -> int | None:
    """A token count when it is one: a whole number, not negative, not a truth value."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value


def tokens_of(usage: Any) -> Tokens | None:
    """The upstream's usage, or None where it is missing or cannot be true (negative, not whole, more cached than in).

    Source: OpenAI API reference, "The chat completion object", `usage`.
    """
    if not isinstance(usage, dict):
        return None
    given = _count(usage.get("prompt_tokens", usage.get("input_tokens")))
    if given is None:
        return None
    made = _count(usage.get("completion_tokens", usage.get("output_tokens", 0)))
    if made is None:
        return None
    in_details = usage.get("prompt_tokens_details")
    out_details = usage.get("completion_tokens_details")
    cached = _count(in_details.get("cached_tokens", 0)) if isinstance(in_details, dict) else 0
    reasoning = _count(out_details.get("reasoning_tokens", 0)) if isinstance(out_details, dict) else 0
    cached, reasoning = cached or 0, reasoning or 0
    if cached > given or reasoning > made:
        return None
    return Tokens(given, made, cached, reasoning)


def text_of(content: Any) -> str:
    """The words of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = []
        for part in content:
            if isinstance(part, dict):
                text = part.get("text") if isinstance(part.get("text"), str) else part.get("refusal")
                parts.append(text if isinstance(text, str) else f"[{part.get('type', 'part')}]")
            elif isinstance(part, str):
                parts.append(part)
        return "\n".join(parts)
    return ""


def asked_text(body: Json) -> str:
    """Everything the caller said, for search: all messages, or the `input` of embeddings and moderations."""
    messages = body.get("messages")
    if isinstance(messages, list):
        return "\n".join(text for m in messages if isinstance(m, dict) and (text := text_of(m.get("content"))))
    return text_of(body.get("input"))


def last_question(body: Json) -> str:
    """What was asked last: the newest user message, else the newest message, else the input."""
    given = body.get("messages")
    messages = [m for m in given if isinstance(m, dict)] if isinstance(given, list) else []
    for message in reversed(messages):
        if message.get("role") == "user":
            return text_of(message.get("content"))
    return text_of(messages[-1].get("content")) if messages else text_of(body.get("input"))


def choices_of(completion: Json) -> list[Json]:
    """The choices that are objects; [] where a server sent something else."""
    choices = completion.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def answer_text(completion: Json) -> str:
    """What was answered, for search and lists: every choice's text, tool calls as `name(arguments)`."""
    texts = []
    for choice in choices_of(completion):
        message = choice.get("message")
        if isinstance(message, dict):
            texts.append(message_text(message))
    return "\n".join(text for text in texts if text)


def message_text(message: Json) -> str:
    """One answer's words; a refusal or tool calls where it has no content."""
    words = text_of(message.get("content")) or text_of(message.get("refusal"))
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        for call in calls:
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                words += f"\n{function.get('name', '')}({function.get('arguments', '')})"
    return words.strip("\n")


def finish_of(completion: Json) -> str:
    """Why the first choice ended, `""` when it does not say."""
    for choice in choices_of(completion):
        if isinstance(choice.get("finish_reason"), str):
            return str(choice["finish_reason"])
    return ""


def error_of(body: Any) -> Json | None:
    """The error an answer carries, in OpenAI's shape, whatever shape the server used; None when it carries none."""
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    if isinstance(error, str) and error:
        return {"message": error, "type": None, "code": None, "param": None}
    if isinstance(error, dict) and error:
        known = {name: error.get(name) for name in ("type", "code", "param")}
        return {**error, "message": words(error.get("message") or error.get("msg") or error), **known}
    detail = body.get("detail")
    if detail and "choices" not in body:
        return {"message": words(detail), "type": None, "code": None, "param": None}
    return None


def words(said: Any) -> str:
    """What somebody sent where text was expected, as text."""
    if isinstance(said, str):
        return said
    try:
        return orjson.dumps(said).decode()
    except TypeError:  # nested deeper than can be written
        return "(nested too deeply to be shown)"


def as_chunks(completion: Json, *, with_usage: bool) -> list[Json]:
    """A whole completion as the stream it might have been: one content chunk and one end per choice, usage last."""
    head = {k: v for k, v in completion.items() if k not in ("choices", "usage", "object")}
    head["object"] = "chat.completion.chunk"
    chunks = []
    for choice in choices_of(completion):
        found = choice.get("message")
        message = dict(found) if isinstance(found, dict) else {}
        if isinstance(message.get("tool_calls"), list):
            calls = [call for call in message["tool_calls"] if isinstance(call, dict)]
            message["tool_calls"] = [{"index": i, **call} for i, call in enumerate(calls)]
        index = choice.get("index", 0)
        start: Json = {"index": index, "delta": message, "finish_reason": None}
        if choice.get("logprobs") is not None:
            start["logprobs"] = choice["logprobs"]
        chunks.append({**head, "choices": [start]})
        end = {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
        chunks.append({**head, "choices": [end]})
    if with_usage:
        chunks.append({**head, "choices": [], "usage": completion.get("usage")})
    return chunks


def event(data: Json | bytes) -> bytes:
    """One server-sent event carrying a JSON value (or bytes that already are one)."""
    return b"data: " + (data if isinstance(data, bytes) else dumps(data)) + b"\n\n"


DONE = b"data: [DONE]\n\n"


def replayed(completion: Json, *, with_usage: bool) -> bytes:
    """A whole completion as the stream it might have been, to its last byte."""
    return b"".join([*(event(chunk) for chunk in as_chunks(completion, with_usage=with_usage)), DONE])
