"""What a live test says at one moment, as it is shown and, at its end, frozen as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.calls import rows
from core.statistics.margins import Standing


@dataclass(frozen=True, slots=True)
class Line:
    """A metric of one arm beside the control: the values of both, the differences, its guardrail's margin and standing.

    `arms` is the control's value and the arm's, `arm` the arm's number. `low` and `high` are the absolute difference's
    limits, None where not known; a share is 0…1.
    """

    metric: str
    name: str
    role: str
    arms: tuple[str, ...]
    absolute: str
    relative: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    margin: str = ""
    standing: str = ""
    arm: int = 1


@dataclass(frozen=True, slots=True)
class Piece:
    """The goal in one slice: exploratory, its p adjusted for all slices and arms (Benjamini and Hochberg)."""

    name: str
    units: int
    absolute: str
    p: float
    arm: int = 1


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of one arm against the control. `goal` is the difference with its limits; None: not known."""

    number: int
    name: str
    outcome: str
    sentence: str
    reasons: tuple[str, ...]
    changes: tuple[str, ...] = ()
    goal: Mapping[str, float | None] = field(default_factory=dict)
    before: str = ""
    finds: str = ""
    at_the_end: str = ""
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """All a test says at one moment. Shares are 0…1; sentences are for people.

    `leader` is the number of the arm that the outcome and the sentence speak of first; `level` that of each interval,
    so that those of all arms together hold with the test's; `between` how arms that are all better stand to each other;
    `promoted` the number of the arm that was made everybody's.
    """

    outcome: str
    sentence: str
    reasons: tuple[str, ...]
    changes: tuple[str, ...]
    planned: int
    seen: int
    units: tuple[int, ...]
    calls: tuple[int, ...]
    fallback_shares: tuple[float, ...]
    twice_share: float
    missing: int
    is_off: bool
    split: str
    lines: tuple[Line, ...]
    said: tuple[Said, ...]
    leader: int = 1
    level: float = 0.95
    pieces: tuple[Piece, ...] = ()
    between: tuple[str, ...] = ()
    unpriced: int = 0
    promoted: int | None = None

    def broken(self, arm: int) -> tuple[str, ...]:
        """The guardrails that an arm has broken, by name."""
        return tuple(line.name for line in self.lines if line.arm == arm and line.standing == Standing.BROKEN)

    def of(self, arm: int) -> Said:
        """What is said of an arm."""
        return next(one for one in self.said if one.number == arm)

    @property
    def open(self) -> tuple[int, ...]:
        """The arms that are not closed."""
        return tuple(one.number for one in self.said if not one.is_closed)

    @property
    def all_broken(self) -> bool:
        """Whether no arm is left that keeps inside its limits."""
        return all(self.broken(one) for one in self.open)


def told(card: Card) -> dict[str, Any]:
    """A card as JSON."""
    return _plain(dataclasses.asdict(card))


def frozen(card: Card, arm: int) -> dict[str, Any]:
    """What is kept of an arm that is closed, as JSON: what was said of it, and its lines."""
    said = dataclasses.replace(card.of(arm), is_closed=True)
    lines = [dataclasses.asdict(line) for line in card.lines if line.arm == arm]
    return _plain({"said": dataclasses.asdict(said), "lines": lines})


def said_in(told: Mapping[str, Any]) -> Said:
    """What is said of an arm, from its JSON."""
    return Said(**_tuples(told))


def line_in(told: Mapping[str, Any]) -> Line:
    """A line, from its JSON."""
    return Line(**_tuples(told))


def card_in(told: Mapping[str, Any]) -> Card:
    """A frozen card from its JSON; one of a test with a single other arm may be in the older form."""
    read = _tuples(told)
    if "said" not in read:
        of_arm = {name: read.pop(name) for name in ("goal", "before", "finds", "at_the_end")}
        same = {name: read[name] for name in ("outcome", "sentence", "reasons", "changes")}
        read["said"] = ({"number": 1, "name": "B", **same, **of_arm},)
    read["lines"] = tuple(map(line_in, read["lines"]))
    read["pieces"] = tuple(Piece(**piece) for piece in read["pieces"])
    read["said"] = tuple(map(said_in, read["said"]))
    return Card(**read)


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    return {name: rows.plain(value) for name, value in told.items()}


def _tuples(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
