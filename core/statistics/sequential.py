"""Intervals and p values that hold at every look, so that a live test may be watched and stopped at any time.

A 95 % confidence sequence is a row of intervals, one after each observation, all of which hold the truth together
with a chance of 95 %; an interval for one look promises that for one look alone. The sequences here are asymptotic:
they rest on the central limit theorem, as the intervals for one look do, and are good from a start-up size on, before
which they are infinite and their p value is 1. Source of all: I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy, A.
Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52 (2024),
arXiv:2103.06476.

The sequence is narrowest, against all others of its form, at the planned n; the plan must be made before the test and
never changed by what is seen. Planned n and observed n count the units of all arms compared, together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from core.statistics import laws
from core.statistics.means import Contrast, Moments, apart, one_mean
from core.statistics.proportions import Estimate

START = 50
"""Units in the smaller arm from which a sequence is trusted: what `uv run bench aa` found to keep the promise for
shares of 1 % and for a metric with a heavy tail, also where one arm has a tenth of the traffic. It is not enough
where both arms have one mean and the smaller alone a heavy tail (the last rows of that bench): with a tenth of the
traffic 14 % of tests then find a difference of means at some look, 7 % with a start of 200. Winsorise such a metric,
or start later.
"""


Pair = tuple[Contrast, Contrast]
"""An arm and the control."""


class Side(StrEnum):
    """Which limit of a one-sided sequence is finite."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fixed before the test: after how many units the sequence is to be narrowest, and its level."""

    n: int
    level: float = 0.95
    start: int = START

    def __post_init__(self) -> None:
        laws.checked(self.level)
        if self.n < 1 or self.start < 2:
            raise ValueError(f"a plan of {self.n} units that starts at {self.start} is none")

    @property
    def alpha(self) -> float:
        return 1 - self.level


def tuned(n: int, alpha: float) -> float:
    """ρ², the variance of the mixture, for which the two-sided sequence is narrowest after n units.

    ρ² = (−W₋₁(−α² / e) − 1) / n. Source: Waudby-Smith et al., appendix on optimising Robbins' normal mixture, exact
    form; a one-sided sequence takes 2α for α.
    """
    # at α ≥ 1 nothing is claimed and no tuning is best; just below it ρ² goes to 0
    return (-laws.lambert_lower(-(min(alpha, 0.99) ** 2) / math.e) - 1) / n


def both_sides(n: float, rho_squared: float, alpha: float) -> float:
    """How many standard errors the two-sided sequence reaches to each side after n units.

    √(2 (nρ² + 1) / (nρ²) · log(√(nρ² + 1) / α)): the two-sided boundary of Waudby-Smith et al. with the standard
    error σ / √n taken out, from the normal mixture of H. Robbins, "Statistical methods related to the law of the
    iterated logarithm", Ann. Math. Stat. 41 (1970).
    """
    time = n * rho_squared
    return math.sqrt(2 * (time + 1) / time * (math.log1p(time) / 2 - math.log(alpha)))


def one_side(n: int, rho_squared: float, alpha: float) -> float:
    """How many standard errors the one-sided sequence reaches after n units.

    √(2 (nρ² + 1) / (nρ²) · log(1 + √(nρ² + 1) / (2α))): Waudby-Smith et al., appendix on one-sided sequences.
    """
    time = n * rho_squared
    return math.sqrt(2 * (time + 1) / time * math.log1p(math.sqrt(time + 1) / (2 * alpha)))


def watched(found: Contrast, plan: Plan) -> Estimate:
    """The interval that may be looked at after every unit: of a mean, of a difference of two arms, or of a share.

    With two arms the sequence is that of the differences of what randomised units were given (Waudby-Smith et al. on
    randomised experiments, with the arms' own means as the regression and their observed sizes as the chances): time
    is the number of units in both arms, however they fell, and the standard error is that of the difference.
    """
    if not _started(found, plan):
        return Estimate(found.value, -math.inf, math.inf, found.n)
    half = both_sides(found.n, tuned(plan.n, plan.alpha), plan.alpha) * found.standard_error
    return Estimate(found.value, found.value - half, found.value + half, found.n)


