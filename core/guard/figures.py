"""How well each family finds, on texts of our own: recall and false alarms with the version they were measured of.

Never "safe": a figure holds for the texts it was measured on (tests/guard/data/README.md says which).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import orjson

from core.guard.findings import Family

FILE = Path(__file__).resolve().parents[2] / "data" / "guard" / "figures.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """`found` of `wanted` texts that a family should find, `false_alarms` on `spared` hard ones that it should not."""

    family: Family
    detector: str
    found: int
    wanted: int
    false_alarms: int
    spared: int

    @property
    def recall(self) -> float:
        return self.found / self.wanted

    @property
    def alarm_rate(self) -> float:
        return self.false_alarms / self.spared

    @property
    def sentence(self) -> str:
        version = self.detector.rpartition("/")[2]
        return (
            f"Version {version} of this detector found {self.found} of {self.wanted} and raised {self.false_alarms} "
            f"false alarms on {self.spared} hard texts, all written for this project. Expect less on texts of others."
        )


@lru_cache(maxsize=1)
def measured() -> dict[Family, Figure]:
    """The figure of every family that was measured; a judge has none, its model is yours."""
    return {Family(name): Figure(Family(name), **told) for name, told in orjson.loads(FILE.read_bytes()).items()}
