"""Shares of things counted, and differences of two shares, with intervals that hold for small numbers too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with the limits of its interval; `n` is how many observations it rests on."""

    value: float
    low: float
    high: float
    n: int


def wilson(hits: float, n: int, *, level: float = 0.95) -> Estimate:
    """A share `hits` / `n` (0…1) with its score interval, n > 0. A tie may count as half a hit: the interval is then
    rather too wide than too narrow, for halves vary less than hits and misses.

    Centre (p + z²/2n) / (1 + z²/n), half width z √(p(1 − p)/n + z²/4n²) / (1 + z²/n). Source: E. B. Wilson, "Probable
    inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if not 0 <= hits <= n or n == 0:
        raise ValueError(f"{hits} of {n} is no share")
    z, p = quantile(level), hits / n
    scale = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == n else min(1.0, centre + half)
    return Estimate(p, low, high, n)


def newcombe(hits: int, n: int, hits_before: int, n_before: int, *, level: float = 0.95) -> Estimate:
    """The difference of two independent shares, first − second (−1…1), with its hybrid score interval.

    With Wilson's limits l, u of each: Δ − √((p₁ − l₁)² + (u₂ − p₂)²) to Δ + √((u₁ − p₁)² + (p₂ − l₂)²). Source: R. G.
    Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
    (1998), method 10.
    """
    one, two = wilson(hits, n, level=level), wilson(hits_before, n_before, level=level)
    value = one.value - two.value
    low = value - math.hypot(one.value - one.low, two.high - two.value)
    high = value + math.hypot(one.high - one.value, two.value - two.low)
    return Estimate(value, max(-1.0, low), min(1.0, high), n + n_before)


@cache
def quantile(level: float) -> float:
    """z of a two-sided normal interval: 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + level / 2)
