"""What travelled with a message besides its words: pictures, sounds, tool calls, reasoning, a refusal.

Pure, and tolerant: what is not what it should be is left out, never an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from core.calls.views import Message
from core.wire import openai

_TYPES = {"mpeg": "MP3", "jpeg": "JPEG", "webp": "WebP"}
_SOUNDS = {"mp3": "mpeg", "wav": "wav", "flac": "flac", "opus": "ogg", "aac": "aac"}


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, sound or file of a message. `data_url` is empty when only its address travelled, `name` where no file
    name did."""

    kind: str
    address: str = ""
    data_url: str = ""
    name: str = ""

    @property
    def bytes(self) -> int:
        """How large it is; 0 when it is not here."""
        data = self.data_url.partition(",")[2]
        return len(data) * 3 // 4 - data[-2:].count("=")

    @property
    def type(self) -> str:
        """What it is, as its data says: `PNG picture`, `sound`."""
        told = re.fullmatch(r"data:\w+/(?:x-)?([a-z0-9]{2,5})", self.data_url[:40].partition(";")[0])
        return f"{_TYPES.get(told[1], told[1].upper())} {self.kind}" if told else self.kind

    @property
    def mark(self) -> str:
        """The same for what is the same in every byte."""
        return blake2b(self.data_url.partition(",")[2].encode("utf-8", "replace"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model wanted called; `arguments` is JSON as the model wrote it."""

    name: str
    arguments: str


def media(message: Message) -> tuple[Media, ...]:
    """The pictures, sounds and files of a message, in order."""
    return media_of(message.extras)


def media_of(content: object) -> tuple[Media, ...]:
    """Those of a message's content as it travels: a list of parts, or a text, which has none."""
    parts = content if isinstance(content, list | tuple) else ()
    return tuple(found for part in parts if isinstance(part, dict) and (found := _media(part)))


def words_of(content: object) -> str:
    """The words of a message's content, without what is attached."""
    if isinstance(content, list):
        content = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
    return openai.text_of(content)


def tools(message: Message) -> tuple[ToolCall, ...]:
    """The tool calls of a message, in order."""
    found = []
    for extra in message.extras:
        calls = extra.get("tool_calls")
        one = extra.get("function_call")
        for call in [*(calls if isinstance(calls, list) else []), *([{"function": one}] if one else [])]:
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                found.append(ToolCall(_text(function.get("name")) or "tool", _text(function.get("arguments"))))
    return tuple(found)


def said_aside(message: Message, name: str) -> str:
    """`reasoning_content` or `refusal` of a message, `tool_call_id` of a tool's result; "" without one."""
    return next((text for extra in message.extras if (text := _text(extra.get(name)))), "")


def _media(part: dict[str, Any]) -> Media | None:
    kind = _text(part.get("type"))
    if kind == "image_url":
        image = part.get("image_url")
        address = _text(image.get("url") if isinstance(image, dict) else image)
        if address:
            embedded = address.startswith("data:image/")
            return Media("picture", "" if embedded else address, address if embedded else "")
    if kind == "input_audio":
        audio = part.get("input_audio")
        if isinstance(audio, dict) and isinstance(audio.get("data"), str):
            sound = _SOUNDS.get(str(audio.get("format")), "wav")
            return Media("sound", data_url=f"data:audio/{sound};base64,{audio['data']}")
    if kind in {"file", "input_file"}:
        file = part.get("file") if kind == "file" else part
        told = file if isinstance(file, dict) else {}
        data = _text(told.get("file_data"))
        return Media("file", data_url=data if data.startswith("data:") else "", name=_text(told.get("filename")))
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
