"""One version of a prompt: what is asked, of which model, with which variables. Frozen; two that say the same are one.

A version never changes. What moves are labels: `production` names a version today and another one tomorrow.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import orjson

from core.errors import Invalid
from core.prompts import includes, schemas, stored, templates
from core.prompts.rules import LETTERS, Message, Parameters, Variant, numbered

FORMAT = 1
MAIN, LATEST, PRODUCTION = "main", "latest", "production"
MOST_BYTES = 1_000_000
MOST_VARIABLES = 100
LONGEST_NAME, LONGEST_LABEL, LONGEST_NOTE = 128, 32, 2_000
_SEGMENT = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{0,4}}")
_LABEL = re.compile(r"[a-z](?:[a-z0-9._-]{0,30}[a-z0-9])?")
_TAG = re.compile(r"[^\s,](?:[^,]{0,38}[^\s,])?")


class Kind(StrEnum):
    """What may stand for a variable."""

    TEXT = "text"
    NUMBER = "number"
    YES_NO = "yes or no"
    CHOICE = "choice"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Variable:
    """One `{{name}}` of a prompt: what may stand there, and an example to try it with."""

    name: str
    kind: Kind = Kind.TEXT
    example: str = ""
    choices: tuple[str, ...] = ()
    about: str = ""
    is_required: bool = True

    def accepted(self, value: Any) -> str:
        """The value as text for the template.

        Raises: Invalid (code "variable") when it is not of this variable's kind.
        """
        if isinstance(value, str):
            said = value
        elif isinstance(value, bool):
            said = "true" if value else "false"
        elif isinstance(value, int | float):
            said = f"{value}"
        else:
            said = orjson.dumps(value, default=str).decode()
        trouble = self._trouble(said)
        if trouble:
            raise Invalid(
                f"The variable {self.name!r} {trouble}.", code="variable", param=f"prompt_variables.{self.name}"
            )
        return said

    def _trouble(self, said: str) -> str:
        if self.kind is Kind.NUMBER:
            return "" if _is_number(said) else "takes a number"
        if self.kind is Kind.YES_NO:
            return "" if said in ("true", "false", "yes", "no") else "takes true or false"
        if self.kind is Kind.CHOICE:
            return "" if said in self.choices else f"takes one of: {', '.join(self.choices)}"
        if self.kind is Kind.JSON:
            try:
                orjson.loads(said)
            except orjson.JSONDecodeError:
                return "takes JSON"
        return ""


@dataclass(frozen=True, slots=True)
class Content:
    """What a version says. `schema` and `tools` are JSON text, "" where none is asked for; `extra` are further fields
    of the request. Messages have no numbers of their own here: they are counted from one."""

    model: str
    messages: tuple[Message, ...]
    parameters: Parameters = field(default_factory=Parameters)
    schema: str = ""
    tools: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    variables: tuple[Variable, ...] = ()

    @classmethod
    def of_variant(cls, variant: Variant, variables: Iterable[Variable] = ()) -> Content:
        """What stands in one column of the playground, without a question nobody has written yet."""
        kept = tuple(replace(message, mark=0) for message in variant.asked if not _is_blank(message))
        return cls(
            model=variant.model,
            messages=numbered(kept),
            parameters=variant.parameters,
            schema=variant.schema if variant.asks_schema else "",
            tools=variant.tools if variant.asks_tools else "",
            extra=dict(variant.extra),
            variables=tuple(variables),
        )

    @property
    def variant(self) -> Variant:
        """The same as a column of the playground."""
        return Variant(
            LETTERS[0],
            model=self.model,
            messages=self.messages,
            parameters=self.parameters,
            asks_schema=bool(self.schema),
            schema=self.schema,
            asks_tools=bool(self.tools),
            tools=self.tools,
            extra=dict(self.extra),
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text in which variables and included prompts may stand."""
        return tuple(message.text for message in self.messages if message.is_template)

    @property
    def examples(self) -> dict[str, str]:
        """An example for each variable that has one."""
        return {variable.name: variable.example for variable in self.variables if variable.example}

    @property
    def fragment(self) -> str | None:
        """The text another prompt includes; None when this prompt is more than one message of text."""
        alone = self.messages[0] if len(self.messages) == 1 else None
        return alone.text if alone is not None and alone.is_template and not alone.attachments else None


def content_out(content: Content) -> dict[str, Any]:
    """The content as JSON-able values; `content_in` gives it back."""
    return {
        "format": FORMAT,
        "model": content.model,
        "messages": [
            {k: v for k, v in stored.message_out(message).items() if k != "mark"} for message in content.messages
        ],
        "parameters": stored.parameters_out(content.parameters),
        "schema": content.schema,
        "tools": content.tools,
        "extra": dict(content.extra),
        "variables": [variable_out(variable) for variable in content.variables],
    }


def content_in(data: Mapping[str, Any]) -> Content:
    """A content as it was kept."""
    messages = tuple(m for item in _list(data.get("messages")) if (m := stored.message_in(item)))
    extra = data.get("extra")
    return Content(
        model=str(data.get("model") or ""),
        messages=numbered(messages),
        parameters=stored.parameters_of(data.get("parameters") or {}),
        schema=str(data.get("schema") or ""),
        tools=str(data.get("tools") or ""),
        extra=dict(extra) if isinstance(extra, Mapping) else {},
        variables=tuple(v for item in _list(data.get("variables")) if (v := variable_in(item))),
    )


