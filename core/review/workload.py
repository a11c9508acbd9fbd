"""Will the queue keep its promise? How long items wait when so many people work at such a pace.

Erlang's C formula: items arrive at random, `reviewers` people each take `handling_s` on average. Sources: A. K. Erlang,
"Solution of some problems in the theory of probabilities of significance in automatic telephone exchanges" (1917);
D. Gross, C. M. Harris, "Fundamentals of Queueing Theory", section 2.3 (the M/M/c queue).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Forecast:
    """What `reviewers` people can keep. Unstable: more comes in than they can do, so every wait grows without end."""

    reviewers: int
    load: float  # erlangs: how many people are busy on average
    is_stable: bool
    waits: float  # the share of items that wait at all
    breaches: float  # the share that waits longer than the service level
    mean_wait_s: float


def erlang_b(load: float, servers: int) -> float:
    """The probability that all of `servers` are busy when nobody waits (arrivals are lost).

    By the recursion B(0) = 1, 1/B(n) = 1 + n / (load · B(n − 1)), which does not overflow.
    """
    if load <= 0:
        return 0.0
    inverse = 1.0
    for n in range(1, servers + 1):
        inverse = 1.0 + n / load * inverse
    return 1.0 / inverse


def erlang_c(load: float, servers: int) -> float:
    """The probability that an arrival has to wait, load < servers: B / (1 − ρ (1 − B)), ρ = load / servers."""
    blocked = erlang_b(load, servers)
    return blocked / (1 - load / servers * (1 - blocked))


def forecast(*, arrivals_per_h: float, handling_s: float, reviewers: int, service_level_s: float) -> Forecast:
    """What happens with so many reviewers.

    An item waits longer than t with probability C · exp(−(reviewers − load) · t / handling_s).
    """
    load = arrivals_per_h / 3_600 * handling_s
    if load >= reviewers:
        return Forecast(reviewers, load, False, 1.0, 1.0, math.inf)
    waits = erlang_c(load, reviewers)
    pace = (reviewers - load) / handling_s if handling_s else math.inf
    breaches = waits * math.exp(-pace * service_level_s) if load else 0.0
    return Forecast(reviewers, load, True, waits, breaches, waits / pace)


def needed(
    *, arrivals_per_h: float, handling_s: float, service_level_s: float, share: float = 0.95, most: int = 1_000
) -> int | None:
    """The fewest reviewers with whom at least `share` of the items wait no longer than the service level."""
    for reviewers in range(1, most + 1):
        found = forecast(
            arrivals_per_h=arrivals_per_h, handling_s=handling_s, reviewers=reviewers, service_level_s=service_level_s
        )
        if found.is_stable and found.breaches <= 1 - share:
            return reviewers
    return None


def clearing_s(*, waiting: int, arrivals_per_h: float, handling_s: float, reviewers: int) -> float | None:
    """How long until a backlog is worked off at this pace; None when it only grows."""
    spare = reviewers / handling_s - arrivals_per_h / 3_600
    return waiting / spare if spare > 0 else None
