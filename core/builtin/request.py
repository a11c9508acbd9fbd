"""Checks a chat completion request for the embedded models and turns it into one frozen value.

Fields that have no meaning here (`user`, `metadata`, `presence_penalty`, …) are accepted and ignored, as OpenAI's own
models do; a field that asks for something an embedded model cannot do is refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.builtin.limits import MOST_ANSWERS, MOST_STOPS, TEXT_LIMIT, TOP_LOGPROBS
from core.errors import Invalid

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
NAMES = ("extract", "answer", "rules", "tiny")


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """One request, checked. `limit` is the most tokens of an answer, None for the model's own end."""

    model: str
    messages: tuple[Message, ...]
    n: int = 1
    limit: int | None = None
    stops: tuple[str, ...] = ()
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    wants_logprobs: bool = False
    top_logprobs: int = 0
    wants_json: bool = False
    includes_usage: bool = False

    @property
    def question(self) -> str:
        """What the person said last."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")


def read(body: Mapping[str, Any]) -> Request:
    """The request in `body`. Raises Invalid with the parameter's name."""
    model = body.get("model")
    if model not in NAMES:
        raise Invalid(
            f"builtin has no model {model!r}.",
            code="model_not_found",
            param="model",
            hint=f"It has {', '.join(NAMES[:-1])} and {NAMES[-1]}.",
        )
    if body.get("tool_choice") not in (None, "none", "auto"):
        raise Invalid(
            f"builtin/{model} cannot call tools, so it cannot be made to.",
            param="tool_choice",
            hint="Leave tool_choice out, or choose another model.",
        )
    top = _whole(body, "top_logprobs", 0, TOP_LOGPROBS) or 0
    wants_logprobs = _flag(body, "logprobs")
    if top and not wants_logprobs:
        raise Invalid("top_logprobs needs logprobs to be true.", param="top_logprobs")
    if wants_logprobs and model != "tiny":
        raise Invalid(
            f"builtin/{model} has no token probabilities: it chooses sentences, not tokens.",
            param="logprobs",
            hint="builtin/tiny has them.",
        )
    limit = _whole(body, "max_completion_tokens", 1, None)
    return Request(
        model=model,
        messages=_messages(body.get("messages")),
        n=_whole(body, "n", 1, MOST_ANSWERS) or 1,
        limit=limit if limit is not None else _whole(body, "max_tokens", 1, None),
        stops=_stops(body.get("stop")),
        temperature=_number(body, "temperature", 0.0, 2.0),
        top_p=_number(body, "top_p", 0.0, 1.0),
        seed=_whole(body, "seed", -(2**63), 2**63 - 1),
        wants_logprobs=wants_logprobs,
        top_logprobs=top,
        wants_json=_wants_json(model, body.get("response_format")),
        includes_usage=_includes_usage(body),
    )


def _messages(raw: Any) -> tuple[Message, ...]:
    if not isinstance(raw, list) or not raw:
        raise Invalid("messages must be a list with at least one message.", param="messages")
    messages = tuple(_message(item, f"messages[{number}]") for number, item in enumerate(raw))
    size = sum(len(message.text) for message in messages)
    if size > TEXT_LIMIT:
        raise Invalid(
            f"The messages have {size:,} characters; the embedded models read at most {TEXT_LIMIT:,}.",
            code="context_length_exceeded",
            param="messages",
        )
    return messages


def _message(raw: Any, where: str) -> Message:
    if not isinstance(raw, dict):
        raise Invalid(f"{where} must be an object with a role and content.", param=where)
    role = raw.get("role")
    if role not in ROLES:
        raise Invalid(f"{where}.role is {role!r}.", param=f"{where}.role", hint=f"It is one of {', '.join(ROLES)}.")
    content = raw.get("content")
    if content is None or isinstance(content, str):
        return Message(role, _printable(content or ""))
    if not isinstance(content, list):
        raise Invalid(f"{where}.content must be text, a list of parts, or null.", param=f"{where}.content")
    return Message(role, "\n".join(_part(part, f"{where}.content[{i}]") for i, part in enumerate(content)))


def _part(raw: Any, where: str) -> str:
    kind = raw.get("type") if isinstance(raw, dict) else None
    if kind in ("text", "refusal") and isinstance(raw.get(kind), str):
        return _printable(raw[kind])
    senses = {"image_url": "see images", "input_audio": "hear audio", "file": "open files"}
    if kind in senses:
        raise Invalid(
            f"The embedded models cannot {senses[kind]}.",
            param=where,
            hint="Send text only, or choose a model that can.",
        )
    raise Invalid(f"{where} must be a part with a type that is known, such as text.", param=where)


def _printable(text: str) -> str:
    """Lone surrogates, which JSON allows and UTF-8 does not, become the replacement character."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _whole(body: Mapping[str, Any], name: str, least: int, most: int | None) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(f"{name} must be a whole number.", param=name)
    if value < least or (most is not None and value > most):
        ends = f"at least {least}" if most is None else f"between {least} and {most}"
        raise Invalid(f"{name} is {value}; it must be {ends}.", param=name)
    return value


def _number(body: Mapping[str, Any], name: str, least: float, most: float) -> float:
    value = body.get(name)
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise Invalid(f"{name} must be a number between {least:g} and {most:g}.", param=name)
    return float(value)


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise Invalid(f"{name} must be true or false.", param=name)
    return bool(value)


def _stops(raw: Any) -> tuple[str, ...]:
    stops = [raw] if isinstance(raw, str) else (raw or [])
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
        raise Invalid("stop must be a text that is not empty, or a list of such texts.", param="stop")
    if len(stops) > MOST_STOPS:
        raise Invalid(f"stop has {len(stops)} texts; at most {MOST_STOPS} are allowed.", param="stop")
    return tuple(stops)


def _wants_json(model: str, raw: Any) -> bool:
    kind = raw.get("type") if isinstance(raw, dict) else raw
    if kind in (None, "text"):
        return False
    if kind == "json_object" and model in ("extract", "answer"):
        return True
    if kind not in ("json_object", "json_schema"):
        raise Invalid(
            f"response_format has the type {kind!r}.",
            param="response_format",
            hint="It is text, json_object or json_schema.",
        )
    what = "an object of its own shape, never one of your schema" if model in ("extract", "answer") else "text"
    raise Invalid(
        f"builtin/{model} writes {what}, so it cannot promise {kind}.",
        param="response_format",
        hint="builtin/extract and builtin/answer take json_object. For a schema choose another backend.",
    )


def _includes_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise Invalid("stream_options must be an object.", param="stream_options")
    return _flag(options, "include_usage")
