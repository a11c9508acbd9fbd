"""A/A tests looked at after every unit: how often a naive z test and our confidence sequence find what is not there.

Both arms draw from one law, so whatever is found is false; a rule that looks at 5 % may find it in 5 % of tests, at
any look. Both rules begin to look when the smaller arm has the start-up size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from core.statistics.proportions import wilson
from core.statistics.sequential import START, Plan, both_sides, tuned

Numbers = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Numbers]


@dataclass(frozen=True, slots=True)
class Found:
    """In how many of `runs` a rule found a difference at any look, or at the last look alone."""

    runs: int
    naive: int
    naive_last: int
    ours: int


def chance(rate: float) -> Draw:
    """Ones with a chance of `rate`, else zeros."""
    return lambda generator, n: (generator.random(n) < rate).astype(np.float64)


def heavy(generator: np.random.Generator, n: int) -> Numbers:
    """A log-normal metric, σ = 1.25: skewness about 11, one value in a hundred is 18 times the median or more."""
    return generator.lognormal(0.0, 1.25, n)


def arms(
    draw: Draw, small: float, n: int, generator: np.random.Generator, *, shares: bool, other: Draw | None = None
) -> tuple[Numbers, ...]:
    """After each of n units: the difference's size, its plain standard error, the one we use, units in the smaller
    arm.

    The smaller arm draws from `other` where there is one. The errors are those of `sequential.share_difference` or
    `mean_difference` for all looks at once; a test holds them equal.
    """
    values = draw(generator, n)
    mine = generator.random(n) < small
    if other is not None:
        values = np.where(mine, other(generator, n), values)
    held = np.stack([mine, ~mine])
    count = np.maximum(np.cumsum(held, axis=1), 2).astype(np.float64)
    total = np.cumsum(values * held, axis=1)
    mean = total / count
    squares = np.maximum(np.cumsum(values * values * held, axis=1) - total * mean, 0)
    if shares:
        plain = (mean * (1 - mean) / count).sum(axis=0)
        near = (total + 1) / (count + 2)
        one = (total.sum(axis=0) + 2) / (count.sum(axis=0) + 4)
        own, pooled = (near * (1 - near) / count).sum(axis=0), one * (1 - one)
    else:
        own = plain = (squares / (count - 1) / count).sum(axis=0)
        pooled = squares.sum(axis=0) / (count.sum(axis=0) - 2)
    careful = np.maximum(own, pooled * (1 / count).sum(axis=0))
    return np.abs(mean[0] - mean[1]), np.sqrt(plain), np.sqrt(careful), np.cumsum(held, axis=1).min(axis=0)


def any_look(
    draw: Draw,
    *,
    small: float,
    n: int,
    runs: int,
    seed: int,
    shares: bool,
    start: int = START,
    other: Draw | None = None,
) -> Found:
    """`runs` A/A tests of n units, the smaller arm with the share `small` of them, planned for n."""
    plan = Plan(n)
    rho_squared = tuned(plan.n, plan.alpha)
    reach = np.array([both_sides(one, rho_squared, plan.alpha) for one in range(1, n + 1)])
    z = NormalDist().inv_cdf(0.975)
    generator = np.random.default_rng(seed)
    naive = last = ours = 0
    for _ in range(runs):
        size, plain, error, fewest = arms(draw, small, n, generator, shares=shares, other=other)
        begun = fewest >= start
        crossed = (size > z * plain) & begun
        naive += bool(crossed.any())
        last += bool(crossed[-1])
        ours += bool(((size > reach * error) & begun).any())
    return Found(runs, naive, last, ours)


def calm(generator: np.random.Generator, n: int) -> Numbers:
    """A normal metric with the mean of the log-normal one."""
    return generator.normal(math.exp(1.25**2 / 2), 0.65, n)


METRICS: dict[str, tuple[Draw, bool]] = {
    "share 0.01": (chance(0.01), True),
    "share 0.1": (chance(0.1), True),
    "share 0.5": (chance(0.5), True),
    "log-normal": (heavy, False),
}


def main(*, runs: int = 2_000, n: int = 10_000) -> None:
    """Print false positives of every metric and allocation; last of arms with one mean and two laws, a known limit."""
    print(f"   {runs} A/A tests of {n} units each, a look after every unit")
    print("   metric       split   from     naive, any look   naive, last look   ours, any look (95 % interval)")
    for name, (draw, shares) in METRICS.items():
        for small in (0.5, 0.1):
            _row(name, small, START, any_look(draw, small=small, n=n, runs=runs, seed=20_26, shares=shares))
    print("   beyond what is promised: the smaller arm alone is log-normal, the other normal with the same mean")
    for small in (0.5, 0.1):
        for start in (START, 200, 1_000):
            told = {"small": small, "n": n, "runs": runs, "seed": 20_26, "start": start}
            _row("one mean", small, start, any_look(calm, shares=False, other=heavy, **told))


def _row(name: str, small: float, start: int, found: Found) -> None:
    ours = wilson(found.ours, found.runs)
    print(
        f"   {name:12} {1 - small:.0%}/{small:.0%}".ljust(24)
        + f"{start:5} {found.naive / found.runs:16.1%} {found.naive_last / found.runs:18.1%} {ours.value:14.1%}"
        + f"  ({ours.low:.1%} to {ours.high:.1%})"
    )
