"""A prompt as a file in a repository: YAML that people read and merge, or JSON; read back, it is the same version.

Only what is said of a prompt stands in it: which version it was and which labels named it, the store knows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import yaml

from core.errors import Invalid
from core.prompts import versions
from core.prompts.rules import Speaker
from core.prompts.versions import Content, Kind

FORMAT = "prompt/1"
MOST_BYTES = 2 * versions.MOST_BYTES
_KEYS = (
    "greenroom", "name", "description", "tags", "note", "model", "parameters", "extra", "variables", "messages",
    "schema", "tools",
)  # fmt: skip
_MESSAGE = ("role", "text", "attachments", "tool_calls", "tool_call_id", "tool_name")
_VARIABLE = ("name", "type", "example", "choices", "about", "optional")


_BREAKS = re.compile("[\x85\u2028\u2029\ufeff\r]")
"""Line breaks of YAML 1.1 that are none in a prompt: written by their numbers, else they would come back as others."""


@dataclass(frozen=True, slots=True)
class PromptFile:
    """What a file says: the prompt's name and words about it, and one version."""

    name: str
    content: Content
    description: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""


class _Dumper(yaml.SafeDumper):
    """YAML as people write it: texts of several lines as blocks, every value where it belongs."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _BREAKS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


class _Loader(yaml.SafeLoader):
    """YAML without aliases, which can make a few lines stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it refers to another place with *, which is not read here")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [one.value for one, _ in node.value if isinstance(one, yaml.ScalarNode)]
        if twice := next((name for place, name in enumerate(names) if name in names[:place]), None):
            raise yaml.YAMLError(f"it says {str(twice)[:40]!r} twice (line {node.start_mark.line + 1} and below)")
        return super().construct_mapping(node, deep=deep)


def to_dict(file: PromptFile) -> dict[str, Any]:
    """The file as JSON-able values, without what is not said."""
    made = versions.content_out(file.content)
    told: dict[str, Any] = {"greenroom": FORMAT, "name": file.name}
    told |= {"description": file.description} if file.description else {}
    told |= {"tags": list(file.tags)} if file.tags else {}
    told |= {"note": file.note} if file.note else {}
    told["model"] = made["model"]
    told |= {name: made[name] for name in ("parameters", "extra", "variables") if made[name]}
    told["messages"] = [_renamed(message) for message in made["messages"]]
    told |= {name: made[name] for name in ("schema", "tools") if made[name]}
    return told


def to_yaml(file: PromptFile) -> str:
    """The file as YAML."""
    return yaml.dump(to_dict(file), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def to_json(file: PromptFile) -> str:
    """The file as JSON."""
    return orjson.dumps(to_dict(file), option=orjson.OPT_INDENT_2).decode() + "\n"


def read(text: str) -> PromptFile:
    """A file of either kind.

    Raises: Invalid (code "prompt_file") with what cannot be read, and where.
    """
    if len(text) > MOST_BYTES:
        raise _bad("The file is larger than two megabytes.")
    try:
        data = orjson.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=_Loader)  # noqa: S506
        _check_plain(data)
    except orjson.JSONEncodeError:
        raise _bad(
            "Something in it is no JSON value: a date, a number that is none, a key that is not a text."
        ) from None
    except orjson.JSONDecodeError as error:
        raise _bad(f"This is not JSON: {error}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _bad(f"This is not YAML: {' '.join(str(error).split())[:300]}.") from None
    return of_dict(data)


def of_dict(data: Any) -> PromptFile:
    """The values of a file, checked. Raises: Invalid (code "prompt_file")."""
    if not isinstance(data, Mapping) or data.get("greenroom") != FORMAT:
        raise _bad(f"This is no file of a prompt: it does not begin with “greenroom: {FORMAT}”.")
    _known(data, _KEYS, "The file")
    for name in ("name", "model", "description", "note", "schema", "tools"):
        if not isinstance(data.get(name, ""), str):
            raise _bad(f"“{name}” is not a text.")
    for name in ("tags", "variables", "messages"):
        if not isinstance(data.get(name, []), list):
            raise _bad(f"“{name}” is not a list.")
    for name in ("parameters", "extra"):
        if not isinstance(data.get(name, {}), Mapping):
            raise _bad(f"“{name}” is not a set of values.")
    for number, variable in enumerate(data.get("variables", []), 1):
        _check_variable(variable, number)
    named = [_message(message, number) for number, message in enumerate(data.get("messages", []), 1)]
    content = versions.content_in({**data, "messages": named})
    kept = versions.content_out(content)
    for name, given in (("messages", named), ("variables", data.get("variables", []))):
        if len(kept[name]) != len(given):
            raise _bad(f"Something under “{name}” cannot be read.")
    for name, value in data.get("parameters", {}).items():
        if kept["parameters"].get(name) != value and value not in (None, False, []):
            raise _bad(f"The parameter {name!r} cannot be {value!r}.")
    return PromptFile(
        name=versions.check_name(data.get("name", "")),
        content=content,
        description=data.get("description", ""),
        tags=versions.check_tags(str(tag) for tag in data.get("tags", [])),
        note=data.get("note", ""),
    )


def _check_plain(data: Any) -> None:
    """Raises: orjson.JSONEncodeError for what JSON has no word for, where YAML has one."""
    orjson.dumps(data, option=orjson.OPT_PASSTHROUGH_DATETIME)
    waiting = [data]
    while waiting:
        one = waiting.pop()
        if isinstance(one, float) and not math.isfinite(one):
            raise orjson.JSONEncodeError("not finite")
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()


def _renamed(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": message["speaker"]} | {name: value for name, value in message.items() if name != "speaker"}


def _message(message: Any, number: int) -> dict[str, Any]:
    if not isinstance(message, Mapping) or message.get("role") not in list(Speaker):
        raise _bad(f"Message {number} has no role of: {', '.join(Speaker)}.")
    _known(message, _MESSAGE, f"Message {number}")
    if not isinstance(message.get("text", ""), str):
        raise _bad(f"The text of message {number} is not a text.")
    return {"speaker": message["role"]} | {name: value for name, value in message.items() if name != "role"}


def _check_variable(variable: Any, number: int) -> None:
    if not isinstance(variable, Mapping) or not isinstance(variable.get("name"), str):
        raise _bad(f"Variable {number} has no name.")
    _known(variable, _VARIABLE, f"The variable {variable['name']!r}")
    if variable.get("type", "text") not in list(Kind):
        raise _bad(f"The type of {variable['name']!r} is none of: {', '.join(Kind)}.")


def _known(given: Mapping[str, Any], names: tuple[str, ...], what: str) -> None:
    for name in given:
        if name not in names:
            raise _bad(f"{what} has a field {str(name)!r} that is not known.", f"Known are: {', '.join(names)}.")


def _bad(message: str, hint: str = "Export a prompt to see how a file looks.") -> Invalid:
    return Invalid(message, code="prompt_file", hint=hint)
