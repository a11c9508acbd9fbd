"""When examples say the same: exactly but for case and spaces, and nearly."""

from __future__ import annotations

import random

from core.datasets import sameness

ASKED = "May I return the blue lamp that I bought last week, although I have lost its receipt and its box?"


def spoken(text: str) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}]}


def test_case_spaces_and_wide_letters_make_no_difference_and_words_do() -> None:
    assert sameness.input_hash("item", spoken("May I?")) == sameness.input_hash(
        "item", spoken("  MAY\n ＩI?".replace("ＩI", "Ｉ"))
    )
    assert sameness.input_hash("item", spoken("May I?")) != sameness.input_hash("item", spoken("May we?"))


def test_a_row_to_fine_tune_on_meets_the_item_of_its_question() -> None:
    asked = spoken("May I?")
    whole = {"messages": [{"role": "user", "content": "May I?"}, {"role": "assistant", "content": "Yes."}]}
    assert sameness.input_hash("item", asked) == sameness.input_hash("tuning", whole)
    assert sameness.input_hash("item", whole) != sameness.input_hash("item", asked)


def test_texts_that_differ_in_a_few_letters_are_a_group_and_others_are_not() -> None:
    texts = [ASKED, "Where is my parcel? It was to come on Monday.", ASKED.replace("week", "month"), "Hi", ASKED + "!"]
    assert sameness.near(texts) == [[0, 2, 4]]


def test_every_pair_that_is_alike_beyond_doubt_is_found_and_no_other_is() -> None:
    chance = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz "
    texts = []
    for _ in range(60):
        text = "".join(chance.choices(letters, k=300))
        place = chance.randrange(300)
        texts += [text, text[:place] + "#" + text[place + 1 :]]  # at most 5 of about 296 shingles differ
    assert sameness.near(texts) == [[2 * n, 2 * n + 1] for n in range(60)]


def test_a_thousand_equal_texts_are_one_group() -> None:
    assert sameness.near([ASKED] * 1_000) == [list(range(1_000))]


def test_words_are_what_people_wrote_without_pictures_and_roles() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    given = {"messages": [{"role": "user", "content": [{"type": "text", "text": "What  IS this?"}, picture]}]}
    assert sameness.words(given, {"role": "assistant", "content": "A lamp."}) == "what is this? a lamp."
    assert len(sameness.words(spoken("x" * 1_000_000), None)) == sameness.LONGEST_WORDS
