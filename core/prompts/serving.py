"""A prompt asked by name: `model: "prompt:support@production"` becomes the request its version says.

The version's messages come first, then those of the caller; a parameter the caller states wins over the version's.
Pure: which version is meant, and what it includes, is read before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.errors import Invalid
from core.prompts import bodies, includes, versions
from core.prompts.includes import Reference
from core.prompts.versions import Content, Variable

PREFIX = "prompt:"
VARIABLES = "prompt_variables"
"""The field of a chat completion that fills a prompt's variables; in a response it is `prompt.variables`."""


def asked(model: object) -> Reference | None:
    """The prompt a request names as its model; None when it names something else."""
    if not isinstance(model, str) or not model.startswith(PREFIX):
        return None
    return includes.reference(model[len(PREFIX) :])


def filled(content: Content, fragments: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
    """The chat completion request to send. What the prompt has no variable for is ignored: a version may need fewer
    than the one before, and no application must be changed for that.

    Raises: Invalid for a value that is missing or of another kind, or when nothing is asked.
    """
    given = body.get(VARIABLES)
    if given is not None and not isinstance(given, Mapping):
        raise Invalid(f"{VARIABLES} must be an object.", code="invalid_type", param=VARIABLES)
    own = content_with(content, fragments).variant
    values = values_of(content.variables, given or {})
    theirs = body.get("messages")
    told = {name: value for name, value in body.items() if name not in ("model", "messages", VARIABLES)}
    made = bodies.body_of(own, values, is_whole=not theirs)
    stated = told.keys() & {"max_tokens", "max_completion_tokens"}
    if stated:
        made.pop("max_tokens", None)
    return {**made, **told, "messages": [*made["messages"], *(theirs if isinstance(theirs, list) else ())]}


def content_with(content: Content, fragments: Mapping[str, str]) -> Content:
    """The content with the text of every included prompt in its place. Raises: Invalid (code "include")."""
    if not fragments:
        return content
    messages = tuple(
        replace(message, text=includes.expanded(message.text, fragments)) if message.is_template else message
        for message in content.messages
    )
    return replace(content, messages=messages)


def values_of(variables: tuple[Variable, ...], given: Mapping[str, Any]) -> dict[str, str]:
    """What stands for each variable.

    Raises: Invalid (code "variable", naming the field) for one that is missing or of another kind.
    """
    values: dict[str, str] = {}
    for variable in variables:
        value = given.get(variable.name)
        if value is None or value == "":
            if variable.is_required:
                raise Invalid(
                    f"The prompt needs a value for {variable.name!r}.",
                    code="variable",
                    param=f"{VARIABLES}.{variable.name}",
                    hint=f'Send {{"{VARIABLES}": {{"{variable.name}": …}}}}.',
                )
            continue
        values[variable.name] = variable.accepted(value)
    return values


def needs_a_thread(content: Content, fragments: Mapping[str, str]) -> bool:
    """Whether filling it may take longer than others can wait: it loops, or is long."""
    texts = [*content.texts, *fragments.values()]
    return any("{%" in text for text in texts) or sum(len(text) for text in texts) > versions.MOST_BYTES // 50
