"""Several arms against one control: what is decided of all, what is said of each, and how rarely all are wrong."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from core.statistics import means
from core.statistics.arms import Judged, each_level, together
from core.statistics.margins import Worse
from core.statistics.mismatch import Split
from core.statistics.proportions import Estimate
from core.statistics.sequential import Plan, watched
from core.statistics.verdict import Decision, Measured, Outcome, Reason, Report, decide

EVEN = Split((500, 500, 500), (500.0, 500.0, 500.0), 1.0)
OFF = Split((500, 900, 500), (633.3, 633.3, 633.3), 1e-9)


def one(name: str, low: float, high: float, *, seen: int = 1_500, split: Split = EVEN, closed: bool = False) -> Judged:
    goal = Measured("thumbs up", Estimate((low + high) / 2, low, high, 1_000), Worse.LOWER, is_share=True)
    report = Report(goal, (), split, 1_500, seen, level=0.975, arm=name)
    return Judged("ABCDEF".index(name), name, goal, decide(report), is_closed=closed)


def test_one_arm_is_decided_as_ever() -> None:
    only = one("B", 0.01, 0.05)
    assert together([only]) == (only, only.decision)


def test_the_best_of_those_that_are_better_leads_and_the_others_are_told_in_a_few_words() -> None:
    leader, found = together(
        [one("B", 0.01, 0.05), one("C", 0.02, 0.08), one("D", -0.09, -0.01), one("E", -0.02, 0.02)]
    )
    assert (leader.name, found.outcome) == ("C", Outcome.SHIP)
    assert found.sentence.startswith("C is better on thumbs up: +5.0 points, 97.5 % always-valid interval")
    assert found.sentence.endswith("B is better on thumbs up too. D is worse on thumbs up. E is not shown to differ.")


def test_an_arm_that_is_better_is_shipped_though_another_is_open_and_that_is_told() -> None:
    _, found = together([one("B", 0.01, 0.05, seen=900), one("C", -0.02, 0.09, seen=900)])
    assert found.outcome is Outcome.SHIP
    assert found.changes[-1] == "More of C, which may turn out better still."


def test_the_control_is_kept_only_where_no_arm_is_worth_keeping() -> None:
    worse, open_ = one("B", -0.05, -0.01, seen=900), one("C", -0.02, 0.02, seen=900)
    assert together([worse, open_])[1].outcome is Outcome.RUNNING
    assert together([worse, open_])[0].name == "C"
    assert together([worse, one("C", -0.09, -0.02)])[1].outcome is Outcome.KEEP
    assert together([one("B", -0.05, -0.01), one("C", -0.02, 0.02)])[1].outcome is Outcome.INCONCLUSIVE


def test_a_closed_arm_decides_nothing_more() -> None:
    leader, found = together([one("B", 0.02, 0.05, closed=True), one("C", -0.02, 0.02)])
    assert (leader.name, found.outcome) == ("C", Outcome.INCONCLUSIVE)
    assert found.sentence.endswith("B was closed.")
    broken = Decision(Outcome.KEEP, (Reason.GUARDRAIL_BROKEN,), (), "")
    beyond = dataclasses.replace(one("B", 0.02, 0.05, closed=True), decision=broken)
    assert together([beyond, one("C", -0.02, 0.02)])[1].sentence.endswith("B was closed, beyond a limit.")
    assert together([one("B", 0.02, 0.05, closed=True)] * 2)[1].outcome is Outcome.KEEP


def test_a_split_that_is_off_hides_every_arm() -> None:
    _, found = together([one("B", 0.01, 0.05, split=OFF), one("C", 0.02, 0.08, split=OFF)])
    assert found.sentence.endswith("so nothing can be said about any arm.")
    assert found.changes == ("Finding why units went missing or to the wrong arm, and a new test after that.",)
    assert found.outcome is Outcome.UNHEALTHY
    assert "better" not in found.sentence


def test_nothing_is_decided_without_an_arm() -> None:
    with pytest.raises(ValueError, match="without an arm"):
        together([])


@pytest.mark.parametrize("arms", [1, 2, 5])
def test_of_tests_whose_arms_are_all_alike_at_most_five_in_a_hundred_find_one_that_differs(arms: int) -> None:
    """Looked at thirty times; of 300 tests 25 or more would be chance in one of 100."""
    dice = np.random.default_rng(arms)
    level, false = each_level(0.95, arms), 0
    assert math.isclose(level, 1 - 0.05 / arms)
    for _ in range(300):
        values = dice.lognormal(0, 0.5, (arms + 1, 600))
        found = False
        for n in range(20, 601, 20):
            control = means.moments(values[0, :n].tolist())
            for arm in range(1, arms + 1):
                interval = watched(
                    means.difference(means.moments(values[arm, :n].tolist()), control), Plan(1_200, level)
                )
                found = found or interval.low > 0 or interval.high < 0
        false += found
    assert false < 25
