"""Do reviewers agree beyond chance? Agreement of any number of raters over items that not everybody judged.

A `Ratings` is one mapping per item, rater → category. Items with fewer than two ratings say nothing and are left out.
Every coefficient is 1 for perfect agreement and about 0 for chance; None where it is not defined (no item with two
ratings; for the coefficients of chance, a single category in use).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from core.statistics.agreement import cohen
from core.statistics.proportions import Estimate

Ratings = Sequence[Mapping[str, Hashable]]
Array = npt.NDArray[np.float64]
AT_ONCE = 64  # draws of the bootstrap in memory together


class Scale(StrEnum):
    """How far apart two categories are: different or not; by how many ratings lie between them; by their distance."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"


def percent(ratings: Ratings) -> float | None:
    """The share of pairs of ratings of the same item that are the same, each item counting alike; 0…1."""
    shares = [_same_pairs(counts) for counts in _counts(ratings)]
    return float(np.mean(shares)) if shares else None


def alpha(ratings: Ratings, scale: Scale = Scale.NOMINAL) -> float | None:
    """Krippendorff's α: 1 − observed / expected disagreement. Ordinal and interval categories are numbers.

    α = 1 − (n − 1) Σ o_ck δ²_ck / Σ n_c n_k δ²_ck over n pairable values, n_c of category c, o_ck coincidences; δ² is 1
    (nominal), (n_c/2 + n between + n_k/2)² (ordinal), (c − k)² (interval). Source: K. Krippendorff, "Computing
    Krippendorff's Alpha-Reliability" (2011), sections C and D.
    """
    table = _Table.of(ratings)
    if table is None:
        return None
    (value,) = table.alphas(np.ones((1, len(table.totals))), scale)
    return None if np.isnan(value) else float(value)


def interval(
    ratings: Ratings, scale: Scale = Scale.NOMINAL, *, seed: int = 0, draws: int = 1_000, level: float = 0.95
) -> Estimate | None:
    """α with its percentile bootstrap interval over items; None where it is not defined.

    Source: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. Draws in which it is not
    defined (one category only) are left out.
    """
    table = _Table.of(ratings)
    value = alpha(ratings, scale)
    if table is None or value is None:
        return None
    dice, n = np.random.default_rng(seed), len(table.totals)
    drawn = []
    for start in range(0, draws, AT_ONCE):
        weights = dice.multinomial(n, np.full(n, 1 / n), size=min(AT_ONCE, draws - start)).astype(np.float64)
        drawn.append(table.alphas(weights, scale))
    found = np.concatenate(drawn)
    found = found[~np.isnan(found)]
    tail = (1 - level) / 2
    low, high = np.quantile(found, (tail, 1 - tail)) if len(found) else (value, value)
    return Estimate(value, float(low), float(high), n)


@dataclass(frozen=True, slots=True)
class _Table:
    """Per item with two ratings: how often each category was given (items × C), and its coincidences (items × C²)."""

    categories: tuple[Any, ...]
    totals: Array
    coincidences: Array

    @classmethod
    def of(cls, ratings: Ratings) -> _Table | None:
        counted = _counts(ratings)
        names = {category for counts in counted for category in counts}
        if not counted:
            return None
        categories = tuple(sorted(names, key=_rank))
        place = {category: n for n, category in enumerate(categories)}
        totals = np.zeros((len(counted), len(categories)))
        for row, counts in enumerate(counted):
            for category, count in counts.items():
                totals[row, place[category]] = count
        sizes = totals.sum(axis=1)
        pairs = totals[:, :, None] * totals[:, None, :]
        diagonal = np.arange(len(categories))
        pairs[:, diagonal, diagonal] -= totals
        pairs /= (sizes - 1)[:, None, None]
        return cls(categories, totals, pairs.reshape(len(counted), -1))

    def alphas(self, weights: Array, scale: Scale) -> Array:
        """α of each row of weights (draws × items); NaN where only one category is in use."""
        size = len(self.categories)
        n_c = weights @ self.totals
        observed = (weights @ self.coincidences).reshape(-1, size, size)
        apart = self._apart(n_c, scale)
        n = n_c.sum(axis=1)
        seen = (observed * apart).sum(axis=(1, 2))
        expected = (n_c[:, :, None] * n_c[:, None, :] * apart).sum(axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            made: Array = 1 - (n - 1) * seen / np.where(expected > 0, expected, np.nan)
        return made

    def _apart(self, n_c: Array, scale: Scale) -> Array:
        """δ² of every two categories, per draw."""
        size = len(self.categories)
        if scale is Scale.NOMINAL:
            return np.broadcast_to(1 - np.eye(size), (len(n_c), size, size))
        if scale is Scale.INTERVAL:
            values = np.array([float(one) for one in self.categories])
            return np.broadcast_to((values[:, None] - values[None, :]) ** 2, (len(n_c), size, size))
        middle = np.cumsum(n_c, axis=1) - n_c / 2  # ranks: from the middle of one category to that of the other
        made: Array = (middle[:, :, None] - middle[:, None, :]) ** 2
        return made


def ac1(ratings: Ratings) -> float | None:
    """Gwet's AC1: (p_a − p_e) / (1 − p_e), p_e = Σ π_c (1 − π_c) / (Q − 1) over the Q categories in use.

    Source: K. L. Gwet, "Computing inter-rater reliability and its variance in the presence of high agreement",
    British Journal of Mathematical and Statistical Psychology 61 (2008), equations 4 and 5; it stays near the percent
    agreement where one category is rare, where κ and α fall to chance.
    """
    rated = [Counter(item.values()) for item in ratings if item]
    categories = {category for counts in rated for category in counts}
    observed = percent(ratings)
    if observed is None or len(categories) < 2:
        return None
    shares = {c: float(np.mean([counts[c] / sum(counts.values()) for counts in rated])) for c in categories}
    chance = sum(share * (1 - share) for share in shares.values()) / (len(categories) - 1)
    return (observed - chance) / (1 - chance)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two raters over the `n` items both judged: share of agreement, and Cohen's κ (None: one category only)."""

    one: str
    two: str
    n: int
    agreement: float
    kappa: float | None


def pairs(ratings: Ratings) -> list[Pair]:
    """Every two raters with an item in common, by name."""
    shared: dict[tuple[str, str], list[tuple[Hashable, Hashable]]] = defaultdict(list)
    for item in ratings:
        for one, two in combinations(sorted(item), 2):
            shared[one, two].append((item[one], item[two]))
    return [_pair(one, two, votes) for (one, two), votes in sorted(shared.items())]


def _pair(one: str, two: str, votes: list[tuple[Hashable, Hashable]]) -> Pair:
    n = len(votes)
    agreement = sum(a == b for a, b in votes) / n
    return Pair(one, two, n, agreement, cohen(votes))


def _counts(ratings: Ratings) -> list[Counter[Hashable]]:
    """How often each category was given, per item with two ratings or more."""
    return [Counter(item.values()) for item in ratings if len(item) > 1]


def _same_pairs(counts: Counter[Hashable]) -> float:
    size = sum(counts.values())
    return sum(count * (count - 1) for count in counts.values()) / (size * (size - 1))


def _rank(category: Any) -> tuple[bool, Any]:
    """Numbers by their value, everything else by its name."""
    is_number = isinstance(category, int | float)
    return not is_number, category if is_number else str(category)
