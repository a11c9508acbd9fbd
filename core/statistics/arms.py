"""Several arms, each against one control: what is decided of all of them together. Pure.

Each arm is judged at level 1 − α / k of k arms (Bonferroni), so that the intervals of all of them hold together with
the test's level. One that is better may be shipped although another is still open: that is told, and left to people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.statistics.margins import Worse
from core.statistics.verdict import Decision, Measured, Outcome, Reason


@dataclass(frozen=True, slots=True)
class Judged:
    """One arm against the control: its number, its name, its goal and the decision about it. `is_closed`: it is out of
    the test, and the decision is the one it was closed with."""

    number: int
    name: str
    goal: Measured
    decision: Decision
    is_closed: bool = False


def each_level(level: float, arms: int) -> float:
    """The level of each of so many arms' intervals: 1 − α / k. Source: O. J. Dunn, "Multiple Comparisons Among
    Means", Journal of the American Statistical Association 56 (1961)."""
    return 1 - (1 - level) / max(1, arms)


def together(found: Sequence[Judged]) -> tuple[Judged, Decision]:
    """The arm that leads, and the decision about the test.

    A split that is off hides everything. An arm that may be shipped wins, the one with the best goal where several
    may. None of them worth keeping → keep the control. Else one is open, and so is the test. Of one arm it is that
    arm's decision. Raises: ValueError without an arm.
    """
    if not found:
        raise ValueError("a test without an arm decides nothing")
    if len(found) == 1:
        return found[0], found[0].decision
    open_ = [one for one in found if not one.is_closed]
    outcome = _outcome([one.decision.outcome for one in open_])
    able = [one for one in open_ if one.decision.outcome is outcome] or list(found)
    leader = max(able, key=_goodness)
    own = leader.decision
    if own.outcome is Outcome.UNHEALTHY or Reason.NOTHING_SEEN in own.reasons:
        return leader, own
    others = [one for one in found if one is not leader]
    sentence = " ".join([own.sentence, *(f"{one.name} {_briefly(one)}." for one in others)])
    return leader, Decision(outcome, own.reasons, (*own.changes, *_still_open(outcome, others)), sentence)


def _outcome(of_arms: Sequence[Outcome]) -> Outcome:
    order = (Outcome.UNHEALTHY, Outcome.SHIP, Outcome.RUNNING, Outcome.INCONCLUSIVE)
    return next((one for one in order if one in of_arms), Outcome.KEEP)


def _goodness(one: Judged) -> float:
    """How good the goal is, as it was found; an arm of which nothing is known comes last."""
    found = one.goal.absolute
    if not math.isfinite(found.value) or not math.isfinite(found.low):
        return -math.inf
    return -found.value if one.goal.bad is Worse.HIGHER else found.value


def _briefly(one: Judged) -> str:
    """An arm that does not lead, in a few words."""
    reasons = one.decision.reasons
    if one.is_closed:
        return "was closed, beyond a limit" if Reason.GUARDRAIL_BROKEN in reasons else "was closed"
    if Reason.GUARDRAIL_BROKEN in reasons:
        return "is beyond a limit"
    if Reason.GOAL_WORSE in reasons:
        return one.goal.worse or f"is worse on {one.goal.name}"
    if Reason.GOAL_BETTER in reasons:
        said = f"{one.goal.better or f'is better on {one.goal.name}'} too"
        return said + (", with limits not yet known to hold" if Reason.GUARDRAIL_UNKNOWN in reasons else "")
    return "is not shown to differ"


def _still_open(outcome: Outcome, others: Sequence[Judged]) -> tuple[str, ...]:
    if outcome is not Outcome.SHIP:
        return ()
    names = [one.name for one in others if one.decision.outcome is Outcome.RUNNING and not one.is_closed]
    return (f"More of {' and '.join(names)}, which may turn out better still.",) if names else ()
