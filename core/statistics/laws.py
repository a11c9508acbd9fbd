"""The few distributions the statistics stand on, one typed function each.

`scipy.special` is imported when one is first asked for: importing it costs a third of a second, which nobody who only
opens a page should pay.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist


@cache
def normal_quantile(share: float) -> float:
    """Where the standard normal law has `share` (0…1) of itself below."""
    return NormalDist().inv_cdf(share)


def normal_share(value: float) -> float:
    """The share of the standard normal law below `value`, without loss in the lower tail."""
    return math.erfc(-value / math.sqrt(2)) / 2


def student_quantile(freedom: float, share: float) -> float:
    """Where Student's law with `freedom` degrees of freedom (∞: the normal law) has `share` below."""
    if math.isinf(freedom):
        return normal_quantile(share)
    from scipy import special

    return float(special.stdtrit(freedom, share))


def student_share(freedom: float, value: float) -> float:
    """The share of Student's law below `value`."""
    if math.isinf(freedom):
        return normal_share(value)
    from scipy import special

    return float(special.stdtr(freedom, value))


def chi_square_tail(freedom: int, value: float) -> float:
    """The share of the chi-square law above `value`."""
    from scipy import special

    return float(special.chdtrc(freedom, value))


def binomial_share(hits: int, n: int, chance: float) -> float:
    """The chance of at most `hits` of `n` where each has `chance`; 0 below 0."""
    if hits < 0:
        return 0.0
    from scipy import special

    return float(special.bdtr(min(hits, n), n, chance))


def log_beta(one: float, two: float) -> float:
    """The logarithm of Euler's beta function."""
    return math.lgamma(one) + math.lgamma(two) - math.lgamma(one + two)


@cache
def lambert_lower(value: float) -> float:
    """The lower branch W₋₁ of Lambert's function, w e^w = value for −1/e < value < 0, w < −1."""
    from scipy import special

    return float(special.lambertw(value, -1).real)


def checked(level: float) -> float:
    """A level between 0 and 1, or a ValueError."""
    if not 0 < level < 1:
        raise ValueError(f"{level} is no level; it lies between 0 and 1")
    return level
