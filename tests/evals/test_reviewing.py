"""People as a scorer."""

from __future__ import annotations

from typing import Any

import pytest

from core.evals import scorers
from core.evals.cases import State
from core.evals.reviewing import Answered, reviewed, undecided

HUMAN = scorers.Human(kind="human", name="people", queue="answers", edited_counts=0.4)


@pytest.mark.parametrize(
    ("verdict", "value", "passed"), [("approve", 1, True), ("edit", 0.4, False), ("reject", 0, False)]
)
def test_a_verdict_is_worth_what_the_scorer_says(verdict: Any, value: float, passed: bool) -> None:
    found = reviewed(HUMAN, verdict, note="as ever")
    assert (found.value, found.passed) == (value, passed)


def test_the_rubrics_answers_are_the_value_and_the_verdict_decides() -> None:
    found = reviewed(HUMAN, "edit", [Answered("tone", 4), Answered("right", True), Answered("short", 1, 3)])
    assert (found.value, found.passed) == (pytest.approx((0.75 + 1 + 0) / 3), False)
    assert found.details == {"verdict": "edit", "tone": 4, "right": True, "short": 1}


def test_nobody_who_decides_is_no_score() -> None:
    assert reviewed(HUMAN, "unreviewable").state is State.INVALID
    assert undecided("Nobody decided in time.").state is State.FAILED
    with pytest.raises(ValueError, match="not on a scale"):
        reviewed(HUMAN, "approve", [Answered("tone", 6)])
