"""What stands on the playground: up to four variants of one question, and the values of their variables.

Frozen values; every change makes a new one. How they lie in the store is `core.prompts.stored`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Self

LETTERS = ("A", "B", "C", "D")
MOST_REPEATS = 10
BOUNDS: Mapping[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "max_tokens": (1, 10_000_000),
    "seed": (-(2**53) + 1, 2**53 - 1),
    "frequency_penalty": (-2.0, 2.0),
    "presence_penalty": (-2.0, 2.0),
}
"""The protocol's own limits; a seed is what a browser can hold exactly."""
MOST_STOPS = 4


class Speaker(StrEnum):
    """Whose message it is."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture or a sound that goes with a message; `data_url` is the file itself in base64."""

    name: str
    media_type: str
    data_url: str = field(repr=False)

    @property
    def is_image(self) -> bool:
        return self.media_type.startswith("image/")

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.data_url.partition(",")[2]) * 3 // 4


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model wants called; `arguments` is JSON as the model wrote it."""

    id: str
    name: str
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `text` of system and user turns is a template; `tool_call_id` says which call a tool turn answers.

    `mark` is its number within the variant, given once: what is typed stays with it when others come and go.
    """

    speaker: Speaker
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    tool_name: str = ""
    mark: int = 0

    @property
    def is_template(self) -> bool:
        return self.speaker in (Speaker.SYSTEM, Speaker.USER)


@dataclass(frozen=True, slots=True)
class Parameters:
    """How the model is to answer. None and empty mean: not sent, the model's own default."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool = False

    def said(self) -> str:
        """Those that are set, in words: `temperature 0.7 · max tokens 200`."""
        parts = []
        for item in fields(self):
            value = getattr(self, item.name)
            name = item.name.replace("_", " ")
            if item.name == "logprobs":
                parts += ["token probabilities"] if value else []
            elif item.name == "stop":
                parts += ["stop at " + ", ".join(f"“{word}”" for word in value)] if value else []
            elif value is not None:
                parts.append(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}")
        return " · ".join(parts)


@dataclass(frozen=True, slots=True)
class Variant:
    """One column: a model, its parameters, the messages it gets, the shape its answer must have.

    `schema` and `tools` are JSON text as typed, kept even while they are not valid; `extra` holds fields of a
    recorded call that the playground has no widget for, passed on as they were.
    """

    letter: str
    model: str = ""
    messages: tuple[Message, ...] = ()
    parameters: Parameters = Parameters()
    asks_schema: bool = False
    schema: str = ""
    asks_tools: bool = False
    tools: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def said(self, *messages: Message) -> Variant:
        """With these messages after the others."""
        return replace(self, messages=numbered((*self.messages, *messages)))

    def answered(self, *messages: Message) -> Variant:
        """With an answer's messages after the question; a question still empty gives way to them."""
        return replace(self, messages=numbered((*self.asked, *messages)))

    def holds(self, answer: Message, to: Variant) -> bool:
        """Whether this answer to that variant's question stands here already: the conversation goes on after it."""
        place = len(to.asked)
        found = self.messages[place] if place < len(self.messages) else None
        return found is not None and replace(found, mark=0) == replace(answer, mark=0)

    @property
    def asked(self) -> tuple[Message, ...]:
        """The messages without a last question nobody has written yet."""
        last = self.messages[-1] if self.messages else None
        is_open = last is not None and last.speaker is Speaker.USER and not last.text.strip() and not last.attachments
        return self.messages[:-1] if is_open else self.messages

    def without(self, mark: int) -> Variant:
        """Without the message of this number."""
        return replace(self, messages=tuple(m for m in self.messages if m.mark != mark))

    def changed(self, message: Message) -> Variant:
        """With this message in place of the one of its number."""
        return replace(self, messages=tuple(message if m.mark == message.mark else m for m in self.messages))


@dataclass(frozen=True, slots=True)
class RunState:
    """Everything a person has on the playground. `variables` keeps values of names no longer asked for."""

    variants: tuple[Variant, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    repeats: int = 1

    @classmethod
    def first(cls, model: str) -> Self:
        """What someone finds who was never here: an empty system message and an empty question."""
        return cls((Variant(LETTERS[0], model).said(Message(Speaker.SYSTEM), Message(Speaker.USER)),))

    def variant(self, letter: str) -> Variant | None:
        return next((variant for variant in self.variants if variant.letter == letter), None)

    def changed(self, variant: Variant) -> RunState:
        """With this variant in place of the one of its letter."""
        return replace(self, variants=tuple(variant if v.letter == variant.letter else v for v in self.variants))

    def added(self) -> RunState:
        """With one more variant, a copy of the last, under the next free letter; four at most."""
        free = [letter for letter in LETTERS if self.variant(letter) is None]
        if not free or not self.variants:
            return self
        grown = sorted((*self.variants, replace(self.variants[-1], letter=free[0])), key=lambda v: v.letter)
        return replace(self, variants=tuple(grown))

    def removed(self, letter: str) -> RunState:
        """Without this variant; the last one stays."""
        kept = tuple(variant for variant in self.variants if variant.letter != letter)
        return replace(self, variants=kept) if kept else self

    def templates(self) -> tuple[str, ...]:
        """Every text in which a variable may stand."""
        return tuple(m.text for variant in self.variants for m in variant.messages if m.is_template)

    @property
    def is_blank(self) -> bool:
        """Whether nobody has written anything yet."""
        return not any(m.text.strip() or m.attachments for v in self.variants for m in v.messages)


def numbered(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages, each with a number of its own; those that have one keep it."""
    last = max((m.mark for m in messages), default=0)
    seen: set[int] = set()
    found = []
    for message in messages:
        if message.mark < 1 or message.mark in seen:
            last += 1
            message = replace(message, mark=last)
        seen.add(message.mark)
        found.append(message)
    return tuple(found)
