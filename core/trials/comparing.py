"""Two arms by one metric: the difference with an interval that holds at every look, and what is told for one look.

Units were randomised and calls were counted, so every ratio has the delta method's standard error over units.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import overload

from core.calls.sketch import ACCURACY, GAMMA, Sketch
from core.statistics import clusters, means, proportions, quantiles, sequential
from core.statistics.means import Contrast, Joint
from core.statistics.proportions import Estimate
from core.statistics.sequential import Plan
from core.trials.metrics import ABOUT, P95, About, Metric, Source
from core.trials.rules import Unit
from core.trials.sums import ArmSums, SliceSums

ROUNDING = 1e-7
"""Sums of many equal numbers differ by about so much of themselves: what is nearer to 0 than this is 0."""
UNKNOWN = Estimate(math.nan, -math.inf, math.inf, 0)


class Latencies(Sequence[float]):
    """The values of a sketch, sorted, without being written out: each is its bucket's middle, within 1 %."""

    def __init__(self, sketch: Sketch) -> None:
        self._buckets = sorted(sketch.counts)
        self._below = list(accumulate(sketch.counts[key] for key in self._buckets))

    def __len__(self) -> int:
        return self._below[-1] if self._below else 0

    @overload
    def __getitem__(self, place: int) -> float: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[float]: ...
    def __getitem__(self, place: int | slice) -> float | Sequence[float]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        key = self._buckets[bisect_right(self._below, place % len(self))]
        return float(2 * GAMMA**key / (GAMMA + 1))


@dataclass(frozen=True, slots=True)
class Compared:
    """A metric by the difference arm − control, absolute and relative, at a level, with its always-valid p."""

    absolute: Estimate
    relative: Estimate
    p: float | None


def compare(metric: Metric, arm: ArmSums | SliceSums, control: ArmSums | SliceSums, plan: Plan) -> Compared:
    """The difference of two arms that may be looked at after every unit; 0 lies in the absolute interval exactly where
    it lies in the relative one."""
    if ABOUT[metric].source is Source.SKETCH:
        return _latency(arm, control, plan)
    one, two = arm.joints.get(metric, Joint()), control.joints.get(metric, Joint())
    own = (ratio_of(metric, one), ratio_of(metric, two))
    pooled = _pooled(own, (one, two))
    absolute = sequential.careful(means.apart, own, pooled)
    found = _without_rounding(sequential.watched(absolute, plan), max(abs(one.value) for one in own))
    of_control = sequential.watched_relative(own, pooled, plan)
    if found.low <= 0 <= found.high:
        of_control = _without_rounding(of_control, 1.0)
    if ABOUT[metric].is_share:
        found = sequential.clipped(found, -1.0, 1.0) if math.isfinite(found.low) else found
    if math.isfinite(of_control.low):
        of_control = sequential.clipped(of_control, -1.0, math.inf)  # no metric is below 0
    is_equal = found.low == found.value == found.high == 0
    return Compared(found, of_control, 1.0 if is_equal else sequential.always_valid_p(absolute, plan))


def _without_rounding(found: Estimate, size: float) -> Estimate:
    """A difference of values of this size, with nothing in it that is only how floating point adds up."""
    value, low, high = (0.0 if abs(one) < size * ROUNDING else one for one in (found.value, found.low, found.high))
    return Estimate(value, low, high, found.n)


def ratio_of(metric: Metric, units: Joint) -> Contrast:
    """The delta method's ratio; of a share with a standard error that is never 0.

    While nothing was hit the ratio's own is 0, and an interval of no width would be wrong at the first hit: it takes at
    least that of as many independent calls, with two added (`sequential.share`).
    """
    found = means.ratio(units)
    bottom = round(units.second.mean * units.n)
    if not ABOUT[metric].is_share or bottom == 0 or math.isinf(found.standard_error):
        return found
    hits = min(bottom, max(0, round(units.first.mean * units.n)))
    least = sequential.share(hits, bottom).standard_error
    return Contrast(found.value, max(found.standard_error, least), found.n, found.fewest)


def _pooled(own: tuple[Contrast, Contrast], units: tuple[Joint, Joint]) -> tuple[Contrast, Contrast]:
    """Both ratios by one variance of both arms together, for `sequential.careful`.

    A ratio's standard error is √(s² / n) / |ȳ| with s² the variance of top − ratio · bottom within the arm; s² is
    pooled with n − 1 as weights.
    """
    if any(math.isinf(one.standard_error) for one in own):
        return own
    spreads = [(one.standard_error * joint.second.mean) ** 2 * joint.n for one, joint in zip(own, units, strict=True)]
    freedom = [joint.n - 1 for joint in units]
    spread = sum(value * weight for value, weight in zip(spreads, freedom, strict=True)) / sum(freedom)
    first, second = (
        Contrast(one.value, math.sqrt(spread / joint.n) / abs(joint.second.mean), one.n, one.fewest)
        for one, joint in zip(own, units, strict=True)
    )
    return first, second


