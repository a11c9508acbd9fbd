"""What a comparison may be, and which answers give themselves away."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.statistics.votes import Choice
from core.votes import rules
from core.votes.rules import Entrant, Question


def test_a_label_cannot_contend_for_it_may_move_while_people_vote() -> None:
    with pytest.raises(Invalid, match="one version"):
        rules.entrants([Entrant("", "prompt:support@production"), Entrant("", "m/a")])
    found = rules.entrants([Entrant("", "prompt:support@3"), Entrant("other", "m/a")])
    assert [one.name for one in found] == ["prompt:support@3", "other"]


@pytest.mark.parametrize(
    "given",
    [
        [Entrant("", "m/a")],
        [Entrant(str(number), f"m/{number}") for number in range(21)],
        [Entrant("Same", "m/a"), Entrant("same", "m/b")],
        [Entrant("a", "m/a", {"temperature": 1}), Entrant("b", "m/a", {"temperature": 1})],
        [Entrant("a", ""), Entrant("b", "m/b")],
        [Entrant("a", "m/a", {"temperature": 3}), Entrant("b", "m/b")],
        [Entrant("a", "m/a", {"tools": []}), Entrant("b", "m/b")],
    ],
)
def test_who_cannot_contend_is_told_why(given: list[Entrant]) -> None:
    with pytest.raises(Invalid) as caught:
        rules.entrants(given)
    assert caught.value.hint


def test_one_model_contends_with_two_temperatures() -> None:
    assert len(rules.entrants([Entrant("a", "m/a", {"temperature": 0}), Entrant("b", "m/a", {"temperature": 1})])) == 2


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "user", "content": "  "}],
        [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}],
        [{"role": "tool", "content": "42"}, {"role": "user", "content": "And?"}],
        [{"role": "user", "content": "x" * 200_001}],
    ],
)
def test_what_a_voter_could_not_judge_is_no_question(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(Invalid):
        rules.question(Question(messages))


def test_text_parts_are_words() -> None:
    found = rules.question(Question(({"role": "user", "content": [{"type": "text", "text": "Hi"}], "tool_calls": []},)))
    assert list(found.messages) == [{"role": "user", "content": "Hi"}]


def test_each_line_is_a_question() -> None:
    assert [one.messages[0]["content"] for one in rules.typed(" a \n\n b")] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I am ChatGPT, made by OpenAI.", ("chatgpt", "openai")),
        ("As GPT-4o I cannot.", ("gpt",)),
        ("I was trained by Google.", ("google",)),
        ("Search for it with Google.", ()),
        ("My claudette likes openair grokking.", ()),
        ("Ich bin Double-Small!", ("double-small",)),
        ("I am double small.", ("double small",)),
        ("ＣＬＡＵＤＥ here", ("claude",)),
    ],
)
def test_an_answer_that_names_a_model_is_seen(text: str, found: tuple[str, ...]) -> None:
    assert rules.named(text, rules.own_names("double/double-small")) == found


def test_a_name_that_is_an_ordinary_word_gives_nobody_away() -> None:
    assert rules.own_names("builtin/rules") == ()
    assert rules.own_names("support") == ()
    assert rules.own_names("prompt:gpt-helper@3") == ()


def test_blanks_at_the_end_of_lines_make_no_other_answer() -> None:
    assert rules.digest("One \nTwo\n") == rules.digest("One\nTwo")
    assert rules.digest("One\nTwo") != rules.digest("One Two")
    assert rules.digest("e\u0301") == rules.digest("\u00e9")


@pytest.mark.parametrize(("same", "ready", "is_constant"), [(2, 2, False), (3, 6, True), (3, 7, False), (9, 9, True)])
def test_the_same_to_half_of_the_questions_is_constant(same: int, ready: int, is_constant: bool) -> None:
    assert rules.is_constant(same, ready) is is_constant


@given(st.sampled_from(Choice), st.floats(0, 1, exclude_max=True))
def test_a_vote_is_for_the_same_contestant_whichever_side_it_stood_on(choice: Choice, draw: float) -> None:
    left, _ = rules.sides(3, 8, draw)
    turned = rules.as_if_low_left(choice, low_is_left=left == 3)
    preferred = {Choice.LEFT: left, Choice.RIGHT: 11 - left}.get(choice)
    assert {Choice.LEFT: 3, Choice.RIGHT: 8}.get(turned) == preferred
