"""Turns the seed dialogues into conversations to train on: one to three turns, with small variations in wording.

Everything is drawn from one `random.Random`, so the same seed gives the same conversations.
"""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "dialogues.toml"
SUMMARY_ASKS = (
    "Summarise the conversation.",
    "Give me a short summary.",
    "Summarize this conversation.",
    "What have we talked about?",
    "Sum up what I asked.",
)


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing customers ask: how they ask, how we answer, and how to say it in a summary."""

    name: str
    gist: str
    asks: tuple[str, ...]
    answers: tuple[str, ...]
    brief: tuple[str, ...]
    standalone: bool = False
    follow_up: bool = False

    @property
    def weight(self) -> float:
        """How often it opens a conversation: the unknown and the numbers to repeat are hardest to learn."""
        if self.name == "outside":
            return 4.0
        return 2.5 if "{order}" in self.gist else 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    ask: str
    answer: str


@dataclass(frozen=True, slots=True)
class Conversation:
    system: str
    turns: tuple[Turn, ...]


class Seeds:
    """The seed file, read; `draw` makes one conversation."""

    def __init__(self, file: Path = FILE) -> None:
        raw: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        self.openers: list[str] = raw["openers"]
        self.closers: list[str] = raw["closers"]
        self.plain: list[str] = raw["plain_systems"]
        self.brief: list[str] = raw["brief_systems"]
        self.slots: dict[str, list[str]] = raw["slots"]
        lists = ("asks", "answers", "brief")
        self.topics = [
            Topic(**{key: tuple(value) if key in lists else value for key, value in topic.items()})
            for topic in raw["topics"]
        ]
        self.first = [topic for topic in self.topics if not topic.follow_up]
        self.weights = [
            4.0 if topic.name == "outside" else 2.5 if "{order}" in topic.gist else 1.0 for topic in self.first
        ]
        self.later = [topic for topic in self.topics if topic.name != "hello"]

    def draw(self, rng: random.Random) -> Conversation:
        """One conversation: a system message (or none), then one to three turns."""
        is_brief = rng.random() < 0.25
        system = rng.choice(self.brief if is_brief else self.plain)
        turns: list[Turn] = []
        gists: list[str] = []
        for number in range(rng.choice((1, 1, 1, 2, 2, 3))):
            if number and rng.random() < 0.2:
                ask = rng.choice(SUMMARY_ASKS)
                answer = f"The customer {' and '.join(gists)}."
            else:
                pool = self.later if number else self.first
                topic = rng.choices(pool, self.weights if not number else None)[0]
                values = self._values(rng)
                ask = self._worded(rng.choice(topic.asks).format(**values), topic, rng)
                answer = rng.choice(topic.brief if is_brief else topic.answers).format(**values)
                gists.append(topic.gist.format(**values))
            turns.append(Turn(ask, answer))
        return Conversation(system, tuple(turns))

    def _values(self, rng: random.Random) -> dict[str, str]:
        chosen = {slot: rng.choice(words) for slot, words in self.slots.items()}
        return chosen | {"order": str(rng.randint(1000, 9999))}

    def _worded(self, ask: str, topic: Topic, rng: random.Random) -> str:
        """The question as different people type it: with a greeting, in lower case, without the full stop."""
        if not topic.standalone and not topic.follow_up:
            ask = rng.choice(self.openers) + ask + rng.choice(self.closers)
        if rng.random() < 0.2:
            ask = ask.lower()
        if rng.random() < 0.25:
            ask = ask.rstrip(".?!")
        return ask
