"""How much less many observations of few units tell than as many observations each of its own unit.

Users are randomised and calls are timed: calls of one user resemble each other, so of a thousand calls of ten users a
share is known about as well as of far fewer. By how many times the variance grows is the design effect.
"""

from __future__ import annotations

import math

from core.statistics.means import Joint, Moments


def design_effect(seen: Joint, sizes: Moments) -> float:
    """How many times the variance of a share (of calls that are slow, say) is what independent calls would give.

    1 + ρ (Σm² / Σm − 1), at least 1. L. Kish, "Survey Sampling" (1965), §5.4, with m the calls of each unit (`sizes`);
    ρ, how alike two calls of one unit are, is the mean product of their deviations from the share p over p (1 − p),
    taken over all pairs of a unit's calls in `seen` (first: hits, second: calls). Where `seen` is all of `sizes`, this
    is the variance of the ratio of two sums per unit that `means.ratio` has (A. Deng, U. Knoblich, J. Lu, "Applying the
    delta method in metric analytics", KDD 2018), over p (1 − p) / Σm. Where no pair was seen, ρ is taken for 1, which
    is the most it can be.
    """
    most = _mean_of_others(sizes)
    if most <= 0:
        return 1.0
    n, calls = seen.n, seen.n * seen.second.mean
    pairs = calls * _mean_of_others(seen.second)
    share = seen.first.mean / seen.second.mean if calls > 0 else 0.0
    if n < 2 or pairs <= 0 or not 0 < share < 1:
        return 1.0 + most
    spread = seen.first.squares - 2 * share * seen.products + share * share * seen.second.squares
    alike = (spread * n / (n - 1) - calls * share * (1 - share)) / (share * (1 - share) * pairs)
    return 1.0 + min(1.0, max(0.0, alike)) * most


def _mean_of_others(sizes: Moments) -> float:
    """Σm² / Σm − 1: how many other calls the unit of a call has, in the mean over calls."""
    if sizes.n == 0 or sizes.mean <= 0:
        return 0.0
    others = (sizes.squares / sizes.n + sizes.mean**2) / sizes.mean - 1
    return others if math.isfinite(others) and others > 1e-9 else 0.0