def _latency(arm: ArmSums | SliceSums, control: ArmSums | SliceSums, plan: Plan) -> Compared:
    """p95 against p95, by an interval of each (`quantiles.watched_quantile`), widened by the sketch's 1 % and by what
    calls of one unit have in common: from the start-up size in units on, wherever a unit had two calls."""
    found = []
    each = Plan(max(1, plan.n // 2), quantiles.each_of_two(plan.level))
    for one in (arm, control):
        values = Latencies(one.latencies) if isinstance(one, ArmSums) else ()
        effect = design_effect(one, arm, control)
        if not values or (one.calls > one.units and one.units < plan.start):
            return Compared(UNKNOWN, UNKNOWN, None)
        found.append(_widened(quantiles.watched_quantile(values, P95, each, effect=effect)))
    return Compared(quantiles.quantile_difference(*found), _quotient(*found), None)


def design_effect(one: ArmSums | SliceSums, *both: ArmSums | SliceSums) -> float:
    """How much less the calls of an arm tell about its slow ones than as many units would (`clusters.design_effect`):
    by its own units or by those of both arms together, whichever says less; 1 where each unit is one call."""
    if one.calls <= one.units:
        return 1.0
    sizes = one.joints.get(Metric.ERRORS, Joint()).second
    own = one.joints.get(Metric.LATENCY, Joint())
    together = sum((other.joints.get(Metric.LATENCY, Joint()) for other in both), Joint())
    return max(clusters.design_effect(seen, sizes) for seen in (own, together))


def _widened(found: Estimate) -> Estimate:
    return Estimate(found.value, found.low * (1 - ACCURACY), found.high * (1 + ACCURACY), found.n)


def _quotient(arm: Estimate, control: Estimate) -> Estimate:
    """arm / control − 1, from the lowest to the highest the two intervals allow, as `quantiles.quantile_difference`."""
    n = arm.n + control.n
    if not control.value > 0:
        return Estimate(math.nan, -math.inf, math.inf, n)
    low = arm.low / control.high - 1 if math.isfinite(arm.low) and control.high > 0 else -math.inf
    high = arm.high / control.low - 1 if math.isfinite(arm.high) and control.low > 0 else math.inf
    return Estimate(arm.value / control.value - 1, max(-1.0, low), high, n)


def of_arm(metric: Metric, arm: ArmSums, unit: Unit, level: float) -> Estimate | None:
    """One arm's value with its interval for one look: Wilson's where each unit is one call, the delta method's else,
    order statistics for the p95. None where nothing was counted."""
    about = ABOUT[metric]
    if about.source is Source.SKETCH:
        values = Latencies(arm.latencies)
        effect = design_effect(arm, arm)
        return _widened(quantiles.quantile(values, P95, level=level, effect=effect)) if values else None
    joint = arm.joints.get(metric, Joint())
    bottom = round(joint.second.mean * joint.n)
    if bottom == 0:
        return None
    if about.is_share and is_one_each(unit, about):
        return proportions.wilson(round(joint.first.mean * joint.n), bottom, level=level)
    found = means.at_one_look(ratio_of(metric, joint), level=level)
    return sequential.clipped(found, 0.0, 1.0) if about.is_share else found


def at_the_end(metric: Metric, arm: ArmSums, control: ArmSums, unit: Unit, level: float) -> Estimate | None:
    """The difference for the one planned look: Newcombe's or Welch's where each unit is one call, the delta method's
    else; None for the p95, whose interval is always-valid anyway."""
    about = ABOUT[metric]
    one, two = arm.joints.get(metric, Joint()), control.joints.get(metric, Joint())
    if about.source is Source.SKETCH or min(one.n, two.n) < 2:
        return None
    if is_one_each(unit, about):
        if about.is_share:
            hits = [round(joint.first.mean * joint.n) for joint in (one, two)]
            return proportions.newcombe(hits[0], one.n, hits[1], two.n, level=level)
        return means.at_one_look(means.difference(one.first, two.first), level=level)
    return means.at_one_look(means.apart(ratio_of(metric, one), ratio_of(metric, two)), level=level)


def is_one_each(unit: Unit, about: About) -> bool:
    """Whether each unit is one call, so that tops and bottoms are plain counts."""
    return unit is Unit.CALL and about.source is Source.UNIT
