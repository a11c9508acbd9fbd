"""What a run came to, scorer by scorer and variant by variant, and whether it may pass.

An example is what counts as independent: its repetitions are put together before anything is said of all of them. A
limit that is met only by what was left over after cells had failed is not met, unless the limits themselves say how
many may be without a score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from math import inf

from core.evals import thresholds
from core.evals.cases import State
from core.evals.comparing import ALONE, Clusters, Row, clustered, interval
from core.evals.thresholds import Limit, Measured, OnRegression, OnScoredShare, Outcome
from core.statistics import paired
from core.statistics.passes import Passes, newcombe_paired
from core.statistics.proportions import Estimate, newcombe, wilson


class Exit(IntEnum):
    """What a program is told."""

    PASSED = 0
    BROKEN = 1
    MISUSED = 2
    UNKNOWN = 3
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Figures:
    """One scorer over one variant; `unit` is empty for shares (0 to 1). `before` is the baseline, of the examples both
    have."""

    variant: str
    scorer: str
    unit: str
    measured: Measured
    failed: int
    invalid: int
    not_applicable: int
    before: Measured | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A limit, the variant it was looked at for, and what came of it."""

    variant: str
    outcome: Outcome


def figures(
    scorer: str,
    unit: str,
    rows: Sequence[Row],
    variant: str,
    before: Sequence[Row] | None = None,
    *,
    together: Clusters = ALONE,
) -> Figures:
    """A scorer's rows, of which those of this variant count; `before` are all of the baseline's. Errors of examples
    that belong `together` are clustered."""
    mine = [row for row in rows if row[1] == variant]
    made = measured(mine, unit, together)
    earlier = None
    if before is not None:
        shared = {row[0] for row in mine} & {row[0] for row in before}
        theirs = [row for row in before if row[0] in shared]
        earlier = measured(theirs, unit, together) if theirs else None
        ours = [row for row in mine if row[0] in shared]
        made = replace(
            made,
            difference=_difference(theirs, ours, together),
            share_difference=_share_difference(theirs, ours, together),
        )
    states = [row[5] for row in mine]
    return Figures(
        variant,
        scorer,
        unit,
        made,
        states.count(State.FAILED),
        states.count(State.INVALID),
        states.count(State.NOT_APPLICABLE),
        earlier,
    )


def measured(rows: Sequence[Row], unit: str, together: Clusters = ALONE) -> Measured:
    """The counts of one variant's rows, the mean with its interval, and the share that passed."""
    told = [row for row in rows if row[5] != State.NOT_APPLICABLE]
    valued = [row for row in told if row[3] is not None]
    judged = [row for row in valued if row[4] is not None]
    shares = _by_example(judged, passes=True)
    return Measured(
        cells=len(told),
        scored=len(valued),
        judged=len(judged),
        passed=sum(bool(row[4]) for row in judged),
        mean=_mean(_by_example(valued), unit, together),
        share=(_grouped(shares, together) or wilson(sum(shares.values()), len(shares))) if shares else None,
    )


def judge(
    limits: Sequence[Limit],
    found: Sequence[Figures],
    variants: Sequence[str],
    *,
    baseline: str = "",
    compared: Iterable[str] = (),
) -> tuple[Judged, ...]:
    """Each limit on each variant it is on. `baseline` is the variant the others are compared with: limits are on it
    only where they name it. `compared` are scorers that judge a variant against the first one, of which they say
    nothing."""
    here = {(one.variant, one.scorer): one for one in found}
    pairwise = set(compared)
    made = []
    for limit in limits:
        for variant in [limit.variant] if limit.variant else [one for one in variants if one != baseline]:
            if limit.scorer in pairwise and variant == variants[0] and not limit.variant:
                continue
            one = here.get((variant, limit.scorer))
            run = {} if one is None else {limit.scorer: one.measured}
            before = {limit.scorer: one.before} if one is not None and one.before is not None else {}
            (outcome,) = thresholds.check([limit], run, before)
            made.append(Judged(variant, _whole(outcome, one, limits, variant)))
    return tuple(made)


