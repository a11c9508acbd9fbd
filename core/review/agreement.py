"""Do reviewers agree beyond chance? Agreement of any number of raters over items that not everybody judged.

A `Ratings` is one mapping per item, rater → category. Items with fewer than two ratings say nothing and are left out.
Every coefficient is 1 for perfect agreement and about 0 for chance; None where it is not defined (no item with two
ratings; for the coefficients of chance, a single category in use).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

Ratings = Sequence[Mapping[str, Hashable]]
Coefficient = Callable[[Ratings], float | None]


def percent(ratings: Ratings) -> float | None:
    """The share of pairs of ratings of the same item that are the same, each item counting alike; 0…1."""
    shares = [_same_pairs(counts) for counts in _counts(ratings)]
    return float(np.mean(shares)) if shares else None


def alpha(ratings: Ratings) -> float | None:
    """Krippendorff's α for nominal data: 1 − observed / expected disagreement.

    Source: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: with n pairable values,
    n_c of category c and o_cc coincidences, α = 1 − (n − 1)(n − Σ o_cc) / (n² − Σ n_c²).
    """
    pairable = _counts(ratings)
    total: Counter[Hashable] = Counter()
    coincidences = 0.0
    for counts in pairable:
        size = sum(counts.values())
        total.update(counts)
        coincidences += sum(count * (count - 1) for count in counts.values()) / (size - 1)
    n = sum(total.values())
    expected = n * n - sum(count * count for count in total.values())
    if not n or not expected:
        return None
    return float(1 - (n - 1) * (n - coincidences) / expected)


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
    """Every two raters with an item in common, by name.

    Cohen's κ = (p_o − p_e) / (1 − p_e) with p_e from each rater's own shares. Source: J. Cohen, "A coefficient of
    agreement for nominal scales", Educational and Psychological Measurement 20 (1960).
    """
    shared: dict[tuple[str, str], list[tuple[Hashable, Hashable]]] = defaultdict(list)
    for item in ratings:
        for one, two in combinations(sorted(item), 2):
            shared[one, two].append((item[one], item[two]))
    return [_pair(one, two, votes) for (one, two), votes in sorted(shared.items())]


def _pair(one: str, two: str, votes: list[tuple[Hashable, Hashable]]) -> Pair:
    n = len(votes)
    agreement = sum(a == b for a, b in votes) / n
    first, second = Counter(a for a, _ in votes), Counter(b for _, b in votes)
    chance = sum(first[category] * second[category] for category in first) / (n * n)
    return Pair(one, two, n, agreement, None if chance == 1 else (agreement - chance) / (1 - chance))


@dataclass(frozen=True, slots=True)
class Interval:
    """A coefficient with the limits of its interval and the items it rests on."""

    value: float
    low: float
    high: float
    n: int


def interval(
    ratings: Ratings, coefficient: Coefficient = alpha, *, seed: int = 0, draws: int = 1_000, level: float = 0.95
) -> Interval | None:
    """A coefficient with its percentile bootstrap interval over items; None where it is not defined.

    Source: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. Draws in which it is not
    defined (one category only) are left out.
    """
    usable = [item for item in ratings if len(item) > 1]
    value = coefficient(usable)
    if value is None:
        return None
    dice = np.random.default_rng(seed)
    drawn = [
        found
        for _ in range(draws)
        if (found := coefficient([usable[i] for i in dice.integers(0, len(usable), len(usable))])) is not None
    ]
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail)) if drawn else (value, value)
    return Interval(value, float(low), float(high), len(usable))


def _counts(ratings: Ratings) -> list[Counter[Hashable]]:
    """How often each category was given, per item with two ratings or more."""
    return [Counter(item.values()) for item in ratings if len(item) > 1]


def _same_pairs(counts: Counter[Hashable]) -> float:
    size = sum(counts.values())
    return sum(count * (count - 1) for count in counts.values()) / (size * (size - 1))
