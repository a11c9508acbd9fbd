"""From the columns of a file to examples: which column is what is guessed, and said otherwise by people. Pure."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from core.datasets import rules
from core.datasets.rules import Entry, Example, Kind
from core.errors import Invalid
from core.wire import nesting

MOST_MEDIA_BYTES = 5 * 1024 * 1024
IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
SOUNDS = frozenset({"wav", "mp3"})
_KNOWN: Mapping[str, tuple[str, ...]] = {
    "input": ("input", "messages", "question", "prompt", "query", "instruction", "user", "conversation"),
    "expected": ("expected", "preferred_output", "chosen", "answer", "output", "reference", "ideal", "completion",
                 "response", "target", "expected_output", "reference_answer"),
    "rejected": ("rejected", "non_preferred_output"),
    "system": ("system", "system_prompt"),
    "notes": ("notes", "note", "rubric", "comment"),
    "split": ("split",),
    "tags": ("tags", "tag", "labels", "category"),
    "kind": ("kind",),
    "source": ("source",),
    "file_names": ("file_names",),
}  # fmt: skip
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column is what; "" is none. `variables` fill the places of a prompt."""

    input: str = ""
    expected: str = ""
    rejected: str = ""
    system: str = ""
    notes: str = ""
    split: str = ""
    tags: str = ""
    kind: str = ""
    source: str = ""
    file_names: str = ""
    variables: tuple[str, ...] = ()


def guess(names: Iterable[str]) -> Columns:
    """What the columns are, by what people usually call them; without an input, what is left are variables."""
    known = {name.strip().lower().replace(" ", "_"): name for name in reversed(list(names))}
    found = {what: next((known[word] for word in words if word in known), "") for what, words in _KNOWN.items()}
    left = tuple(name for name in reversed(known.values()) if name not in found.values() and name.lower() != "key")
    return Columns(**found, variables=() if found["input"] else left)


def guess_kind(columns: Columns) -> Kind:
    """What the rows probably are."""
    if columns.rejected:
        return Kind.PREFERENCE
    return Kind.TUNING if columns.input == "messages" and not columns.expected else Kind.ITEM


def entry(row: Mapping[str, Any], columns: Columns, kind: Kind, *, source: str) -> Entry:
    """The example of a row; `source` names it where the row names none. Raises: Invalid, what is wrong with it."""

    def cell(name: str) -> Any:
        return row.get(name) if name else None

    told = str(cell(columns.kind) or "").strip().lower()
    if told:
        if told not in set(Kind):
            raise _wrong(f"says it is {told[:40]!r}, which is no kind of example")
        kind = Kind(told)
    variables = {name: row.get(name) for name in columns.variables}
    given = _input(cell(columns.input), cell(columns.system), variables, is_tuning=kind is Kind.TUNING)
    example = _example(kind, given, cell(columns.expected), cell(columns.rejected))
    _check_media(example.input)
    rules.check(example)
    return Entry(
        example,
        notes=_text(cell(columns.notes)),
        tags=_tags(cell(columns.tags)),
        split=_text(cell(columns.split)),
        source=_text(cell(columns.source))[:200] or source,
        files=_file_names(cell(columns.file_names)),
    )


def row(told: Entry, key: str) -> dict[str, Any]:
    """An example as a row whose cells are texts, which `entry` reads back."""
    example = told.example
    return {
        "key": key,
        "kind": str(example.kind),
        "input": _said(example.input),
        "expected": _expectation(example),
        "notes": told.notes,
        "tags": ",".join(told.tags),
        "split": told.split,
        "source": told.source or "",
        "file_names": _written(dict(told.files)) if told.files else "",
    }


def _example(kind: Kind, given: dict[str, Any], expected: Any, rejected: Any) -> Example:
    expected = _json(expected, ("role", "json", "preferred_output"))
    if kind is Kind.PREFERENCE:
        if isinstance(expected, dict) and "preferred_output" in expected:
            return Example(kind, given, expected)
        rejected = _json(rejected, ("role",))
        pair = {"preferred_output": [_answer(expected)], "non_preferred_output": [_answer(rejected)]}
        return Example(kind, given, pair)
    if kind is Kind.TUNING:
        answer = [] if expected in (None, "") else [_answer(expected)]
        return Example(kind, {**given, "messages": [*given.get("messages", ()), *answer]})
    messages = given.get("messages", [])
    if expected in (None, "") and messages and _role(messages[-1]) == "assistant":
        return Example(kind, {**given, "messages": messages[:-1]}, messages[-1])
    if expected in (None, ""):
        return Example(kind, given)
    is_message = isinstance(expected, dict) and ("role" in expected or set(expected) == {"json"})
    if is_message or isinstance(expected, str | int | float | bool):
        return Example(kind, given, expected if is_message else _answer(expected))
    is_answer = isinstance(expected, list) and len(expected) == 1 and _role(expected[0]) == "assistant"
    return Example(kind, given, expected[0] if is_answer else {"json": expected})