def watched_side(found: Contrast, plan: Plan, side: Side) -> Estimate:
    """The one-sided sequence for claims such as "not worse by more than": all of α is spent on one limit."""
    if not _started(found, plan):
        return Estimate(found.value, -math.inf, math.inf, found.n)
    half = one_side(found.n, tuned(plan.n, 2 * plan.alpha), plan.alpha) * found.standard_error
    if side is Side.AT_LEAST:
        return Estimate(found.value, found.value - half, math.inf, found.n)
    return Estimate(found.value, -math.inf, found.value + half, found.n)


def watched_relative(own: Pair, pooled: Pair, plan: Plan) -> Estimate:
    """(arm − control) / control at every look: every change c that "arm − (1 + c) · control is 0" is kept for.

    E. C. Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 16 (1954), with
    the reach of `watched` for the quantile: the contrast is the same sequence's, so all c are kept together, and c = 0
    is kept exactly where `watched` keeps a difference of 0. Like there (`careful`) a c is kept by each arm's own
    variance or by the pooled one. Unknown before the start, and while the control itself may be 0 by this reach: then
    no change is excluded. (The delta method's interval is symmetric around the estimate and can exclude 0 where that
    of the difference does not.)
    """
    arm, control = own
    found = apart(arm, control)
    n = found.n
    value = found.value / abs(control.value) if control.value else math.nan
    reach = both_sides(n, tuned(plan.n, plan.alpha), plan.alpha) if _started(found, plan) else math.inf
    sets = [_times(*pair, reach) for pair in (own, pooled)]
    if any(math.isinf(high) for _, high in sets):
        return Estimate(value, -math.inf, math.inf, n)
    low, high = min(low for low, _ in sets) - 1, max(high for _, high in sets) - 1
    # of a negative control the change is told by its size: from −2 to −1 is up by a half
    return Estimate(value, low, high, n) if control.value > 0 else Estimate(value, -high, -low, n)


def _times(arm: Contrast, control: Contrast, reach: float) -> tuple[float, float]:
    """Fieller's limits of arm / control: the roots t of (arm − t · control)² = reach² (v₁ + t² v₂)."""
    if not abs(control.value) > reach * control.standard_error or math.isinf(arm.standard_error):
        return -math.inf, math.inf
    v1, v2 = arm.standard_error**2, control.standard_error**2
    clear = control.value**2 - reach**2 * v2
    root = reach * math.sqrt(v1 * clear + v2 * arm.value**2)
    middle = arm.value * control.value
    return (middle - root) / clear, (middle + root) / clear


def always_valid_p(found: Contrast, plan: Plan, *, null: float = 0.0) -> float:
    """The p value of "it is `null`" that may be read after every unit; below 1 − level exactly where `watched`
    excludes it.

    √(nρ² + 1) · exp(−nρ² z² / (2 (nρ² + 1))), at most 1, z the distance in standard errors: the inverse of the
    mixture of `both_sides`, with ρ² held at the plan's level. Its smallest value so far is always valid, too.
    """
    if not _started(found, plan):
        return 1.0
    if found.standard_error == 0:
        return 1.0 if found.value == null else 0.0
    time = found.n * tuned(plan.n, plan.alpha)
    z = (found.value - null) / found.standard_error
    return math.exp(min(0.0, math.log1p(time) / 2 - time * z * z / (2 * (time + 1))))


