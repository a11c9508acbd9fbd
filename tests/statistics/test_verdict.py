"""The decision of a live test and the sentence that tells it."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics.margins import Margin, Standing, Worse
from core.statistics.mismatch import Split, watched_split
from core.statistics.proportions import Estimate
from core.statistics.verdict import Guardrail, Looks, Measured, Outcome, Reason, Report, decide, told, told_share

GOAL = Measured(
    "right answers",
    Estimate(0.031, 0.006, 0.056, 8_000),
    Worse.LOWER,
    is_share=True,
    better="answers better",
    worse="answers worse",
)
COST = Guardrail(
    Measured(
        "cost",
        Estimate(0.0012, 0.0008, 0.0016, 8_000),
        Worse.HIGHER,
        relative=Estimate(0.12, 0.08, 0.16, 8_000),
        unit="USD per call",
    ),
    Margin(0.2, Worse.HIGHER, is_relative=True),
)
ERRORS = Guardrail(
    Measured("errors", Estimate(0.0004, -0.002, 0.003, 8_000), Worse.HIGHER, is_share=True),
    Margin(0.005, Worse.HIGHER),
)
REPORT = Report(GOAL, (COST, ERRORS), watched_split((4_010, 3_990), (1, 1)), planned=10_000, seen=8_000)
OPEN = replace(GOAL, absolute=Estimate(0.031, -0.006, 0.066, 8_000))


def test_better_with_every_guardrail_held_is_shipped_in_one_sentence() -> None:
    found = decide(REPORT)
    assert (found.outcome, found.reasons) == (Outcome.SHIP, (Reason.GOAL_BETTER,))
    assert found.sentence == (
        "B answers better: +3.1 points, 95 % always-valid interval +0.6 to +5.6; cost +12 %, inside the limit;"
        " errors inside the limit, no change shown."
    )


def test_a_mismatch_hides_the_verdict() -> None:
    found = decide(replace(REPORT, split=watched_split((4_800, 3_200), (1, 1))))
    assert (found.outcome, found.reasons) == (Outcome.UNHEALTHY, (Reason.MISMATCH,))
    assert found.sentence == (
        "The traffic did not split as planned: 4,800 and 3,200 came where 4,000 and 4,000 were due (p below 0.0001),"
        " so nothing can be said about B."
    )


def test_a_broken_guardrail_keeps_the_control_however_good_the_goal_is() -> None:
    tight = replace(COST, margin=Margin(0.05, Worse.HIGHER, is_relative=True))
    found = decide(replace(REPORT, guardrails=(tight, ERRORS)))
    assert (found.outcome, found.reasons) == (Outcome.KEEP, (Reason.GUARDRAIL_BROKEN, Reason.GOAL_BETTER))
    assert found.sentence.startswith("B is beyond the limit for cost (+12 %). B answers better: +3.1 points")
    also = replace(ERRORS, measured=replace(ERRORS.measured, absolute=Estimate(0.03, 0.02, 0.04, 8_000)))
    both = decide(replace(REPORT, guardrails=(tight, also)))
    assert both.sentence.startswith(
        "B is beyond the limits for cost (+12 %) and errors (+3.0 points). B answers better"
    )
    assert found.changes == ("A larger margin for cost, agreed before the next test, or a B that stays inside it.",)


def test_a_guardrail_that_is_not_yet_known_stops_a_shipment() -> None:
    unsure = replace(ERRORS, margin=Margin(0.001, Worse.HIGHER))
    running = decide(replace(REPORT, guardrails=(unsure,)))
    assert running.outcome is Outcome.RUNNING
    assert running.reasons == (Reason.GOAL_BETTER, Reason.GUARDRAIL_UNKNOWN, Reason.TOO_EARLY)
    assert "errors not yet known to be inside the limit (−0.20 to +0.30 points)" in running.sentence
    assert running.changes[0] == "Knowing whether B stays inside the limit for errors."
    two = decide(replace(REPORT, guardrails=(unsure, replace(COST, measured=replace(COST.measured, relative=None)))))
    assert two.changes[0] == "Knowing whether B stays inside the limits for errors and cost."
    done = decide(replace(REPORT, guardrails=(unsure,), seen=10_000))
    assert done.outcome is Outcome.INCONCLUSIVE
    assert done.changes[-1] == "More units than were planned, or larger margins agreed before a new test."
    both = decide(replace(REPORT, goal=OPEN, guardrails=(unsure,), seen=10_000))
    assert both.changes[-1] == "A new test, planned for a smaller difference."


def test_an_interval_with_zero_in_it_runs_on_and_ends_inconclusive() -> None:
    running, done = decide(replace(REPORT, goal=OPEN)), decide(replace(REPORT, goal=OPEN, seen=10_000))
    assert (running.outcome, done.outcome) == (Outcome.RUNNING, Outcome.INCONCLUSIVE)
    assert done.sentence.startswith(
        "No difference between B and A is shown on right answers: +3.1 points, 95 % always-valid interval −0.6 to +6.6"
    )
    assert running.changes == (
        "Knowing whether B is better or worse than A on right answers: so far both can be.",
        "2,000 more units, up to the 10,000 planned.",
    )


def test_worse_keeps_the_control_and_less_may_be_better() -> None:
    worse = decide(replace(REPORT, goal=replace(GOAL, absolute=Estimate(-0.031, -0.056, -0.006, 8_000))))
    assert (worse.outcome, worse.reasons) == (Outcome.KEEP, (Reason.GOAL_WORSE,))
    assert worse.sentence.startswith("B answers worse: −3.1 points, 95 % always-valid interval −5.6 to −0.6")
    faster = Measured(
        "latency", Estimate(-120, -180, -60, 90), Worse.HIGHER, Estimate(-0.08, -0.12, -0.04, 90), unit="ms"
    )
    assert decide(replace(REPORT, goal=faster, guardrails=())).sentence == (
        "B is better on latency: −120 ms (−8 % against A), 95 % always-valid interval −180 to −60."
    )


def test_an_interval_for_one_look_is_not_read_before_it() -> None:
    early = decide(replace(REPORT, looks=Looks.PLANNED))
    assert (early.outcome, early.reasons) == (Outcome.RUNNING, (Reason.TOO_EARLY,))
    assert early.sentence == "The test is read once, at 10,000 units; 8,000 are there."
    assert decide(replace(REPORT, looks=Looks.PLANNED, seen=10_000)).outcome is Outcome.SHIP


def test_too_few_units_say_nothing() -> None:
    unknown = replace(GOAL, absolute=Estimate(0.3, -math.inf, math.inf, 40))
    found = decide(replace(REPORT, goal=unknown, guardrails=(), seen=40))
    assert found.outcome is Outcome.RUNNING
    assert found.sentence == "Too few units to say anything about right answers."
    nothing = decide(replace(REPORT, seen=0, split=Split((0, 0), (0, 0), 1.0)))
    assert nothing.reasons == (Reason.NOTHING_SEEN,)


def test_a_relative_margin_without_a_relative_difference_is_not_yet_known() -> None:
    bare = replace(COST, measured=replace(COST.measured, relative=None))
    assert bare.standing is Standing.UNKNOWN
    assert "cost not yet known to be inside the limit" in decide(replace(REPORT, guardrails=(bare,))).sentence


def test_a_relative_margin_is_held_where_nothing_costs_anything() -> None:
    free = replace(
        COST.measured,
        absolute=Estimate(0.0, 0.0, 0.0, 8_000),
        relative=Estimate(math.nan, -math.inf, math.inf, 8_000),
    )
    found = decide(replace(REPORT, guardrails=(replace(COST, measured=free),)))
    assert found.outcome is Outcome.SHIP
    assert found.sentence.endswith("cost inside the limit, no change shown.")
    dearer = replace(free, absolute=Estimate(0.001, 0.0008, 0.0012, 8_000))
    assert replace(COST, measured=dearer).standing is Standing.UNKNOWN


def test_a_guardrail_may_have_one_limit() -> None:
    one = replace(ERRORS, measured=replace(ERRORS.measured, absolute=Estimate(0.0004, -math.inf, 0.003, 8_000)))
    assert decide(replace(REPORT, guardrails=(one,))).outcome is Outcome.SHIP


@pytest.mark.parametrize(
    ("found", "is_share", "unit", "expected"),
    [
        (Estimate(0.031, 0.006, 0.056, 1), True, "", ("+3.1", "+0.6", "+5.6", " points")),
        (Estimate(0.5, 0.251, 0.749, 1), True, "", ("+50", "+25", "+75", " points")),
        (Estimate(0.0012, 0.00081, 0.0016, 1), False, "USD", ("+0.00120", "+0.00081", "+0.00160", " USD")),
        (Estimate(1234.5, 1000.2, 1468.8, 1), False, "ms", ("+1,234", "+1,000", "+1,469", " ms")),
        (Estimate(0.025, 0.0001, 0.05, 1), True, "", ("+2.5", "+0.01", "+5.00", " points")),
        (Estimate(0.0, -0.02, 0.02, 1), True, "", ("0.0", "−2.0", "+2.0", " points")),
    ],
)
def test_numbers_have_the_digits_their_interval_is_worth(found, is_share, unit, expected) -> None:
    assert told(found, is_share=is_share, unit=unit) == expected


def test_percent_have_the_digits_their_interval_is_worth() -> None:
    assert told_share(Estimate(0.1234, 0.08, 0.16, 1)) == "+12 %"
    assert told_share(Estimate(0.1234, 0.12, 0.126, 1)) == "+12.3 %"


LIMITS = st.tuples(st.floats(-0.5, 0.5), st.floats(1e-6, 0.4), st.floats(1e-6, 0.4))


def drawn(parts: tuple[float, float, float]) -> Estimate:
    value, below, above = parts
    return Estimate(value, value - below, value + above, 5_000)


@given(LIMITS, st.booleans())
def test_what_is_told_is_never_narrower_than_what_was_found(parts: tuple[float, float, float], is_share: bool) -> None:
    found = drawn(parts)
    _, low, high, _ = told(found, is_share=is_share, unit="")
    scale = 100 if is_share else 1
    told_low, told_high = (float(text.replace("−", "-").replace(",", "")) for text in (low, high))
    assert told_low <= found.low * scale + 1e-8
    assert told_high >= found.high * scale - 1e-8


@given(LIMITS, LIMITS, st.floats(0, 0.5), st.sampled_from(Worse), st.sampled_from(Worse), st.integers(0, 20_000))
def test_nothing_is_shipped_that_the_intervals_do_not_carry(goal, guard, limit, bad, worse, seen) -> None:
    report = replace(
        REPORT,
        goal=replace(GOAL, absolute=drawn(goal), bad=bad),
        guardrails=(Guardrail(replace(ERRORS.measured, absolute=drawn(guard)), Margin(limit, worse)),),
        seen=seen,
    )
    found = decide(report)
    low, high = drawn(goal).low, drawn(goal).high
    is_better = low > 0 if bad is Worse.LOWER else high < 0
    if found.outcome is Outcome.SHIP:
        assert is_better
        assert report.guardrails[0].standing is Standing.HELD
    if found.outcome is Outcome.INCONCLUSIVE:
        assert seen >= report.planned
    assert found.sentence.endswith(".")
    assert found.changes
    assert not re.search(r"\bsafe|\bprove|\bunchanged|\bsignificant", found.sentence)
