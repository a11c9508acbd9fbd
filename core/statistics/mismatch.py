"""Whether the traffic fell on the arms as it was meant to: where it did not, nothing else about a test can be
believed.

A mismatch means that what decides the arm, or what records it, is broken. While a test runs it is watched by a test
that may be read after every unit; the final report adds Pearson's. Arms with no weight take no part in either, except
that a unit found in one is a mismatch by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.statistics import laws

THRESHOLD = 0.001
"""A mismatch hides a verdict, so it is told only where chance does it once in a thousand tests."""
CONCENTRATIONS = (100.0, 10_000.0)
"""Weights of the prior, in units: the smaller one sees a broken split within hundreds, the larger a shift of a
percent.
"""


@dataclass(frozen=True, slots=True)
class Split:
    """What was counted per arm, the expected counts, and the p value of "as it was meant to be"."""

    counts: tuple[int, ...]
    expected: tuple[float, ...]
    p: float

    def is_off(self, threshold: float = THRESHOLD) -> bool:
        return self.p < threshold


def watched_split(counts: Sequence[int], weights: Sequence[float]) -> Split:
    """The split by a p value that may be read after every unit.

    The p value is 1 / BF, at most 1, with the Bayes factor of a Dirichlet prior α against the weights θ: B(α +
    counts) / B(α) / Π θᵢ^countsᵢ, α = concentration · θ, averaged over CONCENTRATIONS, which keeps it a martingale.
    Source: M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022, arXiv:2011.03567.
    """
    shares, held = _checked(counts, weights)
    expected = _expected(counts, shares)
    if not held:
        return Split(tuple(counts), expected, 0.0)
    meant = [(count, share) for count, share in zip(counts, shares, strict=True) if share > 0]
    plain = sum(count * math.log(share) for count, share in meant)
    factors = [_log_mixed(meant, weight) - plain for weight in CONCENTRATIONS]
    top = max(factors)
    factor = top + math.log(sum(math.exp(one - top) for one in factors) / len(factors))
    return Split(tuple(counts), expected, math.exp(min(0.0, -factor)))


def final_split(counts: Sequence[int], weights: Sequence[float]) -> Split:
    """The split by Pearson's chi-square, for one look at the end: Σ (count − expected)² / expected.

    Degrees of freedom are the arms with a weight, less one. Source: K. Pearson, Philosophical Magazine 50 (1900).
    Good where every arm expects five or more.
    """
    shares, held = _checked(counts, weights)
    expected = _expected(counts, shares)
    if not held:
        return Split(tuple(counts), expected, 0.0)
    distance = sum((count - meant) ** 2 / meant for count, meant in zip(counts, expected, strict=True) if meant > 0)
    freedom = sum(share > 0 for share in shares) - 1
    return Split(tuple(counts), expected, laws.chi_square_tail(freedom, distance) if freedom else 1.0)


def _checked(counts: Sequence[int], weights: Sequence[float]) -> tuple[list[float], bool]:
    """The weights as shares, and whether no unit fell where none should."""
    total = math.fsum(weights)
    if len(counts) != len(weights) or min(weights, default=-1) < 0 or total <= 0 or min(counts) < 0:
        raise ValueError(f"counts {list(counts)} and weights {list(weights)} are of no test")
    held = all(count == 0 or weight > 0 for count, weight in zip(counts, weights, strict=True))
    return [weight / total for weight in weights], held


def _expected(counts: Sequence[int], shares: Sequence[float]) -> tuple[float, ...]:
    total = sum(counts)
    return tuple(total * share for share in shares)


def _log_mixed(meant: Sequence[tuple[int, float]], weight: float) -> float:
    """log B(α + counts) / B(α) for α = weight · share."""
    found = sum(math.lgamma(weight * share + count) - math.lgamma(weight * share) for count, share in meant)
    return found + math.lgamma(weight) - math.lgamma(weight + sum(count for count, _ in meant))
