"""From sums to what a live test says: values per arm, differences, guardrails, the split, and one decision.

Everything here is a pure function of the sums, so the card of a running test and the report that is frozen at its end
are the same thing. Intervals of differences hold at every look; those of one arm, and the difference "at the end", are
for one look and say so. Units were randomised and calls were counted, so every ratio has the delta method's standard
error over units, and a p95 the design effect of its units. One thing is taken for granted that is nearly so: units that
come back add to sums that were seen before (the theorem speaks of units that come one after another).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.statistics import cuped, mismatch, planning, sequential, several, verdict
from core.statistics.means import Joint
from core.statistics.planning import Aim
from core.statistics.proportions import Estimate
from core.statistics.sequential import Plan
from core.statistics.verdict import Guardrail, Measured, Report
from core.trials import metrics, rules
from core.trials.comparing import ROUNDING, Compared, at_the_end, compare, is_one_each, of_arm, ratio_of
from core.trials.metrics import ABOUT, About, Measures, Metric, Source
from core.trials.rules import Arm, Unit
from core.trials.sums import ArmSums, Counted, SliceSums

NOT_KNOWN = "not known yet"
ALL_THE_SAME = "none: all had the same"


@dataclass(frozen=True, slots=True)
class Design:
    """What of a test's settings its report depends on."""

    arms: tuple[Arm, ...]
    unit: Unit
    measures: Measures
    planned: int


@dataclass(frozen=True, slots=True)
class Line:
    """A metric as it is told: per arm value and interval, the differences, its guardrail's margin and standing.

    `low` and `high` are the absolute difference's limits, None where not known; a share is 0…1.
    """

    metric: str
    name: str
    role: str
    arms: tuple[str, ...]
    absolute: str
    relative: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    margin: str = ""
    standing: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """The goal in one slice: exploratory, its p adjusted for all slices (Benjamini and Hochberg)."""

    name: str
    units: int
    absolute: str
    p: float


@dataclass(frozen=True, slots=True)
class Card:
    """All a test says at one moment, as it is shown and frozen. Shares are 0…1; sentences are for people."""

    outcome: str
    sentence: str
    reasons: tuple[str, ...]
    changes: tuple[str, ...]
    planned: int
    seen: int
    units: tuple[int, ...]
    calls: tuple[int, ...]
    fallback_shares: tuple[float, ...]
    twice_share: float
    missing: int
    is_off: bool
    split: str
    lines: tuple[Line, ...]
    pieces: tuple[Piece, ...] = ()
    before: str = ""
    finds: str = ""
    at_the_end: str = ""
    goal: dict[str, float | None] = field(default_factory=dict)
    unpriced: int = 0

    @property
    def broken(self) -> tuple[str, ...]:
        """The guardrails that are broken, by name."""
        return tuple(line.name for line in self.lines if line.standing == "broken")


def card(design: Design, sums: Counted, *, is_final: bool = False) -> Card:
    """What the sums say. `is_final`: the test is over, so the planned look and Pearson's test are told too."""
    measures = design.measures
    control, arm = sums.arms[rules.CONTROL], sums.arms[1]
    plan = Plan(design.planned, measures.level)
    guard_plan = Plan(design.planned, measures.guardrail_level)
    goal = compare(measures.goal, arm, control, plan)
    guardrails = {
        metric: (Guardrail(_measured(metric, found), margin), found)
        for metric, margin in measures.margins.items()
        for found in (compare(metric, arm, control, guard_plan),)
    }
    units = [one.units for one in sums.arms]
    weights = [one.weight for one in design.arms]
    split = (mismatch.final_split if is_final else mismatch.watched_split)(units, weights)
    told = verdict.decide(
        Report(
            _measured(measures.goal, goal), tuple(one for one, _ in guardrails.values()), split, design.planned,
            sum(units), level=measures.level, arm=design.arms[1].name, control=design.arms[0].name,
            many=design.unit.many,
        )
    )  # fmt: skip
    others = {metric: compare(metric, arm, control, plan) for metric in measures.secondary}
    adjusted = _adjusted({metric: found.p for metric, found in others.items() if found.p is not None})
    lines = [_line(measures.goal, "goal", goal, sums, design, p=goal.p)]
    lines += [_line(metric, "secondary", one, sums, design, p=adjusted.get(metric)) for metric, one in others.items()]
    for metric, (guardrail, found) in guardrails.items():
        lines.append(_line(metric, "guardrail", found, sums, design, guardrail=guardrail))
    seen = sum(units)
    return Card(
        outcome=told.outcome,
        sentence=told.sentence,
        reasons=tuple(told.reasons),
        changes=told.changes,
        planned=design.planned,
        seen=seen,
        units=tuple(units),
        calls=tuple(one.calls for one in sums.arms),
        fallback_shares=tuple(one.fallbacks / one.calls if one.calls else 0.0 for one in sums.arms),
        twice_share=sums.twice / max(1, seen - sums.twice),
        missing=sums.missing,
        unpriced=sums.unpriced if Metric.COST in measures.every else 0,
        is_off=split.is_off(),
        split=_told_split(split, design.arms, is_final=is_final),
        lines=tuple(lines),
        pieces=_pieces(measures.goal, sums.slices, plan),
        before=_told_before(measures.goal, sums, plan),
        finds=_told_finds(measures.goal, control, design),
        at_the_end=_told_end(design, arm, control) if is_final and seen >= design.planned else "",
        goal={name: _known(getattr(goal.absolute, name)) for name in ("value", "low", "high")},
    )  # fmt: skip


