"""How many units a live test needs, what it can find with what there is, and how many days are left.

Each answer names the formula it comes from, because two calculators that disagree mostly use two formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from core.statistics import laws, sequential

SHARES = "normal approximation with the pooled share under no difference (Fleiss, Levin and Paik 2003)"
MEANS = "normal approximation for two means, (z₁₋α⸝₂ + z_power)² (σ₁² / n₁ + σ₀² / n₀) = δ²"
WATCHED = "asymptotic confidence sequence at its tuned n (Waudby-Smith et al. 2024)"


@dataclass(frozen=True, slots=True)
class Size:
    """Units needed in the arm, in the control and in both, and by which formula."""

    arm: int
    control: int
    formula: str

    @property
    def total(self) -> int:
        return self.arm + self.control


@dataclass(frozen=True, slots=True)
class Answer:
    """One value (an effect, a power) and by which formula."""

    value: float
    formula: str


@dataclass(frozen=True, slots=True)
class Aim:
    """What a test promises: the level of its intervals, the chance (power) to find the effect it is planned for, and
    how many units the control gets for one of the arm (9 for 90/10).
    """

    level: float = 0.95
    power: float = 0.8
    control_per_arm: float = 1.0

    def __post_init__(self) -> None:
        laws.checked(self.level)
        if not 0 < self.power < 1 or not self.control_per_arm > 0:
            raise ValueError(f"power {self.power} and {self.control_per_arm} to one plan no test")

    @property
    def z(self) -> float:
        return laws.normal_quantile(0.5 + self.level / 2)

    @property
    def z_power(self) -> float:
        return laws.normal_quantile(self.power)


def size_for_shares(control: float, difference: float, aim: Aim) -> Size:
    """Units to find a share of control + difference beside a share of the control, looking once at the end.

    n = (z √((r + 1) p̄ q̄) + z_power √(r p₁ q₁ + p₀ q₀))² / (r δ²) in the arm and r n in the control, p̄ = (p₁ + r
    p₀) / (r + 1), without a correction for continuity. Source: J. L. Fleiss, B. Levin, M. C. Paik, "Statistical
    Methods for Rates and Proportions", 3rd ed. (2003), chapter 4.
    """
    treated = _two_shares(control, difference)
    under_none, under_difference = _spreads(control, treated, aim.control_per_arm)
    root = aim.z * under_none + aim.z_power * under_difference
    return _size(root * root / (difference * difference), aim, SHARES)


def power_for_shares(control: float, difference: float, arm: int, aim: Aim) -> Answer:
    """The chance to find the difference with `arm` units in the arm: `size_for_shares` solved for the power."""
    treated = _two_shares(control, difference)
    under_none, under_difference = _spreads(control, treated, aim.control_per_arm)
    size = (math.sqrt(arm) * abs(difference) - aim.z * under_none) / under_difference
    return Answer(laws.normal_share(size), SHARES)


def effect_for_shares(control: float, arm: int, aim: Aim) -> Answer:
    """The smallest rise of the control's share that `arm` units find with the power; nan where not even all would be.

    `size_for_shares` solved by bisection to a billionth.
    """
    most = 1 - control - 1e-12
    if not 0 < control < 1 or power_for_shares(control, most, arm, aim).value < aim.power:
        return Answer(math.nan, SHARES)
    value = _solved(lambda rise: power_for_shares(control, rise, arm, aim).value >= aim.power, most)
    return Answer(value, SHARES)


def size_for_means(variance: float, difference: float, aim: Aim, *, variance_control: float | None = None) -> Size:
    """Units to find a difference of two means (its unit is the metric's), looking once at the end.

    n = (z + z_power)² (σ₁² + σ₀² / r) / δ² in the arm, r n in the control: S.-C. Chow, J. Shao, H. Wang, "Sample Size
    Calculations in Clinical Research" (2003), chapter 3, with both variances known.
    """
    spread = _spread(variance, variance_control, aim)
    if difference == 0:
        raise ValueError("a difference of 0 is found with no number of units")
    return _size((aim.z + aim.z_power) ** 2 * spread / (difference * difference), aim, MEANS)


def power_for_means(
    variance: float, difference: float, arm: int, aim: Aim, *, variance_control: float | None = None
) -> Answer:
    """The chance to find a difference of means with `arm` units in the arm, without the far tail."""
    error = math.sqrt(_spread(variance, variance_control, aim) / arm)
    return Answer(laws.normal_share(abs(difference) / error - aim.z), MEANS)


def effect_for_means(variance: float, arm: int, aim: Aim, *, variance_control: float | None = None) -> Answer:
    """The smallest difference of means that `arm` units in the arm find with the power."""
    error = math.sqrt(_spread(variance, variance_control, aim) / arm)
    return Answer((aim.z + aim.z_power) * error, MEANS)


def size_when_watched(
    variance: float,
    difference: float,
    aim: Aim,
    *,
    variance_control: float | None = None,
    with_power: bool = False,
    seen: float = 1.0,
) -> Size:
    """Units after which a sequence planned for them (`sequential.Plan.n` = total) reaches no further than the
    difference.

    At its tuned n the sequence reaches m = √(−W₋₁(−α² / e)) standard errors (3.03 at 95 %), so n = m² (σ₁² + σ₀² / r)
    / δ² in the arm. A true difference of that size is then found by this look about every other time, and more often
    later; with `with_power` m + z_power stands for m, after which it is found with at least that chance. For shares
    the variance is p (1 − p). Source: Waudby-Smith et al. 2024, the two-sided boundary at its tuning.

    `seen` (0…1) is the share of units that have the metric at all, such as those who rate: the variance is of one of
    these, the sizes are of all. The sequence then stands at `seen` of its tuned n and reaches further by what
    `sequential.both_sides` says there (3.83 standard errors where one in ten is seen).
    """
    if difference == 0:
        raise ValueError("a difference of 0 is found with no number of units")
    if not 0 < seen <= 1:
        raise ValueError(f"{seen} is no share of units that have a metric")
    alpha = 1 - aim.level
    # a plan of one unit and `seen` units: the reach depends on their quotient alone
    reach = sequential.both_sides(seen, sequential.tuned(1, alpha), alpha) + (aim.z_power if with_power else 0.0)
    spread = _spread(variance, variance_control, aim)
    return _size(reach * reach * spread / (difference * difference * seen), aim, WATCHED)


def days_left(needed: int, have: int, per_day: float) -> int | None:
    """Whole days until `have` units have become the `needed`; None where no traffic comes."""
    if have >= needed:
        return 0
    return math.ceil((needed - have) / per_day) if per_day > 0 else None


def _two_shares(control: float, difference: float) -> float:
    treated = control + difference
    if not 0 < control < 1 or not 0 <= treated <= 1 or difference == 0:
        raise ValueError(f"{control} and {treated} are not two different shares")
    return treated


def _spreads(control: float, treated: float, ratio: float) -> tuple[float, float]:
    """√n times the standard error of the difference, under no difference and under this one."""
    middle = (treated + ratio * control) / (ratio + 1)
    under_none = math.sqrt((ratio + 1) * middle * (1 - middle) / ratio)
    return under_none, math.sqrt(treated * (1 - treated) + control * (1 - control) / ratio)


def _spread(variance: float, variance_control: float | None, aim: Aim) -> float:
    other = variance if variance_control is None else variance_control
    if min(variance, other) < 0 or variance + other <= 0:
        raise ValueError(f"{variance} and {other} are not variances of a metric that varies")
    return variance + other / aim.control_per_arm


def _size(arm: float, aim: Aim, formula: str) -> Size:
    # a billionth less than whole is a rounding error, not a unit
    return Size(math.ceil(arm - 1e-9), math.ceil(arm * aim.control_per_arm - 1e-9), formula)


def _solved(is_enough: Callable[[float], bool], most: float) -> float:
    low, high = 0.0, most
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
