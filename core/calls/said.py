"""Read what was said out of the bodies of a call: chat completions whole or streamed, and what resembles them.

Pure and forgiving: the record holds whatever travelled, so a body that is broken, cut off or foreign gives what
can be read of it and never an error.
"""

from __future__ import annotations

from typing import Any

import orjson

from core.calls import rows
from core.calls.views import Message
from core.wire import gathered, nesting, openai, sse

_DEEPEST = 2 * nesting.DEEPEST  # what was let in, and what was put around it
_EXTRAS = ("tool_calls", "function_call", "refusal", "reasoning_content", "reasoning", "audio", "tool_call_id")


def value(body: bytes) -> Any:
    """The JSON of a body; the completion a stream of events amounts to; None when it is neither."""
    try:
        return nesting.loads(body, deepest=_DEEPEST)
    except orjson.JSONDecodeError:
        pass
    except nesting.TooDeep:
        return None
    if sse.begins(body):
        return rows.plain(gathered.of_events(body).completion())
    try:
        return rows.plain(openai.loads(body, deepest=_DEEPEST))
    except (ValueError, RecursionError):
        return None


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
