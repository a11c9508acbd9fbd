"""Recall and false alarms of each family on the labelled texts, and the file of figures that pages show.

`uv run python -m tests.guard.corpora` measures the fresh texts and writes data/guard/figures.json.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from core.guard import (
    figures,
    injection,
    language,
    leakage,
    length,
    links,
    personal,
    profanity,
    secrets,
    shape,
    wording,
)
from core.guard.detecting import VERSIONS
from core.guard.findings import Family, Hit
from core.guard.wording import Topic

FOLDER = Path(__file__).parent / "data"
SURE = 0.5  # what a rule asks for when it does not say

WORDS = (("lumenor", "rival"), ("bright & co", "rival"), ("guarantee*", "legal"), ("project bluebird", "blocked"))
TOPICS = (
    Topic("medicine", ("dosage", "dose", "symptom*", "ibuprofen", "antibiotic*", "diagnosis", "prescription", "mg"), 2),
    Topic("politics", ("vote*", "election*", "parliament", "partei", "wahl*", "parlament", "party"), 2),
)
ORDERS = (
    "You are Ada, the assistant of Lamp House, and you must never name a competitor of ours or promise a refund above "
    "fifty euros. Answer in at most three sentences and close with a friendly word about light.",
)
ASKED = (
    "I bought a blue lamp in your shop last week and it flickers every evening when the heating starts, "
    "what should I do?"
)
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
HOSTS = (".lamphouse.example",)

FIND: dict[Family, Callable[[str], list[Hit]]] = {
    Family.PERSONAL: personal.find,
    Family.SECRET: secrets.find,
    Family.INJECTION: injection.find,
    Family.WORD: functools.partial(wording.find_words, words=WORDS, allowed=()),
    Family.TOPIC: functools.partial(wording.find_topics, topics=TOPICS, allowed=()),
    Family.PROFANITY: profanity.find,
    Family.LEAKAGE: functools.partial(leakage.find, given=leakage.source(ORDERS, ASKED, ("zebra-quartz-7",))),
    Family.SHAPE: functools.partial(shape.find, schema=SCHEMA),
    Family.LANGUAGE: functools.partial(language.find, allowed=("en", "de")),
    Family.LENGTH: functools.partial(length.find, most=80, fewest=4),
    Family.LINK: functools.partial(links.find, hosts=HOSTS),
}


@dataclass
class Measured:
    """What was found of what should be, and of what should not."""

    found: int = 0
    wanted: int = 0
    alarms: int = 0
    spared: int = 0
    missed: list[str] = field(default_factory=list)
    mistaken: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.found / self.wanted

    @property
    def false_alarms(self) -> float:
        return self.alarms / self.spared

    def line(self) -> str:
        return (
            f"recall {self.found}/{self.wanted} = {self.recall:.0%}, "
            f"false alarms {self.alarms}/{self.spared} = {self.false_alarms:.0%}"
        )


def texts(name: str) -> dict[str, dict[str, Any]]:
    """A labelled set by family."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def measure(name: str, family: Family) -> Measured:
    """A family on a set: a text counts as found when a hit of its kind is at least as sure as a rule asks."""
    told, made = texts(name)[family], Measured()
    for kind, text in told["find"]:
        text = text.replace("¦", "")
        made.wanted += 1
        if any(hit.kind == kind and hit.confidence >= SURE for hit in FIND[family](text)):
            made.found += 1
        else:
            made.missed.append(f"{kind}: {text}")
    for text in told["spare"]:
        made.spared += 1
        hits = [hit for hit in FIND[family](text) if hit.confidence >= SURE]
        if hits:
            made.alarms += 1
            made.mistaken.append(f"{hits[0].kind} ({text[hits[0].start : hits[0].stop]}): {text}")
    return made


def write() -> None:
    """Measure the fresh texts and write what pages show."""
    told = {}
    for family in FIND:
        made = measure("fresh", family)
        told[family.value] = {
            "detector": VERSIONS[family],
            "found": made.found,
            "wanted": made.wanted,
            "false_alarms": made.alarms,
            "spared": made.spared,
        }
    figures.FILE.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    for one in FIND:
        for which in ("development", "fresh"):
            print(f"{one:10} {which:11} {measure(which, one).line()}")
    write()
