"""The shapes of the OpenAI protocol, read tolerantly: real servers leave out, add and rename.

Nothing here changes what passes through; these functions only look.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

Json = dict[str, Any]


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
    messages = [m for m in body.get("messages") or () if isinstance(m, dict)]
    for message in reversed(messages):
        if message.get("role") == "user":
            return text_of(message.get("content"))
    return text_of(messages[-1].get("content")) if messages else text_of(body.get("input"))


def answer_text(completion: Json) -> str:
    """What was answered, for search and lists: every choice's text, tool calls as `name(arguments)`."""
    texts = []
    for choice in completion.get("choices") or ():
        message = choice.get("message") if isinstance(choice, dict) else None
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
    for choice in completion.get("choices") or ():
        if isinstance(choice, dict) and isinstance(choice.get("finish_reason"), str):
            return str(choice["finish_reason"])
    return ""


def error_of(body: Any) -> Json | None:
    """The error an answer carries, in OpenAI's shape, whatever shape the server used; None when it carries none."""
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    if isinstance(error, str) and error:
        return {"message": error, "type": None, "code": None, "param": None}
    if isinstance(error, dict):
        message = error.get("message") or error.get("msg") or orjson.dumps(error).decode()
        known = {name: error.get(name) for name in ("type", "code", "param")}
        return {**error, "message": str(message), **known}
    detail = body.get("detail")
    if detail and "choices" not in body:
        message = detail if isinstance(detail, str) else orjson.dumps(detail).decode()
        return {"message": message, "type": None, "code": None, "param": None}
    return None


@dataclass(slots=True)
class Gathered:
    """A stream's chunks added up to the completion they would have been (for the record, the cache, a replay)."""

    head: Json = field(default_factory=dict)
    usage: Any = None
    error: Json | None = None
    _choices: dict[int, Json] = field(default_factory=dict)
    _text: dict[int, list[str]] = field(default_factory=dict)
    _reasoning: dict[int, list[str]] = field(default_factory=dict)
    _arguments: dict[tuple[int, int], list[str]] = field(default_factory=dict)

    def add(self, chunk: Json) -> bool:
        """Take one chunk in; True when it brought the reader something (words, a tool call, a refusal)."""
        if not self.head:
            self.head = {k: v for k, v in chunk.items() if k not in ("choices", "usage", "object", "obfuscation")}
        if chunk.get("usage"):
            self.usage = chunk["usage"]
        choices = chunk.get("choices")
        brought = False
        if isinstance(choices, list):
            for choice in choices:
                if isinstance(choice, dict):
                    brought = self._take(choice) or brought
        return brought

    def _take(self, choice: Json) -> bool:
        index = choice.get("index")
        if not isinstance(index, int):
            index = 0
        kept: Json | None = self._choices.get(index)
        if kept is None:
            message: Json = {"role": "assistant", "content": None}
            kept = {"index": index, "message": message, "finish_reason": None}
            self._choices[index] = kept
        if choice.get("finish_reason"):
            kept["finish_reason"] = choice["finish_reason"]
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list):
            kept.setdefault("logprobs", {"content": []})["content"].extend(logprobs["content"])
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return False
        brought = False
        content = delta.get("content")
        if isinstance(content, str):
            self._text.setdefault(index, []).append(content)
            brought = bool(content)
        for name in ("reasoning_content", "reasoning"):
            if isinstance(delta.get(name), str) and delta[name]:
                self._reasoning.setdefault(index, []).append(delta[name])
                brought = True
        if isinstance(delta.get("refusal"), str):
            kept["message"]["refusal"] = (kept["message"].get("refusal") or "") + delta["refusal"]
            brought = True
        if isinstance(delta.get("tool_calls"), list):
            brought = self._take_tools(index, kept["message"], delta["tool_calls"]) or brought
        return brought

    def _take_tools(self, index: int, message: Json, deltas: list[Any]) -> bool:
        calls = message.setdefault("tool_calls", [])
        for delta in deltas:
            if not isinstance(delta, dict):
                continue
            place = delta.get("index")
            if not isinstance(place, int):
                place = len(calls)
            while len(calls) <= place and len(calls) < 128:
                calls.append({"id": None, "type": "function", "function": {"name": "", "arguments": ""}})
            if not 0 <= place < len(calls):
                continue
            call = calls[place]
            function = delta.get("function")
            if not isinstance(function, dict):
                function = {}
            call["id"] = delta.get("id") or call["id"]
            call["function"]["name"] += function.get("name") or ""
            arguments = function.get("arguments")
            if isinstance(arguments, str):
                self._arguments.setdefault((index, place), []).append(arguments)
        return bool(deltas)

    @property
    def is_finished(self) -> bool:
        """Whether every choice seen said why it ended."""
        return bool(self._choices) and all(c["finish_reason"] for c in self._choices.values())

    def completion(self) -> Json:
        """The chat completion these chunks amount to."""
        for index, kept in self._choices.items():
            message = kept["message"]
            if index in self._text:
                message["content"] = "".join(self._text[index])
            if index in self._reasoning:
                message["reasoning_content"] = "".join(self._reasoning[index])
            for place, call in enumerate(message.get("tool_calls", ())):
                call["function"]["arguments"] = "".join(self._arguments.get((index, place), ()))
        whole = {**self.head, "object": "chat.completion", "choices": [c for _, c in sorted(self._choices.items())]}
        if self.usage is not None:
            whole["usage"] = self.usage
        return whole


def as_chunks(completion: Json, *, with_usage: bool) -> list[Json]:
    """A whole completion as the stream it might have been: one content chunk and one end per choice, usage last."""
    head = {k: v for k, v in completion.items() if k not in ("choices", "usage", "object")}
    head["object"] = "chat.completion.chunk"
    chunks = []
    for choice in completion.get("choices") or ():
        message = dict(choice.get("message") or {})
        if isinstance(message.get("tool_calls"), list):
            message["tool_calls"] = [{"index": i, **call} for i, call in enumerate(message["tool_calls"])]
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
    return b"data: " + (data if isinstance(data, bytes) else orjson.dumps(data)) + b"\n\n"


DONE = b"data: [DONE]\n\n"
