"""What two JSON values differ in, path by path: "items[2].price: 3 instead of 4"."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import regex

from core.evals.cases import as_text, quoted

_STEP = regex.compile(r"\[(\*|[0-9]{1,9})\]|\.?([^.\[\]]++)")
_LACKING = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """A place and what is there instead of what."""

    path: str
    said: str

    def __str__(self) -> str:
        return f"{self.path or 'the value'} {self.said}"


@dataclass(frozen=True, slots=True)
class Compared:
    """`equal` of `leaves` are as expected; a leaf is a text, number, truth value, null, or an empty list or object."""

    equal: int
    leaves: int
    differences: tuple[Difference, ...]

    @property
    def share(self) -> float:
        return self.equal / self.leaves if self.leaves else 1.0


def compare(
    given: Any, wanted: Any, *, ignored: Sequence[str] = (), tolerance: float = 0.0, more_is_fine: bool = False
) -> Compared:
    """Compare two values of JSON no deeper than Python's recursion; read them with `wire.nesting`.

    `ignored` are paths such as `id`, `items[*].at`, `meta` (with all below it), `*.at` (of any object). Numbers may
    differ by `tolerance`; true is not 1. Members of lists are compared by their place. What is there beyond what is
    expected counts as leaves that differ, unless `more_is_fine`.
    """
    rules = tuple(path_of(one) for one in ignored)
    found: list[Difference] = []
    equal = leaves = 0
    for path, one, two in _leaves((), given, wanted, rules):
        if one is not _LACKING and two is _LACKING and more_is_fine:
            continue
        leaves += 1
        if one is not _LACKING and two is not _LACKING and _is_equal(one, two, tolerance):
            equal += 1
        elif len(found) < 20:
            found.append(Difference(_written(path), _said(one, two)))
    return Compared(equal, leaves, tuple(found))


def path_of(text: str) -> tuple[str | int, ...]:
    """`items[*].at` → ("items", "*", "at"). Raises: ValueError when it is no path."""
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise ValueError(f"“{text[:60]}” is no path: write it like items[*].at")
        steps.append(match[2] if match[2] is not None else ("*" if match[1] == "*" else int(match[1])))
        at = match.end()
    if not steps:
        raise ValueError("a path is empty")
    return tuple(steps)


def _leaves(
    path: tuple[str | int, ...], one: Any, two: Any, rules: tuple[tuple[str | int, ...], ...]
) -> Iterator[tuple[tuple[str | int, ...], Any, Any]]:
    if any(_covers(rule, path) for rule in rules):
        return
    shapes = [side for side in (one, two) if side is not _LACKING]
    if all(isinstance(side, dict) and side for side in shapes):
        first, second = (side if side is not _LACKING else {} for side in (one, two))
        for name in [*second, *(name for name in first if name not in second)]:
            yield from _leaves((*path, name), first.get(name, _LACKING), second.get(name, _LACKING), rules)
    elif all(isinstance(side, list) and side for side in shapes):
        first, second = (side if side is not _LACKING else [] for side in (one, two))
        for place in range(max(len(first), len(second))):
            left = first[place] if place < len(first) else _LACKING
            right = second[place] if place < len(second) else _LACKING
            yield from _leaves((*path, place), left, right, rules)
    else:
        yield path, one, two


def _covers(rule: tuple[str | int, ...], path: tuple[str | int, ...]) -> bool:
    return len(rule) == len(path) and all(one in ("*", two) for one, two in zip(rule, path, strict=True))


def _is_equal(one: Any, two: Any, tolerance: float) -> bool:
    numbers = all(isinstance(side, int | float) and not isinstance(side, bool) for side in (one, two))
    if numbers:
        near = tolerance > 0 and all(math.isfinite(side) for side in (one, two))
        return bool(one == two) or (near and abs(Decimal(one) - Decimal(two)) <= Decimal(str(tolerance)))
    return type(one) is type(two) and bool(one == two)


def _said(one: Any, two: Any) -> str:
    if one is _LACKING:
        return "is missing"
    if two is _LACKING:
        return "is not expected"
    return f"is {_shown(one)} instead of {_shown(two)}"


def _shown(value: Any) -> str:
    if isinstance(value, dict | list) and value:
        return "an object" if isinstance(value, dict) else "a list"
    return quoted(value, 40) if isinstance(value, str) else as_text(value)


def _written(path: tuple[str | int, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.lstrip(".") if len(text) <= 200 else f"…{text[-200:]}"
