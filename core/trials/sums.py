"""What a report is made of: sums per arm, read by the queries and judged by `reading`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.calls.sketch import Sketch
from core.statistics.cuped import Arm as BeforeArm
from core.statistics.means import Joint
from core.trials.metrics import Metric


@dataclass(frozen=True, slots=True)
class SliceSums:
    """Units, calls and fallbacks of one arm, of all or of a slice; per metric the joint sums of its units."""

    units: int = 0
    calls: int = 0
    fallbacks: int = 0
    joints: Mapping[Metric, Joint] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArmSums:
    """An arm as a whole, with its latencies in milliseconds."""

    units: int = 0
    calls: int = 0
    fallbacks: int = 0
    joints: Mapping[Metric, Joint] = field(default_factory=dict)
    latencies: Sketch = field(default_factory=Sketch)


@dataclass(frozen=True, slots=True)
class Counted:
    """All of a test: its arms, calls without a unit, units seen in two arms, slices, what was before, and calls without
    a price, with which no cost is known."""

    arms: tuple[ArmSums, ...]
    missing: int = 0
    twice: int = 0
    slices: Mapping[str, tuple[SliceSums, ...]] = field(default_factory=dict)
    before: tuple[BeforeArm, ...] = ()
    unpriced: int = 0
