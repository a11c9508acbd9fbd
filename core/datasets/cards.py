"""The card of a dataset: where it comes from, what may be done with it, what it is not good for. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.errors import Invalid

LONGEST = 4_000


class Sensitivity(StrEnum):
    """Who may see the examples."""

    UNSTATED = ""
    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    SECRET = "secret"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Card:
    """What people who use the dataset must know; "" is not stated."""

    description: str = ""
    origin: str = ""
    licence: str = ""
    languages: str = ""
    sensitivity: Sensitivity = Sensitivity.UNSTATED
    limits: str = ""
    contact: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of what is not stated."""
        return tuple(field.name for field in dataclasses.fields(self) if not getattr(self, field.name))


TITLES = {
    "description": "What it is",
    "origin": "Origin",
    "licence": "Licence",
    "languages": "Languages",
    "sensitivity": "Sensitivity",
    "limits": "Known limits",
    "contact": "Contact",
}


def made(told: Mapping[str, Any]) -> Card:
    """A card from what was typed or stored; what it does not know is left out. Raises: Invalid."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Card):
        text = str(told.get(field.name, "") or "").replace("\0", "").strip()
        if len(text) > LONGEST:
            raise Invalid(f"“{TITLES[field.name]}” has more than {LONGEST:,} characters.", hint="Say it in less.")
        values[field.name] = text
    try:
        values["sensitivity"] = Sensitivity(values["sensitivity"])
    except ValueError:
        raise Invalid("There is no such sensitivity.", hint=f"Use {', '.join(filter(None, Sensitivity))}.") from None
    return Card(**values)


def stored(card: Card) -> dict[str, str]:
    """The card as JSON."""
    return {name: str(value) for name, value in dataclasses.asdict(card).items() if value}


def markdown(card: Card, *, name: str, version: str, facts: Mapping[str, Any]) -> str:
    """The card as a file beside an export: each title with its text as it was written, then the numbers."""
    lines = [f"# {name}", "", f"Version: {version}", ""]
    for field, title in TITLES.items():
        lines += [f"## {title}", "", str(getattr(card, field)) or "not stated", ""]
    lines += ["## Contents", "", *(f"- {what}: {number}" for what, number in facts.items()), ""]
    return "\n".join(lines)