def card_in(told: Mapping[str, Any]) -> Card:
    """A frozen card from its JSON (`dataclasses.asdict`)."""
    read: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    read["lines"] = tuple(Line(**(line | {"arms": tuple(line["arms"])})) for line in told["lines"])
    read["pieces"] = tuple(Piece(**piece) for piece in told["pieces"])
    return Card(**read)


def _measured(metric: Metric, found: Compared) -> Measured:
    about = ABOUT[metric]
    return Measured(
        about.name, found.absolute, about.worse, found.relative, about.is_share, about.unit, about.better,
        about.worse_words,
    )  # fmt: skip


def _adjusted(p_values: Mapping[Metric, float]) -> dict[Metric, float]:
    """Holm's, over the metrics told beside the goal."""
    return dict(zip(p_values, several.holm(list(p_values.values())), strict=True))


def _line(
    metric: Metric,
    role: str,
    found: Compared,
    sums: Counted,
    design: Design,
    *,
    p: float | None = None,
    guardrail: Guardrail | None = None,
) -> Line:
    about = ABOUT[metric]
    level = design.measures.level
    return Line(
        metric=metric,
        name=about.name,
        role=role,
        arms=tuple(_told_arm(metric, of_arm(metric, arm, design.unit, level)) for arm in sums.arms),
        absolute=told_difference(about, found.absolute),
        relative=told_relative(found.relative),
        value=_known(found.absolute.value),
        low=_known(found.absolute.low),
        high=_known(found.absolute.high),
        p=p,
        margin=metrics.margin_told(metric, guardrail.margin) if guardrail else "",
        standing=guardrail.standing if guardrail else "",
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


def _told_split(split: mismatch.Split, arms: Sequence[Arm], *, is_final: bool) -> str:
    counts = ", ".join(
        f"{arm.name} {count:,} where {f'{meant:,.1f}'.removesuffix('.0')} were due"
        for arm, count, meant in zip(arms, split.counts, split.expected, strict=True)
    )
    p = "below 0.0001" if split.p < 0.0001 else f"{split.p:.4f}"
    test = "chi-square" if is_final else "sequential multinomial test"
    return f"{counts}; {test} p {p}"


def _pieces(goal: Metric, slices: Mapping[str, tuple[SliceSums, ...]], plan: Plan) -> tuple[Piece, ...]:
    """The goal per slice, where its interval has begun; not for what slices are not counted by."""
    if ABOUT[goal].source is not Source.UNIT:
        return ()
    found = []
    for name, arms in slices.items():
        compared = compare(goal, arms[1], arms[rules.CONTROL], plan)
        if compared.p is not None and math.isfinite(compared.absolute.low):
            found.append((name, sum(arm.units for arm in arms), compared))
    adjusted = several.benjamini_hochberg([one.p or 0.0 for _, _, one in found])
    return tuple(
        Piece(name, units, told_difference(ABOUT[goal], one.absolute), p)
        for (name, units, one), p in zip(found, adjusted, strict=True)
    )


def _told_before(goal: Metric, sums: Counted, plan: Plan) -> str:
    """CUPED in a line: the goal's sum per user, adjusted by the two weeks before."""
    if len(sums.before) < 2:
        return ""
    found = cuped.adjust(sums.before[1], sums.before[rules.CONTROL])
    interval = sequential.watched(found.difference, plan)
    known = sum(arm.known.n for arm in sums.before)
    if not math.isfinite(interval.low):
        return f"{known:,} users were here in the 14 days before: too few yet to adjust by what they did."
    unit = {Metric.ERRORS: "errors", Metric.COST: "USD", Metric.TOKENS_OUT: "tokens"}[goal]
    value, low, high, after = verdict.told(interval, is_share=False, unit=f"{unit} per user")
    return (
        f"Adjusted by what users did in the 14 days before (CUPED, {known:,} of them known from then), B − A is "
        f"{value}{after} ({low} to {high}); that explains {found.reduction * 100:.0f} % of the variance."
    )


def _told_finds(goal: Metric, control: ArmSums, design: Design) -> str:
    """What the planned size can find, from the control's own spread so far."""
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
    seen = min(1.0, joint.n / control.units) if control.units else 1.0  # of feedback and verdicts: who gave any
    found = detectable(
        variance, design.planned, design.measures.level, control_per_arm=weights[0] / weights[1], seen=seen
    )
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


def _told_end(design: Design, arm: ArmSums, control: ArmSums) -> str:
    goal = design.measures.goal
    found = at_the_end(goal, arm, control, design.unit, design.measures.level)
    if found is None or verdict.is_same(compare(goal, arm, control, Plan(design.planned)).absolute):
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
