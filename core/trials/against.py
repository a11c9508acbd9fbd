"""One arm against the control by every metric of a test: what is found, the decision about it, and how it is told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.statistics import cuped, planning, sequential, verdict
from core.statistics.arms import Judged, each_level
from core.statistics.means import Joint
from core.statistics.mismatch import Split
from core.statistics.planning import Aim
from core.statistics.proportions import Estimate
from core.statistics.sequential import Plan
from core.statistics.verdict import Decision, Guardrail, Measured, Report
from core.trials import metrics, rules
from core.trials.cards import Line, Said
from core.trials.comparing import ROUNDING, Compared, at_the_end, compare, is_one_each, of_arm, ratio_of
from core.trials.metrics import ABOUT, About, Measures, Metric, Source
from core.trials.rules import Arm, Unit
from core.trials.sums import ArmSums, Counted

NOT_KNOWN = "not known yet"
ALL_THE_SAME = "none: all had the same"


@dataclass(frozen=True, slots=True)
class Design:
    """What of a test's settings its report depends on; `closed` is what was kept of arms that are out of it."""

    arms: tuple[Arm, ...]
    unit: Unit
    measures: Measures
    planned: int
    closed: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def others(self) -> range:
        """The numbers of the arms that are compared with the control."""
        return range(1, len(self.arms))

    @property
    def open(self) -> tuple[int, ...]:
        """Those that are not closed."""
        return tuple(number for number in self.others if number not in self.closed)

    @property
    def counted(self) -> tuple[int, ...]:
        """The control and the open arms: those that units still come to."""
        return (rules.CONTROL, *self.open)

    @property
    def level(self) -> float:
        """The level of one arm's intervals, so that those of all arms hold together with the test's."""
        return each_level(self.measures.level, len(self.others))

    def planned_for(self, *numbers: int) -> int:
        """How many of the planned units fall on these arms."""
        weights = [arm.weight for arm in self.arms]
        return max(1, round(self.planned * sum(weights[one] for one in numbers) / sum(weights)))

    @property
    def told_units(self) -> str:
        """What the units that still come are called: of which arms, where some are closed."""
        if not self.closed:
            return self.unit.many
        names = [self.arms[one].name for one in self.counted]
        return f"{self.unit.many} of {', '.join(names[:-1])} and {names[-1]}"

    def plan(self, number: int, *, guardrail: bool = False) -> Plan:
        """The plan of an arm's sequences."""
        level = self.measures.guardrail_level if guardrail else self.measures.level
        return Plan(self.planned_for(rules.CONTROL, number), each_level(level, len(self.others)))


@dataclass(frozen=True, slots=True)
class Against:
    """An arm beside the control: its goal, what is told beside it, its guardrails, and the decision about it."""

    number: int
    goal: Compared
    secondary: Mapping[Metric, Compared]
    guardrails: Mapping[Metric, tuple[Guardrail, Compared]]
    decision: Decision


def against(design: Design, sums: Counted, number: int, split: Split) -> Against:
    """One arm, by every metric."""
    measures, arm, control = design.measures, sums.arms[number], sums.arms[rules.CONTROL]
    plan, guard_plan = design.plan(number), design.plan(number, guardrail=True)
    goal = compare(measures.goal, arm, control, plan)
    guardrails = {
        metric: (Guardrail(measured(metric, found), margin), found)
        for metric, margin in measures.margins.items()
        for found in (compare(metric, arm, control, guard_plan),)
    }
    decision = verdict.decide(
        Report(
            measured(measures.goal, goal), tuple(one for one, _ in guardrails.values()), split,
            design.planned_for(*design.counted), sum(sums.arms[one].units for one in design.counted),
            level=design.level, arm=design.arms[number].name, control=design.arms[rules.CONTROL].name,
            many=design.told_units,
        )
    )  # fmt: skip
    others = {metric: compare(metric, arm, control, plan) for metric in measures.secondary}
    return Against(number, goal, others, guardrails, decision)


