"""Means of a metric per arm, from summaries that can be merged, and how far two arms are apart.

A summary is count, mean and squared deviations; merging the summaries of parts gives the summary of the whole, so
hours, replicas and days are added up and no value is read twice. Every comparison, of means, of ratios or of shares,
in the metric's unit or relative to the control, ends in one `Contrast`: a value with its standard error. An interval
for one look is made of it here, one that holds at every look in `sequential`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.statistics import laws
from core.statistics.proportions import Estimate


@dataclass(frozen=True, slots=True)
class Moments:
    """`n` values by their mean and `squares`, the sum of squared deviations from it (in the metric's unit, squared)."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @property
    def variance(self) -> float:
        """The sample's variance, with n − 1; nan below two values."""
        return self.squares / (self.n - 1) if self.n > 1 else math.nan

    def __add__(self, other: Moments) -> Moments:
        """Both together. Source: T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise algorithm for
        computing sample variances", Stanford STAN-CS-79-773 (1979).
        """
        n = self.n + other.n
        if n == 0:
            return Moments()
        apart = other.mean - self.mean
        between = apart * apart * (self.n * other.n / n)
        return Moments(n, self.mean + apart * (other.n / n), self.squares + other.squares + between)


@dataclass(frozen=True, slots=True)
class Joint:
    """Two values of each unit (a metric and its pre-period, a ratio's top and bottom) with `products`, the sum of the
    products of their deviations; `first` and `second` count the same units.
    """

    first: Moments = field(default_factory=Moments)
    second: Moments = field(default_factory=Moments)
    products: float = 0.0

    @property
    def n(self) -> int:
        return self.first.n

    @property
    def covariance(self) -> float:
        """The sample's covariance, with n − 1; nan below two units."""
        return self.products / (self.n - 1) if self.n > 1 else math.nan

    def __add__(self, other: Joint) -> Joint:
        """Both together, the products as the squares of `Moments` are (Chan, Golub, LeVeque 1979)."""
        n = self.n + other.n
        if n == 0:
            return Joint()
        between = (other.first.mean - self.first.mean) * (other.second.mean - self.second.mean)
        products = self.products + other.products + between * (self.n * other.n / n)
        return Joint(self.first + other.first, self.second + other.second, products)


@dataclass(frozen=True, slots=True)
class Contrast:
    """An estimate that is asymptotically normal: its value and standard error, in the same unit.

    `n` is how many observations it rests on, `fewest` how many in the smaller arm, `freedom` the degrees of freedom
    of its variance (infinite where only the normal law is claimed). An infinite standard error says that nothing is
    known yet.
    """

    value: float
    standard_error: float
    n: int
    fewest: int
    freedom: float = math.inf


def moments(values: Iterable[float]) -> Moments:
    """The summary of values, read twice."""
    array = np.fromiter(values, dtype=np.float64)
    if not array.size:
        return Moments()
    mean = float(array.mean())
    return Moments(array.size, mean, float(np.square(array - mean).sum()))


def moments_of_sums(n: int, total: int, squared: int) -> Moments:
    """The summary from the count, the sum and the sum of squares of whole numbers, as a store adds them up: exact."""
    if n == 0:
        return Moments()
    if n < 0 or n * squared < total * total:
        raise ValueError(f"no {n} whole numbers have the sum {total} and the sum of squares {squared}")
    return Moments(n, total / n, (n * squared - total * total) / n)


def joint(first: Sequence[float], second: Sequence[float]) -> Joint:
    """The summary of two values per unit, in the same order."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values and {len(second)} are not of the same units")
    if not first:
        return Joint()
    one, two = moments(first), moments(second)
    products = (np.asarray(first, dtype=np.float64) - one.mean) @ (np.asarray(second, dtype=np.float64) - two.mean)
    return Joint(one, two, float(products))


def joint_of_sums(
    n: int, first: float, first_squared: float, second: float, second_squared: float, products: float
) -> Joint:
    """The summary of two values per unit from their sums, sums of squares and sum of products, as a store adds them
    up. Exact for whole numbers below 2⁵³; else good while the spread is no millionth of the mean.
    """
    if n <= 0:
        return Joint()
    one = Moments(n, first / n, max(0.0, first_squared - first * first / n))
    two = Moments(n, second / n, max(0.0, second_squared - second * second / n))
    return Joint(one, two, products - first * second / n)


def winsorised(values: Sequence[float], *, low: float = -math.inf, high: float = math.inf) -> list[float]:
    """The values with those beyond the limits moved to them, which tames a heavy tail.

    The limits are given, in the metric's unit, because limits read from each arm's own values would move the arms by
    different amounts: take them from before the test, or from both arms together. What is then estimated is the mean
    of the moved values. Source: J. Tukey, "The future of data analysis", Annals of Mathematical Statistics 33 (1962).
    """
    if not low <= high:
        raise ValueError(f"the lower limit {low} is above the upper one {high}")
    return [min(max(value, low), high) for value in values]


def one_mean(arm: Moments) -> Contrast:
    """The mean of one arm, standard error s/√n with n − 1 degrees of freedom (Student 1908); unknown below two
    values.
    """
    if arm.n < 2:
        return Contrast(arm.mean, math.inf, arm.n, arm.n)
    return Contrast(arm.mean, math.sqrt(arm.variance / arm.n), arm.n, arm.n, arm.n - 1)


def difference(arm: Moments, control: Moments) -> Contrast:
    """Mean of the arm − mean of the control, for unequal variances.

    Standard error √(s₁²/n₁ + s₂²/n₂) with the degrees of freedom of Welch and Satterthwaite. Source: B. L. Welch,
    "The generalization of 'Student's' problem when several different population variances are involved", Biometrika
    34 (1947).
    """
    error, freedom = math.inf, math.inf
    if min(arm.n, control.n) > 1:
        one, two = arm.variance / arm.n, control.variance / control.n
        error = math.sqrt(one + two)
        if error > 0:
            freedom = (one + two) ** 2 / (one * one / (arm.n - 1) + two * two / (control.n - 1))
    return Contrast(arm.mean - control.mean, error, arm.n + control.n, min(arm.n, control.n), freedom)


def ratio(units: Joint) -> Contrast:
    """Sum of the firsts / sum of the seconds, where units (sessions, people) were drawn and not what they count
    (calls).

    Variance (s_x² − 2 R s_xy + R² s_y²) / (n ȳ²) with R = x̄ / ȳ: a unit's own values may depend on each other;
    unknown below two units and over nothing. Source: A. Deng, U. Knoblich, J. Lu, "Applying the delta method in
    metric analytics", KDD 2018 (ratio metrics).
    """
    if units.n < 2 or units.second.mean == 0:
        return Contrast(0.0, math.inf, units.n, units.n)
    value = units.first.mean / units.second.mean
    spread = units.first.variance - 2 * value * units.covariance + value * value * units.second.variance
    error = math.sqrt(max(0.0, spread) / units.n) / abs(units.second.mean)
    return Contrast(value, error, units.n, units.n)


def apart(arm: Contrast, control: Contrast) -> Contrast:
    """arm − control of two independent estimates; the standard errors add up in squares."""
    error = math.hypot(arm.standard_error, control.standard_error)
    return Contrast(arm.value - control.value, error, arm.n + control.n, min(arm.fewest, control.fewest))


def at_one_look(found: Contrast, *, level: float = 0.95) -> Estimate:
    """The interval for a look whose time was fixed before the first observation; with more looks see `sequential`.

    value ± t · standard error, t the quantile of Student's law with the contrast's degrees of freedom (Welch 1947).
    """
    laws.checked(level)
    if math.isinf(found.standard_error):
        return Estimate(found.value, -math.inf, math.inf, found.n)
    half = laws.student_quantile(found.freedom, 0.5 + level / 2) * found.standard_error
    return Estimate(found.value, found.value - half, found.value + half, found.n)


def p_at_one_look(found: Contrast, *, null: float = 0.0) -> float:
    """The two-sided p value of "it is `null`" that belongs to `at_one_look`."""
    if found.standard_error == 0:
        return 1.0 if found.value == null else 0.0
    size = abs(found.value - null) / found.standard_error
    return min(1.0, 2 * laws.student_share(found.freedom, -size))
