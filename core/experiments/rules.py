"""What a run is made of, as frozen values: variants, how many cells there are, and where a run stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from core.errors import Invalid

LETTERS = "ABCDEFGH"
MOST_REPEATS, MOST_AT_ONCE, MOST_CELLS = 20, 64, 1_000_000
LONGEST_NAME = 120


class State(StrEnum):
    """Where a run stands. `stopped`: by a person, or because its cap was reached; it can go on."""

    READY = "ready"
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant: a version of a prompt, a model, or a version of a prompt with another model or parameters.

    Without a prompt the example's own messages are asked as they are. An empty `model` is the prompt's own. `messages`
    are a prompt that is in no library, as (role, template); `prompt` is then what a file calls it.
    """

    letter: str
    prompt_id: int | None = None
    prompt: str = ""
    number: int | None = None
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """As people read it: `support/refund, version 3 on gpt-4o`."""
        parts = [f"{self.prompt}, version {self.number}" if self.number is not None else f"“{self.prompt}”"]
        parts = parts if self.prompt else []
        if self.model:
            parts.append(f"on {self.model}" if parts else self.model)
        said = ", ".join(f"{name} {_told(value)}" for name, value in self.parameters.items())
        return " ".join(parts) + (f" ({said})" if said else "")


def _told(value: Any) -> str:
    """A parameter's value as people read it; texts to stop at keep their ends apart."""
    if not isinstance(value, list | tuple):
        return str(value)
    return " ".join(f"“{one}”" for one in value).replace("\n", "\\n")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Which cell: an example's key, a variant's letter, the number of the repetition (from 1)."""

    item_key: int
    arm: str
    repeat: int


def arm_out(arm: Arm) -> dict[str, Any]:
    """A variant as JSON-able values; `arm_in` gives it back."""
    return {
        "letter": arm.letter,
        "prompt_id": arm.prompt_id,
        "prompt": arm.prompt,
        "number": arm.number,
        "model": arm.model,
        "parameters": dict(arm.parameters),
        "messages": [list(message) for message in arm.messages],
    }


def arm_in(data: Mapping[str, Any]) -> Arm:
    """A variant as it was kept."""
    return Arm(
        letter=str(data["letter"]),
        prompt_id=data.get("prompt_id"),
        prompt=str(data.get("prompt") or ""),
        number=data.get("number"),
        model=str(data.get("model") or ""),
        parameters=dict(data.get("parameters") or {}),
        messages=tuple((str(role), str(text)) for role, text in data.get("messages") or ()),
    )


def lettered(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """The variants with their letters, A first. Raises: Invalid for none, too many, or two that are the same."""
    if not 1 <= len(arms) <= len(LETTERS):
        raise Invalid(f"A run has 1 to {len(LETTERS)} variants.", code="experiment", hint="Choose at least one.")
    made = []
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for letter, arm in zip(LETTERS, arms, strict=False):
        if arm.prompt_id is None and not arm.model.strip():
            raise Invalid(f"Variant {letter} has no model.", code="experiment", hint="Choose a model or a prompt.")
        if (arm.label, arm.messages) in seen:
            raise Invalid(f"Variant {letter} is the same as another one.", code="experiment", hint="Change or drop it.")
        seen.add((arm.label, arm.messages))
        made.append(replace(arm, letter=letter, model=arm.model.strip()))
    return tuple(made)


def check(*, name: str, repeats: int, at_once: int, items: int, arms: int) -> str:
    """The run's name. Raises: Invalid for a run that cannot be made."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise Invalid(f"A run's name is 1 to {LONGEST_NAME} characters.", param="name", hint="Kinder refunds, v3?")
    if not 1 <= repeats <= MOST_REPEATS:
        raise Invalid(f"An example is asked 1 to {MOST_REPEATS} times.", param="repeats")
    if not 1 <= at_once <= MOST_AT_ONCE:
        raise Invalid(f"1 to {MOST_AT_ONCE} calls are made at once.", param="at_once")
    if not items:
        raise Invalid(
            "There is no example to test with.", code="experiment", hint="Add some to the dataset, or choose another."
        )
    if items * arms * repeats > MOST_CELLS:
        raise Invalid(f"A run has at most {MOST_CELLS:,} cells.", code="experiment", hint="Take a split of it.")
    return name


def places(item_keys: Sequence[int], arms: Sequence[str], repeats: int) -> Iterator[Place]:
    """The cells of these examples, in the order in which they are asked: every variant of an example close together."""
    for key in item_keys:
        for repeat in range(1, repeats + 1):
            for arm in arms:
                yield Place(key, arm, repeat)
