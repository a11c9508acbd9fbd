"""Read what was said out of the bodies of a call: chat completions whole or streamed, and what resembles them.

Pure and forgiving: the record holds whatever travelled, so a body that is broken, cut off or foreign gives what
can be read of it and never an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from core.calls.views import Message

_EXTRAS = ("tool_calls", "function_call", "refusal", "reasoning_content", "audio", "tool_call_id")


def value(body: bytes) -> Any:
    """The JSON of a body; the list of events of a stream; None when it is neither."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return list(events(body)) or None


def events(body: bytes) -> Iterator[Any]:
    """The JSON of each `data:` line of a server-sent stream; broken ones are left out."""
    for line in body.splitlines():
        if line.startswith(b"data:"):
            try:
                yield orjson.loads(line[5:].strip())
            except orjson.JSONDecodeError:
                continue


def asked(request: Any) -> tuple[Message, ...]:
    """The messages of a request; the input of an embedding or moderation as one message."""
    if not isinstance(request, dict):
        return ()
    if isinstance(request.get("messages"), list):
        return tuple(_message(item) for item in request["messages"] if isinstance(item, dict))
    given = request.get("input", request.get("prompt"))
    if given is None:
        return ()
    parts = given if isinstance(given, list) else [given]
    return (Message("user", "\n".join(part if isinstance(part, str) else _json(part) for part in parts)),)


def answered(response: Any) -> tuple[Message, ...]:
    """One message per choice."""
    if isinstance(response, list):
        response = whole(response)
    choices = response.get("choices") if isinstance(response, dict) else None
    if not isinstance(choices, list):
        return ()
    found = []
    for choice in choices:
        if isinstance(choice, dict):
            message = choice.get("message")
            found.append(
                _message(message) if isinstance(message, dict) else Message("assistant", str(choice.get("text") or ""))
            )
    return tuple(found)


def whole(chunks: list[Any]) -> dict[str, Any]:
    """A streamed completion as the one it would have been without streaming."""
    result: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        if not isinstance(chunk, dict):
            continue
        for name in ("id", "created", "model", "usage", "error", "system_fingerprint", "service_tier"):
            if chunk.get(name) is not None:
                result[name] = chunk[name]
        parts = chunk.get("choices")
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                index = told if isinstance(told := part.get("index"), int) else 0
                _append(choices.setdefault(index, {"index": index, "message": {"role": "assistant"}}), part)
    result["object"] = "chat.completion"
    result["choices"] = [choices[index] for index in sorted(choices)]
    return result


def _append(choice: dict[str, Any], part: dict[str, Any]) -> None:
    if part.get("finish_reason"):
        choice["finish_reason"] = part["finish_reason"]
    logprobs = part.get("logprobs")
    if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list):
        choice.setdefault("logprobs", {"content": []})["content"] += logprobs["content"]
    delta, message = part.get("delta"), choice["message"]
    if not isinstance(delta, dict):
        return
    for name, piece in delta.items():
        if name == "tool_calls" and isinstance(piece, list):
            calls = message.setdefault("tool_calls", [])
            for item in piece:
                if isinstance(item, dict):
                    _append_tool(calls, item)
        elif name == "role":
            message["role"] = piece or message["role"]
        elif isinstance(piece, str):
            message[name] = (message.get(name) or "") + piece
        elif piece is not None:
            message[name] = piece


def _append_tool(calls: list[dict[str, Any]], item: dict[str, Any]) -> None:
    index = item.get("index")
    found: dict[str, Any] | None = next((call for call in calls if call.get("index") == index), None)
    if found is None:
        found = {"index": index, "type": "function", "function": {"name": "", "arguments": ""}}
        calls.append(found)
    if item.get("id"):
        found["id"] = item["id"]
    function = item.get("function")
    if isinstance(function, dict):
        kept: dict[str, str] = found["function"]
        for name in ("name", "arguments"):
            piece = function.get(name)
            if isinstance(piece, str):
                kept[name] += piece


def _message(item: dict[str, Any]) -> Message:
    content, extras, texts = item.get("content"), [], []
    if isinstance(content, str):
        texts.append(content)
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                texts.append(part["text"])
            elif isinstance(part, dict):
                extras.append(part)
            else:
                texts.append(part if isinstance(part, str) else _json(part))
    elif content is not None:
        texts.append(_json(content))
    extras += [{name: item[name]} for name in _EXTRAS if item.get(name)]
    return Message(str(item.get("role") or ""), "\n".join(texts), str(item.get("name") or ""), tuple(extras))


def _json(item: Any) -> str:
    return orjson.dumps(item).decode()
