"""What detectors say: where in a request or an answer they found what, and how sure they are.

A place names a text inside a body by its keys and numbers ("messages.2.content", "choices.0.message.content"); a
finding names characters of that text, never the text itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Family(StrEnum):
    """What kind of trouble a detector looks for."""

    PERSONAL = "personal"
    SECRET = "secret"  # noqa: S105
    INJECTION = "injection"
    TOPIC = "topic"
    WORD = "word"
    PROFANITY = "profanity"
    LEAKAGE = "leakage"
    SHAPE = "shape"
    LANGUAGE = "language"
    LENGTH = "length"
    LINK = "link"
    JUDGE = "judge"


PRIVATE = frozenset({Family.PERSONAL, Family.SECRET})
"""Words that are nobody's business: masked wherever a recorded call is shown, until somebody says why they must see."""


FAILED = "failed"
"""The kind of a finding that says a detector broke; its act is not "pass" where a policy had to assume the worst."""


class Side(StrEnum):
    """Whether it was asked or answered."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Passage:
    """One text of a request or an answer; `role` is who speaks, where the body says so."""

    side: Side
    place: str
    text: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """What one detector found in one text: characters `start` to `stop`, sure from 0 to 1."""

    kind: str
    start: int
    stop: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A hit with its place; `detector` is the name and version of what found it ("personal/1").

    `policy` is the id of the policy whose settings found it (its words, its hosts); 0 when it counts for all.
    """

    family: Family
    kind: str
    side: Side
    place: str
    start: int
    stop: int
    confidence: float
    detector: str
    policy: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A detector that broke on a text: what it was looking for there nobody knows."""

    family: Family
    side: Side
    place: str
    detector: str
    error: str


def settled(hits: Iterable[Hit]) -> list[Hit]:
    """Hits that do not overlap, in the order of the text: the surer wins, then the longer, then the first."""
    ranked = sorted(hits, key=lambda hit: (-hit.confidence, hit.start - hit.stop, hit.start))
    if len(ranked) < 2:
        return ranked
    ends = _Ends()
    return sorted((hit for hit in ranked if ends.take(hit.start, hit.stop)), key=lambda hit: hit.start)


class _Ends:
    """Intervals that do not overlap, found by bisection: many hits in a long text must not cost their square."""

    __slots__ = ("_starts", "_stops")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def take(self, start: int, stop: int) -> bool:
        place = bisect_left(self._starts, stop)
        if place and self._stops[place - 1] > start:
            return False
        self._starts.insert(place, start)
        self._stops.insert(place, stop)
        return True


def not_overlapping(findings: Iterable[Finding]) -> list[Finding]:
    """Findings of which no two share a character of a place, in order: what can be replaced in the text."""
    by_place: dict[str, list[Finding]] = {}
    for finding in findings:
        by_place.setdefault(finding.place, []).append(finding)
    kept: list[Finding] = []
    for found in by_place.values():
        ends = _Ends()
        ranked = sorted(found, key=lambda f: (-f.confidence, f.start - f.stop, f.start))
        kept += sorted((f for f in ranked if ends.take(f.start, f.stop)), key=lambda f: f.start)
    return kept


# Texts of a body


def passages_of_request(body: Mapping[str, Any]) -> tuple[Passage, ...]:
    """Every text a caller sent: messages with their parts and tool calls, instructions, `input` and `prompt`."""
    return tuple(Passage(Side.INPUT, place, text, role) for place, text, role in _asked(body) if text)


def passages_of_answer(completion: Mapping[str, Any]) -> tuple[Passage, ...]:
    """Every text an answer has: content and its parts, refusals, reasoning, arguments of tool calls."""
    found = [*_choices(completion), *_items(completion.get("output"), "output", "assistant")]
    return tuple(Passage(Side.OUTPUT, place, text, role) for place, text, role in found if text)


def with_texts(body: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """The body with other texts at these places; what is not changed is shared with the original."""
    changed: Any = body
    for place, text in texts.items():
        changed = _with_text(changed, place.split("."), text)
    return dict(changed)


_Texts = Iterator[tuple[str, str, str]]


def _asked(body: Mapping[str, Any]) -> _Texts:
    if isinstance(body.get("instructions"), str):
        yield "instructions", body["instructions"], "system"
    yield from _items(body.get("messages"), "messages", "")
    for name in ("input", "prompt"):
        given = body.get(name)
        if isinstance(given, str):
            yield name, given, "user"
        else:
            yield from _items(given, name, "user")


def _choices(completion: Mapping[str, Any]) -> _Texts:
    choices = completion.get("choices")
    for number, choice in enumerate(choices if isinstance(choices, list) else ()):
        if not isinstance(choice, Mapping):
            continue
        if isinstance(choice.get("message"), Mapping):
            yield from _message(choice["message"], f"choices.{number}.message", "assistant")
        elif isinstance(choice.get("text"), str):
            yield f"choices.{number}.text", choice["text"], "assistant"


def _items(given: Any, at: str, role: str) -> _Texts:
    for number, item in enumerate(given if isinstance(given, list) else ()):
        if isinstance(item, str):
            yield f"{at}.{number}", item, role
        elif isinstance(item, Mapping):
            yield from _message(item, f"{at}.{number}", str(item.get("role") or role))


def _message(message: Mapping[str, Any], at: str, role: str) -> _Texts:
    for name in ("content", "refusal", "reasoning_content", "arguments", "output"):
        value = message.get(name)
        if isinstance(value, str):
            yield f"{at}.{name}", value, role
        elif isinstance(value, list):
            for number, part in enumerate(value):
                if isinstance(part, str):
                    yield f"{at}.{name}.{number}", part, role
                elif isinstance(part, Mapping):
                    for inner in ("text", "refusal"):
                        if isinstance(part.get(inner), str):
                            yield f"{at}.{name}.{number}.{inner}", part[inner], role
    calls = message.get("tool_calls")
    for number, call in enumerate(calls if isinstance(calls, list) else ()):
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping) and isinstance(function.get("arguments"), str):
            yield f"{at}.tool_calls.{number}.function.arguments", function["arguments"], role


def _with_text(value: Any, steps: Sequence[str], text: str) -> Any:
    if not steps:
        return text
    if isinstance(value, list):
        copied: Any = list(value)
        copied[int(steps[0])] = _with_text(value[int(steps[0])], steps[1:], text)
        return copied
    return {**value, steps[0]: _with_text(value[steps[0]], steps[1:], text)}
