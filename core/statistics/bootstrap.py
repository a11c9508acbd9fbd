"""An interval for a mean difference that assumes no shape, only that clusters are independent: the bootstrap, BCa."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from core.statistics.paired import NOTHING, Array, Paired
from core.statistics.proportions import Estimate

AT_ONCE = 32  # draws in memory together: few, so that they stay in the processor's cache
NORMAL = NormalDist()


def bootstrap(paired: Paired, *, seed: int, draws: int = 4_000, level: float = 0.95) -> Estimate | None:
    """The mean difference with its bias-corrected and accelerated interval, whole clusters drawn with replacement.

    None with fewer than two clusters, or where they do not vary. Limits are the quantiles Φ(ẑ₀ + (ẑ₀ + z) / (1 − â(ẑ₀ +
    z))) of the draws, ẑ₀ from the share of draws below the mean (ties half), â from the mean left out cluster by
    cluster. Source: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), equations 14.9, 14.10, 14.14
    and 14.15.
    """
    if not len(paired.at) or (count := int(paired.cluster.max()) + 1) < 2:
        return None
    sums: Array = np.bincount(paired.cluster, weights=paired.differences, minlength=count).astype(np.float64)
    sizes: Array = np.bincount(paired.cluster, minlength=count).astype(np.float64)
    value = float(sums.sum() / sizes.sum())
    if float(np.abs(sums - value * sizes).max()) <= NOTHING * max(1.0, float(np.abs(sums).max())):
        return None
    dice = np.random.default_rng(seed)
    drawn = np.concatenate(
        [_means(dice, sums, sizes, min(AT_ONCE, draws - start)) for start in range(0, draws, AT_ONCE)]
    )
    below = float((drawn < value).sum() + (drawn == value).sum() / 2) / draws
    shift = NORMAL.inv_cdf(min(max(below, 0.5 / draws), 1 - 0.5 / draws))
    without = (sums.sum() - sums) / (sizes.sum() - sizes)
    gap = without.mean() - without
    spread = float((gap**2).sum()) ** 1.5
    bend = float((gap**3).sum()) / (6 * spread) if spread else 0.0
    limits = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        moved = shift + NORMAL.inv_cdf(tail)
        limits.append(NORMAL.cdf(shift + moved / (1 - bend * moved)))
    low, high = np.quantile(drawn, limits)
    return Estimate(value, float(low), float(high), len(paired.at))


def _means(dice: np.random.Generator, sums: Array, sizes: Array, count: int) -> Array:
    """The mean difference of each of `count` draws of as many clusters as there are."""
    chosen = dice.integers(len(sums), size=(count, len(sums)), dtype=np.int32)
    items = sizes[0] * len(sums) if (sizes == sizes[0]).all() else sizes[chosen].sum(axis=1)
    made: Array = sums[chosen].sum(axis=1) / items
    return made
