"""Whether an answer has the shape it was asked for: JSON by a schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from core.guard.findings import Hit

NAME = "shape/1"
_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n([\s\S]*?)\n?\s*```\s*\Z")
_FORMS = ("pattern", "patternProperties", "format")  # a caller's expression must not keep the server busy


def schema_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema a request asks its answer to have; None when it asks for none."""
    for given in (
        body.get("response_format"),
        (body.get("text") or {}).get("format") if _is_map(body.get("text")) else None,
    ):
        if not isinstance(given, Mapping):
            continue
        wrapped = given.get("json_schema", given)
        schema = wrapped.get("schema") if isinstance(wrapped, Mapping) else None
        if isinstance(schema, Mapping):
            return dict(schema)
        if given.get("type") == "json_object":
            return {"type": "object"}
    return None


def find(text: str, schema: Mapping[str, Any]) -> list[Hit]:
    """One hit over the whole answer when it is not as the schema says; `kind` says how.

    Raises: SchemaError, Unresolvable when the schema itself cannot be used.
    """
    fenced = _FENCED.match(text)
    try:
        given = orjson.loads(fenced[1] if fenced else text)
    except orjson.JSONDecodeError:
        return [Hit("not json", 0, len(text), 1.0)]
    wanted = _without_forms(schema)
    Draft202012Validator.check_schema(wanted)
    # an empty registry: a `$ref` never makes the server fetch an address
    error = best_match(Draft202012Validator(wanted, registry=Registry()).iter_errors(given))
    if error is not None:
        return [Hit(str(error.validator), 0, len(text), 1.0)]
    return [Hit("fenced", 0, len(text), 0.5)] if fenced else []


def trouble(schema: Mapping[str, Any]) -> str:
    """Why a schema cannot be used, in a sentence; empty when it can."""
    try:
        Draft202012Validator.check_schema(dict(schema))
        Draft202012Validator(_without_forms(schema), registry=Registry()).is_valid({})
    except SchemaError as error:
        return f"The schema is not valid: {error.message[:160]}."
    except Unresolvable as error:
        return f"The schema points to “{error.ref}”, which is not in it."
    except RecursionError:
        return "The schema points to itself."
    return ""


def _without_forms(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {name: _without_forms(item) for name, item in value.items() if name not in _FORMS or _is_map(item)}
        kept.pop("patternProperties", None)
        return kept
    return [_without_forms(item) for item in value] if isinstance(value, list) else value


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)
