"""Two runs over the same items whose scores are pass or fail: only items on which they disagree tell them apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.statistics.paired import Paired
from core.statistics.proportions import Estimate, wilson


@dataclass(frozen=True, slots=True)
class Passes:
    """How many items both runs passed, only the first, only the second, neither."""

    both: int
    only_one: int
    only_other: int
    neither: int

    @classmethod
    def of(cls, paired: Paired) -> Passes:
        """Counted from scores of 0 and 1, each item once: repetitions are not independent (`paired.difference` is).

        Raises:
            ValueError: where a score is neither 0 nor 1, or a cluster has several.
        """
        if not np.isin(np.concatenate((paired.one, paired.other)), (0, 1)).all():
            raise ValueError("A score is neither 0 nor 1; these are means, not passes")
        if len(set(paired.cluster.tolist())) != len(paired.at):
            raise ValueError("Several scores belong together; counts would take them for independent")
        cells = [int(((paired.one == a) & (paired.other == b)).sum()) for a, b in ((1, 1), (1, 0), (0, 1), (0, 0))]
        return cls(*cells)

    @property
    def n(self) -> int:
        return self.both + self.only_one + self.only_other + self.neither


@dataclass(frozen=True, slots=True)
class McNemar:
    """Two-sided p values against equal pass rates: `exact` never rejects too often, `mid` is less timid and as a rule
    keeps its level too. Both are 1 where the runs never disagree."""

    exact: float
    mid: float


def mcnemar(passes: Passes) -> McNemar:
    """Is one run passed more often among the items on which they disagree?

    With b, c the two kinds of disagreement, m the smaller: exact = min(1, 2 Σ_{k ≤ m} P(k)) with P(k) = C(b + c, k) /
    2^{b+c}, mid = that − P(m), and 1 − P(b)/2 where b = c. Source: M. W. Fagerland, S. Lydersen, P. Laake, "The McNemar
    test for binary matched-pairs data: mid-p and asymptotic are better than exact conditional", BMC Medical Research
    Methodology 13:91 (2013).
    """
    fewer, n = min(passes.only_one, passes.only_other), passes.only_one + passes.only_other
    if not n:
        return McNemar(1.0, 1.0)
    ways = total = 1
    for k in range(fewer):
        ways = ways * (n - k) // (k + 1)
        total += ways
    point, below = ways / 2**n, total / 2**n
    if 2 * fewer == n:
        return McNemar(1.0, 1 - point / 2)
    return McNemar(min(1.0, 2 * below), min(1.0, 2 * below) - point)


def newcombe_paired(passes: Passes, *, level: float = 0.95) -> Estimate | None:
    """The second run's pass rate minus the first's (−1…1), with its square-and-add interval; None without items.

    With Wilson's limits of both rates as in `proportions.newcombe`, less 2 φ times their product under each root; φ is
    the correlation of the table, n/2 taken off its numerator where that is positive. Source: R. G. Newcombe, "Improved
    confidence intervals for the difference between binomial proportions based on paired data", Statistics in Medicine
    17 (1998) 2635–2650, method 10.
    """
    n = passes.n
    if not n:
        return None
    one = wilson(passes.both + passes.only_one, n, level=level)
    other = wilson(passes.both + passes.only_other, n, level=level)
    cross = passes.both * passes.neither - passes.only_one * passes.only_other
    margins = (
        (passes.both + passes.only_one)
        * (passes.only_other + passes.neither)
        * (passes.both + passes.only_other)
        * (passes.only_one + passes.neither)
    )
    taken = cross if cross < 0 else max(0.0, cross - n / 2)
    phi = taken / math.sqrt(margins) if margins else 0.0
    value = other.value - one.value
    low = value - _together(other.value - other.low, one.high - one.value, phi)
    high = value + _together(other.high - other.value, one.value - one.low, phi)
    return Estimate(value, max(-1.0, low), min(1.0, high), n)


def _together(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))
