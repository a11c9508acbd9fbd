"""No answer, however long or odd, keeps a scorer busy or breaks it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.evals import scorers, scoring
from core.evals.cases import Case, State
from core.evals.wording import composed
from core.prompts.rules import ToolCall
from tests.evals.test_scoring import EVERY

MB = 1_000_000
LONG = {
    "letters": "a" * MB,
    "digits": "1" * MB,
    "digits and commas": "1," * (MB // 2),
    "marks": "a" + "\u0300\u0316" * (MB // 2),
    "blanks": " " * MB,
    "points": "." * MB,
    "braces": "[" * MB,
    "words": "word " * (MB // 5),
    "half pairs": "\ud800" * MB,
    "list": "[" + "1," * (MB // 2 - 1) + "1]",
}


LOOSE = [told | {"case_matters": False} for told in EVERY if told["kind"] in ("exact", "contains", "levenshtein")]


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("told", [*EVERY, *LOOSE], ids=lambda told: told["kind"])
def test_a_megabyte_is_scored_in_seconds(told: dict[str, Any], text: str) -> None:
    scorer: Any = scorers.one({"name": "it"} | told)
    begun = time.process_time()
    found = scoring.score(scorer, Case(text=text, expected=text[: MB // 2] + "b", latency_ms=1))
    assert time.process_time() - begun < 5
    assert (found.value is None) is not (found.state is State.SCORED)


@given(st.text(), st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
def test_any_answer_to_anything_gets_a_score(text: str, expected: Any) -> None:
    for told in EVERY:
        scorer: Any = scorers.one({"name": "it"} | told)
        calls = (ToolCall("1", text, text),)
        found = scoring.score(scorer, Case(text=text, expected=expected, tool_calls=calls))
        assert found.reason


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["kind", "name", "pattern", "answer_schema", "ignored", "texts", "call", "most_usd"])
                | st.text(),
                inner,
            )
        ),
    )
)
def test_any_settings_are_read_or_refused(given: Any) -> None:
    with suppress(Invalid):
        scorers.parse(given if isinstance(given, list) else [given])


def test_a_stack_of_marks_stays_and_what_is_around_it_is_composed() -> None:
    stack = "\u0300\u0316" * 40
    assert composed(f"e\u0301 x{stack} e\u0301") == f"\u00e9 x{stack} \u00e9"
