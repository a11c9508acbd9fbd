"""Words that offend, from small lists that anybody may edit (data/guard/profanity.toml), each with its severity.

A list knows words, not what is meant: it finds an insult quoted in a complaint, and not one made of polite words.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.guard.findings import Hit, settled
from core.guard.terms import Terms

NAME = "profanity/1"
REACH = 40
FILE = Path(__file__).resolve().parents[2] / "data" / "guard" / "profanity.toml"
KINDS = {1: "coarse", 2: "insult", 3: "hate"}
_SURE = {1: 0.7, 2: 0.85, 3: 0.95}


@dataclass(frozen=True, slots=True)
class Listed:
    """A compiled list and the severity of each of its terms."""

    terms: Terms
    severity: dict[str, int]


def languages() -> tuple[str, ...]:
    """The languages there are lists for."""
    return tuple(_file())


@lru_cache(maxsize=1)
def _file() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


@lru_cache(maxsize=16)
def listed(chosen: tuple[str, ...] = ()) -> Listed:
    """The lists of these languages as one; of all without any."""
    severity: dict[str, int] = {}
    allowed: list[str] = []
    for language, grades in _file().items():
        if chosen and language not in chosen:
            continue
        allowed += grades.get("allowed", ())
        for grade in ("1", "2", "3"):
            for term in grades.get(grade, ()):
                severity[term] = max(severity.get(term, 0), int(grade))
    return Listed(Terms(severity, allowed=allowed), severity)


def find(text: str, languages: Iterable[str] = (), *, least: int = 1) -> list[Hit]:
    """Listed words of at least this severity, without overlaps; the kind names the severity."""
    chosen = listed(tuple(languages))
    hits = []
    for found in chosen.terms.find(text):
        grade = chosen.severity[found.term]
        if grade >= least:
            hits.append(Hit(KINDS[grade], found.start, found.stop, round(_SURE[grade] * found.plainness, 2)))
    return settled(hits)
