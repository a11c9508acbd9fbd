"""Do two raters agree beyond chance? One coefficient, of pairs of labels, with its interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

from core.statistics.proportions import Estimate, quantile


def cohen(votes: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's κ of what two raters said of the same things, −1…1; None without votes or with one category in use.

    κ = (p_o − p_e) / (1 − p_e) with p_e from each rater's own shares. Source: J. Cohen, "A coefficient of agreement for
    nominal scales", Educational and Psychological Measurement 20 (1960), equation 1.
    """
    n = len(votes)
    if not n:
        return None
    first, second = Counter(one for one, _ in votes), Counter(two for _, two in votes)
    chance = sum(first[category] * second[category] for category in first) / (n * n)
    return None if chance == 1 else (sum(one == two for one, two in votes) / n - chance) / (1 - chance)


def cohen_interval(votes: Sequence[tuple[Hashable, Hashable]], *, level: float = 0.95) -> Estimate | None:
    """κ with its large-sample interval; None where κ is not defined, or where both always agree: nothing
    varies then, and an interval without width would claim too much.

    Var κ = [Σ p_cc ((1 − p_e) − (p_c· + p_·c)(1 − p_o))² + (1 − p_o)² Σ_{c≠k} p_ck (p_·c + p_k·)² − (p_o p_e − 2 p_e +
    p_o)²] / n (1 − p_e)⁴. Source: J. L. Fleiss, J. Cohen, B. S. Everitt, "Large sample standard errors of kappa and
    weighted kappa", Psychological Bulletin 72 (1969).
    """
    value, n = cohen(votes), len(votes)
    if value is None:
        return None
    cells = Counter(votes)
    first, second = Counter(one for one, _ in votes), Counter(two for _, two in votes)
    observed = sum(count for (one, two), count in cells.items() if one == two) / n
    chance = sum(first[category] * second[category] for category in first) / (n * n)
    spread = -((observed * chance - 2 * chance + observed) ** 2)
    for (one, two), count in cells.items():
        if one == two:
            spread += count / n * ((1 - chance) - (first[one] + second[one]) / n * (1 - observed)) ** 2
        else:
            spread += count / n * (1 - observed) ** 2 * ((second[one] + first[two]) / n) ** 2
    if observed == 1:
        return None
    half = quantile(level) * math.sqrt(max(spread, 0.0) / n) / (1 - chance) ** 2
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half), n)
