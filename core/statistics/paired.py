"""Two runs over the same items: how far apart, how sure, and how many more items would settle it.

A missing score is not a zero: only items that both runs scored are compared, and what was left out is counted.
Differences are the second run's score minus the first's. Scores that belong together (repetitions of an item, turns of
a conversation, questions on one text) share a cluster, and only clusters count as independent.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from core.statistics.laws import student_quantile, student_share
from core.statistics.proportions import quantile

Array = npt.NDArray[np.float64]
NOTHING = 1e-12  # relative spread below which differences are equal but for rounding


@dataclass(frozen=True, slots=True)
class Paired:
    """What both runs scored: `at` the places of those items, their scores, their clusters (numbered from 0); and how
    many items were left out because the first run, the second, or both had no score."""

    at: tuple[int, ...]
    one: Array
    other: Array
    cluster: npt.NDArray[np.intp]
    missing_one: int
    missing_other: int
    missing_both: int

    @property
    def differences(self) -> Array:
        return self.other - self.one

    @property
    def left_out(self) -> int:
        return self.missing_one + self.missing_other + self.missing_both


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of the differences over `n` items in `clusters` clusters.

    `se`, `low` and `high` are None where the items do not vary, or form one cluster only: an interval without width
    would claim too much. `p` (two-sided, against no difference) is then that of the sign test where all differ alike,
    else None.
    """

    value: float
    se: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    clusters: int

    @property
    def is_seen(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True)
class Changes:
    """Places of the items that the second run did better, worse and as well on, and of those left out."""

    better: tuple[int, ...]
    worse: tuple[int, ...]
    same: tuple[int, ...]
    left_out: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Needed:
    """How many more items would settle it: 0 where it is settled, None for never or not known; and the sentence."""

    more: int | None
    sentence: str


def pair(
    one: Sequence[float | None], other: Sequence[float | None], clusters: Sequence[Hashable] | None = None
) -> Paired:
    """Two runs' scores of the same items in the same order; None or NaN is a missing score.

    Raises:
        ValueError: where the lengths differ or a score is infinite.
    """
    if len(one) != len(other) or (clusters is not None and len(clusters) != len(one)):
        raise ValueError("Both runs, and the clusters, need one entry per item")
    first, second = (
        np.array([math.nan if score is None else score for score in run], dtype=np.float64) for run in (one, other)
    )
    if np.isinf(first).any() or np.isinf(second).any():
        raise ValueError("A score is infinite")
    no_first, no_second = np.isnan(first), np.isnan(second)
    at = np.flatnonzero(~no_first & ~no_second)
    named: Sequence[Hashable] = range(len(one)) if clusters is None else clusters
    numbers: dict[Hashable, int] = {}
    cluster = np.array([numbers.setdefault(named[place], len(numbers)) for place in at.tolist()], dtype=np.intp)
    return Paired(
        tuple(at.tolist()),
        first[at],
        second[at],
        cluster,
        int((no_first & ~no_second).sum()),
        int((~no_first & no_second).sum()),
        int((no_first & no_second).sum()),
    )


def difference(paired: Paired, *, level: float = 0.95) -> Difference | None:
    """The mean difference with its clustered standard error and t interval; None where no item has both scores.

    SE = √(G/(G − 1)) · √(Σ_g (Σ_{i∈g} (d_i − d̄))²) / n with G clusters, t with G − 1 degrees of freedom. Without the
    first factor (CR0) it is E. Miller, "Adding Error Bars to Evals", arXiv:2411.00640 (2024), on clustered errors and
    on paired differences; the factor is the correction CR1 of A. C. Cameron, D. L. Miller, "A practitioner's guide to
    cluster-robust inference", Journal of Human Resources 50 (2015), section II. With every item its own cluster it is
    the paired t interval ("Student", "The probable error of a mean", Biometrika 6 (1908)).

    Where all differences are equal and not 0, p is the exact two-sided one of the sign test, 2 / 2ᴳ: W. J. Dixon, A. M.
    Mood, "The statistical sign test", Journal of the American Statistical Association 41 (1946) 557–566.
    """
    found, n = paired.differences, len(paired.at)
    if not n:
        return None
    value, count = float(found.mean()), int(paired.cluster.max()) + 1
    se = _error(found - value, paired.cluster, n, count)
    nothing = NOTHING * max(1.0, float(np.abs(found).max()))
    if se <= nothing:
        are_alike = count > 1 and abs(value) > nothing and float(np.ptp(found)) <= nothing
        return Difference(value, None, None, None, 2.0 ** (1 - count) if are_alike else None, n, count)
    half = student_quantile(count - 1, 0.5 + level / 2) * se
    p = 2 * student_share(count - 1, -abs(value) / se)
    return Difference(value, se, value - half, value + half, p, n, count)


def changes(one: Sequence[float | None], other: Sequence[float | None], *, tolerance: float = 0.0) -> Changes:
    """Which items went which way; a difference up to `tolerance` is none."""
    paired = pair(one, other)
    better: list[int] = []
    worse: list[int] = []
    same: list[int] = []
    for place, gap in zip(paired.at, paired.differences, strict=True):
        (better if gap > tolerance else worse if gap < -tolerance else same).append(place)
    both = set(paired.at)
    left_out = tuple(place for place in range(len(one)) if place not in both)
    return Changes(tuple(better), tuple(worse), tuple(same), left_out)


def needed(found: Difference | None, *, level: float = 0.95, power: float = 0.8) -> Needed:
    """How many more items like these would show a difference as large as this one, if it is real.

    n = ((z_{1−α/2} + z_power) · SE √n₀ / d)² items in all, from n₀ items with standard error SE. Source: E. Miller,
    "Adding Error Bars to Evals", arXiv:2411.00640 (2024), power analysis, solved for n at the variance observed.
    """
    if found is None:
        return Needed(None, "No example was scored in both: there is nothing to go by.")
    if found.p is not None and found.p < 1 - level:
        return Needed(0, "The difference is settled by the examples there are.")
    if found.value == 0:
        return Needed(None, "The two are equal on average: no number of examples like these would set them apart.")
    if found.se is None:
        return Needed(None, "The examples do not vary, or are one cluster: how many would settle it cannot be told.")
    ratio = (quantile(level) + NormalDist().inv_cdf(power)) * found.se / abs(found.value)
    more = max(1, math.ceil(found.n * ratio**2) - found.n)
    return Needed(more, f"About {more:,} more examples would settle a difference this large, if it is real.")


def _error(residual: Array, cluster: npt.NDArray[np.intp], n: int, count: int) -> float:
    """CR1; 0 with a single cluster."""
    if count < 2:
        return 0.0
    sums = np.bincount(cluster, weights=residual, minlength=count)
    return math.sqrt(count / (count - 1) * float(sums @ sums)) / n