def variable_out(variable: Variable) -> dict[str, Any]:
    """A variable as JSON-able values, without what is not said of it."""
    said: dict[str, Any] = {"name": variable.name, "type": str(variable.kind)}
    said |= {"example": variable.example} if variable.example else {}
    said |= {"choices": list(variable.choices)} if variable.choices else {}
    said |= {"about": variable.about} if variable.about else {}
    said |= {} if variable.is_required else {"optional": True}
    return said


def variable_in(data: Any) -> Variable | None:
    """A variable as it was kept; None when it is none."""
    if not isinstance(data, Mapping) or not isinstance(data.get("name"), str):
        return None
    kind = data.get("type", "text")
    return Variable(
        name=data["name"],
        kind=Kind(kind) if kind in list(Kind) else Kind.TEXT,
        example=str(data.get("example") or ""),
        choices=tuple(str(one) for one in _list(data.get("choices"))),
        about=str(data.get("about") or ""),
        is_required=data.get("optional") is not True,
    )


def digest(content: Content, pinned: Mapping[str, int]) -> str:
    """What makes two versions the same: everything that is sent, the versions of included prompts with it.

    SHA-256 over the JSON with sorted keys, in hex.
    """
    told = content_out(content) | {"includes": dict(pinned)}
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def with_variables(content: Content, known: Iterable[Variable] = (), *, texts: Iterable[str] = ()) -> Content:
    """The content with a variable for each name its texts ask for: as declared here, as `known` before, or as text
    (which must be given, unless every text has something to say without it).

    `texts` are those of included prompts, whose variables are asked for as well.
    """
    said = {variable.name: variable for variable in (*known, *content.variables)}
    whole = [includes.blanked(text) for text in (*content.texts, *texts)]
    spared = templates.spared(whole)
    found = (said.get(name, Variable(name, is_required=name not in spared)) for name in templates.variables_of(whole))
    return replace(content, variables=tuple(found))


def check(content: Content) -> None:
    """Raises: Invalid for what could never be asked: no model, no message, a mistake in a template, schema or tool."""
    if not content.model.strip():
        raise Invalid("No model is chosen.", hint="Choose one at the top of the card.", code="no_model", param="model")
    if content.model.startswith("prompt:"):
        raise Invalid(
            "A prompt asks a model or an alias, not another prompt.",
            hint="To use another prompt's text, include it in a message.",
            code="no_model",
            param="model",
        )
    if not content.messages or all(_is_blank(message) for message in content.messages):
        raise Invalid("The prompt says nothing yet.", hint="Write a system message or a question.", code="no_question")
    for number, message in enumerate(content.messages, 1):
        if message.is_template and (wrong := templates.mistake(includes.blanked(message.text))):
            raise Invalid(f"Message {number}: {wrong}", hint=templates.RAW_HINT, code="template")
    if content.schema:
        schemas.schema(content.schema)
    if content.tools:
        schemas.tools(content.tools)
    if len(content.variables) > MOST_VARIABLES:
        raise Invalid(f"A prompt has at most {MOST_VARIABLES} variables.", code="variable")
    for variable in content.variables:
        if variable.kind is Kind.CHOICE and not variable.choices:
            raise Invalid(
                f"The variable {variable.name!r} has nothing to choose from.",
                hint="Write its choices, one per line.",
                code="variable",
            )
        if variable.example:
            variable.accepted(variable.example)
    try:
        size = len(orjson.dumps(content_out(content)))
    except TypeError as error:
        raise Invalid(f"This cannot be kept: {error}.", hint="Use smaller numbers.", code="prompt_file") from None
    if size > MOST_BYTES:
        raise Invalid(
            "The prompt is larger than a megabyte.", hint="Send pictures and sounds with the question instead."
        )


def check_name(name: str) -> str:
    """The name as it is used. Raises: Invalid."""
    name = name.strip().strip("/")
    if len(name) > LONGEST_NAME or _NAME.fullmatch(name) is None:
        raise Invalid(
            "A prompt's name is lower case letters, digits, dots and dashes; a slash makes a folder.",
            hint="For example: support/refund.",
            param="name",
        )
    return name


def check_label(label: str) -> str:
    """The label as it is used. Raises: Invalid."""
    label = label.strip().lower()
    if len(label) > LONGEST_LABEL or _LABEL.fullmatch(label) is None:
        raise Invalid(
            "A label begins with a letter, and is lower case letters, digits, dots and dashes.",
            hint="For example: staging.",
            param="label",
        )
    if label == LATEST:
        raise Invalid(
            "The label “latest” moves by itself: it is the newest version of main.", hint="Use another.", param="label"
        )
    return label


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags in their order, each once. Raises: Invalid."""
    kept = tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    if len(kept) > 20 or any(_TAG.fullmatch(tag) is None or not tag.isprintable() for tag in kept):
        raise Invalid("A prompt has at most 20 tags of at most 40 characters, without commas.", param="tags")
    return kept


def _is_blank(message: Message) -> bool:
    return not (message.text.strip() or message.attachments or message.tool_calls or message.tool_call_id)


def _is_number(said: str) -> bool:
    try:
        return math.isfinite(float(said))
    except ValueError:
        return False


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
