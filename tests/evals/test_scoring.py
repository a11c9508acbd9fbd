"""What each scorer says, in value, verdict and sentence."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.errors import Invalid
from core.evals import scorers, scoring
from core.evals.cases import Case, Score, State, failed, not_applicable, scored
from core.prompts.rules import ToolCall

EVERY: list[dict[str, Any]] = [
    {"kind": "exact"},
    {"kind": "contains"},
    {"kind": "regex", "pattern": "a"},
    {"kind": "json schema"},
    {"kind": "json diff"},
    {"kind": "number"},
    {"kind": "levenshtein"},
    {"kind": "rouge"},
    {"kind": "bleu"},
    {"kind": "chrf"},
    {"kind": "latency"},
    {"kind": "first token"},
    {"kind": "cost"},
    {"kind": "tokens"},
    {"kind": "refusal"},
    {"kind": "language", "languages": ["en"]},
    {"kind": "length"},
    {"kind": "tool calls"},
]


def said(told: dict[str, Any], **case: Any) -> Score:
    scorer: Any = scorers.one({"name": "it"} | told)
    return scoring.score(scorer, Case(**case))


def verdict(told: dict[str, Any], **case: Any) -> tuple[float | int | None, bool | None]:
    found = said(told, **case)
    assert found.state is State.SCORED, found.reason
    return found.value, found.passed


@pytest.mark.parametrize("told", EVERY, ids=lambda told: told["kind"])
def test_an_answer_that_is_an_error_is_failed_and_never_a_zero(told: dict[str, Any]) -> None:
    found = said(told, error="the backend was too slow.", expected="1", text="1")
    assert (found.state, found.value, found.passed) == (State.FAILED, None, None)
    assert found.reason == "The answer is an error: the backend was too slow."


@pytest.mark.parametrize(
    "told",
    [one for one in EVERY if one["kind"] not in ("regex", "json schema", "refusal", "length")],
    ids=lambda told: told["kind"],
)
def test_what_has_nothing_to_compare_or_measure_is_not_applicable(told: dict[str, Any]) -> None:
    assert said(told, text="Yes.").state is State.NOT_APPLICABLE


def test_a_score_without_a_state_to_match_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="if, and only if"):
        Score(State.FAILED, 0.0, None, "")


@pytest.mark.parametrize(
    ("told", "text", "expected", "passed"),
    [
        ({}, " Paris\n", "Paris", True),
        ({"blanks": "as they are"}, "Paris ", "Paris", False),
        ({}, "paris", "Paris", False),
        ({"case_matters": False}, "STRASSE", "Straße", True),
        ({"blanks": "collapsed"}, "a \n b", "a b", True),
        ({"punctuation_matters": False}, "Paris!", "Paris", True),
        ({}, "caf\u00e9", "cafe\u0301", True),
        ({}, "42", 42, True),
        ({"expected": "own"}, "own", "other", True),
        ({"negated": True}, "a", "b", True),
    ],
)
def test_exact(told: dict[str, Any], text: str, expected: Any, passed: bool) -> None:
    assert verdict({"kind": "exact"} | told, text=text, expected=expected) == (float(passed), passed)


def test_contains_says_what_is_lacking() -> None:
    told = {"kind": "contains", "texts": ["red", "Blue", "green"], "case_matters": False}
    found = said(told, text="RED and blue")
    assert (round(found.value or 0, 3), found.passed, found.reason) == (0.667, False, "It does not contain “green”.")
    assert verdict(told | {"which": "any"}, text="a blue one") == (1, True)
    assert verdict(told | {"which": "none"}, text="a blue one") == (0, False)
    assert verdict({"kind": "contains"}, text="in Paris.", expected="Paris") == (1, True)


def test_a_regular_expression_that_takes_too_long_fails_the_cell() -> None:
    assert verdict({"kind": "regex", "pattern": r"\d{4}"}, text="in 1848") == (1, True)
    assert verdict({"kind": "regex", "pattern": r"\d{4}", "whole": True}, text="in 1848") == (0, False)
    found = said({"kind": "regex", "pattern": "(a|aa|b?)+$"}, text="a" * 5_000 + "!")
    assert (found.state, found.value) == (State.FAILED, None)


def test_json_of_a_schema() -> None:
    told = {"kind": "json schema", "answer_schema": {"type": "object", "required": ["city"]}}
    assert verdict(told, text='{"city": 1}') == (1, True)
    assert said(told, text="{}").reason == "The answer lacks “city”."
    assert said(told, text="Paris").reason == "The answer is not JSON."
    assert verdict(told | {"fenced": True}, text='```json\n{"city": 1}\n```') == (1, True)
    assert verdict({"kind": "json schema"}, text="[1]") == (1, True)
    assert said({"kind": "json schema"}, text="[" * 500 + "]" * 500).state is State.FAILED


def test_a_json_diff_counts_leaves_and_names_the_first_differences() -> None:
    expected = {"name": "Ann", "items": [{"id": 7, "price": 1.0}, {"id": 8, "price": 2.0}], "at": "today"}
    given = '{"name": "Ann", "items": [{"id": 1, "price": 1.004}, {"id": 2, "price": 3}], "note": ""}'
    found = said({"kind": "json diff"}, text=given, expected=expected)
    assert (found.value, found.passed) == (pytest.approx(1 / 7), False)
    assert found.reason == (
        "1 of 7 values are as expected: items[0].id is 1 instead of 7; items[0].price is 1.004 instead of 1.0; "
        "items[1].id is 2 instead of 8."
    )
    told = {"kind": "json diff", "ignored": ["items[*].id", "at", "note"], "tolerance": 0.01, "least": 0.6}
    assert verdict(told, text=given, expected=expected) == (pytest.approx(2 / 3), True)
    assert verdict({"kind": "json diff"}, text="true", expected=1) == (0, False)
    assert verdict({"kind": "json diff", "more_is_fine": True}, text='{"a": 1, "b": 2}', expected={"a": 1}) == (1, True)
    assert verdict({"kind": "json diff"}, text="no", expected={"a": 1}) == (0, False)


def test_a_number_is_compared_as_it_is_printed() -> None:
    told = {"kind": "number"}
    assert verdict(told, text="3 + 4 = 7, so the answer is 7.", expected="She has 3+4=<<3+4=7>>7.\n#### 7") == (1, True)
    assert verdict(told | {"mark": ","}, text="Das macht 1.234,50 €", expected=1234.5) == (1, True)
    assert verdict(told, text="about 3.14", expected="3.14159") == (0, False)
    assert verdict(told | {"absolute": "0.01"}, text="about 3.14", expected="3.14159") == (1, True)
    assert verdict(told | {"relative": "0.001"}, text="about 3.14", expected="3.14159") == (1, True)
    assert said(told, text="none", expected=1).reason == "The answer has not a number."
    assert verdict(told, text="0.1 + 0.2 is 0.3", expected=0.3) == (1, True)


def test_levenshtein_of_kitten_and_sitting_is_three() -> None:
    """The classic pair: two letters changed, one added."""
    found = said({"kind": "levenshtein", "most_edits": 3, "least": 0.6}, text="kitten", expected="sitting")
    assert (found.details["edits"], found.passed, round(found.value or 0, 4)) == (3, False, round(4 / 7, 4))


def test_thresholds_make_verdicts_of_measurements() -> None:
    assert verdict({"kind": "latency", "most_ms": 500}, latency_ms=400.0) == (400, True)
    assert verdict({"kind": "latency"}, latency_ms=400.0) == (400, None)
    assert verdict({"kind": "first token", "most_ms": 100}, first_token_ms=101.0) == (101, False)
    assert verdict({"kind": "tokens", "of": "total", "most": 30}, input_tokens=10, output_tokens=21) == (31, False)
    assert said({"kind": "tokens", "of": "total"}, input_tokens=10).state is State.NOT_APPLICABLE
    found = said({"kind": "cost", "most_usd": "0.000001"}, cost_nano_usd=1_001)
    assert (found.value, found.unit, found.passed) == (1_001, "nano-dollars", False)
    assert found.reason == "It cost $0.000001001, more than $0.000001."
    assert verdict({"kind": "length", "least": 2, "most": 3}, text="one two three four") == (4, False)
    assert verdict({"kind": "length", "unit": "characters"}, text="abc") == (3, None)
    assert verdict({"kind": "rouge", "variant": "1", "least": 0.5}, text="a b", expected="a c") == (0.5, True)


def test_a_language_too_short_to_tell_is_not_judged() -> None:
    told = {"kind": "language", "languages": ["de"]}
    assert verdict(told, text="Der schnelle braune Fuchs springt über den faulen Hund.") == (1, True)
    assert verdict(told, text="The quick brown fox jumps over the lazy dog.") == (0, False)
    assert said(told, text="OK").state is State.NOT_APPLICABLE


def test_tool_calls_are_compared_by_name_and_arguments() -> None:
    expected = [{"name": "search", "arguments": {"q": "cats"}}, {"name": "stop"}]
    made = (ToolCall("1", "stop", "{}"), ToolCall("2", "search", '{"q": "cats"}'))
    assert verdict({"kind": "tool calls"}, tool_calls=made, expected=expected) == (1, True)
    assert verdict({"kind": "tool calls", "order_matters": True}, tool_calls=made, expected=expected)[1] is False
    found = said({"kind": "tool calls"}, tool_calls=(ToolCall("1", "search", '{"q": "dogs"}'),), expected=expected)
    assert found.value == 0
    assert found.reason == (
        "search was called otherwise: q is “dogs” instead of “cats”; stop was not called; search was called besides."
    )
    wrapped = {"type": "function", "function": {"name": "stop", "arguments": "{}"}}
    assert verdict({"kind": "tool calls", "more_is_fine": True}, tool_calls=made, expected=wrapped) == (1, True)
    assert verdict({"kind": "tool calls", "calls": []}, tool_calls=made) == (0, False)
    assert verdict({"kind": "tool calls", "calls": []}) == (1, True)
    broken = (ToolCall("1", "stop", '{"a": '),)
    assert said({"kind": "tool calls", "calls": [{"name": "stop", "arguments": {}}]}, tool_calls=broken).reason == (
        "What stop was given is not JSON; stop was called besides."
    )


def test_an_order_with_others_in_between_is_one() -> None:
    told = {"kind": "tool calls", "order_matters": True, "more_is_fine": True, "calls": [{"name": "a"}, {"name": "c"}]}
    assert verdict(told, tool_calls=tuple(ToolCall(one, one) for one in "abc")) == (1, True)
    assert verdict(told, tool_calls=tuple(ToolCall(one, one) for one in "cba")) == (0.5, False)


def test_similarity_is_the_cosine_of_two_vectors() -> None:
    scorer = scorers.Similarity(kind="similarity", name="s", model="m", least=0.6)
    found = scoring.similarity(scorer, Case(), [1.0, 0.0], [3.0, 4.0])
    assert (found.value, found.unit, found.passed) == (pytest.approx(0.6), "cosine", True)
    assert scoring.similarity(scorer, Case(), [0.0, 0.0], [3.0, 4.0]).state is State.FAILED
    assert scoring.similarity(scorer, Case(), [1.0], [3.0, 4.0]).state is State.FAILED
    assert scoring.similarity(scorer, Case(), [float("nan")], [1.0]).state is State.FAILED


def test_several_scores_are_a_weighted_mean_that_a_failed_one_leaves_open() -> None:
    good, bad = scored(1.0, True, "Good."), scored(0.5, False, "Half.")
    slow = scored(900, False, "Slow.", unit="ms")
    found = scoring.together([(3, good), (1, bad), (5, not_applicable("–"))])
    assert (found.value, found.passed, found.reason) == (0.875, False, "Half.")
    assert scoring.together([(3, good), (1, bad)], least=0.8).passed is True
    assert scoring.together([(1, good), (1, slow)]).value == 0.5
    assert scoring.together([(1, good), (1, failed("Lost."))]) == failed("Lost.")
    assert scoring.together([]).state is State.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "exat", "name": "a"}, "Scorer 1 “a” cannot be used: there is no kind “exat”; the kinds are bleu, "),
        ({"name": "a"}, "Scorer 1 “a” cannot be used: it does not say its kind."),
        ({"kind": "exact"}, "Scorer 1 cannot be used at “name”: field required."),
        ({"kind": "exact", "name": "a", "cas": 1}, "Scorer 1 “a” cannot be used at “cas”: extra inputs are not"),
        ({"kind": "regex", "name": "a", "pattern": "("}, "Scorer 1 “a” cannot be used at “pattern”: the pattern is "),
        (
            {"kind": "regex", "name": "a", "pattern": "(((a{1000}){1000}){1000}){1000}"},
            "Scorer 1 “a” cannot be used at “pattern”: the pattern's counts, multiplied, are more than a million.",
        ),
        ({"kind": "json schema", "name": "a", "answer_schema": {"type": "strin"}}, "Scorer 1 “a” cannot be used at “"),
        ({"kind": "json diff", "name": "a", "ignored": ["a[x]"]}, "Scorer 1 “a” cannot be used at “ignored”: “a[x]” "),
        ({"kind": "length", "name": "a", "least": 3, "most": 2}, "Scorer 1 “a” cannot be used: the least is more "),
        ({"kind": "function", "name": "a", "call": "x.py"}, "Scorer 1 “a” cannot be used at “call”: "),
        ("exact", "Scorer 1 cannot be used: "),
        (None, "Scorer 1 cannot be used: "),
    ],
)
def test_a_scorer_that_cannot_be_used_says_why(given: Any, said: str) -> None:
    with pytest.raises(Invalid) as error:
        scorers.parse([given])
    assert error.value.message.startswith(said), error.value.message
    assert error.value.code == "scorer"


def test_two_scorers_of_one_name_are_refused() -> None:
    with pytest.raises(Invalid, match="Two scorers are called “a”"):
        scorers.parse([{"kind": "exact", "name": "a"}, {"kind": "bleu", "name": "a"}])


def test_money_is_never_a_float() -> None:
    scorer: Any = scorers.one({"kind": "cost", "name": "c", "most_usd": 0.1})
    assert scorer.most_usd == Decimal("0.1")
