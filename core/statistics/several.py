"""p values of several claims made at once, adjusted so that they can be read like one."""

from __future__ import annotations

from collections.abc import Sequence


def holm(values: Sequence[float]) -> list[float]:
    """p values by which the chance of any false claim stays at the level, in the order given.

    The i-th smallest of m becomes the largest of (m − j + 1) p₍ⱼ₎, j ≤ i, at most 1. Source: S. Holm, "A simple
    sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    order = _order(values)
    adjusted, reached = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        reached = max(reached, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = reached
    return adjusted


def benjamini_hochberg(values: Sequence[float]) -> list[float]:
    """p values by which the expected share of false claims among those made stays at the level, in the order given.

    The i-th smallest of m becomes the smallest of p₍ⱼ₎ m / j, j ≥ i; for independent or positively dependent claims.
    Source: Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995).
    """
    order = _order(values)
    adjusted, reached = [0.0] * len(values), 1.0
    for rank in range(len(values), 0, -1):
        place = order[rank - 1]
        reached = min(reached, values[place] * (len(values) / rank))
        adjusted[place] = reached
    return adjusted


def _order(values: Sequence[float]) -> list[int]:
    if any(not 0 <= value <= 1 for value in values):
        raise ValueError(f"{list(values)} are not all p values, which lie between 0 and 1")
    return sorted(range(len(values)), key=values.__getitem__)
