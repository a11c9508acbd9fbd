"""Guardrails: whether an arm is not worse than a margin allows, as far as an interval can say.

A guardrail is held when the whole interval lies inside the margin, broken when the whole interval lies beyond it, and
not yet known while the margin lies within the interval. With an interval that holds at every look the answer may be
asked for at any time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from core.statistics.proportions import Estimate


class Worse(StrEnum):
    """Which direction of a metric is the bad one."""

    HIGHER = "higher"
    LOWER = "lower"


class Standing(StrEnum):
    """What an interval says about a margin."""

    HELD = "held"
    BROKEN = "broken"
    UNKNOWN = "not yet known"


@dataclass(frozen=True, slots=True)
class Margin:
    """How much worse is still accepted: `limit` ≥ 0 in the metric's unit, or of the control where it is relative (0.1
    is 10 %).
    """

    limit: float
    worse: Worse
    is_relative: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.limit < math.inf:
            raise ValueError(f"a margin of {self.limit} accepts nothing that could be worse")


def standing(difference: Estimate, margin: Margin) -> Standing:
    """What the interval of the difference arm − control says; give the relative difference for a relative margin.

    The comparison of an interval with a margin as in G. Piaggio et al., "Reporting of noninferiority and equivalence
    randomized trials", JAMA 308 (2012). A limit that touches the margin is inside.
    """
    low, high = harm(difference, margin.worse)
    if high <= margin.limit:
        return Standing.HELD
    return Standing.BROKEN if low > margin.limit else Standing.UNKNOWN


def harm(difference: Estimate, worse: Worse) -> tuple[float, float]:
    """The interval turned so that more is worse."""
    if worse is Worse.HIGHER:
        return difference.low, difference.high
    return -difference.high, -difference.low