def judged(design: Design, found: Against) -> Judged:
    """The arm as `statistics.arms.together` takes it."""
    name = design.arms[found.number].name
    return Judged(found.number, name, measured(design.measures.goal, found.goal), found.decision)


def measured(metric: Metric, found: Compared) -> Measured:
    """A metric's difference, with its words."""
    about = ABOUT[metric]
    return Measured(
        about.name, found.absolute, about.worse, found.relative, about.is_share, about.unit, about.better,
        about.worse_words,
    )  # fmt: skip


def lines(design: Design, sums: Counted, found: Against, adjusted: Mapping[tuple[int, Metric], float]) -> list[Line]:
    """The arm's lines: the goal, what is told beside it with its p `adjusted`, and the guardrails."""
    goal = design.measures.goal
    told = [_line(goal, "goal", found.goal, found.number, sums, design, p=found.goal.p)]
    for metric, one in found.secondary.items():
        p = adjusted.get((found.number, metric))
        told.append(_line(metric, "secondary", one, found.number, sums, design, p=p))
    for metric, (guardrail, one) in found.guardrails.items():
        told.append(_line(metric, "guardrail", one, found.number, sums, design, guardrail=guardrail))
    return told


def said(design: Design, sums: Counted, found: Against, *, is_final: bool) -> Said:
    """What is said of the arm."""
    decision = found.decision
    is_planned = sum(sums.arms[one].units for one in design.counted) >= design.planned_for(*design.counted)
    return Said(
        number=found.number,
        name=design.arms[found.number].name,
        outcome=decision.outcome,
        sentence=decision.sentence,
        reasons=tuple(decision.reasons),
        changes=decision.changes,
        goal={name: _known(getattr(found.goal.absolute, name)) for name in ("value", "low", "high")},
        before=_told_before(design, sums, found.number),
        finds=_told_finds(design, sums.arms[rules.CONTROL], found.number),
        at_the_end=_told_end(design, sums, found) if is_final and is_planned else "",
    )


def _line(
    metric: Metric,
    role: str,
    found: Compared,
    number: int,
    sums: Counted,
    design: Design,
    *,
    p: float | None = None,
    guardrail: Guardrail | None = None,
) -> Line:
    about, pair = ABOUT[metric], (sums.arms[rules.CONTROL], sums.arms[number])
    return Line(
        metric=metric,
        name=about.name,
        role=role,
        arms=tuple(_told_arm(metric, of_arm(metric, arm, design.unit, design.measures.level)) for arm in pair),
        absolute=told_difference(about, found.absolute),
        relative=told_relative(found.relative),
        value=_known(found.absolute.value),
        low=_known(found.absolute.low),
        high=_known(found.absolute.high),
        p=p,
        margin=metrics.margin_told(metric, guardrail.margin) if guardrail else "",
        standing=guardrail.standing if guardrail else "",
        arm=number,
    )


def _told_arm(metric: Metric, found: Estimate | None) -> str:
    if found is None:
        return "–"
    value = metrics.shown(metric, found.value)
    unit, of = (" ms", " calls") if ABOUT[metric].source is Source.SKETCH else ("", "")
    return (
        f"{value}{unit} ({metrics.shown(metric, found.low)} to {metrics.shown(metric, found.high)}), n {found.n:,}{of}"
    )


def told_difference(about: About, found: Estimate) -> str:
    """A difference with its interval; only the words where it has none yet."""
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return NOT_KNOWN
    if verdict.is_same(found):
        return ALL_THE_SAME
    value, low, high, unit = verdict.told(found, is_share=about.is_share, unit=about.unit)
    return f"{value}{unit} ({low} to {high})"


def told_relative(found: Estimate) -> str:
    """A relative difference with its interval, in percent of the control."""
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return NOT_KNOWN
    if verdict.is_same(found):
        return ALL_THE_SAME
    percent = Estimate(found.value * 100, found.low * 100, found.high * 100, found.n)
    value, low, high, _ = verdict.told(percent, is_share=False, unit="")
    return f"{value} % ({low} to {high})"


