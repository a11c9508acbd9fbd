"""What is different between two versions of a prompt: model, parameters, messages, variables, schema and tools."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import orjson

from core.prompts import stored, versions
from core.prompts.rules import Message
from core.prompts.versions import Content


@dataclass(frozen=True, slots=True)
class Difference:
    """One part as it was and as it is; "" where it was not, or is not. `is_text`: worth comparing word by word."""

    what: str
    before: str
    after: str
    is_text: bool = False

    @property
    def is_same(self) -> bool:
        return self.before == self.after


def differences(old: Content, new: Content, *, with_same: bool = False) -> tuple[Difference, ...]:
    """Every part that is different, in the order in which people read a prompt; `with_same` the others as well."""
    found = [
        Difference("Model", old.model, new.model),
        *_named("", stored.parameters_out(old.parameters), stored.parameters_out(new.parameters)),
        *_named("Also sent: ", old.extra, new.extra),
        *_messages(old.messages, new.messages),
        *_named("Variable ", _variables(old), _variables(new)),
        Difference("Answer schema", *_lines(old.schema, new.schema), is_text=True),
        Difference("Tools", *_lines(old.tools, new.tools), is_text=True),
    ]
    return tuple(one for one in found if (with_same and (one.before or one.after)) or not one.is_same)


def _lines(old: str, new: str) -> tuple[str, str]:
    """Two texts of JSON, a line for each field; as they are where one is no JSON, or only their lines differ."""
    try:
        told = [
            orjson.dumps(orjson.loads(one), option=orjson.OPT_INDENT_2).decode() if one else "" for one in (old, new)
        ]
    except orjson.JSONDecodeError:
        return old, new
    return (old, new) if told[0] == told[1] else (told[0], told[1])


def _named(prefix: str, old: Any, new: Any) -> Iterable[Difference]:
    for name in dict.fromkeys((*old, *new)):
        shown = f"{prefix}{name}".replace("_", " ") if not prefix else f"{prefix}{name}"
        yield Difference(shown[:1].upper() + shown[1:], _said(old.get(name)), _said(new.get(name)))


def _variables(content: Content) -> dict[str, str]:
    told: dict[str, str] = {}
    for variable in content.variables:
        said = {k: v for k, v in versions.variable_out(variable).items() if k != "name"}
        parts = [str(said.pop("type")), *(f"{name}: {_said(value)}" for name, value in said.items())]
        told[variable.name] = ", ".join(parts)
    return told


def _messages(old: tuple[Message, ...], new: tuple[Message, ...]) -> Iterable[Difference]:
    """Messages beside each other: those that stayed stay together when others came between them."""
    ours, theirs = [_essence(one) for one in old], [_essence(one) for one in new]
    for tag, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        pairs = max(b - a, d - c)
        for step in range(pairs):
            before = old[a + step] if a + step < b else None
            after = new[c + step] if c + step < d else None
            place = (d if after is None else c + step + 1) if tag != "delete" else a + step + 1
            role = (after or before or new[0]).speaker.value
            if before is not None and after is not None and before.speaker is not after.speaker:
                yield Difference(f"Message {place}, whose it is", before.speaker.value, after.speaker.value)
            yield Difference(f"Message {place}, {role}", _told(before), _told(after), is_text=True)


def _essence(message: Message) -> tuple[str, str]:
    return message.speaker.value, _told(message)


def _told(message: Message | None) -> str:
    if message is None:
        return ""
    calls = [f"{call.name}({call.arguments})" for call in message.tool_calls]
    files = [f"[{one.name or one.media_type}]" for one in message.attachments]
    return "\n".join(part for part in (message.text, *calls, *files) if part)


def _said(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
