"""The shape an answer must have, and the tools a model may call: JSON schema, checked before it is sent and after.

Every finding is a sentence that names the place; nobody is asked to read a validator's dump.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import orjson
from jsonschema.exceptions import ValidationError
from referencing.exceptions import Unresolvable

from core.errors import Invalid
from core.prompts import shapes
from core.wire import nesting

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
MOST_BYTES = 200_000
MOST_ANSWER = 1_000_000
EXAMPLE_SCHEMA = """{
  "type": "object",
  "properties": {
    "title": {"type": "string"},
    "score": {"type": "integer", "minimum": 1, "maximum": 5}
  },
  "required": ["title", "score"],
  "additionalProperties": false
}"""
EXAMPLE_TOOLS = """[
  {
    "name": "get_weather",
    "description": "The weather in a city now.",
    "parameters": {
      "type": "object",
      "properties": {"city": {"type": "string"}},
      "required": ["city"]
    }
  }
]"""


def schema(text: str) -> dict[str, Any]:
    """The JSON schema that was typed. Raises: Invalid with the place of the mistake."""
    found = _json(text, "The schema")
    if not isinstance(found, dict):
        raise _bad("The schema must be an object, like {…}.")
    if found.get("type") != "object" and not {"anyOf", "$ref"} & found.keys():
        raise _bad("The schema must describe an object.", 'Start with "type": "object".')
    check(found, "The schema")
    return found


def response_format(text: str) -> dict[str, Any]:
    """The field that asks for an answer of this shape."""
    found = schema(text)
    title = found.get("title")
    name = title if isinstance(title, str) and _NAME.fullmatch(title) else "answer"
    return {"type": "json_schema", "json_schema": {"name": name, "schema": found, "strict": True}}


def tools(text: str) -> list[dict[str, Any]]:
    """The tools that were typed, in the protocol's form; a bare function without its wrapping is understood.

    Raises: Invalid naming the tool and what is wrong with it.
    """
    found = _json(text, "The list of tools")
    listed = found if isinstance(found, list) else [found]
    if not listed:
        raise _bad("The list of tools is empty.", "Describe one, or switch tools off.")
    made = []
    for place, item in enumerate(listed, 1):
        function = item.get("function", item) if isinstance(item, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _bad(f"Tool {place} needs a name of letters, digits, “_” and “-”.", 'Like "name": "get_weather".')
        parameters = function.get("parameters", {"type": "object", "properties": {}})
        if not isinstance(parameters, dict):
            raise _bad(f"The parameters of {name} must be a JSON schema, like {{…}}.")
        check(parameters, f"The parameters of {name}")
        made.append({"type": "function", "function": {k: v for k, v in function.items() if k != "type"}})
    return made


class Unchecked(Exception):
    """Whether an answer has its shape cannot be found out; the text says why, a sentence."""


@functools.lru_cache(maxsize=64)
def mismatch(schema_text: str, answer: str) -> str:
    """Why the answer does not have the shape asked for, in a sentence; empty when it has it."""
    try:
        wanted = schema(schema_text)
    except Invalid:
        return ""
    try:
        return misfit(wanted, answer)
    except Unchecked as why:
        return str(why)


def misfit(wanted: Mapping[str, Any], answer: str) -> str:
    """Why the answer is not JSON of this schema, in a sentence; empty when it is. Raises: Unchecked."""
    if len(answer) > MOST_ANSWER:
        raise Unchecked("The answer cannot be checked: it is too long.")
    try:
        given = nesting.loads(answer)
    except nesting.TooDeep:
        raise Unchecked("The answer cannot be checked: it is nested too deeply.") from None
    except ValueError:
        return "The answer is not JSON." if answer.strip() else "The answer is empty."
    try:
        found = shapes.first_error(wanted, given)
    except Unresolvable as error:
        said = f"The answer cannot be checked: the schema points to “{error.ref}”, which is not in it."
        raise Unchecked(said) from None
    except RecursionError:
        raise Unchecked("The answer cannot be checked: the schema points to itself.") from None
    except shapes.TooMuch as why:
        raise Unchecked(f"The answer cannot be checked against this schema: {why}.") from None
    return "" if found is None else _sentence(found)


def _sentence(error: ValidationError) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    where = f"“{place.lstrip('.')}”" if place else "The answer"
    wanted: Any = error.validator_value
    if error.validator == "required":
        missing = [name for name in wanted if isinstance(error.instance, Mapping) and name not in error.instance]
        return f"{where} lacks {_quoted(missing)}."
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
        return f"{where} has {_quoted([n for n in error.instance if n not in known])}, which the schema does not allow."
    if error.validator == "type":
        kinds = wanted if isinstance(wanted, list) else [wanted]
        return f"{where} must be {' or '.join(_kind(kind) for kind in kinds)}."
    if error.validator == "enum":
        return f"{where} must be one of {_quoted(wanted)}."
    return f"{where} does not fit the schema: {error.message[:160]}."


def _kind(name: Any) -> str:
    article = "an" if str(name)[:1] in "aeiou" else "a"
    return {"null": "null", "boolean": "true or false", "string": "text", "integer": "a whole number"}.get(
        str(name), f"{article} {name}"
    )


def _quoted(names: Any) -> str:
    return ", ".join(f"“{name}”" for name in list(names)[:8])


def check(found: Mapping[str, Any], what: str) -> None:
    """Raises: Invalid with the place of the mistake in a schema; `what` begins the sentence."""
    try:
        error = shapes.error_of_schema(found)
    except RecursionError:
        raise _bad(f"{what} is nested too deeply.") from None
    except shapes.TooMuch:
        raise _bad(f"{what} is too large to be checked.") from None
    if error is not None:
        place = ".".join(str(step) for step in error.absolute_path)
        where = f" at “{place}”" if place else ""
        raise _bad(f"{what} is not valid{where}: {_mistake(error)}.", _hint(error))


def _mistake(error: ValidationError) -> str:
    """What is wrong, without the validator's own words where they say only that a choice was missed."""
    given = error.instance if isinstance(error.instance, str) else orjson.dumps(error.instance).decode()
    if _is_type(error):
        return f"there is no type “{given[:80]}”"
    if error.validator in ("anyOf", "oneOf"):
        return f"“{given[:80]}” cannot stand there"
    return error.message[:160]


def _hint(error: ValidationError) -> str:
    return f"The types are {', '.join(_TYPES)}." if _is_type(error) else ""


def _is_type(error: ValidationError) -> bool:
    return bool(error.absolute_path) and error.absolute_path[-1] == "type" and isinstance(error.instance, str)


def _json(text: str, what: str) -> Any:
    if not text.strip():
        raise _bad(f"{what} is empty.", "Write one, or switch it off.")
    if len(text.encode()) > MOST_BYTES:
        raise _bad(f"{what} is longer than {MOST_BYTES // 1000} KB.")
    try:
        return nesting.loads(text)
    except nesting.TooDeep:
        raise _bad(f"{what} is nested deeper than {nesting.DEEPEST} levels.") from None
    except orjson.JSONDecodeError as error:
        raise _bad(f"{what} is not JSON: line {error.lineno}, {_reason(error.msg)}.") from None


def _reason(message: str) -> str:
    return message.split(": line")[0].strip().rstrip(".").lower()


def _bad(message: str, hint: str = "") -> Invalid:
    return Invalid(message, hint=hint, code="schema")
