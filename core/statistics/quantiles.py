"""Quantiles such as a p95 latency, with intervals between two of the observed values: no law is assumed.

How many of n values lie below a quantile is binomial whatever the values' law is, so limits on that count are limits
on which of the sorted values the quantile lies between. Too few values leave a limit infinite.

Values that come in clusters (calls of one user) tell less: with a design effect d (`clusters.design_effect`) the limits
are those of n / d values, on the share below and from there on the ranks (R. S. Woodruff, "Confidence intervals for
medians and other position measures", JASA 47 (1952)). Limits then hold in the limit of many clusters, not exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from core.statistics import laws
from core.statistics.proportions import Estimate
from core.statistics.sequential import Plan, tuned


def quantile(values: Sequence[float], share: float, *, level: float = 0.95, effect: float = 1.0) -> Estimate:
    """The value below which `share` (0…1) of the law lies, with the interval of order statistics, for one look.

    `values` are sorted. From x₍ₗ₎ to x₍ᵤ₎ with the largest l and the smallest u for which P(B < l) ≤ α/2 and P(B ≥ u)
    ≤ α/2, B binomial(n, share). Source: H. A. David, H. N. Nagaraja, "Order Statistics", 3rd ed. (2003), §7.1.
    """
    n = _known(values, share, effect)
    alpha = 1 - laws.checked(level)
    below = _first(n + 1, lambda count: laws.binomial_share(count, n, share) > alpha / 2)
    above = _first(n + 1, lambda count: laws.binomial_share(count - 1, n, share) >= 1 - alpha / 2)
    return _between(values, share, below, above, n)


def watched_quantile(values: Sequence[float], share: float, plan: Plan, *, effect: float = 1.0) -> Estimate:
    """The same where it may be looked at after every value; exact from the first on, without a start-up size.

    Counts k of values below the quantile are kept while B(a + k, b + n − k) / B(a, b) < shareᵏ (1 − share)ⁿ⁻ᵏ / α: a
    mixture of binomials over a beta law with a = c · share, b = c · (1 − share), which exceeds 1 / α at any look with
    a chance of at most α (J. Ville, "Étude critique de la notion de collectif", 1939; the mixture as in S. R. Howard,
    A. Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification",
    Bernoulli 28 (2022)). The weight c is 1 / ρ² of the plan, whose n counts the values of this one arm.
    """
    n = _known(values, share, effect)
    weight = 1 / tuned(plan.n, plan.alpha)
    one, two = weight * share, weight * (1 - share)
    start = laws.log_beta(one, two)

    def is_kept(count: int) -> bool:
        mixed = laws.log_beta(one + count, two + n - count) - start
        plain = count * math.log(share) + (n - count) * math.log1p(-share)
        return mixed - plain < -math.log(plan.alpha)

    # the ratio falls up to the expected count and rises from there on, which is kept
    middle = math.floor(n * share)
    below = _first(middle + 1, is_kept)
    above = middle + 1 + _first(n - middle, lambda further: not is_kept(middle + 1 + further))
    return _between(values, share, below, above, n)


def quantile_difference(arm: Estimate, control: Estimate) -> Estimate:
    """Quantile of the arm − quantile of the control, from an interval of each, conservatively.

    From the lowest to the highest difference the two intervals allow: where both hold, so does it. Two independent
    intervals of a level l hold together with l², so ask each for √level (`each_of_two`).
    """
    return Estimate(arm.value - control.value, arm.low - control.high, arm.high - control.low, arm.n + control.n)


def each_of_two(level: float) -> float:
    """The level each of two independent intervals needs so that both hold with `level`: its square root (Z. Šidák,
    JASA 62 (1967)).
    """
    return math.sqrt(laws.checked(level))


def _known(values: Sequence[float], share: float, effect: float) -> int:
    """How many independent values they are worth."""
    if not 0 < share < 1 or not values:
        raise ValueError(f"of {len(values)} values there is no quantile {share}")
    return max(1, math.floor(len(values) / effect))


def _between(values: Sequence[float], share: float, below: int, above: int, worth: int) -> Estimate:
    """From the `below`-th to the `above`-th of `worth` sorted values, counted from 1, as ranks of all, rounded
    outwards; 0 and worth + 1 are infinitely far."""
    n = len(values)
    value = values[max(0, math.ceil(n * share - 1e-9) - 1)]
    low = values[max(1, below * n // worth) - 1] if below > 0 else -math.inf
    high = values[min(n, -(-above * n // worth)) - 1] if above <= worth else math.inf
    return Estimate(value, low, high, n)


def _first(stop: int, holds: Callable[[int], bool]) -> int:
    """The smallest number below `stop` for which it holds and goes on to hold; `stop` when for none."""
    low, high = 0, stop
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
