"""Shapes of examples: an item to test with, a preference pair, a row to fine-tune on; made and checked. Pure.

Preference and tuning rows are those of OpenAI's guides "Direct preference optimization" and "Supervised fine-tuning"
and of its API description (FineTunePreferenceRequestInput, FineTuneChatRequestInput): one JSON object per line, chat
messages within; no audio and no files, and in preference rows text alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.errors import Invalid

ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
MOST_TAGS, LONGEST_TAG = 20, 40
MOST_VARIABLES, LONGEST_NAME = 100, 100
LONGEST_NOTES = 10_000
MOST_PICTURES = 10
"""Of one example to fine-tune on."""
_KEPT = ("role", "content", "name", "tool_calls", "tool_call_id")
_PARTS = {"text": str, "refusal": str, "image_url": dict, "input_audio": dict, "file": dict}


class Kind(StrEnum):
    """What an example is for."""

    ITEM = "item"
    PREFERENCE = "preference"
    TUNING = "tuning"


_TAKES = {
    Kind.ITEM: frozenset(_PARTS),
    Kind.PREFERENCE: frozenset({"text", "refusal"}),
    Kind.TUNING: frozenset({"text", "refusal", "image_url"}),
}


@dataclass(frozen=True, slots=True)
class Example:
    """An example as it is kept: what goes in, and what is expected of it (None: the input says all).

    The input of an item is messages, or variables that fill a prompt, or both; what it expects is an answer, a JSON
    value ({"json": …}) or nothing that is known.
    """

    kind: Kind
    input: dict[str, Any]
    expected: dict[str, Any] | None = None

    @property
    def line(self) -> dict[str, Any]:
        """The example as a line of a JSONL file."""
        if self.kind is Kind.TUNING:
            return self.input
        if self.kind is Kind.PREFERENCE:
            return {"input": self.input, **(self.expected or {})}
        return {"input": self.input, "expected": self.expected}


@dataclass(frozen=True, slots=True)
class Entry:
    """An example with what people say about it; `source` names what it was made from, `origin` says it to people;
    `files` has the names of attached files, which do not travel with a message, by a mark of their contents."""

    example: Example
    notes: str = ""
    tags: tuple[str, ...] = ()
    split: str = ""
    source: str | None = None
    origin: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def asked(request: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """The messages and tools of a recorded chat request."""
    messages, tools = request.get("messages"), request.get("tools")
    return (messages if isinstance(messages, list) else []), (tools if isinstance(tools, list) else [])


def make(kind: Kind, messages: Sequence[Any], *, original: str, final: str, tools: Sequence[Any] = ()) -> Example:
    """An example of this kind from what was asked, what the model answered, and the text that was approved.

    Raises: Invalid when no such example can be made of them.
    """
    said = {"role": "assistant", "content": final}
    given: dict[str, Any] = {"messages": [kept(message) for message in messages]}
    if tools:
        given["tools"] = list(tools)
    if kind is Kind.ITEM:
        example = Example(kind, given, said)
    elif kind is Kind.PREFERENCE:
        before = {"role": "assistant", "content": original}
        example = Example(kind, given, {"preferred_output": [said], "non_preferred_output": [before]})
    else:
        example = Example(kind, {**given, "messages": [*given["messages"], said]})
    check(example)
    return example


def check(example: Example) -> None:
    """Raises: Invalid when an example has not the shape its kind is documented with."""
    line = example.line
    if example.kind is Kind.TUNING:
        _messages(line.get("messages"), example.kind)
        _tools(line)
        _answer(line["messages"][-1], "approved answer")
        return
    given = line.get("input")
    if not isinstance(given, dict):
        raise _wrong("The example has no input.")
    is_filled = example.kind is Kind.ITEM and "variables" in given
    if is_filled:
        _variables(given["variables"])
    if not (is_filled and "messages" not in given and given["variables"]):
        _messages(given.get("messages"), example.kind)
        if given["messages"][-1]["role"] == "assistant":
            raise _wrong("The input ends with an answer already.")
    _tools(given)
    if example.kind is Kind.ITEM:
        _expected(line.get("expected"))
        return
    outputs = []
    for name in ("preferred_output", "non_preferred_output"):
        output = line.get(name)
        if not isinstance(output, list) or len(output) != 1:
            raise _wrong(f"A preference pair has one message in {name}.")
        outputs.append(_answer(output[0], name.replace("_", "-").replace("-output", " answer")))
    if outputs[0] == outputs[1]:
        raise _wrong("The answer was approved as it was: there is nothing to prefer.", "Add it as an item instead.")


def _answer(message: Any, what: str) -> str:
    text = message.get("content") if isinstance(message, dict) and message.get("role") == "assistant" else None
    if not isinstance(text, str) or not text.strip():
        raise _wrong(f"The {what} has no text.")
    return text


def _expected(expected: Any) -> None:
    """Raises: Invalid unless nothing is expected, a text is, or a JSON value is ({"json": …})."""
    if expected is not None and not (isinstance(expected, dict) and set(expected) == {"json"}):
        _answer(expected, "expected answer")


def _messages(messages: Any, kind: Kind) -> None:
    if not isinstance(messages, list) or not messages:
        raise _wrong(
            "It has no question.", "Write what the user asks. A call whose text was not kept makes no example."
        )
    for number, message in enumerate(messages, 1):
        if trouble := _trouble(message, kind):
            raise _wrong(f"Message {number} {trouble}.")
    if not any(message["role"] == "user" for message in messages):
        raise _wrong("Nobody asks anything in this conversation.")


def _trouble(message: Any, kind: Kind) -> str:
    """What is wrong with a message; "" when nothing is."""
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        return "has no role that is known"
    role, content, calls = message["role"], message.get("content"), message.get("tool_calls")
    if calls is not None:
        if role != "assistant" or not isinstance(calls, list) or not all(_is_call(call) for call in calls):
            return "has tool calls that cannot be read"
        if content is None and calls:
            return ""
    if "weight" in message and (role != "assistant" or message["weight"] not in (0, 1)):
        return "has a weight that is neither 0 nor 1, or is no answer"
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        return "answers no tool call"
    if isinstance(content, list):
        if not content or not all(_is_part(part) for part in content):
            return "has parts that cannot be read"
        foreign = sorted({part["type"] for part in content} - _TAKES[kind])
        return f"has parts that a {kind} example cannot hold ({', '.join(foreign)})" if foreign else ""
    return "" if isinstance(content, str) else "has no content"


def _is_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return (
        isinstance(function, dict)
        and isinstance(call.get("id"), str)
        and isinstance(function.get("name"), str)
        and isinstance(function.get("arguments"), str)
    )


def _is_part(part: Any) -> bool:
    kind = part.get("type") if isinstance(part, dict) else None
    return isinstance(kind, str) and kind in _PARTS and isinstance(part.get(kind), _PARTS[kind])


def _tools(given: Mapping[str, Any]) -> None:
    tools = given.get("tools", [])
    named = [tool.get("function") if isinstance(tool, dict) else None for tool in tools]
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in named):
        raise _wrong("A tool of the request cannot be read.")


def kept(message: Any, *, with_weight: bool = False) -> Any:
    """A message with what fine-tuning knows of; traces and other additions of backends are left out.

    A weight says whether an answer is trained on; no model is ever asked with one.
    """
    if not isinstance(message, dict):
        return message
    names = (*_KEPT, "weight") if with_weight else _KEPT
    return {name: message[name] for name in names if message.get(name) is not None}


def trained_on(messages: Sequence[Any]) -> list[Any] | None:
    """The messages as a fine-tuning file may have them; None when a picture keeps them out of it.

    A developer's message is a system's there. Pictures are of users, few, and not animated (OpenAI's guide "Vision
    fine-tuning").
    """
    found, pictures = [], 0
    for message in messages:
        if not isinstance(message, dict):
            return None
        content = message.get("content")
        shown = [part for part in content if _is_picture(part)] if isinstance(content, list) else []
        pictures += len(shown)
        if (shown and message.get("role") != "user") or any(_url(part).startswith("data:image/gif") for part in shown):
            return None
        found.append(message | {"role": "system"} if message.get("role") == "developer" else message)
    return found if pictures <= MOST_PICTURES else None


def _is_picture(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "image_url"


def _url(part: Mapping[str, Any]) -> str:
    told = part.get("image_url")
    return str(told.get("url")) if isinstance(told, dict) else ""


def _variables(variables: Any) -> None:
    """Raises: Invalid unless these are names with texts, numbers or truths."""
    if not isinstance(variables, dict) or len(variables) > MOST_VARIABLES:
        raise _wrong("The variables of the input cannot be read.", f"Give up to {MOST_VARIABLES} names with values.")
    for name, value in variables.items():
        if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
            raise _wrong("A variable has no name, or a very long one.", f"Names have up to {LONGEST_NAME} characters.")
        if not isinstance(value, str | int | float | None):
            raise _wrong(f"The variable {name!r} is neither text nor number.", "Give its value as text.")


def tidied(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags without spaces around them, each once, in their order. Raises: Invalid."""
    found = tuple(dict.fromkeys(tag for tag in (" ".join(tag.split()) for tag in tags) if tag))
    if len(found) > MOST_TAGS or any(len(tag) > LONGEST_TAG or "," in tag or not tag.isprintable() for tag in found):
        raise Invalid(
            f"An example has up to {MOST_TAGS} tags of up to {LONGEST_TAG} letters without commas.",
            code="invalid_example",
            param="tags",
            hint="For example: refunds, german.",
        )
    return found


def _wrong(message: str, hint: str = "Choose another answer.") -> Invalid:
    return Invalid(message, code="invalid_example", hint=hint)
