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
    """The most informative next pair among `contestants`; None with fewer than two.

    `draw` (0 ≤ draw < 1) picks among equally good ones. While some cannot be compared at all, only pairs that link two
    groups come into question. Each contestant carries one imaginary tie against an average opponent, so that one who
    was never seen is very uncertain rather than infinitely so; votes on others are left out.
    """
    if not 0 <= draw < 1:
        raise ValueError(f"draw is {draw}; it is at least 0 and below 1")
    names = sorted(set(contestants))
    if len(names) < 2:
        return None
    known = [vote for vote in votes if vote.left in names and vote.right in names]
    theta = strengths(names, known, prior=1.0)
    covariance = np.linalg.inv(fisher(names, known, theta, prior=1.0))
    group_of = {
        node: number for number, group in enumerate(connected.groups(len(names), edges(names, known))) for node in group
    }
    is_whole = len(set(group_of.values())) == 1
    gains: dict[tuple[int, int], float] = {}
    for i, j in combinations(range(len(names)), 2):
        if is_whole or group_of[i] != group_of[j]:
            p = 1 / (1 + np.exp(theta[j] - theta[i]))
            variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
            gains[i, j] = float(np.log1p(p * (1 - p) * variance))
    best = max(gains.values())
    equal = [pair for pair, gain in gains.items() if gain >= best * (1 - ALIKE)]
    i, j = equal[int(draw * len(equal))]
    return Pairing(names[i], names[j], gains[i, j])
