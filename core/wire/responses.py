"""OpenAI's Responses API over chat completions: requests into chat's shape, completions into responses and events.

Source: OpenAI API reference, "Responses" (create, the response object, streaming events). Pure. What a backend behind
chat completions cannot do (built-in tools, stored conversations) is refused by name, never silently left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.errors import Invalid
from core.wire.gathered import Gathered
from core.wire.openai import choices_of, dumps, tokens_of

Json = dict[str, Any]

PASSED = (
    "model", "metadata", "temperature", "top_p", "parallel_tool_calls", "user", "safety_identifier", "service_tier",
    "prompt_cache_key", "stream", "seed", "stop", "frequency_penalty", "presence_penalty",
)  # fmt: skip
_ELSEWHERE = {
    "previous_response_id": "Send the whole conversation as input.",
    "conversation": "Send the whole conversation as input.",
}
_ECHOED = ("instructions", "max_output_tokens", "safety_identifier", "service_tier", "temperature", "top_p", "user")
_PIECE = 400  # characters of a delta when a whole answer is told as a stream


# Requests


def as_chat(body: Mapping[str, Any]) -> Json:
    """The chat completion request that asks the same. Raises: Invalid, naming the parameter."""
    for name, hint in _ELSEWHERE.items():
        if body.get(name) is not None:
            raise _not_here(f"{name} is not available here.", name, hint)
    chat: Json = {name: body[name] for name in PASSED if body.get(name) is not None}
    messages: list[Json] = []
    instructions = body.get("instructions")
    if isinstance(instructions, str) and instructions:
        messages.append({"role": "system", "content": instructions})
    elif instructions is not None and not isinstance(instructions, str):
        raise Invalid("instructions must be text.", code="invalid_type", param="instructions")
    named = _prompt(body) if body.get("prompt") is not None else {}
    chat |= named
    said = body.get("input")
    chat["messages"] = messages + ([] if named and not said else _messages(said))
    if body.get("max_output_tokens") is not None:
        chat["max_completion_tokens"] = body["max_output_tokens"]
    if body.get("tools"):
        chat["tools"] = _tools(body["tools"])
    if body.get("tool_choice") is not None:
        chat["tool_choice"] = _tool_choice(body["tool_choice"])
    text = body.get("text")
    if isinstance(text, Mapping):
        if form := _format(text.get("format")):
            chat["response_format"] = form
        if text.get("verbosity") is not None:
            chat["verbosity"] = text["verbosity"]
    reasoning = body.get("reasoning")
    if isinstance(reasoning, Mapping) and reasoning.get("effort") is not None:
        chat["reasoning_effort"] = reasoning["effort"]
    if body.get("top_logprobs"):
        chat |= {"logprobs": True, "top_logprobs": body["top_logprobs"]}
    return chat


def prompt_name(body: Mapping[str, Any]) -> str:
    """The name a prompt is asked by; "" where none is."""
    prompt = body.get("prompt")
    name = prompt.get("id") if isinstance(prompt, Mapping) else ""
    return f"prompt:{name}" if name else ""


def _prompt(body: Mapping[str, Any]) -> Json:
    """The prompt a response is made of, as chat names it. Raises: Invalid."""
    prompt = body["prompt"]
    name = prompt.get("id") if isinstance(prompt, Mapping) else None
    if not isinstance(name, str) or not name:
        raise Invalid("prompt must be an object with an id.", code="invalid_type", param="prompt")
    if body.get("model") is not None:
        raise Invalid("Send a prompt or a model, not both.", param="model", hint="The prompt says which model.")
    version, variables = prompt.get("version"), prompt.get("variables")
    if version is not None and "@" not in name:
        name = f"{name}@{version}"
    if variables is not None and not isinstance(variables, Mapping):
        raise Invalid("prompt.variables must be an object.", code="invalid_type", param="prompt.variables")
    values = {key: _value(value, f"prompt.variables.{key}") for key, value in (variables or {}).items()}
    return {"model": f"prompt:{name}", "prompt_variables": values}


def _value(value: Any, where: str) -> Any:
    """A variable's value: a text part is its text. Raises: Invalid for pictures and files, which fill no template."""
    if not isinstance(value, Mapping) or "type" not in value:
        return value
    if value["type"] == "input_text" and isinstance(value.get("text"), str):
        return value["text"]
    raise _not_here(f"{where} cannot be a picture or a file.", where, "Send it as input.")


