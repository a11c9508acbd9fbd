"""From what stands on the playground to the request that is sent, and back from a recorded request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from core.errors import Invalid
from core.prompts import schemas, templates
from core.prompts.rules import Attachment, Message, Parameters, RunState, Speaker, ToolCall, Variant
from core.prompts.stored import parameters_of
from core.wire import openai

TOP_ALTERNATIVES = 5
_AUDIO_FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}
_READ = frozenset(
    {"model", "messages", "temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "stop", "logprobs"}
    | {"top_logprobs", "frequency_penalty", "presence_penalty", "response_format", "tools"}
)
_OURS = frozenset({"stream", "stream_options", "metadata", "n"})


def body_of(
    variant: Variant,
    variables: Mapping[str, str],
    *,
    sends_image: bool = True,
    sends_audio: bool = True,
    is_whole: bool = True,
) -> dict[str, Any]:
    """The chat completion request of one variant. Parameters that are not set are not in it; a variable left empty
    has no value (a template that can do without says `{{ name|default("") }}`). `is_whole`: nobody adds a question.

    Raises: Invalid with a sentence for a template, schema or tool that cannot be used, or when nothing is asked.
    """
    body: dict[str, Any] = {**variant.extra, "model": variant.model}
    messages = []
    filled = {name: value for name, value in variables.items() if value}
    for message in variant.messages:
        sent = _sent(message, filled, sends_image=sends_image, sends_audio=sends_audio)
        if sent is not None:
            messages.append(sent)
    if is_whole and not any(message["role"] != Speaker.SYSTEM for message in messages):
        raise Invalid("There is no question yet.", hint="Write a user message.", code="no_question")
    body["messages"] = messages
    body |= parameters(variant.parameters)
    if variant.asks_schema:
        body["response_format"] = schemas.response_format(variant.schema)
    if variant.asks_tools:
        body["tools"] = schemas.tools(variant.tools)
    return body


def streamed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same request, answered as a stream with its token usage at the end."""
    return {**body, "stream": True, "stream_options": {"include_usage": True}}


def state_of(body: Mapping[str, Any]) -> RunState:
    """A playground with the request of a recorded call; texts are taken literally, whatever they contain."""
    given = body.get("messages")
    messages = tuple(m for item in given if (m := _read(item))) if isinstance(given, list) else ()
    schema = _schema_in(body.get("response_format"))
    tools = body.get("tools")
    extra = {name: value for name, value in body.items() if name not in _READ | _OURS}
    if schema is None and body.get("response_format"):
        extra["response_format"] = body["response_format"]
    variant = Variant(
        "A",
        model=str(body.get("model") or ""),
        parameters=parameters_of(body),
        asks_schema=schema is not None,
        schema=schema or "",
        asks_tools=isinstance(tools, list) and bool(tools),
        tools=_pretty(tools) if isinstance(tools, list) and tools else "",
        extra=extra,
    )
    return RunState((variant.said(*messages),))


def _sent(
    message: Message, variables: Mapping[str, str], *, sends_image: bool, sends_audio: bool
) -> dict[str, Any] | None:
    text = templates.render(message.text, variables) if message.is_template else message.text
    attached = [a for a in message.attachments if (sends_image if a.is_image else sends_audio)]
    if message.speaker is Speaker.TOOL:
        if not text.strip():
            raise Invalid(
                f"The result of {message.tool_name or 'the tool'} is missing.",
                hint="Type what the tool would have answered.",
                code="no_tool_result",
            )
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": text}
    if message.tool_calls:
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
        return {"role": "assistant", "content": text or None, "tool_calls": calls}
    if not text.strip() and not attached:
        return None
    if not attached:
        return {"role": message.speaker.value, "content": text}
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}] if text.strip() else []
    return {"role": message.speaker.value, "content": parts + [part_of(a) for a in attached]}


def part_of(attachment: Attachment) -> dict[str, Any]:
    """A picture or sound as a part of a message's content."""
    if attachment.is_image:
        return {"type": "image_url", "image_url": {"url": attachment.data_url}}
    kind = _AUDIO_FORMATS.get(attachment.media_type, attachment.media_type.removeprefix("audio/"))
    data = attachment.data_url.partition(",")[2]
    return {"type": "input_audio", "input_audio": {"data": data, "format": kind}}


def parameters(given: Parameters) -> dict[str, Any]:
    """Those that are set, as the protocol names them."""
    chosen: dict[str, Any] = {
        "temperature": given.temperature,
        "top_p": given.top_p,
        "max_tokens": given.max_tokens,
        "seed": given.seed,
        "stop": list(given.stop) or None,
        "frequency_penalty": given.frequency_penalty,
        "presence_penalty": given.presence_penalty,
    }
    if given.logprobs:
        chosen |= {"logprobs": True, "top_logprobs": TOP_ALTERNATIVES}
    return {name: value for name, value in chosen.items() if value is not None}


def _read(item: Any) -> Message | None:
    if not isinstance(item, Mapping):
        return None
    role = "system" if item.get("role") == "developer" else item.get("role")
    if role not in list(Speaker):
        return None
    speaker = Speaker(role)
    content = item.get("content")
    parts = content if isinstance(content, list) else []
    attachments = tuple(a for part in parts if isinstance(part, Mapping) and (a := _attachment(part)))
    words = [part for part in parts if isinstance(part, str) or (isinstance(part, Mapping) and "text" in part)]
    text = openai.text_of(words if parts else content)
    message = Message(speaker, text, attachments, tool_call_id=str(item.get("tool_call_id") or ""))
    return replace(message, text=templates.literal(text) if message.is_template else text, tool_calls=_calls(item))


def _attachment(part: Mapping[str, Any]) -> Attachment | None:
    image, audio = part.get("image_url"), part.get("input_audio")
    if isinstance(image, Mapping) and str(image.get("url", "")).startswith("data:image/"):
        url = str(image["url"])
        return Attachment("image", url[5:].partition(";")[0], url)
    if isinstance(audio, Mapping) and isinstance(audio.get("data"), str):
        kind = {"mp3": "audio/mpeg"}.get(str(audio.get("format")), f"audio/{audio.get('format', 'wav')}")
        return Attachment("audio", kind, f"data:{kind};base64,{audio['data']}")
    return None


def _calls(item: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    given = item.get("tool_calls")
    found = []
    for call in given if isinstance(given, list) else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            arguments = str(function.get("arguments") or "")
            found.append(ToolCall(str(call.get("id") or ""), str(function.get("name") or ""), arguments))
    return tuple(found)


def _schema_in(given: Any) -> str | None:
    wrapped = given.get("json_schema") if isinstance(given, Mapping) else None
    schema = wrapped.get("schema") if isinstance(wrapped, Mapping) else None
    return _pretty(schema) if isinstance(schema, Mapping) else None


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
