"""From sums to what a live test says: each arm against the control, the split, and one decision.

Everything here is a pure function of the sums, so the card of a running test and the report that is frozen at its end
are the same thing. Intervals of differences hold at every look; those of one arm, and the difference "at the end", are
for one look and say so. Units were randomised and calls were counted, so every ratio has the delta method's standard
error over units, and a p95 the design effect of its units. One thing is taken for granted that is nearly so: units that
come back add to sums that were seen before (the theorem speaks of units that come one after another).

With k arms beside the control each is judged at level 1 − α / k, whether it is still open or not, so that what is said
of all of them holds together with the test's level (`statistics.arms`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from core.statistics import arms, mismatch, several
from core.statistics.arms import Judged
from core.statistics.sequential import Plan
from core.statistics.verdict import Decision, Measured, Outcome, Reason
from core.trials import rules
from core.trials.against import Against, Design, against, judged, lines, said, told_difference
from core.trials.cards import Card, Line, Piece, Said, line_in, said_in
from core.trials.comparing import UNKNOWN, compare
from core.trials.metrics import ABOUT, Metric, Source
from core.trials.rules import Arm
from core.trials.sums import Counted, SliceSums


def card(design: Design, sums: Counted, *, is_final: bool = False) -> Card:
    """What the sums say. `is_final`: the test is over, so the planned look and Pearson's test are told too."""
    measures = design.measures
    units = [one.units for one in sums.arms]
    split = (mismatch.final_split if is_final else mismatch.watched_split)(
        [units[one] for one in design.counted], [design.arms[one].weight for one in design.counted]
    )
    found = {number: against(design, sums, number, split) for number in design.open}
    shut = {number: said_in(kept["said"]) for number, kept in design.closed.items()}
    leader, decision = arms.together(
        [judged(design, found[one]) if one in found else _out(design, shut[one]) for one in design.others]
    )
    seen = sum(units)
    return Card(
        outcome=decision.outcome,
        sentence=decision.sentence,
        reasons=tuple(decision.reasons),
        changes=decision.changes,
        planned=design.planned,
        seen=seen,
        units=tuple(units),
        calls=tuple(one.calls for one in sums.arms),
        fallback_shares=tuple(one.fallbacks / one.calls if one.calls else 0.0 for one in sums.arms),
        twice_share=sums.twice / max(1, seen - sums.twice),
        missing=sums.missing,
        unpriced=sums.unpriced if Metric.COST in measures.every else 0,
        is_off=split.is_off(),
        split=_told_split(split, [design.arms[one] for one in design.counted], is_final=is_final),
        lines=_lines(design, sums, found),
        said=tuple(
            said(design, sums, found[one], is_final=is_final) if one in found else shut[one] for one in design.others
        ),
        leader=leader.number,
        level=design.level,
        pieces=_pieces(design, sums.slices),
        between=_between(design, sums, found, leader.number) if decision.outcome is Outcome.SHIP else (),
    )


def _out(design: Design, shut: Said) -> Judged:
    """An arm that is closed, as it was then."""
    about = ABOUT[design.measures.goal]
    goal = Measured(about.name, UNKNOWN, about.worse)
    decision = Decision(Outcome(shut.outcome), tuple(Reason(one) for one in shut.reasons), shut.changes, shut.sentence)
    return Judged(shut.number, shut.name, goal, decision, is_closed=True)


def _lines(design: Design, sums: Counted, found: Mapping[int, Against]) -> tuple[Line, ...]:
    """Every metric of every arm, metric by metric; those of a closed arm as they were kept."""
    known = {
        (number, metric): one.p
        for number, arm in found.items()
        for metric, one in arm.secondary.items()
        if one.p is not None
    }
    adjusted = dict(zip(known, several.holm(list(known.values())), strict=True))
    of_arms = [
        lines(design, sums, found[number], adjusted)
        if number in found
        else [line_in(line) for line in design.closed[number]["lines"]]
        for number in design.others
    ]
    return tuple(line for one_metric in zip(*of_arms, strict=True) for line in one_metric)


def _told_split(split: mismatch.Split, of: Sequence[Arm], *, is_final: bool) -> str:
    counts = ", ".join(
        f"{arm.name} {count:,} where {f'{meant:,.1f}'.removesuffix('.0')} were due"
        for arm, count, meant in zip(of, split.counts, split.expected, strict=True)
    )
    p = "below 0.0001" if split.p < 0.0001 else f"{split.p:.4f}"
    test = "chi-square" if is_final else "sequential multinomial test"
    return f"{counts}; {test} p {p}"


def _pieces(design: Design, slices: Mapping[str, tuple[SliceSums, ...]]) -> tuple[Piece, ...]:
    """The goal per slice, where its interval has begun; not for what slices are not counted by."""
    goal = design.measures.goal
    if ABOUT[goal].source is not Source.UNIT:
        return ()
    found = []
    for name, of_slice in slices.items():
        for number in design.open:
            pair = of_slice[number], of_slice[rules.CONTROL]
            compared = compare(goal, *pair, design.plan(number))
            if compared.p is not None and math.isfinite(compared.absolute.low):
                found.append((name, sum(arm.units for arm in pair), compared, number))
    adjusted = several.benjamini_hochberg([one.p or 0.0 for _, _, one, _ in found])
    return tuple(
        Piece(name, units, told_difference(ABOUT[goal], one.absolute), p, number)
        for (name, units, one, number), p in zip(found, adjusted, strict=True)
    )


def _between(design: Design, sums: Counted, found: Mapping[int, Against], leader: int) -> tuple[str, ...]:
    """How the arm that leads stands to others that are better than the control too, a sentence each."""
    goal, told = design.measures.goal, []
    for number, one in found.items():
        if number == leader or one.decision.outcome is not Outcome.SHIP:
            continue
        plan = Plan(design.planned_for(leader, number), design.level)
        compared = compare(goal, sums.arms[leader], sums.arms[number], plan)
        first, second = design.arms[leader].name, design.arms[number].name
        is_clear = compared.absolute.low > 0 or compared.absolute.high < 0
        told.append(
            f"Of the two, {first} {'is ahead' if is_clear else 'is not shown to be ahead'} of {second}: "
            f"{told_difference(ABOUT[goal], compared.absolute)} in {ABOUT[goal].name}."
        )
    return tuple(told)
