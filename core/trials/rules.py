"""Live tests: which calls are in a test, which arm a unit gets, and what may change while it runs.

An arm is a matter of the test's salt and the unit alone, so whoever has been given one keeps it, in every process and
without a store being asked. Each question gets a hash of its own: whether a unit is held out of all tests, whether the
layer leaves it to this test, whether the coverage has reached it, and which arm it gets. So raising the coverage moves
nobody who is in, and what one test does to a unit says nothing of what another does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.errors import Invalid
from core.prompts import serving
from core.prompts.includes import Reference
from core.prompts.versions import PRODUCTION

BUCKETS = 10_000
"""Buckets of one hash; a coverage, a layer's range and a holdout are told in them (100 are 1 %)."""
ALL = "*"
"""The name that means every name asked."""
CONTROL = 0
STEPS = (100, 500, 2_500, 5_000, 10_000)
"""The coverage a ramp offers, step by step: 1 %, 5 %, 25 %, 50 %, all."""
MOST_CONDITIONS, MOST_VALUES = 8, 50
MOST_ARMS = 6
"""A and five others: each more makes every interval wider."""
LONGEST = 200
"""Characters of a name that is asked, and of a tag or its value."""
OVERRIDES = ("temperature", "top_p", "max_tokens", "presence_penalty", "frequency_penalty", "seed", "reasoning_effort")
"""Parameters an arm may set whatever the caller says."""


class Unit(StrEnum):
    """What is given an arm: an end user for good, a conversation, or each call anew."""

    USER = "user"
    SESSION = "session"
    CALL = "call"

    @property
    def many(self) -> str:
        """Several of them, in words."""
        return f"{self.value}s"


class State(StrEnum):
    """Where a test stands. Paused: everybody gets the control, and goes back to their arm when it runs again."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


class Ending(StrEnum):
    """How a test ended."""

    PROMOTED = "promoted"
    ASKED = "promotion asked for"
    ROLLED_BACK = "rolled back"
    STOPPED = "stopped by a guardrail"


class Out(StrEnum):
    """Why a call is in no arm. Only a missing unit is counted: the others are as planned."""

    CONDITION = "a condition is not met"
    NO_UNIT = "no unit"
    HELD_OUT = "held out"
    OTHER_TEST = "the layer leaves it to another test"
    NOT_COVERED = "not covered yet"
    CLOSED = "its arm was closed"


@dataclass(frozen=True, slots=True)
class Arm:
    """A variant: what is asked instead (`model` "" keeps what was asked), parameters that are set, its weight ≥ 0."""

    name: str
    weight: int = 1
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_as_asked(self) -> bool:
        """Whether nothing is changed: the control."""
        return not self.model and not self.parameters


@dataclass(frozen=True, slots=True)
class Condition:
    """A call takes part only when its tag (`metadata`: locale, tier …) has one of the values."""

    tag: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Design:
    """What decides the assignment; frozen once the test has run. `layer` "" is none; tests of one layer share its
    hash and take disjoint ranges of buckets, from `first` to below `until`.
    """

    target: str
    arms: tuple[Arm, ...]
    salt: str
    unit: Unit = Unit.USER
    conditions: tuple[Condition, ...] = ()
    layer: str = ""
    first: int = 0
    until: int = BUCKETS


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a call before it is answered; "" is not there."""

    user: str
    session: str
    call: str
    tags: tuple[tuple[str, str], ...] = ()

    def of(self, unit: Unit) -> str:
        """The unit the call belongs to."""
        return {Unit.USER: self.user, Unit.SESSION: self.session, Unit.CALL: self.call}[unit]


