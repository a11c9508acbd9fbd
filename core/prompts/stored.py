"""How a playground's state lies in the store: versioned JSON, read tolerantly whatever Greenroom wrote it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from core.prompts.rules import (
    BOUNDS,
    LETTERS,
    MOST_REPEATS,
    Attachment,
    Message,
    Parameters,
    RunState,
    Speaker,
    ToolCall,
    Variant,
    numbered,
)

N = TypeVar("N", int, float)

VERSION = 1


def to_dict(state: RunState) -> dict[str, Any]:
    """The state as JSON-able values; `from_dict` gives it back."""
    return {
        "version": VERSION,
        "variables": dict(state.variables),
        "repeats": state.repeats,
        "variants": [_variant_out(variant) for variant in state.variants],
    }


def from_dict(data: Mapping[str, Any]) -> RunState | None:
    """The state kept in the store; None when nothing of it can be used."""
    read: dict[str, Variant] = {}
    for item, letter in zip(_list(data, "variants"), LETTERS, strict=False):
        variant = _variant_in(item, letter)
        if variant is not None:
            read.setdefault(variant.letter, variant)
    if not read:
        return None
    variables = data.get("variables")
    values = {str(k): str(v) for k, v in variables.items()} if isinstance(variables, Mapping) else {}
    repeats = min(max(whole(data.get("repeats")) or 1, 1), MOST_REPEATS)
    return RunState(tuple(read[letter] for letter in sorted(read)), values, repeats)


def _variant_out(variant: Variant) -> dict[str, Any]:
    return {
        "letter": variant.letter,
        "model": variant.model,
        "messages": [message_out(message) for message in variant.messages],
        "parameters": parameters_out(variant.parameters),
        "asks_schema": variant.asks_schema,
        "schema": variant.schema,
        "asks_tools": variant.asks_tools,
        "tools": variant.tools,
        "extra": dict(variant.extra),
    }


def parameters_out(given: Parameters) -> dict[str, Any]:
    """The parameters as JSON-able values, without those that are not set."""
    values = {f.name: getattr(given, f.name) for f in fields(Parameters)}
    values["stop"] = list(given.stop)
    return {name: value for name, value in values.items() if value is not None and value is not False and value != []}


def message_out(message: Message) -> dict[str, Any]:
    """One message as JSON-able values; `message_in` gives it back."""
    out: dict[str, Any] = {"speaker": message.speaker.value, "text": message.text, "mark": message.mark}
    if message.attachments:
        out["attachments"] = [
            {"name": a.name, "media_type": a.media_type, "data_url": a.data_url} for a in message.attachments
        ]
    if message.tool_calls:
        out["tool_calls"] = [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in message.tool_calls]
    if message.tool_call_id or message.tool_name:
        out |= {"tool_call_id": message.tool_call_id, "tool_name": message.tool_name}
    return out


def _variant_in(data: Any, letter: str) -> Variant | None:
    if not isinstance(data, Mapping):
        return None
    kept = data.get("letter")
    extra = data.get("extra")
    return Variant(
        letter=kept if kept in LETTERS else letter,
        model=_text(data, "model"),
        messages=numbered(tuple(m for item in _list(data, "messages") if (m := message_in(item)))),
        parameters=_parameters_in(data.get("parameters")),
        asks_schema=data.get("asks_schema") is True,
        schema=_text(data, "schema"),
        asks_tools=data.get("asks_tools") is True,
        tools=_text(data, "tools"),
        extra=dict(extra) if isinstance(extra, Mapping) else {},
    )


def message_in(data: Any) -> Message | None:
    """A message as it was kept; None when it is none."""
    if not isinstance(data, Mapping) or data.get("speaker") not in list(Speaker):
        return None
    return Message(
        speaker=Speaker(data["speaker"]),
        text=_text(data, "text"),
        attachments=tuple(
            Attachment(_text(a, "name"), _text(a, "media_type"), _text(a, "data_url"))
            for a in _list(data, "attachments")
            if isinstance(a, Mapping) and _text(a, "data_url").startswith("data:")
        ),
        tool_calls=tuple(
            ToolCall(_text(c, "id"), _text(c, "name"), _text(c, "arguments"))
            for c in _list(data, "tool_calls")
            if isinstance(c, Mapping)
        ),
        tool_call_id=_text(data, "tool_call_id"),
        tool_name=_text(data, "tool_name"),
        mark=whole(data.get("mark")) or 0,
    )


def parameters_of(data: Mapping[str, Any]) -> Parameters:
    """The parameters among these fields; what is no number is left out, what is out of bounds is brought back."""
    stop = data.get("stop")
    most = whole(data.get("max_tokens", data.get("max_completion_tokens")))
    return Parameters(
        temperature=_within("temperature", number(data.get("temperature"))),
        top_p=_within("top_p", number(data.get("top_p"))),
        max_tokens=_within("max_tokens", most),
        seed=_within("seed", whole(data.get("seed"))),
        stop=(stop,) if isinstance(stop, str) else tuple(str(word) for word in _list(data, "stop")),
        frequency_penalty=_within("frequency_penalty", number(data.get("frequency_penalty"))),
        presence_penalty=_within("presence_penalty", number(data.get("presence_penalty"))),
        logprobs=data.get("logprobs") is True,
    )


def _within(name: str, value: N | None) -> N | None:
    if value is None:
        return None
    least, most = BOUNDS[name]
    return type(value)(min(max(value, least), most))


def _parameters_in(data: Any) -> Parameters:
    if not isinstance(data, Mapping):
        return Parameters()
    return parameters_of(data)


def number(value: Any) -> float | None:
    """The value as a number, None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def whole(value: Any) -> int | None:
    """The value as a whole number, None when it is none."""
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    return list(value) if isinstance(value, list | tuple) else []


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
