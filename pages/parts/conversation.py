"""A recorded call read as the conversation it was: turns with words, pictures, sounds and tool calls.

Pure, and tolerant: a body that is not what it should be gives fewer turns, never an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from core.prompts import answers
from core.prompts.answers import Answered
from core.wire import openai, sse

_MOST_TURNS = 400


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, sound or file that travelled with a turn. `data_url` is empty when it was only an address."""

    kind: str
    address: str = ""
    data_url: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as it was sent: who spoke, the words, what came along, which tools were called (name, arguments)."""

    role: str
    text: str
    media: tuple[Media, ...] = ()
    tools: tuple[tuple[str, str], ...] = ()
    tool: str = ""


def turns(request: bytes) -> tuple[Turn, ...]:
    """What was asked, turn by turn; an `input` (embeddings, moderations) is one turn."""
    body = parsed(request)
    if not isinstance(body, dict):
        return ()
    messages = body.get("messages")
    if isinstance(messages, list):
        return tuple(_turn(message) for message in messages[:_MOST_TURNS] if isinstance(message, dict))
    given = body.get("input")
    texts = [given] if isinstance(given, str) else [item for item in given or () if isinstance(item, str)]
    return tuple(Turn("user", text) for text in texts[:_MOST_TURNS])


def replies(response: bytes) -> tuple[Answered, ...]:
    """Every answer the caller got: one per choice, as far as it came."""
    first = answers.of_recorded(response)
    whole = _completion(response)
    choices = whole.get("choices") if whole else None
    if not isinstance(choices, list) or len(choices) < 2:
        return () if first.is_empty and not first.error else (first,)
    return tuple(answers.of_completion({"choices": [choice]}) for choice in choices)


def parsed(data: bytes) -> Any:
    """The JSON value of a body; None when it is none."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def events(data: bytes) -> list[Any]:
    """The JSON values of a recorded stream, in order."""
    decoder = sse.Decoder()
    found = [parsed(event.data) for event in (*decoder.feed(data), *decoder.end()) if event.data]
    return [value for value in found if value is not None]


def _completion(response: bytes) -> dict[str, Any] | None:
    body = parsed(response)
    if isinstance(body, dict):
        return body
    gathered = openai.Gathered()
    for chunk in events(response):
        if isinstance(chunk, dict):
            gathered.add(chunk)
    return gathered.completion()


def _turn(message: dict[str, Any]) -> Turn:
    content = message.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    calls = message.get("tool_calls")
    name = message.get("name") or message.get("tool_call_id")
    return Turn(
        role=str(message.get("role") or "user")[:40],
        text=_words(content) or openai.text_of(message.get("refusal")),
        media=tuple(found for part in parts if (found := _media(part))),
        tools=tuple(found for call in calls if (found := _tool(call))) if isinstance(calls, list) else (),
        tool=name if isinstance(name, str) else "",
    )


def _words(content: Any) -> str:
    """The words of a turn, without what came along."""
    if not isinstance(content, list):
        return openai.text_of(content)
    texts = [part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, str | dict)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _media(part: dict[str, Any]) -> Media | None:
    if part.get("type") == "image_url":
        image = part.get("image_url")
        address = image.get("url") if isinstance(image, dict) else image
        if isinstance(address, str):
            embedded = address.startswith("data:image/")
            return Media("picture", "" if embedded else address, address if embedded else "")
    if part.get("type") == "input_audio":
        audio = part.get("input_audio")
        if isinstance(audio, dict) and isinstance(audio.get("data"), str):
            kind = "mpeg" if audio.get("format") == "mp3" else "wav"
            return Media("sound", data_url=f"data:audio/{kind};base64,{audio['data']}")
    if part.get("type") in {"file", "input_file"}:
        return Media("file")
    return None


def _tool(call: Any) -> tuple[str, str] | None:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return None
    return str(function.get("name") or "tool")[:200], openai.text_of(function.get("arguments"))