def _told_before(design: Design, sums: Counted, number: int) -> str:
    """CUPED in a line: the goal's sum per user, adjusted by the two weeks before."""
    if len(sums.before) <= number:
        return ""
    pair = (sums.before[number], sums.before[rules.CONTROL])
    found = cuped.adjust(*pair)
    interval = sequential.watched(found.difference, design.plan(number))
    known = sum(arm.known.n for arm in pair)
    if not math.isfinite(interval.low):
        return f"{known:,} users were here in the 14 days before: too few yet to adjust by what they did."
    unit = {Metric.ERRORS: "errors", Metric.COST: "USD", Metric.TOKENS_OUT: "tokens"}[design.measures.goal]
    value, low, high, after = verdict.told(interval, is_share=False, unit=f"{unit} per user")
    return (
        f"Adjusted by what users did in the 14 days before (CUPED, {known:,} of them known from then), "
        f"{design.arms[number].name} − {design.arms[rules.CONTROL].name} is {value}{after} ({low} to {high}); that "
        f"explains {found.reduction * 100:.0f} % of the variance."
    )


def _told_finds(design: Design, control: ArmSums, number: int) -> str:
    """What the planned size can find, from the control's own spread so far."""
    goal = design.measures.goal
    about, joint = ABOUT[goal], control.joints.get(goal, Joint())
    ratio = ratio_of(goal, joint) if about.source is not Source.SKETCH else None
    if ratio is None or joint.n < sequential.START:
        return ""
    if not abs(ratio.value) * ROUNDING < ratio.standard_error < math.inf:
        return ""
    weights = [arm.weight for arm in design.arms]
    if min(weights) == 0:
        return ""
    variance = ratio.standard_error**2 * joint.n  # of one unit, as the ratio sees it
    pair = design.planned_for(rules.CONTROL, number)
    seen = min(1.0, joint.n / control.units) if control.units else 1.0  # of feedback and verdicts: who gave any
    ratio_of_units = weights[rules.CONTROL] / weights[number]
    found = detectable(variance, pair, design.level, control_per_arm=ratio_of_units, seen=seen)
    scaled, digits, unit = (found * 100, 2, "points") if about.is_share else (found, 3, about.unit)
    places = max(0, digits - 1 - math.floor(math.log10(scaled)))
    return (
        f"With {design.planned:,} {design.unit.many} a difference of about {scaled:,.{places}f} {unit} is found four "
        f"times in five. Formula: {planning.WATCHED}."
    )


def detectable(
    variance: float, planned: int, level: float, *, control_per_arm: float = 1.0, seen: float = 1.0
) -> float:
    """The smallest difference that the always-valid interval finds with power 0.8 at the planned units of both arms:
    `planning.size_when_watched` (`seen`: of whom the metric is known at all) solved for the difference, which its size
    falls with the square of."""
    aim = Aim(level=level, control_per_arm=control_per_arm)
    one = planning.size_when_watched(variance, math.sqrt(variance) / 1_000, aim, with_power=True, seen=seen)
    return math.sqrt(variance) / 1_000 * math.sqrt(one.total / planned)


def _told_end(design: Design, sums: Counted, against: Against) -> str:
    goal, arm, control = design.measures.goal, sums.arms[against.number], sums.arms[rules.CONTROL]
    found = at_the_end(goal, arm, control, design.unit, design.level)
    if found is None or verdict.is_same(against.goal.absolute):
        return ""
    by = "delta method"
    if is_one_each(design.unit, ABOUT[goal]):
        by = "Newcombe" if ABOUT[goal].is_share else "Welch"
    return (
        f"Looked at only once, after the planned size, the difference in {ABOUT[goal].name} would be "
        f"{told_difference(ABOUT[goal], found)} ({by}). That interval is narrower because it is right for one look "
        "alone; this test could be looked at any time, so the one above decides."
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