def _messages(given: Any) -> list[Json]:
    if isinstance(given, str) and given:
        return [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise Invalid(
            "You must provide input: a text, or a list of items.", code="missing_required_parameter", param="input"
        )
    messages: list[Json] = []
    for number, item in enumerate(given):
        where = f"input[{number}]"
        if not isinstance(item, Mapping):
            raise Invalid(f"{where} is not an object.", code="invalid_type", param=where)
        kind = item.get("type") or "message"
        if kind == "message":
            messages.append(_message(item, where))
        elif kind == "function_call":
            function = {"name": item.get("name"), "arguments": item.get("arguments") or "{}"}
            call = {"id": item.get("call_id"), "type": "function", "function": function}
            if messages and messages[-1]["role"] == "assistant" and "tool_calls" in messages[-1]:
                messages[-1]["tool_calls"].append(call)
            else:
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        elif kind == "function_call_output":
            said = _content(item.get("output"), f"{where}.output")
            messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": said})
        elif kind != "reasoning":  # what a model thought is not sent back
            raise _not_here(f"Items of type {str(kind)[:60]!r} are not available here.", where)
    return messages


def _message(item: Mapping[str, Any], where: str) -> Json:
    role = item.get("role")
    if not isinstance(role, str):
        raise Invalid(f"{where} has no role.", code="invalid_type", param=f"{where}.role")
    return {"role": role, "content": _content(item.get("content"), f"{where}.content")}


def _content(given: Any, where: str) -> Any:
    """Text as it is; parts in chat's shape, one text part as plain text."""
    if isinstance(given, str):
        return given
    if not isinstance(given, list):
        raise Invalid(f"{where} is neither text nor a list of parts.", code="invalid_type", param=where)
    parts = [_part(part, f"{where}[{number}]") for number, part in enumerate(given)]
    if parts and all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part(part: Any, where: str) -> Json:
    if not isinstance(part, Mapping):
        raise Invalid(f"{where} is not an object.", code="invalid_type", param=where)
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text") and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if kind == "refusal" and isinstance(part.get("refusal"), str):
        return {"type": "text", "text": part["refusal"]}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        image = {"url": part["image_url"]}
        if isinstance(part.get("detail"), str):
            image["detail"] = part["detail"]
        return {"type": "image_url", "image_url": image}
    if kind == "input_audio" and isinstance(part.get("input_audio"), Mapping):
        return {"type": "input_audio", "input_audio": dict(part["input_audio"])}
    raise _not_here(f"A part of type {str(kind)[:60]!r} is not available here.", where)


def _tools(given: Any) -> list[Json]:
    if not isinstance(given, list):
        raise Invalid("tools must be a list.", code="invalid_type", param="tools")
    tools = []
    for number, tool in enumerate(given):
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if kind != "function":
            raise _not_here(f"Tools of type {str(kind)[:60]!r} are not available here.", f"tools[{number}]")
        kept = ("name", "description", "parameters", "strict")
        tools.append({"type": "function", "function": {k: tool[k] for k in kept if tool.get(k) is not None}})
    return tools


def _tool_choice(given: Any) -> Any:
    if isinstance(given, Mapping) and given.get("type") == "function":
        return {"type": "function", "function": {"name": given.get("name")}}
    if not isinstance(given, str):
        raise _not_here("This tool_choice is not available here.", "tool_choice")
    return given


def _format(given: Any) -> Json | None:
    kind = given.get("type") if isinstance(given, Mapping) else None
    if kind == "json_schema":
        kept = ("name", "description", "schema", "strict")
        return {"type": kind, "json_schema": {k: given[k] for k in kept if given.get(k) is not None}}
    return {"type": kind} if kind == "json_object" else None


def _not_here(said: str, param: str, hint: str = "") -> Invalid:
    return Invalid(said, code="unsupported_parameter", param=param, hint=hint)


# Responses


def response(
    response_id: str,
    body: Mapping[str, Any],
    *,
    created_at: int,
    status: str,
    completion: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
    reason: str = "",
    is_background: bool = False,
    review: Mapping[str, Any] | None = None,
) -> Json:
    """The response object. `reason` is that of an incomplete one; `review` what people did about it (our own field).

    A completion that was cut off makes an answer "incomplete" for the reason its `finish_reason` tells.
    """
    output = list(_output(completion, response_id)) if completion is not None else []
    finish = next((choice.get("finish_reason") for choice in choices_of(dict(completion or {}))), None)
    if status == "completed" and finish in ("length", "content_filter"):
        status, reason = "incomplete", "max_output_tokens" if finish == "length" else "content_filter"
    told: Json = {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": status,
        "background": is_background,
        "error": dict(error) if error is not None else None,
        "incomplete_details": {"reason": reason} if status == "incomplete" else None,
        "model": (completion or {}).get("model") or body.get("model") or prompt_name(body),
        "output": output,
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "reasoning": body.get("reasoning"),
        "store": True,
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "truncation": "disabled",
        "usage": _usage(completion),
    }
    told |= {name: body.get(name) for name in _ECHOED}
    told["metadata"] = body.get("metadata") or {}
    if review is not None:
        told["greenroom"] = dict(review)
    return told


def _output(completion: Mapping[str, Any], response_id: str) -> Iterator[Json]:
    """The first choice as items: what it says, then the functions it calls."""
    letters = response_id.partition("_")[2]
    for choice in choices_of(dict(completion))[:1]:
        message = choice.get("message")
        if not isinstance(message, Mapping):
            continue
        parts: list[Json] = []
        if isinstance(message.get("content"), str) and message["content"]:
            parts.append({"type": "output_text", "text": message["content"], "annotations": [], "logprobs": []})
        if isinstance(message.get("refusal"), str) and message["refusal"]:
            parts.append({"type": "refusal", "refusal": message["refusal"]})
        if parts:
            item: Json = {"id": f"msg_{letters}", "type": "message", "status": "completed", "role": "assistant"}
            yield {**item, "content": parts}
        calls = message.get("tool_calls")
        for number, call in enumerate(calls if isinstance(calls, list) else ()):
            function = call.get("function") if isinstance(call, Mapping) else None
            if isinstance(function, Mapping):
                yield {
                    "id": f"fc_{letters}_{number}",
                    "type": "function_call",
                    "status": "completed",
                    "call_id": call.get("id"),
                    "name": function.get("name"),
                    "arguments": function.get("arguments") or "",
                }


def _usage(completion: Mapping[str, Any] | None) -> Json | None:
    found = tokens_of((completion or {}).get("usage"))
    if found is None:
        return None
    return {
        "input_tokens": found.input,
        "input_tokens_details": {"cached_tokens": found.cached},
        "output_tokens": found.output,
        "output_tokens_details": {"reasoning_tokens": found.reasoning},
        "total_tokens": found.input + found.output,
    }


# Events


class Telling:
    """A response told as events, numbered from 0: `begin`, then `feed` chat's chunks or `say` a completion, then `end`.

    The same completion always gives the same events, so that a caller who was cut off goes on after the last number.
    """

    def __init__(self, response_id: str) -> None:
        self._letters = response_id.partition("_")[2]
        self._number = 0
        self._items = 0
        self._text: list[str] | None = None
        self.gathered = Gathered()

    def begin(self, told: Mapping[str, Any]) -> list[Json]:
        """The first events; `told` is the response as it stands at its beginning."""
        kinds = ["created", "queued" if told["status"] == "queued" else "in_progress"]
        return [self._event(f"response.{kind}", response=dict(told)) for kind in kinds]

    def working(self, told: Mapping[str, Any]) -> list[Json]:
        """A queued response is being worked on."""
        return [self._event("response.in_progress", response=dict(told))]

    def feed(self, chunk: Json) -> list[Json]:
        """The events of a chunk of chat: its first choice's words as they come."""
        self.gathered.add(chunk)
        events = []
        for choice in choices_of(chunk):
            delta = choice.get("delta")
            if choice.get("index", 0) == 0 and isinstance(delta, Mapping):
                text = delta.get("content")
                if isinstance(text, str) and text:
                    events += self._words(text)
        return events

    def say(self, completion: Mapping[str, Any]) -> list[Json]:
        """The words of a whole completion, in pieces."""
        events = []
        for choice in choices_of(dict(completion))[:1]:
            message = choice.get("message")
            text = message.get("content") if isinstance(message, Mapping) else None
            if isinstance(text, str):
                for start in range(0, len(text), _PIECE):
                    events += self._words(text[start : start + _PIECE])
        return events

    def end(self, told: Mapping[str, Any]) -> list[Json]:
        """The last events; `told` is the response as it ended."""
        events = self._close()
        for item in told["output"]:
            if item["type"] == "function_call":
                events += self._function(item)
        return [*events, self._event(f"response.{told['status']}", response=dict(told))]

    def _words(self, text: str) -> list[Json]:
        events = []
        if self._text is None:
            self._text = []
            item = {"id": f"msg_{self._letters}", "type": "message", "status": "in_progress", "role": "assistant"}
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            events = [
                self._event("response.output_item.added", output_index=0, item={**item, "content": []}),
                self._part("response.content_part.added", part=part),
            ]
        self._text.append(text)
        return [*events, self._part("response.output_text.delta", delta=text, logprobs=[])]

    def _close(self) -> list[Json]:
        if self._text is None:
            return []
        text = "".join(self._text)
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        item = {"id": f"msg_{self._letters}", "type": "message", "status": "completed", "role": "assistant"}
        self._items = 1
        return [
            self._part("response.output_text.done", text=text, logprobs=[]),
            self._part("response.content_part.done", part=part),
            self._event("response.output_item.done", output_index=0, item={**item, "content": [part]}),
        ]

    def _function(self, item: Json) -> list[Json]:
        index, named = self._items, {"item_id": item["id"], "output_index": self._items}
        self._items += 1
        begun = {**item, "status": "in_progress", "arguments": ""}
        arguments = item["arguments"]
        return [
            self._event("response.output_item.added", output_index=index, item=begun),
            self._event("response.function_call_arguments.delta", **named, delta=arguments),
            self._event("response.function_call_arguments.done", **named, name=item["name"], arguments=arguments),
            self._event("response.output_item.done", output_index=index, item=item),
        ]

    def _part(self, kind: str, **fields: Any) -> Json:
        place = {"item_id": f"msg_{self._letters}", "output_index": 0, "content_index": 0}
        return self._event(kind, **place, **fields)

    def _event(self, kind: str, **fields: Any) -> Json:
        event = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return event


def written(events: Sequence[Json]) -> bytes:
    """Events as they travel: each with its name, which clients of this API read."""
    return b"".join(b"event: " + str(event["type"]).encode() + b"\ndata: " + dumps(event) + b"\n\n" for event in events)
