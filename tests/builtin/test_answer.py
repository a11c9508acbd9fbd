"""builtin/answer: what it quotes, when it declines, and the numbers its card states."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from core.builtin import answer
from core.builtin.cards import CARDS
from core.builtin.sentences import sentences
from tests.builtin.asking import text

DATA = Path(__file__).parent / "data"
POLICY = "Refunds take five business days. Shipping to Oslo costs 12 dollars. Anna Berg leads the support team."


def measured(file: str) -> tuple[int, int, int, int, int]:
    """Right answers, wrong sentences, answerable questions; false answers, unanswerable questions."""
    right = wrong = asked = false = hopeless = 0
    for item in tomllib.loads((DATA / file).read_text(encoding="utf-8"))["texts"]:
        candidates = sentences(item["text"])
        for question, part in item["answered"]:
            found = answer.best(question, candidates)
            asked += 1
            right += found.is_answer and part in found.sentence
            wrong += found.is_answer and part not in found.sentence
        for question in item["unanswered"]:
            hopeless += 1
            false += answer.best(question, candidates).is_answer
    return right, wrong, asked, false, hopeless


def test_on_fresh_questions_it_is_as_good_as_its_card_says() -> None:
    assert measured("fresh.toml") == (23, 0, 30, 3, 30)
    card = next(card for card in CARDS if card.name == "answer")
    assert "right sentence for 23" in card.knows
    assert "wrong on 3" in card.knows


def test_on_the_questions_it_was_tuned_on_it_stays_as_good_as_it_was() -> None:
    right, wrong, asked, false, hopeless = measured("development.toml")
    assert (asked, hopeless) == (54, 54)
    assert right >= 46
    assert wrong + false <= 2


@pytest.mark.parametrize(
    "said",
    [
        [f"{POLICY}\n\nHow much is shipping to Oslo?"],
        [f"How much is shipping to Oslo?\n\n{POLICY}"],
        [f"Context: {POLICY}\nQuestion: How much is shipping to Oslo?"],
        [f"{POLICY} How much is shipping to Oslo?"],
        [{"role": "system", "content": POLICY}, "How much is shipping to Oslo?"],
        [POLICY, {"role": "assistant", "content": "Understood."}, "How much is shipping to Oslo?"],
        ["How much is shipping to Oslo?", {"role": "tool", "content": POLICY, "tool_call_id": "1"}],
    ],
)
def test_the_text_is_found_wherever_it_stands(said: list[str | dict[str, str]]) -> None:
    assert text("answer", *said).startswith("Shipping to Oslo costs 12 dollars.")


def test_it_says_so_when_the_text_does_not_answer() -> None:
    assert text("answer", f"{POLICY}\n\nWho owns the warehouse in Lima?").startswith("The given text does not seem")


def test_its_own_earlier_answers_are_no_source() -> None:
    said = text("answer", {"role": "assistant", "content": POLICY}, "How much is shipping to Oslo?")
    assert said == answer.NO_TEXT


def test_an_instruction_to_a_model_is_no_text() -> None:
    system = {"role": "system", "content": "You are a helpful assistant. Answer from the text below."}
    assert text("answer", system, "How much is shipping to Oslo?") == answer.NO_TEXT


def test_without_a_question_it_asks_for_one() -> None:
    assert text("answer", "") == answer.NO_QUESTION


def test_as_json_it_gives_answer_and_confidence() -> None:
    form = {"type": "json_object"}
    found = json.loads(text("answer", f"{POLICY}\n\nWho leads the support team?", response_format=form))
    assert found["answered"] is True
    assert found["answer"] == "Anna Berg leads the support team."
    assert found["confidence"] >= 0.55
    none = json.loads(text("answer", f"{POLICY}\n\nWho owns the warehouse in Lima?", response_format=form))
    assert none["answered"] is False
    assert none["answer"] is None
