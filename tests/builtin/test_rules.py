"""builtin/rules: a table people edit while it runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core import settings
from core.builtin import rulebook
from core.errors import Invalid
from tests.builtin.asking import text

GOOD = """
unknown = "I know: {topics}."
[[rule]]
intent = "refund"
phrases = ["refund", "money back"]
answer = "Five days."
[[rule]]
intent = "where an order is"
phrases = ["where is * order"]
answer = "On its way."
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of one's own in the data folder."""
    file = tmp_path / "builtin" / "rules.toml"
    file.parent.mkdir()
    file.write_text(GOOD, encoding="utf-8")
    monkeypatch.setattr(settings, "load", lambda: settings.Settings(data_dir=tmp_path))
    monkeypatch.setattr(rulebook, "_last", None)
    return file


def test_the_shipped_table_is_valid_and_answers() -> None:
    shipped = rulebook.load(rulebook.SHIPPED)
    assert "key" in shipped.answer("How do I create a new API key?")
    assert shipped.answer("What is the boiling point of lead?").startswith("I have no answer prepared")


def test_endings_case_and_words_between_do_not_matter(table: Path) -> None:
    assert text("rules", "Was I REFUNDED?") == "Five days."
    assert text("rules", "Where is my lost order?") == "On its way."


def test_what_fits_nothing_gets_the_declared_sentence(table: Path) -> None:
    assert text("rules", "Sing!") == "I know: refund, where an order is."


def test_an_edit_counts_from_the_next_question_on(table: Path) -> None:
    assert text("rules", "refund") == "Five days."
    table.write_text(GOOD.replace("Five days.", "Two days only."), encoding="utf-8")
    assert text("rules", "refund") == "Two days only."


def test_a_broken_edit_keeps_the_table_before(table: Path) -> None:
    assert text("rules", "refund") == "Five days."
    table.write_text("unknown = ", encoding="utf-8")
    os.utime(table, (1, 1))
    assert text("rules", "refund") == "Five days."


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (GOOD.replace('answer = "Five days."', ""), "rule 1 (refund), answer"),
        (GOOD.replace("phrases", "phrase", 1), "rule 1 (refund), phrases"),
        (GOOD.replace('["where is * order"]', '["* *"]'), "has no word in it"),
        (GOOD.replace('unknown = "I know: {topics}."', ""), "unknown"),
        ("[[rule", "cannot be read"),
    ],
)
def test_a_mistake_is_named_by_rule_and_field(tmp_path: Path, wrong: str, said: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(wrong, encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        rulebook.load(file)
    assert said in caught.value.message
