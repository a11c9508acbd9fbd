"""What the upstream double says: OpenAI's shapes, with the question's own words as the answer.

Every chat answer is `echo: <last user message>`, so a test can see whose answer it holds.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from collections.abc import Iterator
from typing import Any

import orjson

Body = dict[str, Any]
CREATED = 1_760_000_000
OWNER = "double"
MODELS = ("double-small", "double-large", "double-embed")
_WORDS = re.compile(r"\s*\S+|\s+$")
_SAMPLES: dict[str, Any] = {"integer": 7, "number": 0.5, "boolean": True, "array": [], "object": {}, "null": None}


def last_user_text(body: Body) -> str:
    """The text of the last user message (or of an embedding's input): the question's mark."""
    for message in reversed(body.get("messages") or []):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return content
            return " ".join(part.get("text", "") for part in content or [] if part.get("type") == "text")
    given = body.get("input", "")
    return given if isinstance(given, str) else orjson.dumps(given).decode()


def said(body: Body, text: str) -> str:
    """The words of the answer: an echo, or JSON of the asked schema with the question in every string."""
    asked = body.get("response_format") or {}
    if asked.get("type") == "json_object":
        return orjson.dumps({"echo": text}).decode()
    if asked.get("type") == "json_schema":
        properties = asked["json_schema"].get("schema", {}).get("properties", {})
        filled = {name: _SAMPLES.get(shape.get("type"), text) for name, shape in properties.items()}
        return orjson.dumps(filled).decode()
    return f"echo: {text}"


def words(text: str) -> list[str]:
    """A text in the pieces a stream would send."""
    return _WORDS.findall(text)


def usage(body: Body, answer: str, how: str) -> Body | None:
    """Token counts: words, plainly; or none; or numbers that cannot be true."""
    if how == "no_usage":
        return None
    if how == "lying_usage":
        return {"prompt_tokens": -5, "completion_tokens": 10**9, "total_tokens": "many"}
    asked = sum(len(str(message.get("content") or "").split()) for message in body.get("messages") or [])
    answered = len(answer.split())
    return {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": asked + answered,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def completion(body: Body, text: str, how: str, size: int) -> Body:
    """A whole `chat.completion`."""
    answer = "x" * size if how == "big" else said(body, text)
    message: Body = {"role": "assistant", "content": None if how == "null_content" else answer, "refusal": None}
    finish = "stop"
    if (calls := _tool_calls(body, text)) is not None:
        message |= {"content": None, "tool_calls": calls}
        finish = "tool_calls"
    logprobs = {"content": [_logprob(word) for word in words(answer)]} if body.get("logprobs") else None
    choices = [
        {"index": index, "message": message, "logprobs": logprobs, "finish_reason": finish}
        for index in range(body.get("n") or 1)
    ]
    reply = {
        "id": f"chatcmpl-{hashlib.md5(text.encode()).hexdigest()[:12]}",
        "object": "chat.completion",
        "created": CREATED,
        "model": body.get("model", MODELS[0]),
        "choices": choices,
        "system_fingerprint": "fp_double",
        "service_tier": "default",
    }
    if (counts := usage(body, answer, how)) is not None:
        reply["usage"] = counts
    return reply


def chunks(body: Body, text: str, how: str, tokens: int) -> Iterator[Body]:
    """The `chat.completion.chunk`s of a stream: role, words, finish reason, and usage where asked for."""
    head = {
        "id": f"chatcmpl-{hashlib.md5(text.encode()).hexdigest()[:12]}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": body.get("model", MODELS[0]),
        "system_fingerprint": "fp_double",
    }
    if how == "unknown_fields":
        head |= {"obfuscation": "x7", "service_tier": "default", "vendor": {"cost": 0.1}}
    asks_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    extra: Body = {"usage": None} if asks_usage else {}

    def chunk(delta: Body, finish: str | None = None) -> Body:
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], **extra}

    yield chunk({"role": "assistant", "content": ""})
    calls = _tool_calls(body, text)
    answer = said(body, text)
    if calls is not None:
        arguments = calls[0]["function"]["arguments"]
        yield chunk({"tool_calls": [{"index": 0, **calls[0], "function": {**calls[0]["function"], "arguments": ""}}]})
        for piece in (arguments[:4], arguments[4:]):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    else:
        pieces = words(answer)
        pieces += [f" t{number}" for number in range(len(pieces), tokens)]
        answer = "".join(pieces)
        for piece in pieces:
            yield chunk({"content": None if how == "null_content" else piece})
    yield chunk({}, "stop" if calls is None else "tool_calls")
    if asks_usage and (counts := usage(body, answer, how)) is not None:
        yield {**head, "choices": [], "usage": counts}


def embeddings(body: Body) -> Body:
    """Vectors made from a hash of each text: the same text gives the same vector."""
    given = body.get("input", "")
    texts = given if isinstance(given, list) and (not given or not isinstance(given[0], int)) else [given]
    size = body.get("dimensions") or 8
    data = []
    for index, text in enumerate(texts):
        digest = hashlib.shake_128(orjson.dumps(text)).digest(size)
        vector: Any = [byte / 255 for byte in digest]
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        data.append({"object": "embedding", "index": index, "embedding": vector})
    count = sum(len(str(text).split()) for text in texts)
    counts = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": data, "model": body.get("model", "double-embed"), "usage": counts}


def moderations(body: Body) -> Body:
    """Flags a text that holds the word "violence"."""
    given = body.get("input", "")
    results = []
    for text in given if isinstance(given, list) else [given]:
        is_flagged = "violence" in str(text).lower()
        results.append(
            {
                "flagged": is_flagged,
                "categories": {"violence": is_flagged, "hate": False},
                "category_scores": {"violence": 0.98 if is_flagged else 0.01, "hate": 0.0},
                "category_applied_input_types": {"violence": ["text"], "hate": ["text"]},
            }
        )
    return {"id": "modr-double", "model": body.get("model", "double-moderation"), "results": results}


def models(owner: str = OWNER) -> Body:
    """The models there are."""
    data = [{"id": name, "object": "model", "created": CREATED, "owned_by": owner} for name in MODELS]
    return {"object": "list", "data": data}


def failure(status: int, message: str, code: str | None, kind: str | None = None) -> Body:
    """OpenAI's error shape."""
    kind = kind or ("invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _tool_calls(body: Body, text: str) -> list[Body] | None:
    tools = body.get("tools")
    if not tools or body.get("tool_choice") == "none":
        return None
    function = {"name": tools[0]["function"]["name"], "arguments": orjson.dumps({"mark": text}).decode()}
    return [{"id": "call_double", "type": "function", "function": function}]


def _logprob(word: str) -> Body:
    top = [{"token": word, "logprob": -0.1, "bytes": list(word.encode())}]
    return {"token": word, "logprob": -0.1, "bytes": list(word.encode()), "top_logprobs": top}
