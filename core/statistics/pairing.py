"""Which two to put before the next voter, so that a vote teaches as much as it can.

A vote between i and j adds p(1 − p) to the information along e_i − e_j; it multiplies the information's determinant by
1 + p(1 − p) Var(θ_i − θ_j). The pair where that is largest is the D-optimal next one: uncertain and evenly matched.
Sources: V. V. Fedorov, "Theory of Optimal Experiments" (1972); U. Grasshoff, R. Schwabe, "Optimal design
for the Bradley–Terry paired comparison model", Statistical Methods and Applications 17 (2008).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from core.statistics import connected
from core.statistics.strengths import fisher, strengths
from core.statistics.votes import Vote, edges

ALIKE = 1e-9  # relative difference of gains below which two pairs are equally good


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two contestants, by name, and by how much the logarithm of the information's determinant is expected to grow."""

    one: str
    other: str
    gain: float


def next_pair(votes: Sequence[Vote], contestants: Iterable[str], *, draw: float) -> Pairing | None:
    """The most informative next pair among `contestants`; None with fewer than two. `draw`: see `in_order`."""
    return next(iter(in_order(votes, contestants, draw=draw)), None)


def in_order(votes: Sequence[Vote], contestants: Iterable[str], *, draw: float) -> list[Pairing]:
    """Every pair of `contestants`, the most informative first: who cannot be given the first takes the next.

    `draw` (0 ≤ draw < 1) picks who comes first among equally good ones. While some cannot be compared at all, pairs
    that link two groups come before all others. Each contestant carries one imaginary tie against an average opponent,
    so that one who was never seen is very uncertain rather than infinitely so; votes on others are left out.
    """
    if not 0 <= draw < 1:
        raise ValueError(f"draw is {draw}; it is at least 0 and below 1")
    names = sorted(set(contestants))
    if len(names) < 2:
        return []
    known = [vote for vote in votes if vote.left in names and vote.right in names]
    theta = strengths(names, known, prior=1.0)
    covariance = np.linalg.inv(fisher(names, known, theta, prior=1.0))
    group_of = {
        node: number for number, group in enumerate(connected.groups(len(names), edges(names, known))) for node in group
    }
    links: list[Pairing] = []
    within: list[Pairing] = []
    for i, j in combinations(range(len(names)), 2):
        p = 1 / (1 + np.exp(theta[j] - theta[i]))
        variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
        found = Pairing(names[i], names[j], float(np.log1p(p * (1 - p) * variance)))
        (within if group_of[i] == group_of[j] else links).append(found)
    return _sorted(links, draw) + _sorted(within, draw)


def _sorted(pairs: list[Pairing], draw: float) -> list[Pairing]:
    """By falling gain; those of equal gain in a circle that begins where the draw says."""
    rest = sorted(pairs, key=lambda one: -one.gain)
    found: list[Pairing] = []
    while rest:
        least = rest[0].gain * (1 - ALIKE)
        equal = sorted((one for one in rest if one.gain >= least), key=lambda one: (one.one, one.other))
        first = int(draw * len(equal))
        found += equal[first:] + equal[:first]
        rest = rest[len(equal) :]
    return found
