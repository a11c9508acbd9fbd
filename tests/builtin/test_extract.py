"""builtin/extract: it copies central sentences and keywords, and says so when there is no text."""

from __future__ import annotations

import json

from core.builtin import extract, rank
from core.builtin.sentences import sentences
from tests.builtin.asking import text

TEXT = """The river Larne floods the old town almost every spring. The council has therefore decided to build a flood
wall along the river. The wall will be two metres high and eight hundred metres long. Residents of the old town have
asked for a wall since the great flood of 2002. Ms. Ito, the engineer, says the flood wall will protect four hundred
houses. A bakery on the square is known for its plum cake. Work on the flood wall begins in May and ends next year.
The river path stays open to walkers while the wall is built."""


def lines(said: str) -> list[str]:
    return [line[2:] for line in said.splitlines() if line.startswith("- ")]


def test_every_sentence_it_gives_stands_in_the_text() -> None:
    given = sentences(TEXT)
    chosen = lines(text("extract", f"Summarise this text:\n\n{TEXT}"))
    assert len(chosen) == 3
    assert all(sentence in given for sentence in chosen)
    assert not any("bakery" in sentence for sentence in chosen)


def test_the_wish_may_stand_before_after_or_in_another_message() -> None:
    before = text("extract", f"Summarize in two sentences: {TEXT}")
    after = text("extract", f"{TEXT}\n\nSummarize in two sentences.")
    apart = text("extract", {"role": "system", "content": TEXT}, "Summarize in two sentences.")
    assert lines(before) == lines(after) == lines(apart)
    assert len(lines(before)) == 2


def test_keywords_alone_when_keywords_alone_are_asked_for() -> None:
    said = text("extract", f"Give me 4 keywords\n{TEXT}")
    assert lines(said) == []
    assert said.startswith("Keywords: ")
    assert "flood wall" in said
    assert len(said.split(", ")) == 4


def test_json_has_summary_sentences_and_keywords() -> None:
    found = json.loads(text("extract", TEXT, response_format={"type": "json_object"}))
    assert set(found) == {"summary", "key_sentences", "keywords"}
    assert found["summary"] == " ".join(found["key_sentences"])


def test_without_enough_text_it_says_so() -> None:
    assert text("extract", "Summarise this.") == extract.NO_TEXT
    assert text("extract", "") == extract.NO_TEXT


def test_an_abbreviation_does_not_end_a_sentence() -> None:
    assert sentences("Dr. Ito spoke, e.g. about walls. She left.") == [
        "Dr. Ito spoke, e.g. about walls.",
        "She left.",
    ]


def test_markdown_is_read_as_text() -> None:
    given = "# Title\n\n- One [link](https://x.test).\n- Two **bold** words.\n\n```\ncode. Not text.\n```\n"
    assert sentences(given) == ["Title", "One link.", "Two bold words."]


def test_japanese_sentences_are_cut() -> None:
    assert sentences("川は町を流れる。壁は高い。") == ["川は町を流れる。", "壁は高い。"]


def test_near_duplicates_are_not_chosen_twice() -> None:
    documents = [["flood", "wall", "river"], ["flood", "wall", "river"], ["flood", "council", "vote"]]
    assert 2 in rank.central(documents, 2)
