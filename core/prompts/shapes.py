"""Whether a JSON value has the shape a schema describes, with a bound on what finding out can cost.

Schemas are typed by whoever may open the playground and checked in the server's process, beside the gateway. A few
lines are enough to keep the plain validator busy for years: references that double at each step, `(a+)+$` as a
pattern, thousands of items that must differ. So every keyword is a step, steps and time are counted, patterns run
with a time limit, and the two keywords that look ahead by themselves are not checked.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import regex
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend
from referencing import Registry

from core import clock

MOST_STEPS = 100_000
MOST_MS = 1_000.0
_PATTERN_S = 0.2
_LONGEST_PATTERN = 500
_NOT_CHECKED = ("unevaluatedItems", "unevaluatedProperties")

META_SCHEMA: Mapping[str, Any] = Draft202012Validator.META_SCHEMA


class TooMuch(Exception):
    """It cannot be found out within bounds; the text says why, as the end of a sentence."""


@dataclass(slots=True)
class _Effort:
    until_ms: float
    steps: int = MOST_STEPS

    def step(self, cost: int = 1) -> None:
        self.steps -= cost
        if self.steps < 0 or clock.ticks_ms() > self.until_ms:
            raise TooMuch("it takes too long")


_effort: contextvars.ContextVar[_Effort] = contextvars.ContextVar("shape_effort")
_Check = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


def first_error(schema: Mapping[str, Any], value: Any) -> ValidationError | None:
    """The most telling way in which the value does not fit, None when it does.

    Raises: TooMuch, RecursionError, and referencing's Unresolvable for a `$ref` that leads nowhere: the registry is
    empty, so that no `$ref` makes the server fetch an address.
    """
    return _best(_Validator(dict(schema), registry=Registry()), value)


def error_of_schema(schema: Any) -> ValidationError | None:
    """What is wrong with the schema itself. Raises: TooMuch, RecursionError."""
    return _best(_Validator(dict(META_SCHEMA)), schema)


def _best(validator: Any, value: Any) -> ValidationError | None:
    _effort.set(_Effort(clock.ticks_ms() + MOST_MS))
    found: ValidationError | None = best_match(validator.iter_errors(value))
    return found


def _counted(check: _Check) -> _Check:
    """A keyword that costs one step, and more where it has many alternatives or must compare all with all."""

    def counted(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        _effort.get().step(1 + (len(wanted) // 8 if isinstance(wanted, list | dict) else 0))
        yield from check(validator, wanted, instance, schema) or ()

    return counted


def _matches(pattern: str, text: str) -> bool:
    _effort.get().step()
    if len(pattern) > _LONGEST_PATTERN:
        raise TooMuch(f"its pattern “{pattern[:40]}…” is too long")
    try:
        return regex.search(pattern, text, timeout=_PATTERN_S, concurrent=True) is not None
    except TimeoutError:
        raise TooMuch(f"its pattern “{pattern[:40]}” takes too long") from None
    except regex.error:
        raise TooMuch(f"its pattern “{pattern[:40]}” is not one") from None


def _pattern(validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not _matches(str(wanted), instance):
        yield ValidationError(f"{instance[:80]!r} does not match {wanted!r}")


def _pattern_properties(validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "object"):
        for pattern, inner in wanted.items():
            for name, value in instance.items():
                if _matches(pattern, name):
                    yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    more = [name for name in instance if name not in known and not any(_matches(one, name) for one in patterns)]
    if validator.is_type(wanted, "object"):
        for name in more:
            yield from validator.descend(instance[name], wanted, path=name)
    elif not wanted and more:
        yield ValidationError(f"{', '.join(map(repr, more[:8]))} may not be there")


def _unique(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if validator.is_type(instance, "array"):
        _effort.get().step(len(instance) ** 2 // 32)
    yield from Draft202012Validator.VALIDATORS["uniqueItems"](validator, wanted, instance, schema) or ()


def _not_checked(name: str) -> _Check:
    def refused(_validator: Any, _wanted: Any, _instance: Any, _schema: Any) -> Iterator[ValidationError]:
        raise TooMuch(f"it uses “{name}”, which is not checked here")

    return refused


_CHECKS: dict[str, _Check] = {
    **Draft202012Validator.VALIDATORS,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "uniqueItems": _unique,
    **{name: _not_checked(name) for name in _NOT_CHECKED},
}
_extend: Any = extend
_Validator: Any = _extend(Draft202012Validator, {name: _counted(check) for name, check in _CHECKS.items()})


def _evolve(self: Any, **changes: Any) -> Any:
    """The validator of a part: jsonschema's own would go on without bounds wherever a schema says `$schema`."""
    kept = {field.alias: getattr(self, field.name) for field in self.__attrs_attrs__ if field.init}
    return _Validator(**(kept | changes))


_Validator.evolve = _evolve
