"""One answer to one example, and what a scorer says of it.

A score that could not be found has no value: a failed cell is never a zero, and no mean counts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.prompts.rules import ToolCall
from core.wire import openai

LONGEST_REASON = 600


class State(StrEnum):
    """What became of a cell. Only `scored` has a value; `invalid`: a judge answered, but gave no verdict."""

    SCORED = "scored"
    FAILED = "failed"
    INVALID = "invalid"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Case:
    """What was asked, answered and expected.

    `messages` are the protocol's; `expected` is a text, JSON, or None when the example says nothing; `notes` are for
    whoever judges it by a rubric; `variables` are what the prompt was filled with. Nano-dollars; None: nobody knows.
    """

    messages: tuple[Mapping[str, Any], ...] = ()
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    refusal: str = ""
    error: str = ""
    expected: Any = None
    notes: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    latency_ms: float | None = None
    first_token_ms: float | None = None
    cost_nano_usd: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def said(self) -> str:
        """What a reader saw: the answer, or the refusal that stands in its place."""
        return self.text or self.refusal


@dataclass(frozen=True, slots=True)
class Score:
    """`value` is a share (0 to 1) where `unit` is empty, else a measured number; `passed` is None where nothing says
    what is enough. `reason` is a sentence for a person, `details` are numbers for a program."""

    state: State
    value: float | int | None
    passed: bool | None
    reason: str
    unit: str = ""
    details: Mapping[str, float | int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.value is None) is (self.state is State.SCORED):
            raise ValueError("a score has a value if, and only if, it was scored")


def scored(
    value: float | int,
    passed: bool | None,
    reason: str,
    *,
    unit: str = "",
    details: Mapping[str, float | int | str] | None = None,
) -> Score:
    return Score(State.SCORED, value, passed, _short(reason), unit, details or {})


def failed(reason: str) -> Score:
    """The answer is an error, or whether it is good could not be found out."""
    return Score(State.FAILED, None, None, _short(reason))


def invalid(reason: str, details: Mapping[str, float | int | str] | None = None) -> Score:
    return Score(State.INVALID, None, None, _short(reason), "", details or {})


def not_applicable(reason: str) -> Score:
    """This scorer has nothing to say of this example."""
    return Score(State.NOT_APPLICABLE, None, None, _short(reason))


def as_text(value: Any) -> str:
    """An expected value as the text an answer would have: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else openai.dumps(value).decode()


def quoted(text: str, most: int = 80) -> str:
    """A text within a sentence, on one line and no longer than `most`."""
    line = " ".join(text[: most * 2].split())
    return f"“{line[:most]}…”" if len(line) > most or len(text) > most * 2 else f"“{line}”"


def _short(reason: str) -> str:
    return reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "…"