def code(judged: Sequence[Judged], *, is_whole: bool, was_measured: bool) -> Exit:
    """What a program is told: a run that is not over, or measured nothing, has not passed."""
    if not is_whole or not was_measured:
        return Exit.UNKNOWN
    if any(one.outcome.is_judged and not one.outcome.met for one in judged):
        return Exit.BROKEN
    return Exit.PASSED if all(one.outcome.met for one in judged) else Exit.UNKNOWN


def needs_a_baseline(limits: Sequence[Limit]) -> bool:
    """Whether anything is compared with an earlier run or another variant."""
    return any(isinstance(one, OnRegression) for one in limits)


def _whole(outcome: Outcome, found: Figures | None, limits: Sequence[Limit], variant: str) -> Outcome:
    limit = outcome.limit
    lost = 0 if found is None else found.failed + found.invalid
    if not outcome.met or not lost or isinstance(limit, OnScoredShare):
        return outcome
    if any(
        isinstance(one, OnScoredShare) and one.scorer == limit.scorer and one.variant in ("", variant) for one in limits
    ):
        return outcome
    reason = f"“{limit.scorer}” cannot be judged: {lost} of {found.measured.cells if found else 0} cells have no score."
    return Outcome(limit, False, reason, is_judged=False)


def _by_example(rows: Iterable[Row], *, passes: bool = False) -> dict[int, float]:
    """The mean of each example's repetitions: of the values, or of how many passed."""
    found: dict[int, list[float]] = {}
    for key, _, _, value, passed, _ in rows:
        one = float(bool(passed)) if passes else value
        if one is not None:
            found.setdefault(key, []).append(one)
    return {key: sum(some) / len(some) for key, some in found.items()}


def _grouped(shares: Mapping[int, float], together: Clusters) -> Estimate | None:
    """The share with clustered errors, where examples belong together and clusters vary."""
    found = clustered(shares, together)
    if found is None or found.low is None or found.high is None:
        return None
    return Estimate(found.value, max(0.0, found.low), min(1.0, found.high), found.n)


def _mean(each: Mapping[int, float], unit: str, together: Clusters) -> Estimate | None:
    if not each:
        return None
    value, low, high = interval(each, is_amount=bool(unit), together=together)
    return Estimate(value, -inf if low is None else low, inf if high is None else high, len(each))


def _difference(before: Sequence[Row], now: Sequence[Row], together: Clusters) -> Estimate | None:
    found = _paired(_by_example(before), _by_example(now), together)
    if found is None:
        return None
    low, high = (-inf, inf) if found.low is None or found.high is None else (found.low, found.high)
    return Estimate(found.value, low, high, found.n)


def _share_difference(before: Sequence[Row], now: Sequence[Row], together: Clusters) -> Estimate | None:
    """Of examples both have a verdict on: Newcombe's interval for paired shares where each was asked once and stands
    for itself, else that of the paired differences; where those do not vary, of shares that are not paired."""
    one, two = (
        _by_example((row for row in rows if row[4] is not None and row[3] is not None), passes=True)
        for rows in (before, now)
    )
    keys = sorted(one.keys() & two.keys())
    if not keys:
        return None
    is_alone = len({together.get(key, key) for key in keys}) == len(keys)
    if is_alone and all(share in (0.0, 1.0) for key in keys for share in (one[key], two[key])):
        cells = [(one[key] == 1, two[key] == 1) for key in keys]
        table = Passes(*(cells.count(cell) for cell in ((True, True), (True, False), (False, True), (False, False))))
        return newcombe_paired(table)
    found = _paired(one, two, together)
    if found is not None and found.low is not None and found.high is not None:
        return Estimate(found.value, found.low, found.high, found.n)
    counts = [round(sum(some[key] for key in keys)) for some in (two, one)]
    return newcombe(counts[0], len(keys), counts[1], len(keys))


def _paired(one: Mapping[int, float], two: Mapping[int, float], together: Clusters) -> paired.Difference | None:
    keys = sorted(one.keys() & two.keys())
    clusters = [together.get(key, key) for key in keys]
    made = paired.pair([one[key] for key in keys], [two[key] for key in keys], clusters)
    return paired.difference(made) if keys else None