def bucket(question: str, salt: str, unit: str) -> int:
    """0…9,999 for a unit: the first 64 bits of SHA-256("question\\0salt\\0unit") modulo 10,000.

    The modulo's bias is below 10⁻¹⁵.
    """
    told = hashlib.sha256(f"{question}\0{salt}\0{unit}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(told[:8], "big") % BUCKETS


def arm_of(salt: str, unit: str, weights: Sequence[int]) -> int:
    """The arm of a unit, by its number: as many of a large number of units as its weight says.

    Raises: ValueError where no arm has a weight.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError(f"the weights {list(weights)} give nobody an arm")
    place, passed = bucket("arm", salt, unit), 0
    for number, weight in enumerate(weights):
        passed += weight
        if place * total < passed * BUCKETS:
            return number
    raise AssertionError("the last arm ends where the buckets end")


def assigned(
    design: Design,
    facts: Facts,
    *,
    coverage: int,
    holdout: int = 0,
    project: str = "",
    closed: Collection[int] = (),
) -> int | Out:
    """The arm a call gets, or why none. `coverage` and `holdout` in buckets; `project` is the holdout's salt.

    Units of an arm that was `closed` are in none from then on, so that those of the others stay where they are.
    """
    if not meets(design.conditions, facts.tags):
        return Out.CONDITION
    unit = facts.of(design.unit)
    if not unit:
        return Out.NO_UNIT
    if holdout and bucket("holdout", project, unit) < holdout:
        return Out.HELD_OUT
    if design.layer and not design.first <= bucket("layer", design.layer, unit) < design.until:
        return Out.OTHER_TEST
    if bucket("coverage", design.salt, unit) >= coverage:
        return Out.NOT_COVERED
    arm = arm_of(design.salt, unit, [one.weight for one in design.arms])
    return Out.CLOSED if arm in closed else arm


def meets(conditions: Iterable[Condition], tags: Iterable[tuple[str, str]]) -> bool:
    """Whether every condition's tag is there with one of its values; of a tag told twice, the last counts."""
    known: dict[str, str] | None = None
    for condition in conditions:
        known = dict(tags) if known is None else known
        if known.get(condition.tag) not in condition.values:
            return False
    return True


def target_of(name: str) -> str:
    """One spelling of a name asked as model: `prompt:support@production` is `prompt:support`."""
    wanted = serving.asked(name)
    if wanted is not None and wanted.label == PRODUCTION:
        return f"{serving.PREFIX}{wanted.name}"
    return name


def prompt_of(name: str) -> Reference | None:
    """The prompt a name means; None for anything else."""
    return serving.asked(name)


def excludes(one: Design, other: Design) -> bool:
    """Whether no unit can be in both: of one layer, with ranges that do not meet."""
    is_apart = one.until <= other.first or other.until <= one.first
    return bool(one.layer) and one.layer == other.layer and is_apart


def next_step(coverage: int, steps: Sequence[int] = STEPS) -> int | None:
    """The coverage after this one; None at the end of the ramp."""
    return next((step for step in steps if step > coverage), None)


# What is refused


def check(design: Design) -> Design:
    """The design as it is kept. Raises: Invalid with what to change."""
    target = target_of(design.target.strip())
    if not target:
        raise Invalid("Say which name is tested.", param="target", hint="An alias, prompt:name, or * for every name.")
    if any(len(name) > LONGEST for name in (target, *(text for arm in design.arms for text in (arm.name, arm.model)))):
        raise Invalid(f"A name asked as model has at most {LONGEST} characters.", param="target")
    wanted = prompt_of(target)
    if wanted is not None and wanted.number is not None:
        raise Invalid(
            "A pinned version always answers as itself.", param="target", hint=f"Test prompt:{wanted.name} instead."
        )
    if not 2 <= len(design.arms) <= MOST_ARMS:
        raise Invalid(
            f"A live test compares A with at least one and at most {MOST_ARMS - 1} others.", param="arms",
            hint="Run a second test for more." if len(design.arms) > 2 else "Say what is tried.",
        )  # fmt: skip
    if len({arm.name for arm in design.arms}) < len(design.arms):
        raise Invalid("Two arms have one name.", param="arms", hint="Name them A, B, C.")
    if not design.arms[CONTROL].is_as_asked:
        raise Invalid("Arm A is what would be answered anyway.", param="arms", hint="Put the change into arm B.")
    for arm in design.arms[1:]:
        _check_arm(arm, target)
    told = [told_arm(arm) for arm in design.arms]
    twice = next((name for place, name in enumerate(told) if name in told[:place]), None)
    if twice is not None:
        raise Invalid(f"Two arms are the same: {twice}.", param="arms", hint="Leave one of them out.")
    if min(arm.weight for arm in design.arms) < 0 or sum(arm.weight for arm in design.arms) <= 0:
        raise Invalid("Weights are whole numbers from 0, and one of them is above 0.", param="arms")
    if len(design.layer) > LONGEST:
        raise Invalid(f"A layer's name has at most {LONGEST} characters.", param="layer")
    if not 0 <= design.first < design.until <= BUCKETS:
        raise Invalid("A layer's range lies between 0 and 100 % and holds something.", param="layer")
    if not design.layer and (design.first, design.until) != (0, BUCKETS):
        raise Invalid("Only a test of a layer has a range.", param="layer", hint="Name the layer.")
    if len(design.conditions) > MOST_CONDITIONS:
        raise Invalid(f"A test has at most {MOST_CONDITIONS} conditions.", param="conditions")
    for condition in design.conditions:
        is_long = max(map(len, (condition.tag, *condition.values))) > LONGEST
        if not condition.tag or not condition.values or len(condition.values) > MOST_VALUES or is_long:
            raise Invalid(
                "A condition names a tag and the values that take part.", param="conditions",
                hint=f"Such as locale: de, at; at most {MOST_VALUES} values of up to {LONGEST} characters.",
            )  # fmt: skip
    return Design(
        target, design.arms, design.salt, design.unit, design.conditions, design.layer, design.first, design.until
    )


def _check_arm(arm: Arm, target: str) -> None:
    if arm.is_as_asked:
        raise Invalid(
            f"Arm {arm.name} changes nothing.", param="arms", hint="Name another version, model or parameter."
        )
    if arm.model and target_of(arm.model) == target:
        raise Invalid(f"Arm {arm.name} asks for what is asked anyway.", param="arms", hint="Name another version.")
    wanted = prompt_of(arm.model)
    if wanted is not None and wanted.number is None:
        raise Invalid(
            f"Arm {arm.name} needs a pinned version: a label may move while the test runs.", param="arms",
            hint=f"Such as prompt:{wanted.name}@7.",
        )  # fmt: skip
    for name, value in arm.parameters.items():
        if name not in OVERRIDES:
            raise Invalid(
                f"{name!r} cannot be set by an arm.", param="arms", hint=f"It may set {', '.join(OVERRIDES)}."
            )
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Invalid(f"{name} needs a value.", param="arms")


# As it is stored


def arms_out(arms: Iterable[Arm]) -> list[dict[str, Any]]:
    """Arms as JSON."""
    return [
        {"name": arm.name, "weight": arm.weight, "model": arm.model, "parameters": dict(arm.parameters)} for arm in arms
    ]


def arms_in(told: Iterable[Mapping[str, Any]]) -> tuple[Arm, ...]:
    """Arms from JSON."""
    return tuple(Arm(one["name"], one["weight"], one["model"], one["parameters"]) for one in told)


def conditions_out(conditions: Iterable[Condition]) -> dict[str, list[str]]:
    """Conditions as JSON."""
    return {condition.tag: list(condition.values) for condition in conditions}


def conditions_in(told: Mapping[str, Sequence[str]]) -> tuple[Condition, ...]:
    """Conditions from JSON."""
    return tuple(Condition(tag, tuple(values)) for tag, values in told.items())


def told_arm(arm: Arm) -> str:
    """What an arm does, in words."""
    if arm.is_as_asked:
        return "what is answered anyway"
    said = [arm.model] if arm.model else []
    said += [f"{name} {value}" for name, value in arm.parameters.items()]
    return ", ".join(said)
