"""What a live test says: one decision, what led to it, what would change it, and one sentence for who asked.

The decision follows from intervals alone. A mismatch of the traffic hides everything else; a guardrail that is broken
ends the wish for the goal; and where intervals do not decide, the answer is that they do not, never a guess. What is
said is what the intervals say: an interval that holds 0 is "no difference shown", not "no difference".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.statistics.margins import Margin, Standing, Worse, harm, standing
from core.statistics.mismatch import Split
from core.statistics.proportions import Estimate


class Outcome(StrEnum):
    """What to do: ship the arm, keep the control, or neither can be said (yet)."""

    SHIP = "ship"
    KEEP = "keep"
    INCONCLUSIVE = "inconclusive"
    UNHEALTHY = "unhealthy"
    RUNNING = "running"


class Reason(StrEnum):
    """What can lead to an outcome."""

    MISMATCH = "the traffic did not split as planned"
    GUARDRAIL_BROKEN = "a guardrail is broken"
    GUARDRAIL_UNKNOWN = "not every guardrail is known to be held"
    GOAL_BETTER = "the goal is better"
    GOAL_WORSE = "the goal is worse"
    GOAL_OPEN = "the goal may be better or worse"
    GOAL_SAME = "the goal was the same for everybody"
    TOO_EARLY = "the planned size is not reached"
    NOTHING_SEEN = "nothing has been counted yet"


class Looks(StrEnum):
    """What the intervals promise: to hold at every look, or at the planned one."""

    ANY = "always-valid"
    PLANNED = "fixed-horizon"


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric by its difference arm − control, absolute and, where it is known, relative to the control.

    Of a share (`is_share`) the absolute difference is between −1 and 1 and told in points; of anything else it is
    told in `unit` ("ms", "USD per call"). `better` and `worse` are the words after the arm's name ("answers better");
    without them the name is told.
    """

    name: str
    absolute: Estimate
    bad: Worse
    relative: Estimate | None = None
    is_share: bool = False
    unit: str = ""
    better: str = ""
    worse: str = ""


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that must not become worse by more than its margin."""

    measured: Measured
    margin: Margin

    @property
    def difference(self) -> Estimate:
        """The difference the margin speaks of; a relative margin needs a relative difference."""
        if not self.margin.is_relative:
            return self.measured.absolute
        if self.measured.relative is None:
            n = self.measured.absolute.n
            return Estimate(math.nan, -math.inf, math.inf, n)
        return self.measured.relative

    @property
    def standing(self) -> Standing:
        """What the interval says. No percentage of a control that is 0 is known; an arm whose whole interval is not
        worse at all is inside every margin all the same."""
        found = self.difference
        if self.margin.is_relative and not (math.isfinite(found.low) and math.isfinite(found.high)):
            worst = harm(self.measured.absolute, self.margin.worse)[1]
            return Standing.HELD if worst <= 0 else Standing.UNKNOWN
        return standing(found, self.margin)


@dataclass(frozen=True, slots=True)
class Report:
    """All a decision is made from; `planned` and `seen` count the units of both arms, which `many` calls by name.

    The goal's interval has two sides; a guardrail's may have one (`sequential.watched_side`). Each holds with its own
    level: an arm is shipped only where all of them agree, which no number of guardrails makes easier; but of twenty
    guardrails at 95 % one may well be called broken by chance: adjust their level (`several`) where one of many
    decides.
    """

    goal: Measured
    guardrails: tuple[Guardrail, ...]
    split: Split
    planned: int
    seen: int
    looks: Looks = Looks.ANY
    level: float = 0.95
    arm: str = "B"
    control: str = "A"
    many: str = "units"


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, the reasons that led to it, what would change it, and the sentence that tells it."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    changes: tuple[str, ...]
    sentence: str


def decide(report: Report) -> Decision:
    """The decision that the intervals of a report allow; a pure function of it.

    Mismatch → unhealthy. Intervals for the planned look, before it → running. A guardrail broken or the goal worse →
    keep. The goal better and every guardrail held → ship. Else running until the planned size, then inconclusive.
    """
    if report.split.is_off():
        return Decision(Outcome.UNHEALTHY, (Reason.MISMATCH,), (_find_the_cause(report),), _mismatch(report))
    is_early = report.seen < report.planned
    if report.seen == 0:
        more = (f"{report.planned:,} {report.many} are planned.",)
        return Decision(Outcome.RUNNING, (Reason.NOTHING_SEEN,), more, "Nothing has been counted yet.")
    if report.looks is Looks.PLANNED and is_early:
        sentence = f"The test is read once, at {report.planned:,} {report.many}; {report.seen:,} are there."
        return Decision(Outcome.RUNNING, (Reason.TOO_EARLY,), (_more(report),), sentence)
    reasons = _reasons(report)
    outcome = _outcome(reasons, is_early=is_early)
    if outcome is Outcome.RUNNING:
        reasons = (*reasons, Reason.TOO_EARLY)
    return Decision(outcome, reasons, _changes(report, reasons, is_early=is_early), _sentence(report))


def _reasons(report: Report) -> tuple[Reason, ...]:
    found = []
    standings = {guardrail.standing for guardrail in report.guardrails}
    if Standing.BROKEN in standings:
        found.append(Reason.GUARDRAIL_BROKEN)
    found.append(_goal(report.goal))
    if Standing.UNKNOWN in standings:
        found.append(Reason.GUARDRAIL_UNKNOWN)
    return tuple(found)


def _goal(goal: Measured) -> Reason:
    rises, falls = goal.absolute.low > 0, goal.absolute.high < 0
    if is_same(goal.absolute):
        return Reason.GOAL_SAME
    if not rises and not falls:
        return Reason.GOAL_OPEN
    return Reason.GOAL_WORSE if rises is (goal.bad is Worse.HIGHER) else Reason.GOAL_BETTER


def is_same(found: Estimate) -> bool:
    """Whether the interval is 0 and nothing else: no unit differed from another."""
    return found.low == found.value == found.high == 0


def _outcome(reasons: Sequence[Reason], *, is_early: bool) -> Outcome:
    if Reason.GUARDRAIL_BROKEN in reasons or Reason.GOAL_WORSE in reasons:
        return Outcome.KEEP
    if Reason.GOAL_BETTER in reasons and Reason.GUARDRAIL_UNKNOWN not in reasons:
        return Outcome.SHIP
    return Outcome.RUNNING if is_early else Outcome.INCONCLUSIVE


def _changes(report: Report, reasons: Sequence[Reason], *, is_early: bool) -> tuple[str, ...]:
    """What would have to come for another outcome, a sentence each."""
    goal, found = report.goal, []
    if Reason.GUARDRAIL_BROKEN in reasons:
        broken = _named(report, Standing.BROKEN)
        found.append(
            f"A larger margin for {broken}, agreed before the next test, or a {report.arm} that stays inside it."
        )
    if Reason.GOAL_WORSE in reasons:
        found.append(f"Another {report.arm}: this one is worse on {goal.name}.")
    if Reason.GOAL_BETTER in reasons and Reason.GUARDRAIL_UNKNOWN not in reasons and len(reasons) == 1:
        found.append(f"A difference in {goal.name} that is no longer clear, or a guardrail that breaks.")
    if Reason.GUARDRAIL_UNKNOWN in reasons:
        unknown = [one.measured.name for one in report.guardrails if one.standing is Standing.UNKNOWN]
        limits = f"the limit{'s' if len(unknown) > 1 else ''} for {_listed(unknown)}"
        found.append(f"Knowing whether {report.arm} stays inside {limits}.")
    if Reason.GOAL_OPEN in reasons:
        found.append(
            f"Knowing whether {report.arm} is better or worse than {report.control} on {goal.name}: so far both can be."
        )
    if Reason.GOAL_SAME in reasons:
        found.append(f"Anybody with another figure of {goal.name}; if nobody is to have one, another goal.")
    is_open = Reason.GUARDRAIL_UNKNOWN in reasons or Reason.GOAL_OPEN in reasons
    if is_open and Reason.GUARDRAIL_BROKEN not in reasons and Reason.GOAL_WORSE not in reasons:
        found.append(_more(report) if is_early else _larger(report, reasons))
    return tuple(found)


def _named(report: Report, which: Standing) -> str:
    return _listed([one.measured.name for one in report.guardrails if one.standing is which])


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _more(report: Report) -> str:
    return f"{report.planned - report.seen:,} more {report.many}, up to the {report.planned:,} planned."


def _larger(report: Report, reasons: Sequence[Reason]) -> str:
    """What a test that came to its planned size undecided lacked."""
    if Reason.GOAL_OPEN in reasons:
        return "A new test, planned for a smaller difference."
    return f"More {report.many} than were planned, or larger margins agreed before a new test."


def _find_the_cause(report: Report) -> str:
    new = f"a new test of {report.arm}" if len(report.split.counts) == 2 else "a new test"
    return f"Finding why {report.many} went missing or to the wrong arm, and {new} after that."


def _mismatch(report: Report) -> str:
    counts = _listed([f"{count:,}" for count in report.split.counts])
    meant = _listed([f"{expected:,.0f}" for expected in report.split.expected])
    return (
        f"The traffic did not split as planned: {counts} came where {meant} were due (p {_p(report.split.p)}), so"
        f" nothing can be said about {report.arm if len(report.split.counts) == 2 else 'any arm'}."
    )


def _p(value: float) -> str:
    return "below 0.0001" if value < 0.0001 else f"= {value:.4f}"


def _sentence(report: Report) -> str:
    """A guardrail that is broken comes first: it decides, however good the goal is."""
    broken = [one for one in report.guardrails if one.standing is Standing.BROKEN]
    others = [one for one in report.guardrails if one.standing is not Standing.BROKEN]
    told = f"{_told_broken(report, broken)}. " if broken else ""
    return told + "; ".join([_told_goal(report), *map(_told_guardrail, others)]) + "."


def _told_broken(report: Report, broken: Sequence[Guardrail]) -> str:
    named = _listed([f"{one.measured.name} ({_size(one)})" for one in broken])
    return f"{report.arm} is beyond the limit{'s' if len(broken) > 1 else ''} for {named}"


def _told_goal(report: Report) -> str:
    goal, reason = report.goal, _goal(report.goal)
    if not math.isfinite(goal.absolute.low) or not math.isfinite(goal.absolute.high):
        return f"Too few {report.many} to say anything about {goal.name}"
    if reason is Reason.GOAL_SAME:
        return f"Everybody had the same figure of {goal.name}, with {report.arm} as with {report.control}"
    words = {
        Reason.GOAL_BETTER: f"{report.arm} {goal.better or f'is better on {goal.name}'}",
        Reason.GOAL_WORSE: f"{report.arm} {goal.worse or f'is worse on {goal.name}'}",
        Reason.GOAL_OPEN: f"No difference between {report.arm} and {report.control} is shown on {goal.name}",
    }
    value, low, high, unit = told(goal.absolute, is_share=goal.is_share, unit=goal.unit)
    size = f"{value}{unit}"
    if goal.relative is not None and math.isfinite(goal.relative.low) and math.isfinite(goal.relative.high):
        size += f" ({told_share(goal.relative)} against {report.control})"
    return f"{words[reason]}: {size}, {percent(report.level)} {report.looks} interval {low} to {high}"


def _size(guardrail: Guardrail) -> str:
    found, measured = guardrail.difference, guardrail.measured
    if guardrail.margin.is_relative:
        return told_share(found)
    value, _, _, unit = told(found, is_share=measured.is_share, unit=measured.unit)
    return value + unit


def _told_guardrail(guardrail: Guardrail) -> str:
    """One that is not broken."""
    measured, found = guardrail.measured, guardrail.difference
    if guardrail.standing is Standing.HELD:
        # an interval with 0 in it shows no change; it does not show that there is none
        is_changed = found.low > 0 or found.high < 0
        return f"{measured.name} {f'{_size(guardrail)}, inside the limit' if is_changed else _UNCHANGED}"
    said = f"{measured.name} not yet known to be inside the limit"
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return said
    if guardrail.margin.is_relative:
        (low, high), unit = _limits(found, 100), " %"
    else:
        _, low, high, unit = told(found, is_share=measured.is_share, unit=measured.unit)
    return f"{said} ({low} to {high}{unit})"


_UNCHANGED = "inside the limit, no change shown"


def told(found: Estimate, *, is_share: bool, unit: str) -> tuple[str, str, str, str]:
    """Value and limits with signs, rounded alike and the limits outwards, and the unit: points for a share."""
    scale = 100 if is_share else 1
    places = _places(found, scale)
    low, high = _limits(found, scale)
    after = " points" if is_share else f" {unit}" if unit else ""
    return _signed(found.value * scale, places), low, high, after


def told_share(relative: Estimate) -> str:
    """A relative difference in percent, with as many digits as its interval makes worth telling."""
    return f"{_signed(relative.value * 100, max(0, _places(relative, 100) - 1))} %"


def _limits(found: Estimate, scale: float) -> tuple[str, str]:
    """Both limits, rounded outwards: what is told is never narrower than what was found.

    A limit that would round to 0 without being 0 gets up to three more digits: whether 0 is inside is what is asked.
    """
    places = _places(found, scale)
    for more in range(3):
        low, high = (
            _outwards(limit * scale, places + more, down=down)
            for limit, down in ((found.low, True), (found.high, False))
        )
        if (low != 0 or found.low == 0) and (high != 0 or found.high == 0):
            break
    return _signed(low, places + more), _signed(high, places + more)


def _places(found: Estimate, scale: float) -> int:
    """Digits after the point at which the interval's half width has two digits that count."""
    half = (found.high - found.low) / 2 * scale
    if not math.isfinite(half) or half <= 0:
        # one-sided, or known exactly: by the value's own size
        half = abs(found.value) * scale
    if not math.isfinite(half) or half <= 0:
        return 1
    return min(8, max(0, 1 - math.floor(math.log10(half))))


def _outwards(value: float, places: int, *, down: bool) -> float:
    if not math.isfinite(value):
        return value
    shifted = value * 10.0**places
    # within a billionth of a whole step it is that step, whatever the binary fraction says
    whole = round(shifted)
    if abs(shifted - whole) > 1e-9 * max(1.0, abs(shifted)):
        whole = math.floor(shifted) if down else math.ceil(shifted)
    return whole / 10.0**places


def _signed(value: float, places: int) -> str:
    text = f"{abs(value):,.{places}f}"
    if float(text.replace(",", "")) == 0:
        return text
    return f"{'+' if value > 0 else '−'}{text}"


def percent(level: float) -> str:
    """A level in percent, with one digit after the point and never more than it is."""
    return f"{math.floor(level * 1_000 + 1e-9) / 10:g} %"
