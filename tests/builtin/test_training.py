"""The training data of builtin/tiny: the committed tokenizer is what the committed dialogues give."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from core.builtin import llama
from core.builtin.tokenizer import PATTERN

FOLDER = Path(__file__).resolve().parents[2] / "data" / "builtin" / "training"
FIRST_MERGES = 60


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"training_{name}", FOLDER / f"{name}.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def dialogues() -> Iterator[ModuleType]:
    yield module("dialogues")
    del sys.modules["training_dialogues"]


def test_the_shipped_tokenizer_is_learned_from_the_shipped_dialogues(dialogues: ModuleType) -> None:
    """The first merges stand for all: each later one follows from those before it and the same counts."""
    seeds, rng = dialogues.Seeds(), random.Random(7)
    drawn = [seeds.draw(rng) for _ in range(4000)]
    texts = [text for c in drawn for turn in c.turns for text in (c.system, turn.ask, turn.answer)]
    learned = module("bpe").learn(texts, PATTERN, 256 + FIRST_MERGES)
    del sys.modules["training_bpe"]
    assert tuple(learned) == llama.load().tokenizer.tokens[: 256 + FIRST_MERGES]


def test_every_topic_asks_answers_and_is_brief(dialogues: ModuleType) -> None:
    seeds = dialogues.Seeds()
    assert len({topic.name for topic in seeds.topics}) == len(seeds.topics) >= 45
    for topic in seeds.topics:
        assert min(len(topic.asks), len(topic.answers), len(topic.brief)) >= 1, topic.name
        assert all(len(said) <= 160 for said in (*topic.asks, *topic.answers)), topic.name


def test_the_same_seed_draws_the_same_conversations(dialogues: ModuleType) -> None:
    seeds = dialogues.Seeds()
    assert [seeds.draw(random.Random(3)) for _ in range(5)] == [seeds.draw(random.Random(3)) for _ in range(5)]


def test_no_slot_is_left_open(dialogues: ModuleType) -> None:
    seeds, rng = dialogues.Seeds(), random.Random(1)
    for _ in range(500):
        for turn in seeds.draw(rng).turns:
            assert "{" not in turn.ask + turn.answer
