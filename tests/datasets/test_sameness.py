"""When examples say the same, but for case and spaces, and what they say."""

from __future__ import annotations

from core.datasets import sameness


def spoken(text: str) -> dict[str, list[dict[str, str]]]:
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


def test_words_are_what_people_wrote_without_pictures_and_roles() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    given = {"messages": [{"role": "user", "content": [{"type": "text", "text": "What  IS this?"}, picture]}]}
    assert sameness.words(given, {"role": "assistant", "content": "A lamp."}) == "what is this? a lamp."
    assert len(sameness.words(spoken("x" * 1_000_000), None)) == sameness.LONGEST_WORDS


def test_what_a_system_is_told_is_in_no_words_but_where_there_are_no_others() -> None:
    """A long system text, the same in every call, would make all of them near duplicates."""
    told = {"role": "system", "content": "You are a clerk. " * 500}
    assert sameness.words({"messages": [told, *spoken("May I?")["messages"]]}, None) == "may i?"
    assert sameness.words({"messages": [{"role": "developer", "content": "Be brief."}]}, None) == "be brief."
