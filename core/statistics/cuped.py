"""A sharper comparison of two arms by what their units did before the test (CUPED).

What a unit did before cannot depend on its arm, so the part of the metric it explains is noise for the comparison and
is taken out. Units without a before (new people) stay in: they are put at the average before, which adjusts them by
nothing, so the comparison is of the same units with and without the adjustment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from core.statistics.means import Contrast, Joint, Moments
from core.statistics.sequential import mean_difference


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm's units: `known` with metric (first) and pre-period (second), `new` with the metric alone. Can be
    merged.
    """

    known: Joint = field(default_factory=Joint)
    new: Moments = field(default_factory=Moments)

    def __add__(self, other: Arm) -> Arm:
        return Arm(self.known + other.known, self.new + other.new)

    @property
    def metric(self) -> Moments:
        """The metric of all units, not adjusted."""
        return self.known.first + self.new


@dataclass(frozen=True, slots=True)
class Adjusted:
    """θ, both arms after the adjustment, their difference, and how much of its variance the adjustment took (a share;
    0 where nothing is known from before).
    """

    theta: float
    arm: Moments
    control: Moments
    difference: Contrast
    reduction: float


def adjust(arm: Arm, control: Arm) -> Adjusted:
    """Both arms adjusted with one θ = cov(metric, before) / var(before), taken within the arms and pooled.

    A unit's metric y becomes y − θ (x − x̄), x̄ the average before over both arms, and x = x̄ where there is none.
    Source: A. Deng, Y. Xu, R. Kohavi, T. Walker, "Improving the sensitivity of online controlled experiments by
    utilizing pre-experiment data", WSDM 2013 (control variates). The standard error is the careful one of
    `sequential.mean_difference`.
    """
    before = (arm.known.second + control.known.second).mean
    one, two = _centred(arm, before), _centred(control, before)
    squares = one.second.squares + two.second.squares
    theta = (one.products + two.products) / squares if squares > 0 else 0.0
    adjusted_arm, adjusted_control = _without(one, theta), _without(two, theta)
    difference = mean_difference(adjusted_arm, adjusted_control)
    plain = mean_difference(arm.metric, control.metric)
    reduction = 0.0
    if math.isfinite(plain.standard_error) and plain.standard_error > 0:
        reduction = 1 - (difference.standard_error / plain.standard_error) ** 2
    return Adjusted(theta, adjusted_arm, adjusted_control, difference, reduction)


def _centred(arm: Arm, before: float) -> Joint:
    """Metric and pre-period less its average, the new units with 0."""
    known = Joint(
        arm.known.first,
        Moments(arm.known.n, arm.known.second.mean - before, arm.known.second.squares),
        arm.known.products,
    )
    return known + Joint(arm.new, Moments(arm.new.n))


def _without(units: Joint, theta: float) -> Moments:
    """The moments of first − θ · second."""
    squares = units.first.squares - 2 * theta * units.products + theta * theta * units.second.squares
    return Moments(units.n, units.first.mean - theta * units.second.mean, max(0.0, squares))