def _input(value: Any, system: Any, variables: Mapping[str, Any], *, is_tuning: bool) -> dict[str, Any]:
    value = _json(value, ("messages", "variables", "role"))
    found: dict[str, Any] = {}
    if isinstance(value, dict) and ("messages" in value or "variables" in value):
        found = {name: value[name] for name in ("messages", "tools", "variables") if value.get(name) is not None}
    elif isinstance(value, dict | list):
        found["messages"] = value if isinstance(value, list) else [value]
    elif value not in (None, ""):
        found["messages"] = [{"role": "user", "content": _text(value)}]
    if isinstance(found.get("messages"), list):
        found["messages"] = [rules.kept(message, with_weight=is_tuning) for message in found["messages"]]
        if _text(system):
            found["messages"] = [{"role": "system", "content": _text(system)}, *found["messages"]]
    filled = {name: one for name, one in variables.items() if one is not None}
    if filled:
        found["variables"] = {
            name: one if isinstance(one, str | int | float) else _written(one) for name, one in filled.items()
        }
    return found


def _written(value: Any) -> str:
    return orjson.dumps(value).decode()


def _json(value: Any, names: Sequence[str]) -> Any:
    """What a text means that is JSON of ours: an object with one of these names, or a list of messages."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        found = nesting.loads(value, deepest=_DEEPEST)
    except ValueError:
        return value
    if isinstance(found, list):
        return found if found and all(_role(one) for one in found) else value
    return found if isinstance(found, dict) and any(name in found for name in names) else value


def _said(given: Mapping[str, Any]) -> str:
    """An input as text: the question itself where that is all there is and cannot be taken for JSON."""
    messages = given.get("messages")
    if set(given) == {"messages"} and isinstance(messages, list) and len(messages) == 1:
        content = messages[0].get("content")
        if set(messages[0]) == {"role", "content"} and messages[0]["role"] == "user" and _is_plain(content):
            return str(content)
    return _written(given)


def _expectation(example: Example) -> str:
    expected = example.expected
    if expected is None:
        return ""
    if example.kind is Kind.ITEM and set(expected) == {"role", "content"} and _is_plain(expected["content"]):
        return str(expected["content"])
    return _written(expected)


def _is_plain(content: Any) -> bool:
    return isinstance(content, str) and bool(content.strip()) and content.lstrip()[:1] not in ("{", "[")


def _answer(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return rules.kept(value) if isinstance(value, dict) else {"role": "assistant", "content": _text(value)}


def _role(message: Any) -> str:
    return str(message.get("role") or "") if isinstance(message, dict) else ""


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else _written(value)


def _tags(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else _text(value).replace(";", ",").split(",")
    return rules.tidied(_text(part) for part in parts)


def _file_names(value: Any) -> dict[str, str]:
    """The names of attached files by the mark of their contents. Raises: Invalid."""
    if isinstance(value, str) and value.strip():
        try:
            value = nesting.loads(value, deepest=2)
        except ValueError:
            value = "no JSON"
    if value in (None, "", {}):
        return {}
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value.values()):
        raise _wrong("names attached files in another way than an export does (an object of names)")
    return {str(mark): name for mark, name in value.items()}


def _check_media(given: Mapping[str, Any]) -> None:
    """Raises: Invalid unless pictures and sounds lie in the row itself and are not too large."""
    for message in given.get("messages") or ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, dict):
                continue
            picture, sound = part.get("image_url"), part.get("input_audio")
            if isinstance(picture, dict):
                head, _, data = str(picture.get("url")).partition(";base64,")
                if head.removeprefix("data:") not in IMAGES or not head.startswith("data:"):
                    raise _wrong("has a picture that does not lie in the row itself (data:image/png;base64,…)")
                _check_bytes(data)
            elif isinstance(sound, dict):
                if sound.get("format") not in SOUNDS:
                    raise _wrong("has a sound that is neither wav nor mp3")
                _check_bytes(str(sound.get("data")))


def _check_bytes(data: str) -> None:
    if len(data) * 3 // 4 > MOST_MEDIA_BYTES:
        raise _wrong(f"has a picture or sound of more than {MOST_MEDIA_BYTES // 1024 // 1024} MB")
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise _wrong("has a picture or sound that is not base64") from None


def _wrong(why: str) -> Invalid:
    return Invalid(why, code="invalid_example", hint="Mend the row and upload it again.")


NAMES = tuple(field.name for field in dataclasses.fields(Columns) if field.name != "variables")
