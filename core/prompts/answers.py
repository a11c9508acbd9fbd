"""What came back: words, tool calls, token probabilities; and what several answers to one question have in common."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from core.prompts.rules import Message, Speaker, ToolCall
from core.wire import openai
from core.wire.gathered import Gathered, of_events


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of the answer, how probable it was (0 to 1), and what else might have stood there."""

    text: str
    probability: float
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer, whole or as far as it has come. `error` is the sentence a backend sent instead or in the middle."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tokens: tuple[Token, ...] = ()
    finish_reason: str = ""
    error: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.reasoning or self.refusal or self.tool_calls)

    @property
    def essence(self) -> str:
        """What makes two answers the same: their words, or the calls they make."""
        calls = "\n".join(f"{call.name}({call.arguments})" for call in self.tool_calls)
        return "\n".join(part for part in (self.text.strip() or self.refusal.strip(), calls) if part)

    def as_messages(self) -> tuple[Message, ...]:
        """The turns that continue the conversation: this answer, and an empty result for each tool it called."""
        said = Message(Speaker.ASSISTANT, self.text or self.refusal, tool_calls=self.tool_calls)
        if not self.tool_calls:
            return (said, Message(Speaker.USER))
        results = [Message(Speaker.TOOL, tool_call_id=call.id, tool_name=call.name) for call in self.tool_calls]
        return (said, *results)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one event of a stream did: `brought` the reader something, or was an `error` with its sentence.

    `length` is how many characters of text came with it.
    """

    brought: bool = False
    error: str = ""
    length: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Answers that are alike: the words, how many, and which repetitions gave them."""

    essence: str
    repeats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """Smallest, middle and largest of some numbers."""

    least: float
    median: float
    most: float


def of_completion(completion: Mapping[str, Any]) -> Answered:
    """The first choice of a chat completion."""
    choices = completion.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    found = choice.get("message")
    message: Mapping[str, Any] = found if isinstance(found, dict) else {}
    calls = message.get("tool_calls")
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    finish = choice.get("finish_reason")
    return Answered(
        text=openai.text_of(message.get("content")),
        reasoning=reasoning if isinstance(reasoning, str) else "",
        refusal=openai.text_of(message.get("refusal")),
        tool_calls=tuple(c for item in calls if (c := _call(item))) if isinstance(calls, list) else (),
        tokens=_tokens(choice.get("logprobs")),
        finish_reason=finish if isinstance(finish, str) else "",
    )


def of_recorded(data: bytes) -> Answered:
    """An answer as its bytes were recorded: a JSON body or a stream of events, whole or cut."""
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        found = of_events(data)
        return replace(of_completion(found.completion()), error=found.error["message"] if found.error else "")
    if not isinstance(body, dict):
        return Answered()
    error = openai.error_of(body)
    return Answered(error=error["message"]) if error and "choices" not in body else of_completion(body)


def take(gathered: Gathered, data: bytes) -> Taken:
    """Add one event of a stream to what was gathered."""
    if not data or data.strip() == b"[DONE]":
        return Taken()
    try:
        chunk = openai.loads(data)
    except ValueError:
        return Taken()
    if not isinstance(chunk, dict):
        return Taken()
    if error := openai.error_of(chunk):
        return Taken(error=str(error["message"]))
    return Taken(brought=gathered.add(chunk), length=_length(chunk))


def _length(chunk: Mapping[str, Any]) -> int:
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    delta = choice.get("delta")
    words = (
        (delta.get(name) for name in ("content", "reasoning_content", "reasoning")) if isinstance(delta, dict) else ()
    )
    return sum(len(word) for word in words if isinstance(word, str))


def alike(answers: Sequence[tuple[int, str]]) -> tuple[Group, ...]:
    """(repetition, essence) pairs put together where they say the same; the most frequent first."""
    groups: dict[str, list[int]] = {}
    for repeat, essence in answers:
        groups.setdefault(essence, []).append(repeat)
    made = [Group(essence, tuple(repeats)) for essence, repeats in groups.items()]
    return tuple(sorted(made, key=lambda group: (-len(group.repeats), group.repeats)))


def spread(values: Iterable[float]) -> Spread | None:
    """How far the values lie apart; None when there are none."""
    known = sorted(values)
    return Spread(known[0], statistics.median(known), known[-1]) if known else None


def _call(item: Any) -> ToolCall | None:
    function = item.get("function") if isinstance(item, dict) else None
    if not isinstance(function, dict):
        return None
    arguments = function.get("arguments")
    said = arguments if isinstance(arguments, str) else orjson.dumps(arguments or {}).decode()
    return ToolCall(str(item.get("id") or ""), str(function.get("name") or ""), said)


def _tokens(logprobs: Any) -> tuple[Token, ...]:
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    found = []
    for item in content if isinstance(content, list) else ():
        if not isinstance(item, dict) or not isinstance(item.get("token"), str):
            continue
        others = item.get("top_logprobs")
        alternatives = tuple(
            (other["token"], _probability(other.get("logprob")))
            for other in (others if isinstance(others, list) else ())
            if isinstance(other, dict) and isinstance(other.get("token"), str)
        )
        found.append(Token(item["token"], _probability(item.get("logprob")), alternatives))
    return tuple(found)


def _probability(logprob: Any) -> float:
    """From a natural logarithm to 0 … 1; what is no number counts as 0."""
    if isinstance(logprob, bool) or not isinstance(logprob, int | float) or math.isnan(logprob):
        return 0.0
    return math.exp(min(float(logprob), 0.0))