def always_valid_p_side(found: Contrast, plan: Plan, side: Side, *, null: float = 0.0) -> float:
    """The p value that belongs to `watched_side`: of "it is at most `null`" for AT_LEAST, "at least" for AT_MOST.

    √(nρ² + 1) / (2 (exp(nρ² z² / (2 (nρ² + 1))) − 1)), at most 1, where z points to the claim; else 1.
    """
    if not _started(found, plan):
        return 1.0
    distance = found.value - null if side is Side.AT_LEAST else null - found.value
    if distance <= 0:
        return 1.0
    if found.standard_error == 0:
        return 0.0
    time = found.n * tuned(plan.n, 2 * plan.alpha)
    z = distance / found.standard_error
    power = time * z * z / (2 * (time + 1))
    # (exp(x) − 1)⁻¹ = exp(−x) / (1 − exp(−x)), which does not overflow
    return min(1.0, math.sqrt(time + 1) / 2 * math.exp(-power) / -math.expm1(-power)) if power > 0 else 1.0


def share(hits: int, n: int) -> Contrast:
    """A share (0…1) with a standard error that is never 0: that of (hits + 1) / (n + 2).

    The value is hits / n. A plain standard error is 0 while nothing was hit, and an interval of no width would be
    wrong at the first hit; with two observations added (Laplace's) it is right in the limit, which is all the theorem
    asks.
    """
    if not 0 <= hits <= n or n == 0:
        raise ValueError(f"{hits} of {n} is no share")
    near = (hits + 1) / (n + 2)
    return Contrast(hits / n, math.sqrt(near * (1 - near) / n), n, n)


def share_difference(hits: int, n: int, hits_control: int, n_control: int) -> Contrast:
    """Share of the arm − share of the control (−1…1), with a careful standard error; see `careful`."""
    return careful(apart, _shares(hits, n, hits_control, n_control), _one_share(hits, n, hits_control, n_control))


def mean_difference(arm: Moments, control: Moments) -> Contrast:
    """Mean of the arm − mean of the control, with a careful standard error; see `careful`."""
    return careful(apart, (one_mean(arm), one_mean(control)), _one_variance(arm, control))


def careful(compare: Callable[[Contrast, Contrast], Contrast], own: Pair, pooled: Pair) -> Contrast:
    """A comparison by each arm's own variance or by one of both arms together, whichever gives the larger standard
    error.

    Where a small arm of a skewed metric has not met its rare large values yet, its mean and its variance are too
    small together, and a sequence by its own variance alone finds differences that are not there (7 to 10 % of A/A
    tests of a log-normal metric with a tenth of the traffic). The larger of the two is never too small in the limit,
    which keeps the theorem; it costs width where the larger arm varies more, and nothing where the arms are of one
    size. It cannot help where the small arm alone is skewed: winsorise such a metric (`means.winsorised`).
    """
    return max(compare(*own), compare(*pooled), key=lambda found: found.standard_error)


def clipped(found: Estimate, low: float, high: float) -> Estimate:
    """The limits within what is possible: 0…1 for a share, −1…1 for a difference of two."""
    return Estimate(found.value, max(low, found.low), min(high, found.high), found.n)


def _started(found: Contrast, plan: Plan) -> bool:
    return found.fewest >= plan.start and math.isfinite(found.standard_error)


def _shares(hits: int, n: int, hits_control: int, n_control: int) -> Pair:
    return share(hits, n), share(hits_control, n_control)


def _one_share(hits: int, n: int, hits_control: int, n_control: int) -> Pair:
    near = (hits + hits_control + 2) / (n + n_control + 4)
    spread = near * (1 - near)
    return (
        Contrast(hits / n, math.sqrt(spread / n), n, n),
        Contrast(hits_control / n_control, math.sqrt(spread / n_control), n_control, n_control),
    )


def _one_variance(arm: Moments, control: Moments) -> Pair:
    if min(arm.n, control.n) < 2:
        return one_mean(arm), one_mean(control)
    spread = (arm.squares + control.squares) / (arm.n + control.n - 2)
    return (
        Contrast(arm.mean, math.sqrt(spread / arm.n), arm.n, arm.n),
        Contrast(control.mean, math.sqrt(spread / control.n), control.n, control.n),
    )
